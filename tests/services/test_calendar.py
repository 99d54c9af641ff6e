"""Rhythm and holidays: the acceptance data of product.md §5, and what holds for every month of 2018–2035."""

from collections import Counter
from datetime import date, timedelta

import chinese_calendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Purpose
from services.meetings.calendar import (
    Calendar,
    DayException,
    DayKind,
    Holidays,
    OnHoliday,
    Outcome,
    SecondWeek,
    month_span,
    year_span,
)
from services.meetings.calendar_text import render, render_activity

SEEDED = Holidays.seeded()
FIRST, LAST = date(2018, 1, 1), date(2035, 12, 31)
MONTHS = [(year, month) for year in range(2018, 2036) for month in range(1, 13)]
FRIDAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1) if n % 7 == 4]
ACTIVITY, STUDY = Purpose.ACTIVITY_DAY, Purpose.STUDY_DAY


def calendar(
    second_week=SecondWeek.SECOND_FRIDAY, on_holiday=OnHoliday.BEFORE, holidays=SEEDED, combine=True
) -> Calendar:
    return Calendar(second_week, on_holiday, holidays, combine)


def one(rhythm: Calendar, day: date):
    (planned,) = rhythm.planned(day, day)
    return planned


def year_of(rhythm: Calendar, year: int):
    return rhythm.planned(date(year, 1, 1), date(year, 12, 31))


def invented(breaks, worked) -> Holidays:
    days = {}
    for start, length in breaks:
        for n in range(length):
            on = start + timedelta(days=n)
            days[on] = DayException(on, DayKind.HOLIDAY, "假日", "测试")
    for on in worked:
        if on.weekday() > 4:
            days[on] = DayException(on, DayKind.WORKING, "假日", "测试")
    return Holidays(days, frozenset(range(2018, 2036)))


quick = settings(max_examples=40, deadline=None)
days = st.dates(FIRST, LAST)
near = st.dates(date(2026, 1, 1), date(2026, 6, 30))
# Longer breaks than ever were, close together, so that whole weeks collide.
holiday_tables = st.builds(
    invented,
    st.lists(st.tuples(near, st.integers(1, 20)), max_size=8),
    st.lists(near, max_size=8),
)
seeded_calendars = st.builds(
    Calendar, st.sampled_from(SecondWeek), st.sampled_from(OnHoliday), st.just(SEEDED), st.booleans()
)
calendars = st.builds(
    Calendar, st.sampled_from(SecondWeek), st.sampled_from(OnHoliday), holiday_tables, st.booleans()
)


# The second week.


@pytest.mark.parametrize("reading", SecondWeek)
@pytest.mark.parametrize("combine", [True, False])
def test_every_month_has_exactly_one_activity_day_and_it_is_a_friday(reading, combine):
    planned = calendar(reading, combine=combine).planned(FIRST, LAST)
    activity = [day.nominal_on for day in planned if day.kind is ACTIVITY]
    assert [(day.year, day.month) for day in activity] == MONTHS
    assert {day.weekday() for day in activity} == {4}


def test_the_second_friday_is_the_8th_to_the_14th_and_the_second_row_the_6th_to_the_12th():
    assert {SecondWeek.SECOND_FRIDAY.friday(*month).day for month in MONTHS} == set(range(8, 15))
    assert {SecondWeek.SECOND_ROW.friday(*month).day for month in MONTHS} == set(range(6, 13))


def test_the_second_row_is_the_second_row_of_a_printed_calendar():
    import calendar as printed

    for year, month in MONTHS:
        row = printed.Calendar(printed.MONDAY).monthdatescalendar(year, month)[1]
        assert SecondWeek.SECOND_ROW.friday(year, month) == row[4]


def test_the_readings_differ_in_44_of_156_months():
    rhythm = calendar()
    differ = {
        (year, month): (a.day, b.day) for year in range(2018, 2031) for month, a, b in rhythm.readings(year) if a != b
    }
    assert len(differ) == 44
    assert differ[2018, 4] == differ[2026, 11] == (13, 6)
    assert [month for year, month in differ if year == 2026] == [2, 3, 8, 11]


