"""The ladder around a gathering: each step once, to the secretary, while it is useful, and only if wanted (F043, F044)."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

import config
from clock import BEIJING, beijing, parse_instant
from models import (
    Affiliation,
    Attendance,
    Due,
    DueState,
    Follower,
    Gathering,
    GatheringState,
    Notice,
    NoticeKind,
    Outgoing,
    Post,
    Presence,
    Role,
    SendState,
    Via,
)
from scheduler import reminders, timetable
from scheduler.clockwork import OFF, TOO_LATE, Clockwork
from scheduler.reminders import LADDER, Hours
from services import broadcasts, switches

STEPS = [step.name for step in LADDER]
FRIDAY = "2026-11-27"


def of(decisions: list[Any], rule: str) -> list[Any]:
    return [d for d in decisions if d.rule == rule]


def switch(house: Any, **rules: bool) -> None:
    with house.database.transaction() as session:
        for name, is_on in rules.items():
            switches.switch_rule(session, name, house.clock(), on=is_on)


def keep(house: Any, phone: Any, others: int = 4) -> list[int]:
    """Leave the gatherings of a few branches only, somebody's own first."""
    with house.database.transaction() as session:
        me = session.get_one(Follower, phone.openid).person_id
        home = session.scalar(sa.select(Affiliation.branch_id).where(Affiliation.person_id == me))
        more = session.scalars(
            sa.select(Gathering.branch_id).distinct().where(Gathering.branch_id != home).limit(others)
        )
        kept = [home, *more]
        # Cancelled, not deleted: what is missing would be planned again.
        others_held = sa.update(Gathering).where(Gathering.branch_id.not_in(kept))
        session.execute(others_held.values(state=GatheringState.CANCELLED))
    return kept


def tell(house: Any, branch_id: int, **values: Any) -> int:
    """Change the branch's gathering of this Friday; gives its id."""
    with house.database.transaction() as session:
        mine = Gathering.branch_id == branch_id, Gathering.period_on == date.fromisoformat(FRIDAY)
        session.execute(sa.update(Gathering).where(*mine).values(**values or {"topic": Gathering.topic}))
        return session.scalar(sa.select(Gathering.id).where(*mine))


def move(house: Any, branch_id: int, opens: str, closes: str) -> None:
    at = parse_instant(opens)
    tell(house, branch_id, held_on=beijing(at).date(), opens_at=at, closes_at=parse_instant(closes))


def reminded(house: Any) -> Counter[str]:
    """Rows of the outbox by the step that made them."""
    with house.database.reading() as session:
        names = session.scalars(
            sa.select(Outgoing.campaign).join(Notice).where(Notice.kind == NoticeKind.REMINDER)
        ).all()
    return Counter(name.partition(":")[0] for name in names)


def through(house: Any, first: str, last: str, step: timedelta) -> list[Any]:
    """Let the clock ring regularly; all that was decided."""
    decided, at, end = [], parse_instant(first), parse_instant(last)
    while at < end:
        house.clock.at = at
        decided += house.tick()
        at += step
    return decided


# --- each step ----------------------------------------------------------------------------------------------


def test_each_step_rings_once_at_its_hour_in_a_week(house, li_na):
    """Five branches, one with a topic, one where somebody checked in; ringing every hour from Monday to Sunday."""
    branches = keep(house, li_na)
    switch(house, day_before=True, hours_before=True)
    tell(house, branches[1], topic="学习党章")
    attended = tell(house, branches[2])
    with house.database.transaction() as session:
        me = session.get_one(Follower, li_na.openid).person_id
        session.add(
            Attendance(gathering_id=attended, person_id=me, presence=Presence.PRESENT, via=Via.SELF,
                       at=parse_instant(f"{FRIDAY}T09:00"), receipt=1)
        )  # fmt: skip
    decided = through(house, "2026-11-23T00:00", "2026-11-30T00:00", timedelta(hours=1))
    hours = {(d.rule, f"{beijing(d.due_at):%a %H:%M}") for d in decided if d.rule in STEPS}
    assert hours == {
        ("topic_missing", "Tue 08:30"), ("day_before", "Thu 08:30"), ("hours_before", "Fri 07:30"),
        ("record_missing", "Fri 20:00"),
    }  # fmt: skip
    assert reminded(house) == {"topic_missing": 4, "day_before": 5, "hours_before": 5, "record_missing": 4}
    notes = Counter((d.rule, d.note) for d in decided if d.rule in STEPS)
    assert notes["topic_missing", "主题已定，不用提醒"] == 1
    assert notes["record_missing", "已有签到记录，不用提醒"] == 1


