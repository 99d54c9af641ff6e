"""What is to be sent: a notice, and one row for each recipient. Decide now, send later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Follower, Notice, NoticeKind, Outgoing, SendState, insert_new

#: How long an answer stays worth sending: as long as the window for customer messages (wechat-platform.md §4.5).
PERSONAL_NOT_AFTER = timedelta(hours=48)
NO_ACCOUNT = "未绑定微信"
UNFOLLOWED = "已取消关注"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person, an account, or both. A person with two accounts is still one recipient."""

    person_id: int | None
    openid: str | None
    is_subscribed: bool = True

    @property
    def key(self) -> str:
        return f"person:{self.person_id}" if self.person_id is not None else f"openid:{self.openid}"


def queue(
    session: Session,
    kind: NoticeKind,
    campaign: str,
    facts: Mapping[str, str],
    recipients: Iterable[Recipient],
    *,
    at: datetime,
    due_at: datetime | None = None,
    not_after: datetime | None = None,
    why: str = "",
    app: str = "official",
) -> Notice:
    """Put one notice for many people into the outbox, in the caller's transaction (F116).

    Whoever is in the campaign already keeps their one row (pitfall 8). Who has no account or has left gets a
    row too, settled at once as unreachable, so that the totals always add up to the audience.
    """
    notice = Notice(
        kind=kind,
        campaign=campaign,
        facts=json.dumps(dict(facts), ensure_ascii=False),
        why=why,
        queued_at=at,
        app=app,
    )
    session.add(notice)
    session.flush()
    due = due_at or at
    last = not_after or due + PERSONAL_NOT_AFTER
    chosen: dict[str, Recipient] = {}
    for recipient in recipients:
        known = chosen.get(recipient.key)
        if known is None or (not _is_reachable(known) and _is_reachable(recipient)):
            chosen[recipient.key] = recipient
    insert_new(session, Outgoing, [_row(notice, key, r, due, last, at) for key, r in chosen.items()])
    return notice


def _is_reachable(recipient: Recipient) -> bool:
    return recipient.openid is not None and recipient.is_subscribed


def _row(
    notice: Notice, key: str, recipient: Recipient, due: datetime, last: datetime, at: datetime
) -> dict[str, object]:
    reachable = _is_reachable(recipient)
    return {
        "notice_id": notice.id,
        "campaign": notice.campaign,
        "recipient": key,
        "person_id": recipient.person_id,
        "openid": recipient.openid,
        "state": SendState.WAITING if reachable else SendState.UNREACHABLE,
        "due_at": due,
        "not_after": last,
        "attempts": 0,
        "settled_at": None if reachable else at,
        "reason": None if reachable else (NO_ACCOUNT if recipient.openid is None else UNFOLLOWED),
    }


def accounts_of(session: Session, person_ids: Iterable[int]) -> list[Recipient]:
    """The accounts of these people; somebody without one is still a recipient, an unreachable one."""
    ids = list(person_ids)
    rows = session.execute(
        sa.select(Follower.person_id, Follower.openid, Follower.is_subscribed)
        .where(Follower.person_id.in_(ids))
        .order_by(Follower.is_subscribed, Follower.bound_at)
    ).all()
    known = {row.person_id for row in rows}
    return [Recipient(*row) for row in rows] + [Recipient(i, None) for i in ids if i not in known]


def tell(
    session: Session,
    kind: NoticeKind,
    campaign: str,
    facts: Mapping[str, str],
    person_ids: Iterable[int],
    at: datetime,
) -> Notice:
    """A notice to some people, due at once, whatever their account."""
    return queue(session, kind, campaign, facts, accounts_of(session, person_ids), at=at)


def push_late(session: Session, app: str, openid: str, words: str, message_key: str, at: datetime) -> None:
    """An answer that came too late for the passive reply follows as a customer message (F003)."""
    recipient = Recipient(None, openid)
    queue(session, NoticeKind.LATE_REPLY, f"late:{message_key}", {"text": words}, [recipient], at=at, app=app)


def tally(session: Session, campaign: str) -> dict[SendState, int]:
    """How many rows of a campaign are in each state; every state is named, so the sum is the audience."""
    rows = session.execute(
        sa.select(Outgoing.state, sa.func.count()).where(Outgoing.campaign == campaign).group_by(Outgoing.state)
    ).all()
    counted: dict[SendState, int] = {row[0]: row[1] for row in rows}
    return {state: counted.get(state, 0) for state in SendState}
