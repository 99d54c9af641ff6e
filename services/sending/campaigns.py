"""Holding, resuming and ending what goes to many, with exact numbers at each moment (F104–F106, F111, F113).

`by` is nobody for the stop rule and for the command line; `note` is then what the audit says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from errors import NotFound, RuleBroken
from models import (
    ARRIVED_STATES,
    OPEN_STATES,
    Campaign,
    CampaignState,
    Channel,
    Notice,
    Outgoing,
    SendState,
    not_left,
)
from services import audit
from services.sending import fates, quotas
from services.sending.outbox import Recipient

#: A person may ask for these again; an unknown one only by saying so, it may have arrived.
FAILED_STATES = (SendState.REFUSED, SendState.UNREACHABLE, SendState.EXPIRED)
#: What was asked for again is worth sending for this long.
AGAIN_FOR = timedelta(hours=24)
BY_HAND = "人工核实："
ACTS = {
    CampaignState.RUNNING: "campaign.running",
    CampaignState.PAUSED: "campaign.paused",
    CampaignState.STOPPED: "campaign.stopped",
    CampaignState.CANCELLED: "campaign.cancelled",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One campaign at one moment; the counts add up to its audience."""

    name: str
    title: str
    state: CampaignState
    reason: str
    counted: dict[SendState, int]
    ends_at: datetime | None

    @property
    def total(self) -> int:
        return sum(self.counted.values())

    @property
    def is_open(self) -> bool:
        return any(self.counted[state] for state in OPEN_STATES)


def get(session: Session, name: str) -> Campaign:
    """Raises NotFound."""
    row = session.get(Campaign, name, populate_existing=True)
    if row is None:
        raise NotFound(f"没有叫“{name}”的发送。运行 python app.py outbox status 查看。")
    return row


def latest(session: Session, limit: int = 20) -> list[Campaign]:
    """The campaigns that began last."""
    return list(session.scalars(sa.select(Campaign).order_by(Campaign.begun_at.desc(), Campaign.name).limit(limit)))


def open_now(session: Session) -> list[Campaign]:
    """Those of which something still waits or is on its way, the oldest first."""
    moving = sa.select(Outgoing.campaign).where(Outgoing.state.in_(OPEN_STATES)).distinct()
    return list(session.scalars(sa.select(Campaign).where(Campaign.name.in_(moving)).order_by(Campaign.begun_at)))


def halted(session: Session) -> list[Campaign]:
    """Those that a person or the stop rule holds."""
    held = Campaign.state.in_((CampaignState.PAUSED, CampaignState.STOPPED))
    return list(session.scalars(sa.select(Campaign).where(held).order_by(Campaign.changed_at)))


def standing(session: Session, name: str, at: datetime, per_second: float, daily: dict[Channel, int]) -> Standing:
    """Where a campaign stands, and when it will be through if nothing changes. Raises NotFound."""
    row = get(session, name)
    counted = fates.tally(session, name)
    ends_at = None
    if row.state is CampaignState.RUNNING and counted[SendState.WAITING]:
        begins = fates.waits_until(session, name, at) or at
        left = quotas.left(session, "official", Channel.TEMPLATE, begins, daily)
        ends_at = forecast_end(counted[SendState.WAITING], begins, per_second, left, daily.get(Channel.TEMPLATE))
    return Standing(name, title(session, name), row.state, row.reason, counted, ends_at)


def title(session: Session, name: str) -> str:
    """What a campaign is about, in words."""
    return session.scalar(sa.select(Notice.why).where(Notice.campaign == name).order_by(Notice.id).limit(1)) or ""


def begins_at(session: Session, name: str, at: datetime) -> datetime | None:
    """When the first of it goes, if that is later than `at`: it waits for the morning."""
    return fates.waits_until(session, name, at)


def forecast_end(
    messages: int, begins_at: datetime, per_second: float, left_today: int | None, daily: int | None
) -> datetime:
    """When so many messages will have left at this rate; what today's calls do not cover goes on at midnight."""
    if left_today is None or messages <= left_today or not daily:
        return begins_at + timedelta(seconds=messages / per_second)
    rest = messages - left_today
    days = math.ceil(rest / daily) - 1
    midnight = quotas.begins_anew(begins_at) + timedelta(days=days)
    return midnight + timedelta(seconds=(rest - days * daily) / per_second)


def pause(session: Session, name: str, at: datetime, *, by: int | None, note: str = "") -> bool:
    """Nothing more of it leaves until `resume`; what WeChat has already been told is settled as it comes."""
    return _change(session, name, CampaignState.PAUSED, (CampaignState.RUNNING,), "有人暂停", at, by, note)


def stop(session: Session, name: str, reason: str, at: datetime) -> bool:
    """The stop rule: the same fatal answer again and again (§5). Somebody has to mend it and resume."""
    return _change(session, name, CampaignState.STOPPED, (CampaignState.RUNNING,), reason, at, None)


