"""What is to be sent: a notice, and one row for each recipient. Decide now, send later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Channel, Follower, Notice, NoticeKind, Outgoing, SendState, dialect_of, insert_new

#: How long an answer stays worth sending: as long as the window for customer messages (wechat-platform.md §4.5).
PERSONAL_NOT_AFTER = timedelta(hours=48)
#: How long WeChat recognises the same client_msg_id (wechat-platform.md §4.6); a minute is left for our clocks.
DOUBLES_ARE_REMOVED_FOR = timedelta(minutes=9)
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
    """One notice to be queued, and for whom. Times are UTC; without them it is due at once, for 48 hours."""

    kind: NoticeKind
    campaign: str
    facts: Mapping[str, str]
    recipients: Iterable[Recipient]
    due_at: datetime | None = None
    not_after: datetime | None = None
    why: str = ""
    app: str = "official"


def queue(session: Session, letter: Letter, at: datetime) -> None:
    """Put one notice into the outbox, in the caller's transaction (F116)."""
    queue_all(session, [letter], at)


def queue_all(session: Session, letters: Sequence[Letter], at: datetime) -> None:
    """Put many notices for many people into the outbox, with two statements, in the caller's transaction.

    Whoever is in the campaign already keeps their one row (pitfall 8). Who has no account or has left gets a
    row too, settled at once as unreachable, so that the totals always add up to the audience.
    """
    notices = [
        Notice(
            kind=letter.kind,
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
    rows: list[dict[str, object]] = []
    for notice, letter in zip(notices, letters, strict=True):
        due = letter.due_at or at
        last = letter.not_after or due + PERSONAL_NOT_AFTER
        rows += [_row(notice, key, recipient, due, last, at) for key, recipient in _once(letter.recipients).items()]
    insert_new(session, Outgoing, rows)


def _once(recipients: Iterable[Recipient]) -> dict[str, Recipient]:
    """Each recipient once, with an account that can be reached if there is one."""
    chosen: dict[str, Recipient] = {}
    for recipient in recipients:
        known = chosen.get(recipient.key)
        if known is None or (not _is_reachable(known) and _is_reachable(recipient)):
            chosen[recipient.key] = recipient
    return chosen


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
        "is_bulk": notice.kind.is_bulk,
        "due_at": due,
        "not_after": last,
        "attempts": 0,
        "settled_at": None if reachable else at,
        "reason": None if reachable else (NO_ACCOUNT if recipient.openid is None else UNFOLLOWED),
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


# --- the fate of a row ---------------------------------------------------------------------------------------


def claim(
    session: Session, at: datetime, holder: str, limit: int, *, queued_at: datetime | None = None
) -> list[Outgoing]:
    """Take up to `limit` rows that are due, words to one before notices to many; nobody else gets them.

    With `queued_at` only what was queued at that very instant (`tick --at`).
    """
    due = (
        sa.select(Outgoing.id)
        .where(Outgoing.state == SendState.WAITING, Outgoing.due_at <= at)
        .order_by(Outgoing.is_bulk, Outgoing.due_at, Outgoing.id)
        .limit(limit)
    )
    if queued_at is not None:
        due = due.where(Outgoing.notice_id.in_(sa.select(Notice.id).where(Notice.queued_at == queued_at)))
    if dialect_of(session) != "sqlite":
        due = due.with_for_update(skip_locked=True)
    ids = list(session.scalars(due))
    session.execute(
        sa.update(Outgoing)
        .where(Outgoing.id.in_(ids), Outgoing.state == SendState.WAITING)
        .values(state=SendState.CLAIMED, claimed_at=at, claimed_by=holder, channel=None)
    )
    return list(
        session.scalars(
            sa.select(Outgoing)
            .options(sa.orm.joinedload(Outgoing.notice))
            .where(Outgoing.id.in_(ids), Outgoing.claimed_by == holder, Outgoing.state == SendState.CLAIMED)
            .order_by(Outgoing.is_bulk, Outgoing.due_at, Outgoing.id)
            .execution_options(populate_existing=True)
        )
    )


def take_channel(session: Session, ids: Iterable[int], channel: Channel) -> None:
    """Note, before the call leaves, which way claimed rows go: recovery decides by it."""
    session.execute(
        sa.update(Outgoing)
        .where(Outgoing.id.in_(list(ids)), Outgoing.state == SendState.CLAIMED)
        .values(channel=channel)
    )


def settle(
    session: Session,
    row_id: int,
    state: SendState,
    at: datetime,
    *,
    reason: str | None = None,
    code: int | None = None,
    msgid: str | None = None,
) -> bool:
    """Give a claimed row its fate. False when something quicker has done so (a delivery event)."""
    changed = session.execute(
        sa.update(Outgoing)
        .where(Outgoing.id == row_id, Outgoing.state == SendState.CLAIMED)
        .values(state=state, settled_at=at, reason=reason and reason[:255], code=code, msgid=msgid)
    )
    return changed.rowcount == 1  # type: ignore[attr-defined, no-any-return]


def put_back(session: Session, row_id: int, due_at: datetime, reason: str, *, counts: bool = True) -> None:
    """A claimed row waits again, until `due_at`; `counts` is whether this was an attempt."""
    session.execute(
        sa.update(Outgoing)
        .where(Outgoing.id == row_id, Outgoing.state == SendState.CLAIMED)
        .values(
            state=SendState.WAITING,
            due_at=due_at,
            reason=reason[:255],
            attempts=Outgoing.attempts + (1 if counts else 0),
            claimed_by=None,
            channel=None,
        )
    )


def expire(session: Session, at: datetime) -> int:
    """Mark what is no longer worth sending (F044, pitfall 7)."""
    changed = session.execute(
        sa.update(Outgoing)
        .where(Outgoing.state == SendState.WAITING, Outgoing.not_after < at)
        .values(state=SendState.EXPIRED, settled_at=at, reason="过了最晚发送时间，没有发出")
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]


def recover(session: Session, at: datetime, holder: str) -> dict[SendState, int]:
    """Decide what a dead sender left claimed (pitfall 6). The caller is the only sender now.

    A row whose call never left waits again. A template message whose call may have left is sent again only
    within the ten minutes in which WeChat removes doubles (§4.6); a customer message never: both are unknown.
    """
    abandoned = (
        Outgoing.state == SendState.CLAIMED,
        sa.or_(Outgoing.claimed_by != holder, Outgoing.claimed_by.is_(None)),
    )
    again = session.execute(
        sa.update(Outgoing)
        .where(
            *abandoned,
            sa.or_(
                Outgoing.channel.is_(None),
                sa.and_(Outgoing.channel == Channel.TEMPLATE, Outgoing.claimed_at > at - DOUBLES_ARE_REMOVED_FOR),
            ),
        )
        .values(state=SendState.WAITING, claimed_by=None)
    )
    unknown = session.execute(
        sa.update(Outgoing)
        .where(*abandoned)
        .values(state=SendState.UNKNOWN, settled_at=at, reason="发送时程序中断，不知是否已经发出；不会自动重发")
    )
    return {SendState.WAITING: again.rowcount, SendState.UNKNOWN: unknown.rowcount}  # type: ignore[attr-defined]


def report_delivery(session: Session, openid: str, msgid: str, status: str, at: datetime) -> bool:
    """What WeChat says later about a template message (§2.3). Returns whether a row was found.

    The event may overtake the answer to the call: then the row is still claimed and has no msgid yet.
    """
    said = status.replace(" ", "").lower()
    state, reason = (SendState.DELIVERED, None) if said == "success" else (SendState.REFUSED, _refusal(said))
    row_id = session.scalar(
        sa.select(Outgoing.id).where(Outgoing.msgid == msgid, Outgoing.openid == openid)
    ) or session.scalar(
        sa.select(Outgoing.id)
        .where(
            Outgoing.openid == openid,
            Outgoing.state == SendState.CLAIMED,
            Outgoing.channel == Channel.TEMPLATE,
            Outgoing.msgid.is_(None),
        )
        .order_by(Outgoing.claimed_at)
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


def _refusal(status: str) -> str:
    if "userblock" in status:
        return "对方设置了拒收"
    if "freqlimit" in status:
        return "微信限制了给此人发送的频率"
    return "微信内部发送失败"


def waits_until(session: Session, campaign: str, at: datetime) -> datetime | None:
    """When the first waiting row of a campaign is due, if that is after `at`; None when something may go now."""
    first = session.scalar(
        sa.select(sa.func.min(Outgoing.due_at)).where(
            Outgoing.campaign == campaign, Outgoing.state.in_((SendState.WAITING, SendState.CLAIMED))
        )
    )
    return first if first is not None and first > at else None


def tally(session: Session, campaign: str) -> dict[SendState, int]:
    """How many rows of a campaign are in each state; every state is named, so the sum is the audience."""
    rows = session.execute(
        sa.select(Outgoing.state, sa.func.count()).where(Outgoing.campaign == campaign).group_by(Outgoing.state)
    ).all()
    counted: dict[SendState, int] = {row[0]: row[1] for row in rows}
    return {state: counted.get(state, 0) for state in SendState}
