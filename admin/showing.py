"""How things are written on a page: instants in Beijing time, telephone numbers masked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from admin import acts
from clock import beijing, say_date
from models import CaseState, ImportState, SendState
from models.people import TAIL


def moment(at: datetime | None) -> str:
    """2026-11-27 09:02, in Beijing time; a dash for never."""
    return f"{beijing(at):%Y-%m-%d %H:%M}" if at else "—"


def wall_time(at: datetime) -> str:
    """09:02, in Beijing time."""
    return f"{beijing(at):%H:%M}"


def day(on: date | None) -> str:
    """2026-11-27（周五）"""
    return f"{on.year}年{say_date(on)}" if on else "—"


def phone(number: str | None) -> str:
    """199****1234: enough to tell two people apart, not enough to call one."""
    return f"{number[:3]}****{number[-TAIL:]}" if number else "未登记"


def today(at: datetime) -> str:
    """2026年11月27日（周五）"""
    return day(beijing(at).date())


def browser(agent: str) -> str:
    """What a browser calls itself, as its user knows it: 电脑 Chrome, 手机微信."""
    names = (
        ("MicroMessenger", "微信"),
        ("Edg/", "Edge"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    )
    name = next((label for mark, label in names if mark in agent), "浏览器")
    return f"{'手机' if 'Mobile' in agent else '电脑'} {name}"


def ago(at: datetime | None, now: datetime) -> str:
    """How long since, as a person would say it."""
    if at is None:
        return "—"
    gone = now - at
    if gone < timedelta(minutes=1):
        return "刚刚"
    if gone < timedelta(hours=1):
        return f"{gone.seconds // 60} 分钟前"
    return f"{gone.seconds // 3600} 小时前" if gone < timedelta(days=1) else f"{gone.days} 天前"


#: How a state looks: its mark and colour. The word beside it says the same.
SENDS = {
    SendState.WAITING: "wait", SendState.CLAIMED: "wait", SendState.SENT: "good", SendState.DELIVERED: "good",
    SendState.REFUSED: "bad", SendState.UNREACHABLE: "bad", SendState.EXPIRED: "warn", SendState.UNKNOWN: "warn",
    SendState.CANCELLED: "off", SendState.FOLDED: "wait",
}  # fmt: skip
IMPORTS = {
    ImportState.UPLOADED: "wait", ImportState.CHECKED: "warn", ImportState.APPLYING: "wait", ImportState.APPLIED: "good",
    ImportState.FAILED: "bad",
}  # fmt: skip
CASES = {CaseState.WAITING: "warn", CaseState.TAKEN: "wait", CaseState.ANSWERED: "good"}


def campaign(key: str) -> str:
    """study_day:2026-11-27 → 2026-11-27; broadcast:7 → 第 7 号"""
    kind, _, rest = key.partition(":")
    return f"第 {rest} 号" if kind == "broadcast" else rest or kind


FILTERS: dict[str, Callable[..., object]] = {
    "moment": moment,
    "wall_time": wall_time,
    "day": day,
    "act": acts.act,
    "campaign": campaign,
    "case_state": lambda state: CASES.get(state, "off"),
    "details": acts.details,
    "import_state": lambda state: IMPORTS.get(state, "off"),
    "send_state": lambda state: SENDS.get(state, "off"),
    "subject": acts.subject,
    "phone": phone,
    "today": today,
    "named": lambda rows: [(row.id, row.name) for row in rows],
    "words": lambda kinds: [(kind.value, kind.label) for kind in kinds],
    "browser": browser,
    "ago": ago,
}