def resume(session: Session, name: str, at: datetime, *, by: int | None, note: str = "") -> bool:
    """Go on with what waits. What has become too late meanwhile is marked, not sent."""
    held = (CampaignState.PAUSED, CampaignState.STOPPED)
    return _change(session, name, CampaignState.RUNNING, held, "", at, by, note)


def cancel(session: Session, name: str, at: datetime, *, by: int | None, note: str = "") -> int:
    """End it: what has not left never will. Returns how many people that are."""
    known = tuple(state for state in CampaignState if state is not CampaignState.CANCELLED)
    if not _change(session, name, CampaignState.CANCELLED, known, "发送人撤销", at, by, note):
        return 0
    return fates.give_up(session, SendState.CANCELLED, "发送人撤销", at, Outgoing.campaign == name, not_left())


def can_be_cancelled(session: Session, name: str) -> bool:
    """Whether there is anything that `cancel` would stop."""
    return session.scalar(sa.select(Outgoing.id).where(Outgoing.campaign == name, not_left()).limit(1)) is not None


def _change(
    session: Session,
    name: str,
    to: CampaignState,
    only_from: tuple[CampaignState, ...],
    reason: str,
    at: datetime,
    by: int | None,
    note: str = "",
) -> bool:
    get(session, name)
    changed = session.execute(
        sa.update(Campaign)
        .where(Campaign.name == name, Campaign.state.in_(only_from))
        .values(state=to, reason=reason[:255], changed_at=at)
    ).rowcount  # type: ignore[attr-defined]
    if changed:
        audit.note(session, at, by, ACTS[to], name, _said(reason, note))
    return bool(changed)


def _said(*words: str) -> str | None:
    return "；".join(word for word in words if word) or None


def retry_failed(session: Session, name: str, at: datetime, *, by: int | None, note: str = "") -> int:
    """Try once more for those who did not get it, and for nobody else. Returns how many. Raises RuleBroken.

    Who has no account or has left stays as they are: nothing would reach them now either.
    """
    if get(session, name).state is CampaignState.CANCELLED:
        raise RuleBroken("这次发送已经撤销，不能重试；需要时请重新编写。")
    again = session.execute(
        sa.update(Outgoing)
        .where(
            Outgoing.campaign == name,
            Outgoing.state.in_(FAILED_STATES),
            Outgoing.openid.is_not(None),
            Outgoing.reason.is_distinct_from("已取消关注"),
        )
        .values(_anew(at))
    )
    audit.note(session, at, by, "campaign.retry", name, _said(str(again.rowcount), note))  # type: ignore[attr-defined]
    return int(again.rowcount)  # type: ignore[attr-defined]


def unknown(
    session: Session, name: str | None = None, limit: int = 1000, *, within: sa.ColumnElement[bool] | None = None
) -> list[Outgoing]:
    """The rows of which nobody knows whether they arrived, with their people, the oldest first."""
    rows = (
        sa.select(Outgoing)
        .options(sa.orm.joinedload(Outgoing.person))
        .where(Outgoing.state == SendState.UNKNOWN, *([] if within is None else [within]))
        .order_by(Outgoing.claimed_at, Outgoing.id)
        .limit(limit)
    )
    return list(session.scalars(rows if name is None else rows.where(Outgoing.campaign == name)))


def resolve_unknown(
    session: Session, row_id: int, at: datetime, *, arrived: bool, by: int | None, note: str = ""
) -> None:
    """Somebody asked the person: it arrived, or it did not and goes once more. Raises NotFound."""
    values = {"state": SendState.DELIVERED, "reason": f"{BY_HAND}已收到", "settled_at": at} if arrived else _anew(at)
    changed = session.execute(
        sa.update(Outgoing).where(Outgoing.id == row_id, Outgoing.state == SendState.UNKNOWN).values(values)
    ).rowcount  # type: ignore[attr-defined]
    if not changed:
        raise NotFound(f"第 {row_id} 条不在“结果不明”之列。")
    audit.note(session, at, by, "outbox.resolve", f"outbox:{row_id}", _said("已收到" if arrived else "重发", note))


def _anew(at: datetime) -> dict[str, object]:
    """A row as if it were new; with another `round` WeChat does not take it for a double."""
    return {
        "state": SendState.WAITING, "due_at": at, "not_after": at + AGAIN_FOR, "attempts": 0, "rung": 0,
        "round": Outgoing.round + 1, "batch": None, "channel": None, "claimed_by": None, "settled_at": None,
        "msgid": None, "code": None, "reason": None,
    }  # fmt: skip


def recipients_of(session: Session, name: str) -> list[Recipient]:
    """Whom a correction goes to: everybody who has it, or may have it, and nobody else (F113)."""
    has_it = Outgoing.state.in_((*ARRIVED_STATES, SendState.UNKNOWN, SendState.CLAIMED))
    rows = session.execute(sa.select(Outgoing.person_id, Outgoing.openid).where(Outgoing.campaign == name, has_it))
    return [Recipient(person_id, openid) for person_id, openid in rows]
