"""The clock: what is due is decided once, late or never (pitfalls 9–14)."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa

from clock import parse_instant
from models import Affiliation, Due, DueState, Gathering, Outgoing
from scheduler import timetable
from scheduler.clockwork import Asked, Clockwork, Rule


def count(house: Any, *where: Any) -> int:
    with house.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Due).where(*where)) or 0


def of(decisions: list[Any], rule: str) -> list[Any]:
    return [d for d in decisions if d.rule == rule]


def test_fifty_ticks_make_one_row_each(house):
    """Pitfall 9."""
    house.now("2026-11-27T08:30")
    first = house.tick()
    assert len(of(first, "study_day")) == 674
    rows = count(house)
    for _ in range(49):
        assert house.tick() == []
    assert count(house) == rows


def test_the_friday_notice_reaches_each_person_once(house):
    house.now("2026-11-27T08:30")
    house.tick()
    with house.database.reading() as session:
        recipients = session.scalars(sa.select(Outgoing.recipient)).all()
        everybody = session.scalar(sa.select(sa.func.count(sa.distinct(Affiliation.person_id))))
    assert len(recipients) == len(set(recipients)) == everybody > 5000
    house.delivery.run_until_empty()
    house.wechat.settle()
    got = house.wechat.counts(path="/cgi-bin/message/template/send")
    assert got["most"] == 1


def test_the_second_friday_has_one_notice_not_two(house):
    """F039: the activity day is the study day too."""
    house.now("2026-12-11T08:30")
    decisions = of(house.tick(), "study_day")
    assert len(decisions) == 674
    with house.database.reading() as session:
        purposes = Counter(session.scalars(sa.select(Gathering.purpose).where(Gathering.held_on == "2026-12-11")))
    assert {p.value: n for p, n in purposes.items()} == {"activity_day": 674}


def test_what_came_due_while_down_is_sent_late_or_marked(house):
    """Pitfalls 7 and 11, F044: back at 10:00 the notice still goes, back at 11:30 it is marked."""
    house.now("2026-11-27T10:00")
    assert {d.state for d in of(house.tick(), "study_day")} == {DueState.DONE}
    house.now("2026-12-04T11:30")
    assert {d.state for d in of(house.tick(), "study_day")} == {DueState.EXPIRED}
    assert house.deliver() >= 0
    with house.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Outgoing.campaign == "study_day:2026-12-04")) == 0


def test_before_the_hour_nothing_goes(house):
    house.now("2026-11-27T08:29")
    assert of(house.tick(), "study_day") == []


def test_two_schedulers_ring_once(house):
    """Pitfall 10: only the holder of the lease decides; the other takes over when it is gone."""
    other = Clockwork(house.database, timetable.rules(house.settings))
    house.now("2026-11-27T08:30")
    assert house.tick()
    assert other.tick(house.clock.at) == []
    house.now("2026-11-27T08:31")
    assert other.tick(house.clock.at) == [], "everything is decided"
    assert count(house, Due.state == DueState.WAITING, Due.due_at <= house.clock.at) == 0


def test_without_a_lease_a_race_still_decides_each_row_once(house):
    """The lease saves work; the row keeps the promise."""
    house.now("2026-11-27T08:30")
    clocks = [Clockwork(house.database, timetable.rules(house.settings)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        decided = list(pool.map(lambda c: c.tick(house.clock.at, alone=False), clocks))
    subjects = Counter((d.rule, d.subject, d.due_at) for each in decided for d in each)
    assert set(subjects.values()) == {1}


def test_a_moved_gathering_is_told_of_on_its_new_day(house, li_na):
    house.now("2026-11-24T09:00")
    house.tick()
    li_na.says("改期 11-26")
    li_na.says("场地停电")
    house.now("2026-11-26T08:30")
    assert [d.note for d in of(house.tick(), "study_day")] == ["通知 14 人"]
    house.now("2026-11-27T08:30")
    assert len(of(house.tick(), "study_day")) == 673


def test_a_rule_that_raises_stays_due_and_stops_nothing(house):
    at = parse_instant("2026-11-27T08:30")

    def ask(_session: Any, _at: Any) -> list[Asked]:
        return [Asked("x", at, at.replace(hour=23))]

    def fail(_session: Any, _dues: Any, _at: Any) -> list[str]:
        raise ZeroDivisionError

    clockwork = Clockwork(house.database, [Rule("bad", "", ask, fail), Rule("good", "", ask, lambda *_: ["done"])])
    assert [d.rule for d in clockwork.tick(at)] == ["good"]
    assert count(house, Due.rule == "bad", Due.state == DueState.WAITING) == 1


def test_the_dry_run_changes_nothing(house):
    house.now("2026-11-27T08:30")
    with house.database.transaction() as session:
        assert len(house.clockwork.rehearse(session, house.clock.at)) >= 674
        session.rollback()
    assert count(house) == 0
