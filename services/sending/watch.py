"""What is wrong with sending right now, whoever asks: the ready page, the command line, and every ten minutes the clock,
which tells the office (F139, F140)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

import config
from clock import beijing_date, say_date, say_moment
from config import Settings
from models import (
    Campaign,
    CampaignState,
    Credential,
    Gathering,
    Outgoing,
    Purpose,
    SendState,
)
from services import switches
from services.meetings import rhythm
from services.organisation import branch_history
from services.sending import alarms, fates, quotas

#: Words to one should leave within seconds; a notice to everybody takes an hour at the default pace.
TOO_OLD = timedelta(minutes=10)
TOO_OLD_TO_MANY = timedelta(hours=2)
FRIDAY = 4
CIRCUIT = "token"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong. `about` keeps an alarm from being rung twice a day; `rings` says whether it is one."""

    about: str
    name: str
    says: str
    rings: bool = False


def look(session: Session, settings: Settings, at: datetime) -> Iterator[Trouble]:
    """Everything that is wrong with sending at an instant, in words for the office."""
    yield from _circuits(session, at)
    yield from _quotas(session, settings.sending, at)
    yield from _stopped(session, at)
    yield from _unknown(session)
    yield from _waiting(session, at)
    yield from _period(session, settings, at)


def tell(session: Session, settings: Settings, at: datetime) -> int:
    """Ring for what the office must hear of. Returns how many things that are; each is told once a day."""
    ringing = [trouble for trouble in look(session, settings, at) if trouble.rings]
    for trouble in ringing:
        alarms.ring(session, trouble.about, trouble.name, trouble.says, at)
    return len(ringing)


def _circuits(session: Session, at: datetime) -> Iterator[Trouble]:
    for reason in session.scalars(sa.select(Credential.reason).where(Credential.open_until > at)):
        # The sender rings about the same thing under the same name: together they tell once.
        yield Trouble(CIRCUIT, "暂时不能调用微信", reason, rings=True)


def _quotas(session: Session, sending: config.Sending, at: datetime) -> Iterator[Trouble]:
    daily = quotas.daily(sending)
    for channel, rest in quotas.running_low(session, "official", at, daily):
        says = f"今天{channel.label}的额度只剩 {rest} 次（共 {daily[channel]} 次），用完后等到明天零点"
        yield Trouble(f"quota-low-{channel.value}", "发送额度快用完了", says, rings=True)


def _stopped(session: Session, at: datetime) -> Iterator[Trouble]:
    stopped = sa.select(Campaign).where(Campaign.state == CampaignState.STOPPED).order_by(Campaign.changed_at)
    for row in session.scalars(stopped):
        # On the day itself the sender has told at once; here it is told again while nobody mends it.
        is_old = beijing_date(row.changed_at) < beijing_date(at)
        says = f"{row.name}：{row.reason}处理好后运行 python app.py outbox resume {row.name}"
        yield Trouble(f"stopped-{row.name}", "有一次发送停着", says, rings=is_old)


def _unknown(session: Session) -> Iterator[Trouble]:
    many = session.scalar(sa.select(sa.func.count()).select_from(Outgoing).where(Outgoing.state == SendState.UNKNOWN))
    if many:
        says = f"{many} 条结果不明，不会自动重发；运行 python app.py outbox unknown 逐条核实"
        yield Trouble("unknown", "结果不明", says)


def _waiting(session: Session, at: datetime) -> Iterator[Trouble]:
    if switches.no_send(session) is not None:
        return
    to_one, to_many = oldest(session, at, is_bulk=False), oldest(session, at, is_bulk=True)
    if (to_one or to_many) and not fates.senders(session, at):
        yield Trouble("no-sender", "没有发送进程", "有待发的消息而没有发送进程在值守；请启动 worker（或 run）")
        return
    for since, longest in ((to_one, TOO_OLD), (to_many, TOO_OLD_TO_MANY)):
        if since is not None and at - since > longest:
            yield Trouble("too-old", "待发太久", f"有消息从 {say_moment(since)} 等到现在还没有发出")


def _period(session: Session, settings: Settings, at: datetime) -> Iterator[Trouble]:
    """Rows are made eight weeks ahead; if this week's are not there, nobody would be told (pitfall 14)."""
    today = beijing_date(at)
    friday = today + timedelta(days=(FRIDAY - today.weekday()) % 7)
    days = rhythm.calendar(session, settings.calendar).planned(friday, friday)
    if not any(day.held_on is not None and day.held_on >= today for day in days):
        return
    made = sa.exists().where(
        Gathering.period_on == friday, Gathering.purpose.in_((Purpose.STUDY_DAY, Purpose.ACTIVITY_DAY))
    )
    if session.scalar(sa.select(sa.exists().where(branch_history.living()))) and not session.scalar(sa.select(made)):
        says = f"{say_date(friday)}的学习日没有排出来，到时不会有通知；请看定时进程和日志"
        yield Trouble(f"period-{friday}", "学习日没有排出来", says, rings=True)


def oldest(session: Session, at: datetime, *, is_bulk: bool | None = None) -> datetime | None:
    """Since when the oldest row that may leave now has been due; None when none is."""
    halted = sa.exists().where(Campaign.name == Outgoing.campaign, Campaign.state != CampaignState.RUNNING)
    due = sa.select(sa.func.min(Outgoing.due_at)).where(
        Outgoing.state == SendState.WAITING, Outgoing.due_at <= at, ~halted
    )
    return session.scalar(due if is_bulk is None else due.where(Outgoing.is_bulk.is_(is_bulk)))