@pytest.mark.parametrize(
    ("reading", "days"),
    [
        (SecondWeek.SECOND_FRIDAY, ["2019-02-08", "2019-09-13", "2021-02-12"]),
        (
            SecondWeek.SECOND_ROW,
            ["2018-04-06", "2019-02-08", "2019-06-07", "2021-02-12", "2022-10-07", "2023-10-06"],
        ),
    ],
)
def test_activity_days_on_public_holidays(reading, days):
    activity = [reading.friday(*month) for month in MONTHS]
    assert [str(day) for day in activity if SEEDED.of(day)] == days


# Study days.


@given(seeded_calendars, days, days)
@quick
def test_every_friday_is_planned_once_and_nothing_else_is(rhythm, a, b):
    planned = rhythm.planned(a, b)
    expected = [friday for friday in FRIDAYS if a <= friday <= b]
    assert list(dict.fromkeys(day.nominal_on for day in planned)) == expected
    twice = {day for day, n in Counter(day.nominal_on for day in planned).items() if n == 2}
    activity = {day.nominal_on for day in planned if day.kind is ACTIVITY}
    assert twice == (set() if rhythm.combine else activity)


def test_november_2026_has_four_study_days():
    days = calendar().planned(*month_span(2026, 11))
    assert [day.nominal_on.day for day in days] == [6, 13, 20, 27]


def test_study_fridays_on_holidays_in_2026():
    fridays = [day.nominal_on for day in calendar().planned(*year_span(2026)) if SEEDED.of(day.nominal_on)]
    assert [f"{day:%m-%d}" for day in fridays] == ["01-02", "02-20", "05-01", "06-19", "09-25", "10-02"]


def test_the_activity_friday_is_one_gathering_for_both():
    day = one(calendar(), date(2026, 11, 13))
    assert (day.kind, day.is_combined, day.outcome) == (ACTIVITY, True, Outcome.ON_THE_DAY)
    assert day.why == "本月第二个星期五为党员活动日，与当天的党员学习日合为一次举行（工作报告 L12）。"


def test_without_combining_the_activity_friday_is_two():
    days = calendar(combine=False).planned(date(2026, 11, 13), date(2026, 11, 13))
    assert [(day.kind, day.is_combined) for day in days] == [(ACTIVITY, False), (STUDY, False)]


@given(calendars)
@quick
def test_twelve_days_a_year_are_combined_or_none(rhythm):
    assert sum(day.is_combined for day in year_of(rhythm, 2026)) == (12 if rhythm.combine else 0)


# Moving.


def promises_hold(rhythm, planned):
    for purposes in [{ACTIVITY, STUDY}] if rhythm.combine else [{ACTIVITY}, {STUDY}]:
        held = [day.held_on for day in planned if day.held_on and day.kind in purposes]
        assert held == sorted(set(held))
    for day in planned:
        if day.held_on:
            assert rhythm.holidays.is_working(day.held_on)
        if rhythm.on_holiday is OnHoliday.SKIP:
            assert day.held_on == (day.nominal_on if rhythm.holidays.is_working(day.nominal_on) else None)
        assert day.why.endswith("。")
        assert day.held_on or day.outcome in (Outcome.SKIPPED, Outcome.MERGED)


@pytest.mark.parametrize("combine", [True, False])
@pytest.mark.parametrize("rule", OnHoliday)
@pytest.mark.parametrize("reading", SecondWeek)
def test_days_held_are_worked_and_apart_and_in_order_2018_to_2035(reading, rule, combine):
    rhythm = calendar(reading, rule, combine=combine)
    planned = rhythm.planned(FIRST, LAST)
    promises_hold(rhythm, planned)
    # The column that keeps the reason has room for 128 characters.
    assert max(len(day.why) for day in planned) <= 128


@given(calendars)
@quick
def test_days_held_are_worked_and_apart_and_in_order_whatever_the_holidays(rhythm):
    promises_hold(rhythm, year_of(rhythm, 2026))


@given(calendars)
@quick
def test_what_is_merged_and_what_covers_it_name_each_other(rhythm):
    planned = rhythm.planned(date(2025, 10, 1), date(2026, 10, 1))
    merged = Counter((day.merged_into, day.nominal_on) for day in planned if day.merged_into)
    covered = Counter((day.nominal_on, other) for day in planned for other in day.covers)
    assert merged == covered


