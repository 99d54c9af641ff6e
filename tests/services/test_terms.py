"""Terms that end are spoken of on the right days, whichever day of the month they end on (F027)."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from clock import at_beijing, beijing_date
from errors import Misunderstood, RuleBroken
from models import Affiliation, Branch, Change, Due, Duty, Notice, Outgoing, Person, Post, Role
from scheduler import terms as rule
from scheduler.clockwork import Clockwork
from services.membership import changes, people, posts, terms
from tests.conftest import LOADED_AT

BY, SINCE = 1, date(2024, 2, 1)


@given(st.dates(date(2018, 1, 1), date(2035, 12, 31)))
def test_every_term_is_spoken_of_once_in_each_of_its_months(ends_on):
    """Six and three months before, and from the third month on in every month, on its day or the month's last."""
    marks = list(terms.marks(ends_on))
    months = [mark.year * 12 + mark.month - ends_on.year * 12 - ends_on.month for mark in marks]
    assert months == [-6, -3, -2, -1, *range(terms.OVERDUE_MONTHS + 1)]
    for mark in marks:
        assert mark.day == min(ends_on.day, calendar.monthrange(mark.year, mark.month)[1])
    assert ends_on in marks


def test_every_day_of_eighteen_years_one_by_one():
    day = date(2018, 1, 1)
    while day <= date(2035, 12, 31):
        marks = list(terms.marks(day))
        assert len({(mark.year, mark.month) for mark in marks}) == len(marks) == 5 + terms.OVERDUE_MONTHS
        day += timedelta(days=1)


def test_a_term_that_ends_on_the_31st_of_january_is_spoken_of_on_the_last_of_each_month():
    marks = list(terms.marks(date(2027, 1, 31)))
    assert marks[:8] == [
        date(2026, 7, 31), date(2026, 10, 31), date(2026, 11, 30), date(2026, 12, 31), date(2027, 1, 31),
        date(2027, 2, 28), date(2027, 3, 31), date(2027, 4, 30),
    ]  # fmt: skip


def secretary(session) -> tuple[Post, Branch]:
    post = session.scalars(
        sa.select(Post).join(Branch, Branch.id == Post.branch_id)
        .where(Post.role == Role.SECRETARY, Branch.county_id.is_not(None)).order_by(Post.id).limit(1)
    ).one()  # fmt: skip
    return post, session.get(Branch, post.branch_id)


def ring(database, day: date) -> list[str]:
    at = at_beijing(day, rule.TOLD_AT)
    return [f"{each.due_at:%Y-%m-%d} {each.note}" for each in Clockwork(database, [rule.rule()]).tick(at)]


def test_the_secretary_and_the_county_hear_of_it_month_by_month_and_no_more_once_it_is_prolonged(database):
    with database.transaction() as session:
        post, branch = secretary(session)
        deputy = Post(
            person_id=2, role=Role.DEPUTY, branch_id=branch.id, since_on=SINCE, term_ends_on=date(2027, 1, 31)
        )
        session.add(deputy)
        post.term_ends_on = date(2027, 1, 31)
        county = people.holders(session, Role.COUNTY_OFFICE, date(2026, 11, 30), county_id=branch.county_id)
        led = people.holders(session, Role.SECRETARY, date(2026, 11, 30), branch_id=branch.id)
    assert ring(database, date(2026, 11, 30)) == [f"2026-11-30 提醒 {len({*county, *led})} 人"]
    assert ring(database, date(2026, 11, 30)) == [], "one notice, however often the clock rings"
    with database.transaction() as session:
        told = set(session.scalars(sa.select(Outgoing.person_id).where(Outgoing.campaign.startswith("term:"))))
        assert told == {*county, *led}
        assert session.scalar(sa.select(sa.func.count()).where(Notice.campaign.startswith("term:"))) == 1
        assert session.scalar(sa.select(sa.func.count()).where(Due.rule == rule.NAME)) == 1
    assert len(ring(database, date(2026, 12, 31))) == 1
    with database.transaction() as session:
        for each in session.scalars(sa.select(Post).where(Post.branch_id == branch.id)):
            each.term_ends_on = date(2028, 1, 31)
    assert ring(database, date(2027, 1, 31)) == []


