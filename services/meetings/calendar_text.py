"""Prints the calendar as `python app.py calendar` shows it: aligned, with the rules that decided."""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import timedelta

from models import Purpose
from services.meetings.calendar import (
    DECIDED_BY,
    FARTHEST_MOVE_DAYS,
    WEEKDAYS,
    Calendar,
    Outcome,
    PlannedDay,
    SecondWeek,
    month_span,
    year_span,
)


def render(calendar: Calendar, year: int, month: int | None = None) -> str:
    """A month or a year of study days and activity days, with what decided them."""
    start, end = year_span(year) if month is None else month_span(year, month)
    period = "本年" if month is None else "本月"
    title = f"{year} 年" if month is None else f"{year} 年 {month} 月"
    head = ("原定", "", "举行", "", "事项", "说明")
    parts = [
        [f"{title}党员学习日、党员活动日"],
        _table([head, *map(_row, calendar.planned(start, end))]),
    ]
    reach = timedelta(days=FARTHEST_MOVE_DAYS)
    nearby = calendar.planned(start - reach, end + reach)
    moved_in = [day for day in nearby if day.held_on and start <= day.held_on <= end]
    moved_in = [day for day in moved_in if not start <= day.nominal_on <= end]
    if moved_in:
        parts.append([f"原定不在{period}、改到{period}举行的", *_table(map(_row, moved_in))])
    months = range(1, 13) if month is None else (month,)
    parts += [_readings(calendar, year, months), _settings(calendar, year), _warnings(calendar, year)]
    return _joined(parts)


def render_activity(calendar: Calendar, year: int) -> str:
    """The twelve activity days of a year in both readings (F038)."""
    head = ("月份", *(reading.label for reading in SecondWeek), "两种读法", "举行", "", "说明")
    days = calendar.planned(*year_span(year))
    plan = {day.nominal_on: day for day in days if day.kind is Purpose.ACTIVITY_DAY}
    rows = [head]
    for month, friday, row in calendar.readings(year):
        day = plan[calendar.activity_day(year, month)]
        same = "一致" if friday == row else "不同"
        rows.append((f"{month:02}", f"{friday}", f"{row}", same, *_held(day), _note(day)))
    differ = [f"{month:02}" for month, friday, row in calendar.readings(year) if friday != row]
    said = f"两种读法不同的月份：{'、'.join(differ)}。" if differ else "两种读法全年一致。"
    parts = [[f"{year} 年党员活动日"], _table(rows), [said]]
    return _joined([*parts, _settings(calendar, year), _warnings(calendar, year)])


def _row(day: PlannedDay) -> tuple[str, ...]:
    purpose = f"{day.kind.label}（兼学习日）" if day.is_combined else day.kind.label
    return f"{day.nominal_on}", WEEKDAYS[day.nominal_on.weekday()], *_held(day), purpose, _note(day)


def _held(day: PlannedDay) -> tuple[str, str]:
    if day.held_on is None:
        return day.outcome.label, ""
    return f"{day.held_on}", WEEKDAYS[day.held_on.weekday()]


def _note(day: PlannedDay) -> str:
    plain = day.outcome is Outcome.ON_THE_DAY and not day.covers
    return f"{Outcome.ON_THE_DAY.label}。" if plain else day.why


def _readings(calendar: Calendar, year: int, months: Sequence[int]) -> list[str]:
    one, two = (reading.label for reading in SecondWeek)
    lines = [
        f"  {month} 月：{one}是 {friday.day} 日，{two}是 {row.day} 日，"
        f"现取 {calendar.activity_day(year, month).day} 日。"
        for month, friday, row in calendar.readings(year)
        if month in months and friday != row
    ]
    return ["「第二周的星期五」两种读法不同的月份", *lines] if lines else []


def _settings(calendar: Calendar, year: int) -> list[str]:
    """The settings in force: value, who may change them, source (P4)."""
    together = "合为一次举行，只发一条通知" if calendar.combine else "分别举行，各发通知"
    sources = "；".join(calendar.holidays.sources(year)) or f"{year} 年尚无来源"
    rows = [
        ("设置", "现行", "谁可以修改", "来源"),
        ("第二周的星期五", calendar.second_week.label, DECIDED_BY, "工作报告 L12"),
        ("逢节假日", calendar.on_holiday.label, DECIDED_BY, "工作报告 L12 未作规定"),
        ("活动日与学习日", together, DECIDED_BY, "工作报告 L12 未作规定"),
        ("节假日表", f"已录入 {calendar.holidays.coverage}", DECIDED_BY, sources),
    ]
    return _table(rows)


def _warnings(calendar: Calendar, year: int) -> list[str]:
    return [f"注意：{warning}" for warning in calendar.warnings(year)]


def _joined(parts: Iterable[Sequence[str]]) -> str:
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _table(rows: Iterable[Sequence[str]]) -> list[str]:
    rows = list(rows)
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(_padded, row, widths)).rstrip() for row in rows]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
