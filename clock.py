"""The only now(), and the two directions between UTC and Beijing time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")

#: What every part that needs the time is handed: a function that gives an aware UTC instant.
Now = Callable[[], datetime]

WEEKDAYS = "一二三四五六日"


def now() -> datetime:
    """The present instant, aware, in UTC. Only `app.py` passes it on; nothing below an edge calls it."""
    return datetime.now(UTC)


def frozen(at: datetime) -> Now:
    """A clock that stands still at `at`, for `tick --at` and for tests."""
    return lambda: at


def beijing(at: datetime) -> datetime:
    """The same instant as people in the city read it."""
    return at.astimezone(BEIJING)


def beijing_date(at: datetime) -> date:
    """The date in the city at that instant."""
    return beijing(at).date()


def at_beijing(on: date, wall: time) -> datetime:
    """The UTC instant at which clocks in the city show `wall` on `on`."""
    return datetime.combine(on, wall, BEIJING).astimezone(UTC)


def say_date(on: date) -> str:
    """11月27日（周五）"""
    return f"{on.month}月{on.day}日（周{WEEKDAYS[on.weekday()]}）"


def say_time(at: datetime) -> str:
    """09:02, in Beijing time."""
    return f"{beijing(at):%H:%M}"


def say_moment(at: datetime) -> str:
    """11月27日 09:02, in Beijing time."""
    local = beijing(at)
    return f"{local.month}月{local.day}日 {local:%H:%M}"


def say_window(opens_at: datetime, closes_at: datetime) -> str:
    """08:30–20:00, or 全天 from midnight to midnight, in Beijing time."""
    is_whole_day = beijing(opens_at).time() == beijing(closes_at).time() == time()
    return "全天" if is_whole_day else f"{say_time(opens_at)}–{say_time(closes_at)}"


def parse_instant(text: str) -> datetime:
    """Read ISO 8601; a time without a zone is Beijing time. Raises ValueError."""
    at = datetime.fromisoformat(text)
    try:
        return (at if at.tzinfo else at.replace(tzinfo=BEIJING)).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text} is too early or too late for any calendar") from None