@given(calendars)
@quick
def test_an_activity_day_gives_way_to_no_study_day(rhythm):
    activity = {day.nominal_on for day in year_of(rhythm, 2026) if day.kind is ACTIVITY}
    for day in year_of(rhythm, 2026):
        if day.kind is ACTIVITY and day.merged_into:
            assert day.merged_into in activity


@given(calendars, near, st.integers(1, 40))
@quick
def test_chunks_make_the_same_plan_as_the_whole(rhythm, start, size):
    end = date(2026, 6, 30)
    whole = [day for day in year_of(rhythm, 2026) if start <= day.nominal_on <= end]
    chunks = []
    while start <= end:
        chunks += rhythm.planned(start, min(start + timedelta(days=size - 1), end))
        start += timedelta(days=size)
    assert chunks == whole


@pytest.mark.parametrize("rule", OnHoliday)
@pytest.mark.parametrize("reading", SecondWeek)
@given(split=days)
@quick
def test_a_plan_may_be_cut_anywhere(reading, rule, split):
    rhythm = calendar(reading, rule)
    span = timedelta(days=60)
    before = rhythm.planned(split - span, split)
    after = rhythm.planned(split + timedelta(days=1), split + span)
    assert before + after == rhythm.planned(split - span, split + span)


@pytest.mark.parametrize(
    ("nominal", "rule", "held"),
    [
        ("2026-05-01", OnHoliday.BEFORE, "2026-04-30"),
        ("2026-05-01", OnHoliday.AFTER, "2026-05-06"),
        ("2026-05-01", OnHoliday.SKIP, None),
        ("2026-01-02", OnHoliday.BEFORE, "2025-12-31"),
        ("2026-01-02", OnHoliday.AFTER, "2026-01-04"),  # a working Sunday
        ("2026-10-02", OnHoliday.BEFORE, "2026-09-30"),
        ("2026-10-02", OnHoliday.AFTER, "2026-10-08"),
        ("2026-10-09", OnHoliday.AFTER, "2026-10-09"),  # the activity day of the next day stays
        ("2026-02-20", OnHoliday.BEFORE, "2026-02-14"),  # a working Saturday, a day after the activity day
        ("2026-02-20", OnHoliday.AFTER, "2026-02-24"),
        ("2019-02-08", OnHoliday.BEFORE, "2019-02-03"),
        ("2019-02-08", OnHoliday.AFTER, "2019-02-11"),
    ],
)
def test_where_a_holiday_moves_a_day(nominal, rule, held):
    day = one(calendar(on_holiday=rule), date.fromisoformat(nominal))
    assert (str(day.held_on) if day.held_on else None) == held


@pytest.mark.parametrize(
    ("reading", "rule", "kept", "held", "merged"),
    [
        # Two holiday Fridays before one working day, and after one: the first keeps it.
        ("SECOND_FRIDAY", "BEFORE", "2020-01-24", "2020-01-23", "2020-01-31"),
        ("SECOND_FRIDAY", "AFTER", "2020-01-24", "2020-02-03", "2020-01-31"),
        # A moved Friday meets a Friday on its own day: its own day goes first.
        ("SECOND_FRIDAY", "BEFORE", "2023-01-20", "2023-01-20", "2023-01-27"),
        ("SECOND_FRIDAY", "BEFORE", "2024-02-09", "2024-02-09", "2024-02-16"),
        ("SECOND_FRIDAY", "AFTER", "2021-10-08", "2021-10-08", "2021-10-01"),
        # An activity day goes before a study day, even on that one's own day.
        ("SECOND_ROW", "AFTER", "2023-10-06", "2023-10-07", "2023-09-29"),
        ("SECOND_ROW", "BEFORE", "2022-10-07", "2022-09-30", "2022-09-30"),
    ],
)
def test_two_fridays_on_one_working_day_become_one_gathering(reading, rule, kept, held, merged):
    rhythm = calendar(SecondWeek[reading], OnHoliday[rule])
    keeper, other = one(rhythm, date.fromisoformat(kept)), one(rhythm, date.fromisoformat(merged))
    assert (str(keeper.held_on), keeper.covers) == (held, (other.nominal_on,))
    assert (other.outcome, other.held_on, other.merged_into) == (Outcome.MERGED, None, keeper.nominal_on)
    assert "不另行举行" in other.why


