"""How a WeChat account meets us and leaves, and how it is bound to a person: by an invite code, or by a yes to a claim."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from errors import NotFound, RuleBroken
from models import Follower, Invite, Person, Vault
from services import audit
from services.membership import people
from services.sending import outbox, preferences

INVITE_LASTS = timedelta(days=30)
# No letters or digits that are taken for one another when read aloud or from paper.
_CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 6
#: Wrong guesses an account may make in an hour before it has to wait.
MAX_GUESSES = 5
GUESS_WINDOW = timedelta(hours=1)


def invite(session: Session, vault: Vault, person_id: int, at: datetime, *, by: int | None) -> str:
    """A fresh invite code for a person, valid for 30 days, once. Only its digest is stored."""
    code = "".join(secrets.choice(_CODE_LETTERS) for _ in range(CODE_LENGTH))
    session.add(Invite(code_index=vault.index(code), person_id=person_id, expires_at=at + INVITE_LASTS))
    audit.note(session, at, by, "people.invite", f"person:{person_id}")
    return code


def bind_by_code(session: Session, vault: Vault, openid: str, code: str, at: datetime) -> Person:
    """Bind an account with an invite code. Raises RuleBroken when the code is wrong, used or old."""
    limit_guesses(session, openid, at)
    wrong = RuleBroken("邀请码不对、已用过或已过期。请核对，或向支部书记要一个新的。")
    found = session.get(Invite, vault.index(code.strip().upper()))
    if found is None or found.expires_at <= at:
        raise wrong
    # Before the code is used up: it still belongs to the person it was made for.
    _free_account(session, openid, found.person_id)
    taken = session.execute(
        sa.update(Invite)
        .where(Invite.code_index == found.code_index, Invite.used_at.is_(None))
        .values(used_at=at, used_by=openid)
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise wrong
    return bind(session, openid, found.person_id, at, by=None, how="invite")


def bind(session: Session, openid: str, person_id: int, at: datetime, *, by: int | None, how: str) -> Person:
    """From now on this account is this person's. Raises NotFound, RuleBroken."""
    follower = _free_account(session, openid, person_id)
    follower.person_id, follower.bound_at = person_id, at
    preferences.carry(session, outbox.Recipient(None, openid).key, outbox.Recipient(person_id, openid).key)
    audit.note(session, at, by or person_id, "people.bind", f"person:{person_id}", f"{how} {openid}")
    return people.get(session, person_id)


def _free_account(session: Session, openid: str, person_id: int) -> Follower:
    """The account, if it may be bound to this person. Raises NotFound, RuleBroken."""
    follower = session.get(Follower, openid)
    if follower is None:
        raise NotFound("没有这个微信账号。")
    if follower.person_id is not None and follower.person_id != person_id:
        raise RuleBroken("这个微信已经绑定了另一位同志。如需更换，请先回复“解绑”。")
    return follower


def unbind(session: Session, openid: str, at: datetime) -> None:
    """Undo a binding; records stay with the person."""
    follower = session.get(Follower, openid)
    if follower is None or follower.person_id is None:
        raise RuleBroken("这个微信还没有绑定。")
    audit.note(session, at, follower.person_id, "people.unbind", f"person:{follower.person_id}", openid)
    account = outbox.Recipient(None, openid).key
    # What the person said last counts, for whoever holds the phone is still the same.
    preferences.forget(session, account)
    preferences.carry(session, outbox.Recipient(follower.person_id, openid).key, account)
    follower.person_id = follower.bound_at = None


# --- guesses -------------------------------------------------------------------------------------------------


def limit_guesses(session: Session, openid: str, at: datetime) -> None:
    guesses = session.scalar(
        sa.select(sa.func.count())
        .select_from(audit.AuditEntry)
        .where(
            audit.AuditEntry.subject == f"openid:{openid}",
            audit.AuditEntry.act.in_(("people.claim", "people.wrong_code")),
            audit.AuditEntry.at > at - GUESS_WINDOW,
        )
    )
    if (guesses or 0) >= MAX_GUESSES:
        raise RuleBroken("试的次数太多了，请一小时后再试，或联系支部书记。")


def note_wrong_code(session: Session, openid: str, at: datetime) -> None:
    """Remember a wrong invite code, so that nobody can try them all."""
    audit.note(session, at, None, "people.wrong_code", f"openid:{openid}")


# --- following -----------------------------------------------------------------------------------------------


def follow(session: Session, openid: str, at: datetime, scene: str = "") -> bool:
    """Note that an account follows us (again). Returns whether it had followed before (F015)."""
    follower = session.get(Follower, openid)
    if follower is None:
        session.add(Follower(openid=openid, met_at=at, is_subscribed=True, scene=scene[:64] or None))
        return False
    came_back = follower.left_at is not None
    follower.is_subscribed, follower.left_at = True, None
    follower.scene = follower.scene or scene[:64] or None
    return came_back


def unfollow(session: Session, openid: str, at: datetime) -> None:
    """Nothing is sent to this account any more; records stay (F015)."""
    follower = session.get(Follower, openid)
    if follower is not None:
        follower.is_subscribed, follower.left_at = False, at