def test_two_steps_are_off_until_somebody_wants_them(house, li_na):
    keep(house, li_na)
    decided = through(house, "2026-11-26T08:00", "2026-11-27T09:00", timedelta(minutes=30))
    for name in ("day_before", "hours_before"):
        assert {(d.state, d.note) for d in of(decided, name)} == {(DueState.DONE, OFF)}
    assert len(of(decided, "study_day")) == 5
    assert set(reminded(house)) <= {"topic_missing"}


@pytest.mark.parametrize("name", STEPS)
def test_each_step_can_be_switched_off_and_on(house, li_na, name):
    keep(house, li_na)
    switch(house, **dict.fromkeys(STEPS, True))
    switch(house, **{name: False})
    through(house, "2026-11-24T08:00", "2026-11-28T00:00", timedelta(hours=3))
    assert set(reminded(house)) == set(STEPS) - {name}
    switch(house, **{name: True})
    through(house, "2026-12-01T08:00", "2026-12-05T00:00", timedelta(hours=3))
    assert set(reminded(house)) == set(STEPS)


def test_fifty_runs_make_one_row(house, li_na):
    """Pitfall 9."""
    keep(house, li_na)
    switch(house, **dict.fromkeys(STEPS, True))
    for hour in ("2026-11-24T08:30", "2026-11-26T08:30", f"{FRIDAY}T07:30", f"{FRIDAY}T20:00"):
        house.clock.at = parse_instant(hour)
        for _ in range(50):
            house.tick()
    assert reminded(house) == dict.fromkeys(STEPS, 5)
    with house.database.reading() as session:
        dues = session.execute(sa.select(Due.rule, sa.func.count()).where(Due.rule.in_(STEPS)).group_by(Due.rule))
        assert dict(dues.all()) == dict.fromkeys(STEPS, 5)


def test_only_secretaries_are_reminded_members_are_left_in_peace(house, li_na):
    """P1: a member's week has one notice, that of the study day."""
    branches = keep(house, li_na)
    switch(house, **dict.fromkeys(STEPS, True))
    through(house, "2026-11-24T08:00", "2026-11-28T00:00", timedelta(hours=3))
    with house.database.reading() as session:
        told = set(
            session.scalars(sa.select(Outgoing.person_id).join(Notice).where(Notice.kind == NoticeKind.REMINDER))
        )
        lead = set(
            session.scalars(
                sa.select(Post.person_id).where(Post.role == Role.SECRETARY, Post.branch_id.in_(branches))
            )
        )
    assert told == lead


def test_the_secretary_sets_the_topic_in_the_chat_and_members_read_it(house, li_na, zhang_wei):
    keep(house, li_na, others=0)
    house.now("2026-11-24T08:30")
    house.tick()
    house.deliver()
    assert li_na.wait_for("请定学习主题")
    assert "还没有定主题" in li_na.says("主题")
    assert li_na.says("主题 学习宪法 第一章").startswith("已定主题“学习宪法 第一章”：11月27日（周五）")
    assert "最多显示 20 个字" in li_na.says(f"主题 {'字' * 21}")
    house.now(f"{FRIDAY}T08:30")
    house.tick()
    house.deliver()
    assert zhang_wei.wait_for("学习宪法 第一章")
    assert "没有定主题" in li_na.says("主题"), "that of the week after"
    assert "书记" in zhang_wei.says("主题 我来定")