def test_a_study_day_on_its_own_friday_goes_before_one_moved_there():
    closed = invented([(date(2026, 3, 20), 7)], [])
    rhythm = calendar(on_holiday=OnHoliday.AFTER, holidays=closed)
    assert one(rhythm, date(2026, 3, 20)).merged_into == date(2026, 3, 27)
    assert one(rhythm, date(2026, 3, 27)).covers == (date(2026, 3, 20),)


def test_a_move_says_why():
    assert one(calendar(), date(2026, 5, 1)).why == (
        "5 月 1 日逢劳动节放假，按「提前到节前最后一个工作日」的规则，改在 4 月 30 日（星期四）举行。"
    )
    assert one(calendar(), date(2026, 2, 20)).why == (
        "2 月 20 日逢春节放假，按「提前到节前最后一个工作日」的规则，"
        "改在 2 月 14 日（星期六，调休上班，不在原定的一周）举行。"
    )
    assert "改在 2025 年 12 月 31 日（星期三）" in one(calendar(), date(2026, 1, 2)).why


def test_a_merge_says_why():
    rhythm = calendar(on_holiday=OnHoliday.AFTER)
    assert one(rhythm, date(2021, 10, 1)).why == (
        "10 月 1 日逢国庆节放假，按「推迟到节后第一个工作日」的规则，"
        "应改在 10 月 8 日（星期五，不在原定的一周），与当天的党员活动日同一天，并入其中，不另行举行。"
    )
    assert one(rhythm, date(2021, 10, 8)).why.endswith("原定 10 月 1 日的党员学习日并入本次。")
    swallowed = one(calendar(SecondWeek.SECOND_ROW), date(2022, 9, 30))
    assert swallowed.why == "当天改为举行原定 10 月 7 日的党员活动日，本次党员学习日并入其中，不另行举行。"


def test_a_skipped_activity_day_says_why_and_warns():
    rhythm = calendar(on_holiday=OnHoliday.SKIP)
    day = one(rhythm, date(2021, 2, 12))
    assert day.outcome is Outcome.SKIPPED
    assert day.why == "2 月 12 日逢春节放假，按「不举行」的规则，本次党员活动日不举行。"
    assert rhythm.warnings(2021) == [f"2021 年 2 月没有党员活动日：{day.why}"]
    assert calendar().warnings(2021) == []


@pytest.mark.parametrize("rule", [OnHoliday.BEFORE, OnHoliday.AFTER])
def test_a_month_long_closure_leaves_days_out_rather_than_far_away(rule):
    closed = invented([(date(2026, 3, 2), 60)], [])
    day = one(calendar(on_holiday=rule, holidays=closed), date(2026, 4, 3))
    assert day.outcome is Outcome.SKIPPED
    assert "15 天以内没有工作日" in day.why


# Work days.


def test_the_seed_agrees_with_chinese_calendar_on_every_day():
    day = FIRST
    while day.year <= 2026:
        assert SEEDED.is_working(day) == chinese_calendar.is_workday(day), day
        _, name = chinese_calendar.get_holiday_detail(day)
        assert (SEEDED.of(day) is not None) == (name is not None), day
        day += timedelta(days=1)


def test_the_seed_says_what_and_who():
    row = SEEDED.of(date(2026, 10, 10))
    assert row == DayException(
        date(2026, 10, 10),
        DayKind.WORKING,
        "国庆节",
        "国务院办公厅 2026 年节假日安排（经 chinesecalendar 1.11 录入）",
    )
    assert row.on.weekday() == 5
    assert SEEDED.is_working(row.on)
    assert SEEDED.years == frozenset(range(2018, 2027))
    assert SEEDED.coverage == "2018 至 2026 年"
    # The first of January 2019 brought a working Saturday in December 2018.
    assert SEEDED.of(date(2018, 12, 29)).source.startswith("国务院办公厅 2019 年")


