"""Everything held about one WeChat account: shown on request, erased on request (F100, product.md P5).

Erasing takes out what was said and whose it was; cases, sends and attendance go on counting.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from errors import NotFound
from models import (
    Affiliation,
    Answer,
    Attendance,
    AuditEntry,
    Base,
    BindingClaim,
    Branch,
    CaseStep,
    ClaimState,
    Consultation,
    Conversation,
    Follower,
    Gathering,
    InboxMessage,
    Labelled,
    Notice,
    Outgoing,
    Person,
    Post,
    SendState,
    not_left,
)
from services import audit
from services.consulting import consultations
from services.sending import preferences
from services.sending.outbox import Recipient

ERASED = "本人要求删除"
#: Columns that name an account.
OPENIDS = frozenset({"openid", "scan_openid", "used_by"})
#: Columns that name a person who did something for the society; what they did is its record, not theirs.
ACTED = frozenset(
    {
        "author_id", "decided_by", "by_person_id", "lawyer_id", "saved_by", "made_by", "moved_by", "written_by", "undone_by",
        "said_by", "applied_by", "recorded_by", "set_aside_by",
    }
)  # fmt: skip
#: Columns that say of two entries whether they are one person: the roll's own, of which a person sees the one that is left.
PAIRED = frozenset({"into_id", "low_id", "high_id"})
#: Tables that have a place of their own in what is shown.
SHOWN = frozenset(
    {
        "affiliations", "attendances", "audit", "binding_claims", "consultations", "conversations", "followers", "inbox",
        "outbox", "posts",
    }
)  # fmt: skip
#: Not words about anybody: what opens a door.
NEVER_SHOWN = frozenset({"password", "totp_secret", "token_index", "code_index", "browser_index", "scene", "url"})
#: Of one table; nobody has more than this of anything but messages.
MOST_SHOWN = 1000
NOTHING = "没有关于这个微信账号的任何记录。请核对 OPENID。"


def export(session: Session, openid: str, at: datetime) -> dict[str, Any]:
    """All of it, readable, and the look itself is noted. Raises NotFound."""
    follower = session.get(Follower, openid)
    inbox = _all(session, InboxMessage, InboxMessage.openid == openid, InboxMessage.received_at)
    cases = _all(session, Consultation, Consultation.openid == openid, Consultation.id)
    if follower is None and not inbox and not cases:
        raise NotFound(NOTHING)
    person_id = follower.person_id if follower else None
    told = {
        "openid": openid,
        "exported_at": at.isoformat(),
        "account": _row(follower) if follower else None,
        "person": _person(session, person_id) if person_id is not None else None,
        "messages": [_message(session, message) for message in inbox],
        "conversation": [_row(row) for row in _all(session, Conversation, Conversation.openid == openid)],
        "consultations": [_case(session, case) for case in cases],
        "notices": _notices(session, openid, person_id),
        "declined": [topic.label for topic in preferences.of(session, Recipient(person_id, openid).key)],
        "binding_claims": [_row(row) for row in _all(session, BindingClaim, BindingClaim.openid == openid)],
        "audit": _looks(session, openid, person_id),
        "elsewhere": _elsewhere(session, openid, person_id),
    }
    audit.note(session, at, person_id, "privacy.export", f"openid:{openid}")
    return told


def erase(session: Session, openid: str, at: datetime) -> dict[str, int]:
    """Take out words and identity; returns how much of what. Done again, it finds nothing and changes nothing.

    Open cases are withdrawn first, so that nobody goes on working on words that are gone. The audit keeps that
    it happened; the member's own roll is the society's and is not touched.
    """
    done = {
        "messages": _erase_inbox(session, openid),
        "conversations": _deleted(session, sa.delete(Conversation).where(Conversation.openid == openid)),
        "consultations": _erase_cases(session, openid, at),
        "notices": _erase_notices(session, openid, at),
        "claims": _erase_claims(session, openid, at),
        "accounts": _anonymise(session, openid, at),
    }
    if any(done.values()):
        audit.note(session, at, None, "privacy.erase", f"openid:{openid}", json.dumps(done))
    return done


# --- showing -------------------------------------------------------------------------------------------------


def _person(session: Session, person_id: int) -> dict[str, Any]:
    person = session.get_one(Person, person_id)
    branches = dict(session.execute(sa.select(Branch.id, Branch.name)).all())
    held = session.execute(
        sa.select(Attendance, Gathering)
        .join(Gathering, Gathering.id == Attendance.gathering_id)
        .where(Attendance.person_id == person_id)
        .order_by(Gathering.held_on)
    )
    return _row(person, but=("phone_index", "phone_tail", "search_key", "sound")) | {
        "branches": [
            _row(a) | {"branch": branches[a.branch_id]}
            for a in _all(session, Affiliation, Affiliation.person_id == person_id, Affiliation.id)
        ],
        "posts": [_row(post) for post in _all(session, Post, Post.person_id == person_id, Post.id)],
        "attendance": [
            _row(a, but=("receipt",)) | {"held_on": g.held_on.isoformat(), "branch": branches[g.branch_id]}
            for a, g in held
        ],
    }


def _message(session: Session, message: InboxMessage) -> dict[str, Any]:
    answer = session.get(Answer, message.key)
    told = _row(message, but=("receipt", "signature"))
    return told | {"reply": answer.reply if answer else None, "outcome": answer.outcome.label if answer else None}


def _case(session: Session, case: Consultation) -> dict[str, Any]:
    steps = _all(session, CaseStep, CaseStep.consultation_id == case.id, CaseStep.id)
    return _row(case) | {"steps": [_row(step) for step in steps]}


def _notices(session: Session, openid: str, person_id: int | None) -> list[dict[str, Any]]:
    mine = Outgoing.openid == openid
    rows = session.execute(
        sa.select(Outgoing, Notice)
        .join(Notice, Notice.id == Outgoing.notice_id)
        .where(mine if person_id is None else sa.or_(mine, Outgoing.person_id == person_id))
        .order_by(Outgoing.id)
    )
    return [
        {
            "kind": notice.kind.label, "words": json.loads(notice.facts), "why": notice.why,
            "due_at": row.due_at.isoformat(), "state": row.state.label, "reason": row.reason,
        }
        for row, notice in rows
    ]  # fmt: skip


def _elsewhere(session: Session, openid: str, person_id: int | None) -> dict[str, list[dict[str, Any]]]:
    """Every row of another table that names the account or the person, found from the tables, so that none is missed."""
    found = {}
    for table in Base.metadata.sorted_tables:
        named = [table.c[name] == openid for name in OPENIDS & set(table.columns.keys())]
        if person_id is not None and "person_id" in table.columns:
            named.append(table.c.person_id == person_id)
        if not named or table.name in SHOWN:
            continue
        shown = [column for column in table.columns if column.name not in NEVER_SHOWN]
        rows = session.execute(sa.select(*shown).where(sa.or_(*named)).limit(MOST_SHOWN)).mappings()
        told = [{name: _plain(value) for name, value in row.items()} for row in rows]
        if told:
            found[table.name] = told
    return found


def _looks(session: Session, openid: str, person_id: int | None) -> list[dict[str, Any]]:
    subjects = [f"openid:{openid}"] + ([f"person:{person_id}"] if person_id is not None else [])
    rows = _all(session, AuditEntry, AuditEntry.subject.in_(subjects), AuditEntry.id)
    return [{"at": row.at.isoformat(), "act": row.act} for row in rows]


def _all(session: Session, kind: type[Any], *where_and_order: Any) -> list[Any]:
    where, *order = where_and_order
    return list(session.scalars(sa.select(kind).where(where).order_by(*order)))


def _row(row: Base, but: Iterable[str] = ()) -> dict[str, Any]:
    return {c.name: _plain(getattr(row, c.name)) for c in row.__table__.columns if c.name not in but}


def _plain(value: Any) -> Any:
    if isinstance(value, Labelled):
        return value.label
    if isinstance(value, bytes):
        return f"{len(value)} 字节"
    return value.isoformat() if isinstance(value, date) else value


# --- erasing -------------------------------------------------------------------------------------------------


def _erase_inbox(session: Session, openid: str) -> int:
    """Messages go whole: an empty one without its answer would be taken up again as unfinished."""
    keys = sa.select(InboxMessage.key).where(InboxMessage.openid == openid)
    session.execute(
        sa.delete(Answer).where(Answer.message_key.in_(keys)).execution_options(synchronize_session=False)
    )
    return _deleted(session, sa.delete(InboxMessage).where(InboxMessage.openid == openid))


def _erase_cases(session: Session, openid: str, at: datetime) -> int:
    cases = consultations.own(session, openid)
    for case in cases:
        if case.state not in consultations.OVER:
            consultations.withdraw(session, case, at)
        told = _withdrawal(session, case)
        facts = told.facts if told else ""
        consultations.erase(session, case, at)
        if told is not None:
            # That a case is withdrawn, by its number, is what its lawyer must still read.
            told.facts = facts
    return len(cases)


def _withdrawal(session: Session, case: Consultation) -> Notice | None:
    return session.scalar(sa.select(Notice).where(Notice.campaign == f"case:{case.number}:withdrawn"))


def _erase_notices(session: Session, openid: str, at: datetime) -> int:
    """What waits is not sent; what was said to this account alone goes."""
    session.execute(
        sa.update(Outgoing)
        .where(Outgoing.openid == openid, not_left())
        .values(state=SendState.CANCELLED, settled_at=at, reason=ERASED)
    )
    mine = sa.select(Outgoing.notice_id).where(Outgoing.openid == openid)
    others = sa.select(Outgoing.notice_id).where(
        sa.or_(Outgoing.openid != openid, Outgoing.openid.is_(None)), Outgoing.notice_id.in_(mine)
    )
    ids = list(session.scalars(sa.select(Notice.id).where(Notice.id.in_(mine), Notice.id.not_in(others))))
    session.execute(sa.update(Notice).where(Notice.id.in_(ids)).values(facts=json.dumps({"text": ERASED})))
    return len(ids)


def _erase_claims(session: Session, openid: str, at: datetime) -> int:
    """A claim that waits is nobody's any more; the number that was typed goes with it."""
    mine = BindingClaim.openid == openid, BindingClaim.state == ClaimState.WAITING
    lapsed = sa.update(BindingClaim).where(*mine).values(state=ClaimState.LAPSED, decided_at=at, phone=None)
    return _deleted(session, lapsed)


def _anonymise(session: Session, openid: str, at: datetime) -> int:
    """Whatever names the account gets one name that means nothing, so that counting by account still works.

    Whoever writes to us again begins as somebody new.
    """
    name = consultations.GONE + secrets.token_hex(12)
    preferences.forget(session, Recipient(None, openid).key)
    session.execute(
        sa.update(Follower)
        .where(Follower.openid == openid)
        .values(person_id=None, bound_at=None, scene=None, is_subscribed=False, left_at=at)
    )
    session.execute(
        sa.update(Outgoing).where(Outgoing.recipient == f"openid:{openid}").values(recipient=f"openid:{name}")
    )
    changed = 0
    for table in Base.metadata.sorted_tables:
        for column in OPENIDS & set(table.columns.keys()):
            changed += _deleted(session, sa.update(table).where(table.c[column] == openid).values({column: name}))
    session.expire_all()
    return changed


def _deleted(session: Session, statement: sa.Delete | sa.Update) -> int:
    result = session.execute(statement.execution_options(synchronize_session=False))
    return int(result.rowcount)  # type: ignore[attr-defined]