def test_a_secretary_of_two_branches_sets_the_topic_that_is_missing(house, li_na):
    home, other, *_ = keep(house, li_na)
    house.now("2026-11-24T09:00")
    with house.database.transaction() as session:
        me = session.get_one(Follower, li_na.openid).person_id
        session.add(Post(person_id=me, role=Role.SECRETARY, branch_id=other, since_on=date(2026, 1, 1)))
    li_na.says("主题 学习党章")
    li_na.says("主题 学习宪法")
    with house.database.reading() as session:
        topics = session.scalars(
            sa.select(Gathering.topic).where(Gathering.period_on == FRIDAY, Gathering.branch_id.in_([home, other]))
        ).all()
    assert set(topics) == {"学习党章", "学习宪法"}


# --- late, moved, cancelled -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "asked", "late", "too_late"),
    [
        ("topic_missing", "2026-11-24T08:00", f"{FRIDAY}T08:29", f"{FRIDAY}T08:30"),
        ("day_before", "2026-11-26T08:00", f"{FRIDAY}T08:29", f"{FRIDAY}T08:30"),
        ("hours_before", f"{FRIDAY}T07:00", f"{FRIDAY}T08:29", f"{FRIDAY}T08:30"),
        ("record_missing", f"{FRIDAY}T19:00", "2026-11-30T20:00", "2026-11-30T20:01"),
    ],
)
def test_a_late_step_goes_while_it_is_useful_and_is_marked_after(house, li_na, name, asked, late, too_late):
    """Asked for before an outage; back in time it goes, back a little later it is marked."""
    keep(house, li_na, others=0)
    switch(house, **dict.fromkeys(STEPS, True))
    house.clock.at = parse_instant(asked)
    assert of(house.tick(), name) == []
    house.clock.at = parse_instant(too_late)
    with house.database.transaction() as session:
        decided = of(house.clockwork.rehearse(session, house.clock.at), name)
        session.rollback()
    assert [(d.state, d.note) for d in decided] == [(DueState.EXPIRED, TOO_LATE)]
    house.clock.at = parse_instant(late)
    assert [(d.state, d.note) for d in of(house.tick(), name)] == [(DueState.DONE, "已提醒书记")]


def test_stopped_from_half_past_seven_to_eleven_the_morning_is_marked_and_the_afternoon_goes(house, li_na):
    """F044, as it is written: the study notice of 08:00 is marked, what is due at 14:00 is sent."""
    day = house.settings.study_day.model_copy(update={"notice_at": time(8)})
    clockwork = Clockwork(house.database, timetable.rules(house.settings.model_copy(update={"study_day": day})))
    home, *_ = keep(house, li_na)
    switch(house, hours_before=True)
    move(house, home, f"{FRIDAY}T16:00", f"{FRIDAY}T20:00")
    house.now(f"{FRIDAY}T07:29")
    clockwork.tick(house.clock.at)

    house.now(f"{FRIDAY}T11:00")
    back = clockwork.tick(house.clock.at)
    assert {(d.state, d.note) for d in of(back, "study_day")} == {(DueState.EXPIRED, TOO_LATE)}
    assert len(of(back, "study_day")) == 5
    with house.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Outgoing.campaign == f"study_day:{FRIDAY}")) == 0

    house.now(f"{FRIDAY}T13:59")
    assert of(clockwork.tick(house.clock.at), "hours_before") == []
    house.now(f"{FRIDAY}T14:00")
    assert [d.note for d in of(clockwork.tick(house.clock.at), "hours_before")] == ["已提醒书记"]
    house.deliver()
    assert "16:00" in li_na.wait_for("活动快开始了")["text"]


