"""The nearest station, what it offers, and one that is shut (F035)."""

from __future__ import annotations

import sqlalchemy as sa

from clock import beijing_date
from models import Station
from services.organisation import station_keeping, stations


def nearest(house) -> Station:
    with house.database.reading() as session:
        return stations.nearest(session, 34.75, 113.62, beijing_date(house.clock.at))[0][0]


def test_where_somebody_stands_brings_three_stations_with_their_day_and_what_they_offer(house, wang_fang):
    said = wang_fang.sends_location(34.75, 113.62, "中原区")
    assert said.count("地址：") == said.count("今天") == 3
    labels = "、".join(offer.label for offer in stations.offers(nearest(house)))
    assert f"服务：{labels}" in said
    assert "法律咨询" in labels


def test_a_station_that_is_shut_is_not_named(house, wang_fang):
    first = nearest(house)
    with house.database.transaction() as session:
        row = session.scalars(sa.select(Station).where(Station.id == first.id)).one()
        station_keeping.shut(session, row, beijing_date(house.clock.at), "房屋修缮", house.clock.at, by=1)
    said = wang_fang.sends_location(34.75, 113.62, "中原区")
    assert first.name not in said
    assert said.count("地址：") == 3
    assert first.name not in wang_fang.says("服务站 中原区")
