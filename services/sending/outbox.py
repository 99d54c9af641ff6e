"""What is to be sent: a notice, and one row for each recipient. Decide now, send later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import (
    Campaign,
    CampaignState,
    Follower,
    Notice,
    NoticeKind,
    Outgoing,
    SendState,
    Topic,
    dialect_of,
    insert_new,
)
from services.sending import burden
from services.sending.burden import Week

#: How long an answer stays worth sending: as long as the window for customer messages (wechat-platform.md §4.5).
PERSONAL_NOT_AFTER = timedelta(hours=48)
#: So many rows change what the database should know of the table before it plans the next claim.
MANY = 5000
#: So many rows are in memory at a time, whatever the audience.
AT_ONCE = 2000
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


@dataclass(frozen=True, slots=True)
class Letter:
    """One notice to be queued, and for whom. Times are UTC; without them it is due at once, for 48 hours.

    A `topic` other than the statutory one may be declined, and counts in a person's week: with `per_week` of
    them it is full, and the rest goes into the digest (F046, F115).
    """

    kind: NoticeKind
    campaign: str
    facts: Mapping[str, str]
    recipients: Iterable[Recipient]
    due_at: datetime | None = None
    not_after: datetime | None = None
    why: str = ""
    app: str = "official"
    topic: Topic = Topic.STATUTORY
    per_week: int = burden.USUAL


def queue(session: Session, letter: Letter, at: datetime) -> None:
    """Put one notice into the outbox, in the caller's transaction (F116)."""
    queue_all(session, [letter], at)


def queue_all(session: Session, letters: Sequence[Letter], at: datetime) -> None:
    """Put many notices for many people into the outbox, with a few statements, in the caller's transaction.

    Whoever is in the campaign already keeps their one row (pitfall 8). Who has no account or has left gets a
    row too, settled at once as unreachable, and so does whose week is full, folded into the digest (F046): the
    totals always add up to the audience.
    """
    notices = [
        Notice(
            kind=letter.kind,
            topic=letter.topic,
            campaign=letter.campaign,
            facts=json.dumps(dict(letter.facts), ensure_ascii=False),
            why=letter.why[:128],
            queued_at=at,
            app=letter.app,
        )
        for letter in letters
    ]
    session.add_all(notices)
    session.flush()
    insert_new(session, Campaign, _campaigns(letters, at))
    rows: list[dict[str, object]] = []
    many = 0
    for notice, letter in zip(notices, letters, strict=True):
        for row in _rows(session, notice, letter, at):
            rows.append(row)
            many += 1
            if len(rows) == AT_ONCE:
                insert_new(session, Outgoing, rows)
                rows = []
        if burden.weighs(letter.kind, letter.topic):
            # The next letter finds these in its people's week.
            insert_new(session, Outgoing, rows)
            rows = []
    insert_new(session, Outgoing, rows)
    if many >= MANY and dialect_of(session) == "postgresql":
        # With statistics of an empty table the claims that follow would read all of it each time (stack.md §3).
        session.execute(sa.text("ANALYZE outbox"))


def _campaigns(letters: Sequence[Letter], at: datetime) -> list[dict[str, object]]:
    """What goes to many can be paused, stopped and cancelled, and so has a row of its own."""
    return [
        {
            "name": name, "kind": kind, "state": CampaignState.RUNNING, "reason": "", "begun_at": at,
            "changed_at": at,
        }
        for name, kind in {letter.campaign: letter.kind for letter in letters if letter.kind.is_bulk}.items()
    ]  # fmt: skip


def once_each(recipients: Iterable[Recipient]) -> dict[str, Recipient]:
    """Each recipient once, with an account that can be reached if there is one."""
    chosen: dict[str, Recipient] = {}
    for recipient in recipients:
        known = chosen.get(recipient.key)
        if known is None or (not _is_reachable(known) and _is_reachable(recipient)):
            chosen[recipient.key] = recipient
    return chosen


def _is_reachable(recipient: Recipient) -> bool:
    return recipient.openid is not None and recipient.is_subscribed


def _rows(session: Session, notice: Notice, letter: Letter, at: datetime) -> Iterator[dict[str, object]]:
    """A row for each recipient. Whose week is full is found out under a lock, so that two senders at once do not
    both see room."""
    due = letter.due_at or at
    last = letter.not_after or due + PERSONAL_NOT_AFTER
    week, full = Week.of(due), dict[str, int]()
    if burden.weighs(letter.kind, letter.topic):
        burden.count_alone(session, at)
        full = burden.full(session, letter.topic, week, letter.per_week)
    folded = {key: burden.reason(week, many, letter.per_week) for key, many in full.items()}
    chosen = once_each(letter.recipients)
    for key, recipient in chosen.items():
        yield _row(notice, key, recipient, due, last, at, folded.get(key))


def _row(
    notice: Notice, key: str, recipient: Recipient, due: datetime, last: datetime, at: datetime, folded: str | None
) -> dict[str, object]:
    state, reason = SendState.WAITING, None
    if not _is_reachable(recipient):
        state, reason = SendState.UNREACHABLE, NO_ACCOUNT if recipient.openid is None else UNFOLLOWED
    elif folded is not None:
        state, reason = SendState.FOLDED, folded
    return {
        "notice_id": notice.id,
        "campaign": notice.campaign,
        "recipient": key,
        "person_id": recipient.person_id,
        "openid": recipient.openid,
        "state": state,
        "is_bulk": notice.kind.is_bulk,
        "due_at": due,
        "not_after": last,
        "attempts": 0,
        "rung": 0,
        "round": 0,
        "settled_at": None if state is SendState.WAITING else at,
        "reason": reason,
    }


def accounts_of(session: Session, person_ids: Iterable[int]) -> list[Recipient]:
    """The accounts of these people; somebody without one is still a recipient, an unreachable one."""
    ids = set(person_ids)
    rows = session.execute(
        sa.select(Follower.person_id, Follower.openid, Follower.is_subscribed)
        .where(Follower.person_id.in_(ids))
        .order_by(Follower.is_subscribed, Follower.bound_at)
    ).all()
    known = {row.person_id for row in rows}
    return [Recipient(*row) for row in rows] + [Recipient(i, None) for i in sorted(ids - known)]


def tell(
    session: Session,
    kind: NoticeKind,
    campaign: str,
    facts: Mapping[str, str],
    person_ids: Iterable[int],
    at: datetime,
) -> None:
    """A notice to some people, due at once, whatever their account."""
    queue(session, Letter(kind, campaign, facts, accounts_of(session, person_ids)), at)


def push_late(session: Session, app: str, openid: str, words: str, message_key: str, at: datetime) -> None:
    """An answer that came too late for the passive reply follows as a customer message (F003)."""
    facts = {"text": words}
    queue(
        session, Letter(NoticeKind.LATE_REPLY, f"late:{message_key}", facts, [Recipient(None, openid)], app=app), at
    )
