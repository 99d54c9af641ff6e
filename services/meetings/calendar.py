"""When the study day (党员学习日) and the activity day (党员活动日) are, and which days are worked.

Source: work report L12 — 把每月的第二周的星期五定为“党员活动日”, 把每周周五定为“党员学习日”.
Pure: nothing here asks for the time or the database. Where the report is open there is a setting, and every
planned day says in `why` which rule put it there.
"""

import csv
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Self

from models.base import Labelled
from models.gatherings import Purpose

FRIDAY = 4
WEEK = timedelta(days=7)
WEEKDAYS = ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日")
# The longest break of 2018–2026 had ten days. A day that would wander further than this is left out instead.
FARTHEST_MOVE_DAYS = 15
DECIDED_BY = "市法学会机关党总支"


class SecondWeek(Labelled):
    """The two readings of 第二周的星期五 (L12)."""

    SECOND_FRIDAY = "second_friday", "第二个星期五"
    SECOND_ROW = "second_row", "月历第二行的星期五"  # rows run Monday to Sunday; the first holds the 1st

    def friday(self, year: int, month: int) -> date:
        first = date(year, month, 1)
        if self is SecondWeek.SECOND_ROW:
            return first + timedelta(days=7 - first.weekday() + FRIDAY)
        return first + timedelta(days=(FRIDAY - first.weekday()) % 7) + WEEK


class OnHoliday(Labelled):
    """What a public holiday does to a day that falls on it (F041; L12 does not say)."""

    SKIP = "skip", "不举行"
    BEFORE = "before", "提前到节前最后一个工作日"
    AFTER = "after", "推迟到节后第一个工作日"


class DayKind(Labelled):
    """How a day differs from what its weekday promises."""

    HOLIDAY = "holiday", "放假"
    WORKING = "working", "调休上班"


class Outcome(Labelled):
    """What became of a nominal day."""

    ON_THE_DAY = "on_the_day", "照常举行"
    MOVED = "moved", "改期举行"
    MERGED = "merged", "并入另一次"
    SKIPPED = "skipped", "不举行"


@dataclass(frozen=True)
class DayException:
    """A holiday, or a weekend day that is worked, and who said so."""

    on: date
    kind: DayKind
    name: str
    source: str


@dataclass(frozen=True)
class Holidays:
    """The exceptions to Monday–Friday, and the years for which they have been entered (F040)."""

    exceptions: Mapping[date, DayException]
    years: frozenset[int]

    @classmethod
    def seeded(cls) -> Self:
        """The table the house comes with, 2018–2026; the console edits its own copy."""
        with Path(__file__).with_name("holidays.csv").open(encoding="utf-8", newline="") as file:
            rows = [
                DayException(date.fromisoformat(on), DayKind[kind.upper()], name, source)
                for on, kind, name, source in list(csv.reader(file))[1:]
            ]
        return cls({row.on: row for row in rows}, frozenset(row.on.year for row in rows))

    def of(self, day: date) -> DayException | None:
        return self.exceptions.get(day)

    def is_working(self, day: date) -> bool:
        """A weekday that is no holiday, or a weekend day that is worked; Monday–Friday in an unknown year."""
        exception = self.of(day)
        return day.weekday() <= FRIDAY if exception is None else exception.kind is DayKind.WORKING

    def working_day_before(self, day: date) -> date | None:
        return self._working_day(day, -1)

    def working_day_after(self, day: date) -> date | None:
        return self._working_day(day, 1)

    def _working_day(self, day: date, step: int) -> date | None:
        days = (day + timedelta(days=step * n) for n in range(1, FARTHEST_MOVE_DAYS + 1))
        return next(filter(self.is_working, days), None)

    def knows(self, year: int) -> bool:
        return year in self.years

    def warning(self, year: int) -> str | None:
        if self.knows(year):
            return None
        return f"{year} 年假期未录入，按周一至周五算工作日，提醒照常发出。"

    def sources(self, year: int) -> tuple[str, ...]:
        """Who said which days of the year are exceptions."""
        rows = (self.exceptions[on] for on in sorted(self.exceptions) if on.year == year)
        return tuple(dict.fromkeys(row.source for row in rows))

    @property
    def coverage(self) -> str:
        """The years entered, as people write them: 2018 至 2024、2026 年."""
        starts = [year for year in sorted(self.years) if year - 1 not in self.years]
        ends = [year for year in sorted(self.years) if year + 1 not in self.years]
        spans = [f"{a}" if a == b else f"{a} 至 {b}" for a, b in zip(starts, ends, strict=True)]
        return "、".join(spans) + " 年" if spans else "尚无任何年份"


