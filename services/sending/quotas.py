"""How many calls a day we have left, by our own count and by what WeChat said (wechat-platform.md §4.5–4.9, §6)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

import config
from clock import at_beijing, beijing_date
from models import Channel, Quota, insert_new

#: The office is told when less than this part of a day's calls is left.
LOW = 0.1


def daily(sending: config.Sending) -> dict[Channel, int]:
    """Calls a day by channel. Subscription notifications of an official account have no limit that is told (§6)."""
    return {
        Channel.TEMPLATE: sending.daily_templates,
        Channel.CUSTOMER: sending.daily_customer_messages,
        Channel.MASS: sending.daily_mass_messages,
    }


def left(session: Session, app: str, channel: Channel, at: datetime, daily: dict[Channel, int]) -> int | None:
    """How many calls are left today; None where there is no limit."""
    return left_today(session, app, at, daily)[channel]


def left_today(session: Session, app: str, at: datetime, daily: dict[Channel, int]) -> dict[Channel, int | None]:
    """The same for every channel, with one question."""
    asked = sa.select(Quota.channel, Quota.used, Quota.is_exhausted)
    rows = session.execute(asked.where(Quota.app == app, Quota.period == _period(at)))
    used = {channel: (count, is_exhausted) for channel, count, is_exhausted in rows}
    return {channel: _rest(daily.get(channel), *used.get(channel, (0, False))) for channel in Channel}


def _rest(limit: int | None, used: int, is_exhausted: bool) -> int | None:
    if is_exhausted:
        return 0
    return None if limit is None else max(0, limit - used)


def used(session: Session, app: str, channel: Channel, at: datetime) -> int:
    """How many calls we have counted today."""
    row = session.get(Quota, (app, channel, _period(at)))
    return row.used if row is not None else 0


def use(session: Session, app: str, channel: Channel, at: datetime, calls: int) -> None:
    """Count calls that are about to leave."""
    _change(session, app, channel, at, used=Quota.used + calls)


def exhaust(session: Session, app: str, channel: Channel, at: datetime) -> None:
    """WeChat said that today's calls are used up (45009, 45028)."""
    _change(session, app, channel, at, is_exhausted=True)


def begins_anew(at: datetime) -> datetime:
    """The next midnight in the city, when the daily counters start again (§5, 45009)."""
    return at_beijing(beijing_date(at) + timedelta(days=1), time())


def running_low(session: Session, app: str, at: datetime, daily: dict[Channel, int]) -> list[tuple[Channel, int]]:
    """The channels of which less than a tenth is left today, with what is left."""
    counted = [(channel, left(session, app, channel, at, daily)) for channel in daily]
    return [(channel, rest) for channel, rest in counted if rest is not None and rest < daily[channel] * LOW]


def _change(session: Session, app: str, channel: Channel, at: datetime, **values: Any) -> None:
    change = sa.update(Quota).where(*_is(app, channel, at)).values(**values)
    if session.execute(change).rowcount == 0:  # type: ignore[attr-defined]
        # The first call of the day. In this order two senders cannot lock each other out (MariaDB).
        row = {"app": app, "channel": channel, "period": _period(at), "used": 0, "is_exhausted": False}
        insert_new(session, Quota, [row])
        session.execute(change)


def _is(app: str, channel: Channel, at: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return Quota.app == app, Quota.channel == channel, Quota.period == _period(at)


def _period(at: datetime) -> str:
    day: date = beijing_date(at)
    return day.isoformat()
