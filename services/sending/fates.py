"""What becomes of each row of the outbox: claimed, settled, put back, too late, left by the dead, reported later.

Every change is a compare-and-set on the state, so that two senders, a delivery event and an operator cannot undo
one another (product.md P2, pitfall 6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import (
    Campaign,
    CampaignState,
    Channel,
    Lease,
    Notice,
    Outgoing,
    SendState,
    update_each,
)

#: How long WeChat recognises the same client_msg_id (wechat-platform.md §4.6); a minute is left for our clocks.
DOUBLES_ARE_REMOVED_FOR = timedelta(minutes=9)
#: The lease of a sender that lives; whose lease has ended is dead, and its rows are decided by `recover`.
ALIVE = "sender:"
TOO_LATE = "过了最晚发送时间，没有发出"
TOO_LONG_AGO = "不知上一次是否已经发出，不再重发"
INTERRUPTED = "发送时程序中断，不知是否已经发出；不会自动重发"


class Row(NamedTuple):
    """A row of the outbox without the weight of an object that the session watches."""

    id: int
    notice_id: int
    campaign: str
    recipient: str
    openid: str
    is_bulk: bool
    attempts: int
    rung: int
    round: int
    batch: str | None
    not_after: datetime
    #: Of a row that waits: the channel in which an earlier call may have left, and when.
    channel: Channel | None
    claimed_at: datetime | None

    @property
    def may_have_left_at(self) -> datetime | None:
        """Since when a template message of this row may be with the person already."""
        return self.claimed_at if self.channel is Channel.TEMPLATE else None


_COLUMNS = [getattr(Outgoing, name) for name in Row._fields]


def due(session: Session, at: datetime, limit: int, *, queued_at: datetime | None = None) -> list[Row]:
    """Up to `limit` rows that are due, words to one before notices to many, held until the transaction ends: no
    other sender sees them meanwhile.

    Rows of a campaign that is halted stay. With `queued_at` only what was queued at that very instant (`tick`).
    """
    asked = (
        sa.select(*_COLUMNS)
        .where(*_may_leave(session, at))
        # Nothing more: a notice to many is due at one instant, and sorting all of it would take longer than sending.
        .order_by(Outgoing.is_bulk, Outgoing.due_at)
        .limit(limit)
        .with_for_update(of=Outgoing, skip_locked=True)
    )
    if queued_at is not None:
        asked = asked.where(Outgoing.notice_id.in_(sa.select(Notice.id).where(Notice.queued_at == queued_at)))
    rows = [Row(*row) for row in session.execute(asked)]
    return rows + _rest_of_lists(session, rows)


def _may_leave(session: Session, at: datetime) -> list[sa.ColumnElement[bool]]:
    """Rows that are due and that nobody holds. The few halted campaigns are named: a question about each row's own
    campaign makes PostgreSQL read and sort all that wait."""
    halted = session.scalars(sa.select(Campaign.name).where(Campaign.state != CampaignState.RUNNING)).all()
    is_due = [Outgoing.state == SendState.WAITING, Outgoing.due_at <= at]
    return [*is_due, Outgoing.campaign.not_in(halted)] if halted else is_due


def _rest_of_lists(session: Session, rows: Sequence[Row]) -> list[Row]:
    """A mass message that may have left goes again whole: the same list under the same id (§4.9)."""
    batches = {row.batch for row in rows if row.batch}
    if not batches:
        return []
    is_rest = (
        Outgoing.notice_id.in_({row.notice_id for row in rows if row.batch}),
        Outgoing.batch.in_(batches),
        Outgoing.state == SendState.WAITING,
    )
    asked = sa.select(*_COLUMNS).where(*is_rest).with_for_update(skip_locked=True)
    known = {row.id for row in rows}
    return [row for row in (Row(*each) for each in session.execute(asked)) if row.id not in known]


def due_of(session: Session, notice_id: int, at: datetime, limit: int, known: Collection[int]) -> list[Row]:
    """More rows of one notice that are due, for a mass message that carries many."""
    is_more = (
        Outgoing.notice_id == notice_id,
        Outgoing.state == SendState.WAITING,
        Outgoing.due_at <= at,
        Outgoing.batch.is_(None),
    )
    asked = sa.select(*_COLUMNS).where(*is_more).order_by(Outgoing.id).limit(limit + len(known))
    found = [Row(*row) for row in session.execute(asked.with_for_update(skip_locked=True))]
    return [row for row in found if row.id not in known][:limit]


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that is about to leave, and by which way: recovery decides by it."""

    row_id: int
    channel: Channel
    rung: int
    batch: str | None = None
    #: The first call that may have left: WeChat's ten minutes begin there.
    may_have_left_at: datetime | None = None