@dataclass(frozen=True)
class PlannedDay:
    """One nominal day and what becomes of it.

    `is_combined`: the activity day is the week's study day as well (F039). A day without `held_on` is left
    out or, with `merged_into`, held as part of the day nominally there, which names it in `covers`.
    """

    nominal_on: date
    held_on: date | None
    kind: Purpose
    is_combined: bool
    why: str
    merged_into: date | None = None
    covers: tuple[date, ...] = ()

    @property
    def outcome(self) -> Outcome:
        if self.held_on is None:
            return Outcome.SKIPPED if self.merged_into is None else Outcome.MERGED
        return Outcome.ON_THE_DAY if self.held_on == self.nominal_on else Outcome.MOVED


@dataclass(frozen=True)
class Calendar:
    """The rhythm of L12 under the settings of one organisation.

    A moved day goes where the rule says, even into another week: a rule that can be said in one sentence is
    worth more than a clever one, and a branch may reschedule by hand (F042). But one day never sees two
    gatherings: Fridays that land on the same working day become one. An activity day goes before a study day,
    then the Friday whose own day it is, then the earliest; the others say what they were merged into.

    A Friday is decided from its neighbours alone, so rows generated in chunks equal rows generated at once.
    Without `combine` the study day and the activity day are held, and merged, each for itself.
    """

    second_week: SecondWeek
    on_holiday: OnHoliday
    holidays: Holidays
    combine: bool = True

    def activity_day(self, year: int, month: int) -> date:
        """The month's nominal activity day (L12: 每月的第二周的星期五)."""
        return self.second_week.friday(year, month)

    def planned(self, start: date, end: date) -> list[PlannedDay]:
        """What becomes of every day nominally between `start` and `end`, both included."""
        return [self._planned(friday, kind) for friday in _fridays(start, end) for kind in self._purposes(friday)]

    def readings(self, year: int) -> list[tuple[int, date, date]]:
        """Month, second Friday, Friday of the second row (F038)."""
        return [
            (month, SecondWeek.SECOND_FRIDAY.friday(year, month), SecondWeek.SECOND_ROW.friday(year, month))
            for month in range(1, 13)
        ]

    def warnings(self, year: int) -> list[str]:
        """Years without holidays entered, and months that a holiday leaves without an activity day."""
        days = self.planned(*year_span(year))
        years = sorted({year} | {day.held_on.year for day in days if day.held_on})
        unknown = [warning for y in years if (warning := self.holidays.warning(y))]
        left_out = [
            f"{year} 年 {day.nominal_on.month} 月没有党员活动日：{day.why}"
            for day in days
            if day.kind is Purpose.ACTIVITY_DAY and day.outcome is Outcome.SKIPPED
        ]
        return unknown + left_out

    def _purposes(self, friday: date) -> tuple[Purpose, ...]:
        if friday != self.activity_day(friday.year, friday.month):
            return (Purpose.STUDY_DAY,)
        return (Purpose.ACTIVITY_DAY,) if self.combine else (Purpose.ACTIVITY_DAY, Purpose.STUDY_DAY)

    def _target(self, friday: date) -> date | None:
        """Where the holiday rule alone puts this Friday."""
        if self.holidays.is_working(friday):
            return friday
        match self.on_holiday:
            case OnHoliday.SKIP:
                return None
            case OnHoliday.BEFORE:
                return self.holidays.working_day_before(friday)
            case OnHoliday.AFTER:
                return self.holidays.working_day_after(friday)

    def _sharing(self, friday: date, target: date) -> Iterator[date]:
        """The Fridays that land on `target`: side by side, because no move overtakes another."""
        yield friday
        for step in (-WEEK, WEEK):
            other = friday + step
            while self._target(other) == target:
                yield other
                other += step

    def _planned(self, friday: date, kind: Purpose) -> PlannedDay:
        is_combined = self.combine and kind is Purpose.ACTIVITY_DAY
        target = self._target(friday)
        if target is None:
            return PlannedDay(friday, None, kind, is_combined, self._why_left_out(friday, kind))
        rivals = [
            (other_kind is not Purpose.ACTIVITY_DAY, other != target, other)
            for other in self._sharing(friday, target)
            for other_kind in self._purposes(other)
            if self.combine or other_kind is kind
        ]
        is_study, _, winner = min(rivals)
        if winner != friday:
            stays = Purpose.STUDY_DAY if is_study else Purpose.ACTIVITY_DAY
            why = self._why_merged(friday, kind, target, winner, stays)
            return PlannedDay(friday, None, kind, is_combined, why, merged_into=winner)
        covers = tuple(sorted(other for _, _, other in rivals if other != friday))
        why = self._why_held(friday, kind, target, covers)
        return PlannedDay(friday, target, kind, is_combined, why, covers=covers)

    def _why_held(self, friday: date, kind: Purpose, target: date, covers: Sequence[date]) -> str:
        sentences = [self._why_nominal(kind)]
        if target != friday:
            sentences = [f"{self._holiday(friday)}，改在 {self._day(target, friday)}举行。"]
        if covers:
            sentences.append(f"原定 {'、'.join(map(short, covers))}的党员学习日并入本次。")
        return "".join(sentences)

    def _why_nominal(self, kind: Purpose) -> str:
        if kind is Purpose.STUDY_DAY:
            return "每周星期五为党员学习日（工作报告 L12）。"
        together = "合为一次举行" if self.combine else "分别举行"
        return f"本月{self.second_week.label}为党员活动日，与当天的党员学习日{together}（工作报告 L12）。"

    def _why_left_out(self, friday: date, kind: Purpose) -> str:
        if self.on_holiday is OnHoliday.SKIP:
            return f"{self._holiday(friday)}，本次{kind.label}不举行。"
        return f"{self._holiday(friday)}，但 {FARTHEST_MOVE_DAYS} 天以内没有工作日，本次{kind.label}不举行。"

    def _why_merged(self, friday: date, kind: Purpose, target: date, winner: date, stays: Purpose) -> str:
        other = f"{'当天的' if winner == target else f'原定 {short(winner)}的'}{stays.label}"
        if target == friday:
            return f"当天改为举行{other}，本次{kind.label}并入其中，不另行举行。"
        moved = f"{self._holiday(friday)}，应改在 {self._day(target, friday)}"
        return f"{moved}，与{other}同一天，并入其中，不另行举行。"

    def _holiday(self, day: date) -> str:
        exception = self.holidays.of(day)
        name = exception.name if exception else "节假日"
        return f"{short(day)}逢{name}放假，按「{self.on_holiday.label}」的规则"

    def _day(self, day: date, instead_of: date) -> str:
        marks = [WEEKDAYS[day.weekday()]]
        if day.weekday() > FRIDAY:
            marks.append(DayKind.WORKING.label)
        if day.isocalendar()[:2] != instead_of.isocalendar()[:2]:
            marks.append("不在原定的一周")
        year = "" if day.year == instead_of.year else f"{day.year} 年 "
        return f"{year}{short(day)}（{'，'.join(marks)}）"


def month_span(year: int, month: int) -> tuple[date, date]:
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def year_span(year: int) -> tuple[date, date]:
    return date(year, 1, 1), date(year, 12, 31)


def _fridays(start: date, end: date) -> Iterator[date]:
    first = start.toordinal() + (FRIDAY - start.weekday()) % 7
    return map(date.fromordinal, range(first, end.toordinal() + 1, 7))


def short(day: date) -> str:
    return f"{day.month} 月 {day.day} 日"