def somebody(session) -> tuple[Person, Branch]:
    """A plain member of a branch that has a secretary."""
    _post, branch = secretary(session)
    held = sa.select(Post.person_id)
    person_id = session.scalar(
        sa.select(Affiliation.person_id)
        .where(Affiliation.branch_id == branch.id, Affiliation.person_id.not_in(held))
        .limit(1)
    )
    return session.get(Person, person_id), branch


def test_a_post_is_given_to_one_of_the_branch_and_there_is_one_secretary(database):
    with database.transaction() as session:
        who, branch = somebody(session)
        stranger = Person(name="外人")
        session.add(stranger)
        session.flush()
        committee = terms.Given(Role.COMMITTEE, Duty.DISCIPLINE, "兼管档案", SINCE, date(2027, 2, 1))
        with pytest.raises(RuleBroken, match="请先登记加入支部"):
            terms.appoint(session, stranger, branch, committee, LOADED_AT, by=BY)
        with pytest.raises(RuleBroken, match="现任书记是"):
            terms.appoint(session, who, branch, terms.Given(Role.SECRETARY, None, "", SINCE, None), LOADED_AT, by=BY)
        with pytest.raises(Misunderstood, match="委员要选分工"):
            terms.appoint(session, who, branch, terms.Given(Role.COMMITTEE, None, "", SINCE, None), LOADED_AT, by=BY)
        change = terms.appoint(session, who, branch, committee, LOADED_AT, by=BY)
        post = terms.of_branch(session, branch.id, SINCE)[-1]
        assert (post.title, post.duties) == ("纪检委员", "兼管档案")
        changes.undo(session, change, LOADED_AT, by=BY)
        assert who.id not in [each.person_id for each in terms.of_branch(session, branch.id, SINCE)]


def test_a_post_that_ended_goes_back_neither_to_who_left_nor_beside_another_secretary(database):
    """Undone from the list of changes: the branch has gone on meanwhile."""
    with database.transaction() as session:
        post, branch = secretary(session)
        who, _branch = somebody(session)
        today = beijing_date(LOADED_AT)
        ended = terms.end(session, session.get(Post, post.id), today, "换届选举，由他人接任", LOADED_AT, by=BY)
        given = terms.Given(Role.SECRETARY, None, "", today, None)
        anew = terms.appoint(session, who, branch, given, LOADED_AT, by=BY)
        with pytest.raises(RuleBroken, match="现任书记是"):
            changes.undo(session, session.get(Change, ended.id), LOADED_AT, by=BY)
        changes.undo(session, session.get(Change, anew.id), LOADED_AT, by=BY)
        rows = session.scalars(
            sa.select(Affiliation).where(Affiliation.person_id == post.person_id, Affiliation.branch_id == branch.id)
        ).all()
        for row in rows:
            row.until_on = today
        with pytest.raises(RuleBroken, match="已不在"):
            changes.undo(session, session.get(Change, ended.id), LOADED_AT, by=BY)
        for row in rows:
            row.until_on = None
        changes.undo(session, session.get(Change, ended.id), LOADED_AT, by=BY)
        assert session.get(Post, post.id).until_on is None


def test_an_old_secretary_is_not_put_back_beside_the_new_one(database):
    with database.transaction() as session:
        who, branch = somebody(session)
        old, _branch = secretary(session)
        name, post = who.name, terms.Given(Role.SECRETARY, None, "", SINCE, None)
        with pytest.raises(RuleBroken, match="请先免职"):
            posts.appoint(session, who.id, Role.SECRETARY, branch.name, LOADED_AT)
        ended = terms.end(session, old, SINCE, "换届选举", LOADED_AT, by=BY)
        begun = terms.appoint(session, who, branch, post, LOADED_AT, by=BY)
        with pytest.raises(RuleBroken, match=f"现任书记是{name}"):
            changes.undo(session, ended, LOADED_AT, by=BY)
        changes.undo(session, begun, LOADED_AT, by=BY)
        changes.undo(session, ended, LOADED_AT, by=BY)
        assert people.secretaries(session, [branch.id], SINCE) == {branch.id: [old.person_id]}