def claim(session: Session, claims: Iterable[Claim], at: datetime, holder: str) -> None:
    """Take rows that `due` gave in this transaction: from here on they are this sender's."""
    rows: list[dict[str, Any]] = [
        {
            "id": one.row_id, "state": SendState.CLAIMED, "channel": one.channel, "rung": one.rung,
            "batch": one.batch, "claimed_at": one.may_have_left_at or at, "claimed_by": holder,
        }
        for one in claims
    ]  # fmt: skip
    update_each(session, Outgoing, rows, only_if={"state": SendState.WAITING})


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one claimed row for good."""

    row_id: int
    state: SendState
    reason: str | None = None
    code: int | None = None
    msgid: str | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """One claimed row that is to be tried again, and from which rung of the ladder."""

    row_id: int
    due_at: datetime
    reason: str
    attempts: int
    rung: int
    batch: str | None = None
    may_have_left: bool = False


def settle(session: Session, fates: Iterable[Fate], at: datetime, *, was: SendState = SendState.CLAIMED) -> None:
    """Give claimed rows their fate; what something quicker has settled (a delivery event) stays as it is."""
    rows: list[dict[str, Any]] = [
        {
            "id": fate.row_id, "state": fate.state, "settled_at": at, "code": fate.code, "msgid": fate.msgid,
            "reason": fate.reason and fate.reason[:255],
        }
        for fate in fates
    ]  # fmt: skip
    update_each(session, Outgoing, rows, only_if={"state": was})


def put_back(session: Session, agains: Iterable[Again], *, was: SendState = SendState.CLAIMED) -> None:
    """Claimed rows wait again until their time."""
    rows: list[dict[str, Any]] = [
        {
            "id": again.row_id, "state": SendState.WAITING, "due_at": again.due_at, "reason": again.reason[:255],
            "attempts": again.attempts, "rung": again.rung, "batch": again.batch, "claimed_by": None,
            "channel": Channel.TEMPLATE if again.may_have_left else None,
        }
        for again in agains
    ]  # fmt: skip
    update_each(session, Outgoing, rows, only_if={"state": was})


def expire(session: Session, at: datetime) -> int:
    """Mark what is no longer worth sending (F044, pitfall 7). Returns how many rows that are."""
    return give_up(
        session, SendState.EXPIRED, TOO_LATE, at, Outgoing.state == SendState.WAITING, Outgoing.not_after < at
    )


def give_up(session: Session, state: SendState, reason: str, at: datetime, *which: sa.ColumnElement[bool]) -> int:
    """End rows that have not left. Of what may have left on an earlier try nobody can say that it did not: it is unknown.

    Returns how many certainly did not leave.
    """
    given_up = sa.update(Outgoing).where(*which)
    unsure = given_up.where(Outgoing.state == SendState.WAITING, Outgoing.channel == Channel.TEMPLATE)
    session.execute(unsure.values(state=SendState.UNKNOWN, settled_at=at, reason=TOO_LONG_AGO))
    return int(session.execute(given_up.values(state=state, settled_at=at, reason=reason)).rowcount)  # type: ignore[attr-defined]


def recover(session: Session, at: datetime) -> dict[SendState, int]:
    """Decide what dead senders left claimed (pitfall 6).

    A row whose call never left waits again. So does one whose call may have left where WeChat removes doubles: a
    template message within ten minutes (§4.6), a mass message under its clientmsgid (§4.9). Any other is unknown.
    """
    alive = sa.select(Lease.holder).where(Lease.name.startswith(ALIVE), Lease.until > at)
    left = (
        Outgoing.state == SendState.CLAIMED,
        sa.or_(Outgoing.claimed_by.is_(None), Outgoing.claimed_by.not_in(alive)),
    )
    is_safe = sa.or_(
        Outgoing.channel.is_(None),
        Outgoing.channel == Channel.MASS,
        sa.and_(Outgoing.channel == Channel.TEMPLATE, Outgoing.claimed_at > at - DOUBLES_ARE_REMOVED_FOR),
    )
    again = session.execute(
        sa.update(Outgoing).where(*left, is_safe).values(state=SendState.WAITING, claimed_by=None)
    )
    unknown = session.execute(
        sa.update(Outgoing).where(*left).values(state=SendState.UNKNOWN, settled_at=at, reason=INTERRUPTED)
    )
    return {SendState.WAITING: again.rowcount, SendState.UNKNOWN: unknown.rowcount}  # type: ignore[attr-defined]


def senders(session: Session, at: datetime) -> int:
    """How many senders live at this instant."""
    alive = sa.select(sa.func.count()).select_from(Lease).where(Lease.name.startswith(ALIVE), Lease.until > at)
    return session.scalar(alive) or 0


def is_work_waiting(session: Session, at: datetime, *, queued_at: datetime | None = None) -> bool:
    """Whether any row could be claimed now; with `queued_at`, of those that were queued at that instant."""
    asked = sa.select(Outgoing.id).where(*_may_leave(session, at))
    if queued_at is not None:
        asked = asked.where(Outgoing.notice_id.in_(sa.select(Notice.id).where(Notice.queued_at == queued_at)))
    return session.scalar(asked.limit(1)) is not None


# --- what WeChat says later ----------------------------------------------------------------------------------


def report_delivery(session: Session, openid: str, msgid: str, status: str, at: datetime) -> bool:
    """What WeChat says later about a template message or a subscription notification (§2.3, §2.4).

    Returns whether a row was found. The event may overtake the answer to the call: then the row is still claimed
    and has no msgid yet.
    """
    said = status.replace(" ", "").lower()
    state, reason = (SendState.DELIVERED, None) if said == "success" else (SendState.REFUSED, _refusal(said))
    has_id = Outgoing.msgid == msgid
    is_out = sa.and_(
        Outgoing.state == SendState.CLAIMED,
        Outgoing.channel.in_((Channel.TEMPLATE, Channel.SUBSCRIPTION)),
        Outgoing.msgid.is_(None),
    )
    # One question: between two, the sender could write the id down and both would miss the row.
    row_id = session.scalar(
        sa.select(Outgoing.id)
        .where(Outgoing.openid == openid, sa.or_(has_id, is_out))
        .order_by(sa.case((has_id, 0), else_=1), Outgoing.claimed_at)
        .limit(1)
    )
    if row_id is None:
        return False
    session.execute(
        sa.update(Outgoing)
        .where(Outgoing.id == row_id, Outgoing.state.in_((SendState.CLAIMED, SendState.SENT)))
        .values(state=state, reason=reason, settled_at=at, msgid=msgid)
    )
    return True


def report_mass(session: Session, msgid: str, status: str, at: datetime) -> int:
    """What became of a mass message as a whole (§2.3): WeChat does not tell who of the list was left out.

    “send success” leaves the rows sent; a failure refuses them all. Returns how many rows it concerns.
    """
    said = status.replace(" ", "").lower()
    rows = Outgoing.msgid == msgid, Outgoing.channel == Channel.MASS, Outgoing.state == SendState.SENT
    if said == "sendsuccess":
        return session.scalar(sa.select(sa.func.count()).select_from(Outgoing).where(*rows)) or 0
    reason = f"微信没有发出这次群发（{status[:32]}）"
    changed = session.execute(
        sa.update(Outgoing).where(*rows).values(state=SendState.REFUSED, reason=reason, settled_at=at)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]


def _refusal(status: str) -> str:
    if "userblock" in status or "userrefuse" in status:
        return "对方设置了拒收"
    if "freqlimit" in status:
        return "微信限制了给此人发送的频率"
    return "微信内部发送失败"


# --- counting ------------------------------------------------------------------------------------------------


def tally(session: Session, campaign: str) -> dict[SendState, int]:
    """How many rows of a campaign are in each state; every state is named, so the sum is the audience."""
    rows = session.execute(
        sa.select(Outgoing.state, sa.func.count()).where(Outgoing.campaign == campaign).group_by(Outgoing.state)
    ).all()
    counted: dict[SendState, int] = {row[0]: row[1] for row in rows}
    return {state: counted.get(state, 0) for state in SendState}


def waits_until(session: Session, campaign: str, at: datetime) -> datetime | None:
    """When the first waiting row of a campaign is due, if that is after `at`; None when something may go now."""
    first = session.scalar(
        sa.select(sa.func.min(Outgoing.due_at)).where(
            Outgoing.campaign == campaign, Outgoing.state.in_((SendState.WAITING, SendState.CLAIMED))
        )
    )
    return first if first is not None and first > at else None