def test_an_unknown_year_warns_and_goes_on():
    rhythm = calendar()
    assert not SEEDED.knows(2027)
    assert rhythm.warnings(2027) == ["2027 年假期未录入，按周一至周五算工作日，提醒照常发出。"]
    assert rhythm.warnings(2026) == []
    days = year_of(rhythm, 2027)
    assert len(days) == 53
    assert all(day.outcome is Outcome.ON_THE_DAY for day in days)


def test_coverage_shows_gaps():
    assert Holidays({}, frozenset({2018, 2019, 2020, 2026})).coverage == "2018 至 2020、2026 年"
    assert Holidays({}, frozenset()).coverage == "尚无任何年份"


@given(holiday_tables, near)
@quick
def test_the_working_days_around_a_day_are_the_nearest(holidays, day):
    after, before = holidays.working_day_after(day), holidays.working_day_before(day)
    if after:
        between = ((day + timedelta(days=n)) for n in range(1, (after - day).days))
        assert holidays.is_working(after)
        assert not any(map(holidays.is_working, between))
    if before:
        between = ((day - timedelta(days=n)) for n in range(1, (day - before).days))
        assert holidays.is_working(before)
        assert not any(map(holidays.is_working, between))


# What the command prints.


NOVEMBER = """\
2026 年 11 月党员学习日、党员活动日

原定                举行                事项                    说明
2026-11-06  星期五  2026-11-06  星期五  党员学习日              照常举行。
2026-11-13  星期五  2026-11-13  星期五  党员活动日（兼学习日）  照常举行。
2026-11-20  星期五  2026-11-20  星期五  党员学习日              照常举行。
2026-11-27  星期五  2026-11-27  星期五  党员学习日              照常举行。

「第二周的星期五」两种读法不同的月份
  11 月：第二个星期五是 13 日，月历第二行的星期五是 6 日，现取 13 日。

设置            现行                        谁可以修改          来源
第二周的星期五  第二个星期五                市法学会机关党总支  工作报告 L12
逢节假日        提前到节前最后一个工作日    市法学会机关党总支  工作报告 L12 未作规定
活动日与学习日  合为一次举行，只发一条通知  市法学会机关党总支  工作报告 L12 未作规定
节假日表        已录入 2018 至 2026 年      市法学会机关党总支  国务院办公厅 2026 年节假日安排（经 chinesecalendar 1.11 录入）
"""


def test_november_2026_is_printed():
    assert render(calendar(), 2026, 11) == NOVEMBER


def test_a_month_shows_what_was_moved_out_and_what_was_moved_in():
    reason = "5 月 1 日逢劳动节放假，按「提前到节前最后一个工作日」的规则，改在 4 月 30 日（星期四）举行。"
    row = f"2026-05-01  星期五  2026-04-30  星期四  党员学习日              {reason}"
    assert row in render(calendar(), 2026, 5).splitlines()
    lines = render(calendar(), 2026, 4).splitlines()
    moved_in = lines.index("原定不在本月、改到本月举行的")
    assert lines[moved_in + 1] == f"2026-05-01  星期五  2026-04-30  星期四  党员学习日  {reason}"


def test_a_year_is_printed_with_the_months_that_differ():
    lines = render(calendar(), 2026).splitlines()
    assert sum(line.startswith("2026-") for line in lines) == 52
    assert [line.split("月")[0].strip() for line in lines if line.startswith("  ")] == ["2", "3", "8", "11"]


def test_an_unknown_year_is_printed_with_its_warning():
    assert render(calendar(), 2027, 1).splitlines()[-1] == (
        "注意：2027 年假期未录入，按周一至周五算工作日，提醒照常发出。"
    )


def test_the_activity_days_of_2026_are_printed_in_both_readings():
    lines = render_activity(calendar(SecondWeek.SECOND_ROW), 2026).splitlines()
    assert lines[2] == "月份  第二个星期五  月历第二行的星期五  两种读法  举行                说明"
    assert lines[13] == "11    2026-11-13    2026-11-06          不同      2026-11-06  星期五  照常举行。"
    assert lines[14] == "12    2026-12-11    2026-12-11          一致      2026-12-11  星期五  照常举行。"
    assert lines[16] == "两种读法不同的月份：02、03、08、11。"
