"""Stations: hours as people write them, holidays and working Saturdays, distances, counties by half a name (F035)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from clock import parse_instant
from models import County
from services.meetings.calendar import Holidays
from services.organisation import stations
from tests.consulting import COUNTIES, MORNING, WEEKDAYS, on_sqlite

HOLIDAYS = Holidays.seeded()
FRIDAY, SATURDAY, SUNDAY = date(2026, 11, 27), date(2026, 11, 28), date(2026, 11, 29)
NATIONAL_DAY, WORKING_SATURDAY = date(2026, 10, 1), date(2026, 10, 10)
KNOWN = [County(id=i, name=name) for i, name in enumerate(COUNTIES, 1)]

HOURS = [
    (WEEKDAYS, FRIDAY, "09:00–12:00 14:00–17:30"),
    (WEEKDAYS, SATURDAY, "周六不开"),
    (WEEKDAYS, NATIONAL_DAY, "国庆节放假"),
    (WEEKDAYS, WORKING_SATURDAY, "09:00–12:00 14:00–17:30"),
    ("周一至周六 8:30-17:30", SATURDAY, "08:30–17:30"),
    ("周一至周六 8:30-17:30", SUNDAY, "周日不开"),
    ("周一至周五 9:00–17:00，周六 9:00–12:00", SATURDAY, "09:00–12:00"),
    ("周一至周五 9:00–17:00，周六 9:00–12:00", WORKING_SATURDAY, "09:00–12:00"),
    ("周一、周三 9:00–12:00", WORKING_SATURDAY, "周六不开"),
    ("周一、周三、周五 9:00–12:00", FRIDAY, "09:00–12:00"),
    ("周一三五 9：00-12：00", FRIDAY, "09:00–12:00"),
    ("星期一到星期日 9:00~17:00", SUNDAY, "09:00–17:00"),
    ("周六、周日 10:00-15:00", FRIDAY, "周五不开"),
    ("周六日 10:00-15:00", SUNDAY, "10:00–15:00"),
    ("工作日 9:00至12:00；周末 14:00至16:00", SUNDAY, "14:00–16:00"),
    ("每天 8:30—18:00", SUNDAY, "08:30–18:00"),
    ("每天 8:30—18:00", NATIONAL_DAY, "国庆节放假"),
    ("每天（含节假日）8:30—18:00", NATIONAL_DAY, "08:30–18:00"),
    ("8:00-18:00", SATURDAY, "08:00–18:00"),
    ("周二至周日9:00-12:00,13:00-17:00", SATURDAY, "09:00–12:00 13:00–17:00"),
]


@pytest.mark.parametrize(("hours", "day", "expected"), HOURS)
def test_hours_are_read_as_people_write_them(hours: str, day: date, expected: str) -> None:
    today = stations.on(hours, day, HOLIDAYS)
    assert (" ".join(f"{a:%H:%M}–{b:%H:%M}" for a, b in today.spans) or today.why_closed) == expected


@pytest.mark.parametrize("hours", ["", "请电话预约", "周一至周五", "周一至周五 9:00-25:00", "周一 12:00-9:00"])
def test_hours_that_cannot_be_read_are_not_guessed(hours: str) -> None:
    today = stations.on(hours, FRIDAY, HOLIDAYS)
    assert not today.is_known
    assert not today.is_open(MORNING)
    assert stations.say_today(today, MORNING) == "开放时间请先打电话问"


def test_a_year_without_holidays_counts_as_weekdays() -> None:
    assert stations.on(WEEKDAYS, date(2035, 10, 1), HOLIDAYS).spans


@pytest.mark.parametrize(
    ("at", "state"),
    [
        ("08:59", "09:00 开门"),
        ("09:00", "现在开着"),
        ("12:00", "14:00 开门"),
        ("17:29", "现在开着"),
        ("17:30", "今天已关门"),
    ],
)
def test_what_is_said_of_today_depends_on_the_hour(at: str, state: str) -> None:
    today = stations.on(WEEKDAYS, FRIDAY, HOLIDAYS)
    assert stations.say_today(today, parse_instant(f"2026-11-27T{at}")) == f"今天 09:00–12:00、14:00–17:30（{state}）"


def test_a_closed_day_says_why() -> None:
    today = stations.on(WEEKDAYS, NATIONAL_DAY, HOLIDAYS)
    assert stations.say_today(today, parse_instant("2026-10-01T10:00")) == "今天不开放（国庆节放假）"


@pytest.mark.parametrize(
    ("km", "said"),
    [
        (0.01, "约 100 米"),
        (0.34, "约 300 米"),
        (0.949, "约 900 米"),
        (0.96, "约 1.0 公里"),
        (2.34, "约 2.3 公里"),
        (12.4, "约 12 公里"),
    ],
)
def test_distances_are_rounded(km: float, said: str) -> None:
    assert stations.say_distance(km) == said


def test_distances_are_those_of_the_earth() -> None:
    beijing, shanghai = (39.9042, 116.4074), (31.2304, 121.4737)
    assert stations.kilometres(*beijing, *shanghai) == pytest.approx(1067, abs=3)
    assert stations.kilometres(*beijing, *beijing) == 0


def test_the_three_nearest_stations_come_in_order(tmp_path: Path) -> None:
    with on_sqlite(tmp_path).reading() as session:
        found = stations.nearest(session, 34.75, 113.61, FRIDAY)
    assert [station.id for station, _km in found] == [3, 4, 1]
    assert found[0][1] == 0


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("金水", "金水区"), ("金水区", "金水区"), ("郑州市金水区", "金水区"), ("我在金水区。", "金水区"), ("金 水", "金水区"),
        ("管城回族区", "管城区"), ("登封", "登封市"), ("新", None), ("区", None), ("市", None), ("新郑", "新郑市"),
        ("金水区或者中原区", None), ("洛阳", None), ("", None),
    ],
)  # fmt: skip
def test_a_county_is_understood_by_half_its_name(said: str, name: str | None) -> None:
    county = stations.county_named(KNOWN, said)
    assert (county.name if county else None) == name
