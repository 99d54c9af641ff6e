"""The office keeps the stations at the desk, and people find in the chat what it has written (F035)."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from models import County, Station
from services.consulting import assignment
from services.meetings.calendar import Holidays
from services.organisation import stations
from tests.console.test_organisation import last_audit
from tests.console.test_pages import text


def station(office, county: str = "金水区") -> Station:
    with office.database.reading() as session:
        of = sa.select(Station).join(County, County.id == Station.county_id).where(County.name == county)
        return session.scalars(of.order_by(Station.id).limit(1)).one()


def fields(row: Station, **other: str) -> dict[str, str]:
    said = {
        "name": row.name, "county": str(row.county_id), "address": row.address, "phone": row.phone, "hours": row.hours,
        "latitude": str(row.latitude), "longitude": str(row.longitude), "branch": "",
    }  # fmt: skip
    return {**said, **other}


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("hours", "看情况", "读不懂"), ("hours", "", "请填写开放时间"), ("hours", "周一 25:00–26:00", "读不懂"),
        ("latitude", "113.6", "不在本省范围内"), ("latitude", "abc", "没看懂"), ("latitude", "nan", "不在本省范围内"),
        ("longitude", "121.5", "不在本省范围内"), ("address", "\u200b", "请填写地址"), ("address", "长" * 129, "最多 128 个字"),
        ("phone", "<script>", "没看懂"), ("phone", "打我手机", "没看懂"), ("branch", "没有这个支部", "没有这个支部"),
        ("county", "city", "请选择所在的县（市）区"), ("county", "' OR 1=1", "请选择所在"), ("name", "", "请填写名称"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_station_is_said_at_the_field_and_nothing_is_lost(office, field, value, says):
    visitor, row = office.visitor("office"), station(office)
    other = {"name": "留得住的名称", field: value}
    answer = visitor.send(f"/console/stations/{row.id}/edit", **fields(row, **other))
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    shown = re.search(rf'id="{field}-says" role="alert">([^<]+)<', page)[1]
    assert says in shown
    assert "<script>" not in page.split("</head>")[1]
    if field != "name":
        assert 'value="留得住的名称"' in page
    assert station(office).name == row.name


def test_latitude_and_longitude_the_wrong_way_round_are_noticed(office):
    visitor, row = office.visitor("office"), station(office)
    swapped = fields(row, latitude=str(row.longitude), longitude=str(row.latitude))
    answer = visitor.send(f"/console/stations/{row.id}/edit", **swapped)
    assert answer.status_code == 422
    assert "写反了" in text(answer)


def test_what_the_office_writes_is_what_people_are_told(office):
    visitor, row = office.visitor("county"), station(office)
    said = fields(row, hours="每天 8:00-22:00", phone="0371-67180000", offer=["writing", "advice", "nothing"])
    assert visitor.send(f"/console/stations/{row.id}/edit", **said).status_code == 302
    page = text(visitor.open(f"/console/stations/{row.id}"))
    assert "今天 08:00–22:00（现在开着）" in page
    assert "法律咨询、代书" in page
    details = last_audit(office, "station.change").details
    assert "开放时间：周一至" in details
    assert "→ 每天 8:00-22:00" in details
    same = visitor.send(f"/console/stations/{row.id}/edit", **said)
    assert same.status_code == 422
    assert "没有改动" in text(same)


def test_a_station_that_is_shut_is_found_by_nobody_until_it_opens_again(office):
    visitor, row, on = office.visitor("office"), station(office), date(2026, 11, 27)
    path = f"/console/stations/{row.id}"
    yesterday = visitor.send(f"{path}/shut", since_on="2026-11-26", reason="房屋修缮")
    assert yesterday.status_code == 422
    assert "从今天或以后" in text(yesterday)
    assert visitor.send(f"{path}/shut", since_on="2026-11-28", reason="房屋修缮").status_code == 302

    def near(day: date) -> set[int]:
        with office.database.reading() as session:
            return {s.id for s, _km in stations.nearest(session, row.latitude, row.longitude, day)}

    assert row.id in near(on)
    assert row.id not in near(on + timedelta(days=1))
    assert "已经从 2026-11-28 起关停了" in text(
        visitor.send(f"{path}/shut", since_on="2026-12-01", reason="再关一次")
    )
    office.clock.at += timedelta(days=3)
    visitor = office.visitor("office")
    assert "已关停" in text(visitor.open(path))
    with office.database.reading() as session:
        county = session.get_one(County, row.county_id)
        decision = assignment.decide(session, county, Holidays.seeded(), office.clock.at)
        assert decision.station is None or decision.station.id != row.id
    assert visitor.send(f"{path}/reopen", on=path).status_code == 302
    assert row.id in near(office.clock.at.date())
    assert "2026-11-28 至 2026-11-30" in text(visitor.open(path))
    assert "这个服务站开着" in text(visitor.send(f"{path}/reopen", on=path))


def test_a_county_office_keeps_its_own_stations_and_a_secretary_none(office):
    row, foreign = station(office), station(office, "登封市")
    visitor = office.visitor("county")
    assert visitor.open(f"/console/stations/{foreign.id}/edit").status_code == 404
    moved = visitor.send(f"/console/stations/{row.id}/edit", **fields(row, county=str(foreign.county_id)))
    assert moved.status_code == 422
    assert "修改" not in text(office.visitor("secretary").open(f"/console/stations/{row.id}")).split("演示")[-1]
    for name in ("secretary", "auditor", "lawyer"):
        assert office.visitor(name).open(f"/console/stations/{row.id}/edit").status_code == 404


def test_a_new_station_is_found_at_once(office):
    visitor, row = office.visitor("office"), station(office)
    answer = visitor.send("/console/stations/new", **fields(row, name="金水区䶮𬀩法律服务站"))
    assert answer.status_code == 302
    assert "金水区䶮𬀩法律服务站" in text(visitor.open(answer.location))
    again = visitor.send("/console/stations/new", **fields(row, name="金水区䶮𬀩法律服务站"))
    assert "已有同名的服务站" in text(again)