def test_a_moved_gathering_is_reminded_of_on_its_new_days_only(house, li_na):
    home, *_ = keep(house, li_na, others=0)
    switch(house, **dict.fromkeys(STEPS, True))
    house.now("2026-11-25T09:00")
    house.tick()
    li_na.says("改期 11-29")
    li_na.says("场地停电")
    decided = through(house, "2026-11-25T09:30", "2026-11-30T00:00", timedelta(hours=2))
    by_day = {(d.rule, f"{beijing(d.due_at):%a}"): d.note for d in decided if d.rule in STEPS}
    assert by_day == {
        # For the new day it would have been due on Thursday.
        ("topic_missing", "Thu"): "已提醒书记",
        ("day_before", "Thu"): reminders.MOVED,
        ("day_before", "Sat"): "已提醒书记",
        ("hours_before", "Sun"): "已提醒书记",
        ("record_missing", "Sun"): "已提醒书记",
    }
    with house.database.reading() as session:
        days = Counter(
            name.rpartition(":")[2] for name in session.scalars(sa.select(Outgoing.campaign))
            if name.partition(":")[0] in STEPS
        )  # fmt: skip
    assert days == {FRIDAY: 1, "2026-11-29": 4}, "on Friday only the one that had gone before the move"
    assert home


def test_a_cancelled_gathering_is_not_reminded_of(house, li_na):
    home, *_ = keep(house, li_na, others=0)
    switch(house, **dict.fromkeys(STEPS, True))
    house.now("2026-11-23T09:00")
    house.tick()
    tell(house, home, state=GatheringState.CANCELLED)
    decided = through(house, "2026-11-24T08:00", "2026-11-28T00:00", timedelta(hours=3))
    assert {d.note for d in decided if d.rule in STEPS} == {reminders.CANCELLED}
    assert reminded(house) == {}


def test_a_branch_that_nobody_leads_is_noted(house, li_na):
    home, *_ = keep(house, li_na, others=0)
    with house.database.transaction() as session:
        session.execute(sa.delete(Post).where(Post.branch_id == home))
    house.now("2026-11-24T08:30")
    assert [d.note for d in of(house.tick(), "topic_missing")] == [reminders.NOBODY]


def test_after_an_outage_in_the_night_nobody_is_woken(house, li_na):
    keep(house, li_na, others=0)
    house.now("2026-11-24T08:00")
    house.tick()
    house.now("2026-11-24T23:00")
    assert [d.note for d in of(house.tick(), "topic_missing")] == ["已提醒书记"]
    with house.database.reading() as session:
        row = session.scalars(sa.select(Outgoing).where(Outgoing.campaign.like("topic_missing:%"))).one()
    assert (row.state, row.due_at) == (SendState.WAITING, parse_instant("2026-11-25T07:30"))


# --- many, and any day ----------------------------------------------------------------------------------------


def test_674_branches_take_few_statements(house):
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    house.now("2026-11-24T08:29")
    house.tick()
    sa.event.listen(house.database.engine, "before_cursor_execute", note)
    house.now("2026-11-24T08:30")
    decided = of(house.tick(), "topic_missing")
    sa.event.remove(house.database.engine, "before_cursor_execute", note)
    assert len(decided) == 674
    assert reminded(house)["topic_missing"] == sum(d.note == "已提醒书记" for d in decided) > 600
    # A due-row's own update is one executemany a batch; SQLite inserts what must give back its id row by row.
    of_notices = sum(each.startswith("INSERT INTO notices") for each in seen)
    assert len(seen) - of_notices < 100


moments = st.datetimes(datetime(2018, 1, 1), datetime(2035, 12, 31), timezones=st.just(BEIJING))  # noqa: DTZ001


@given(moments, st.integers(1, 23))
def test_no_step_is_ever_due_in_the_quiet_hours_or_after_it_is_useful(opens_at, length):
    sending = config.Sending()
    held = Hours(opens_at, opens_at + timedelta(hours=length))
    for step in LADDER:
        due, last = step.due_at(held, sending), step.not_after(held)
        assert not broadcasts.is_quiet(beijing(due).time(), sending.quiet_from, sending.quiet_until)
        wanted = held.closes_at if step.before is None else held.opens_at - step.before
        assert timedelta() <= due - wanted <= timedelta(hours=10)
        assert last < held.opens_at or step.before is None
