"""The demonstration's past: invented, behind today, and nothing of it is ever sent."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

import demo
from clock import beijing_date, parse_instant
from config import Calendar
from models import (
    Attendance,
    BindingClaim,
    CaseNumber,
    CaseState,
    Consultation,
    Direction,
    Election,
    ElectionState,
    Flow,
    Gathering,
    Outgoing,
    Post,
    Role,
    SendState,
)
from services import scope
from services.consulting import consultations
from services.elections import checks, drafts, records
from services.elections.rules import Rules
from services.meetings import rhythm
from services.membership import claim_lists, duplicates, terms
from services.membership.duplicates import Likeness

AT = parse_instant("2026-11-27T09:00")


@pytest.fixture
def past(database):
    with database.reading() as session:
        calendar = rhythm.calendar(session, Calendar())
    marks = demo.write_history(database, calendar, at=AT)
    assert demo.write_history(database, calendar, at=AT) == 0, "once"
    return database, marks


def test_it_lies_behind_today_and_nothing_of_it_waits(past):
    database, marks = past
    with database.reading() as session:
        attended = session.execute(
            sa.select(sa.func.count(), sa.func.max(Gathering.held_on)).join(
                Attendance, Attendance.gathering_id == Gathering.id
            )
        ).one()
        waiting = session.scalar(sa.select(sa.func.count()).where(Outgoing.state == SendState.WAITING))
        asked = session.scalar(sa.select(sa.func.max(Consultation.asked_at)))
    assert attended[0] == marks > 20_000
    assert attended[1] < beijing_date(AT)
    assert waiting == 0
    assert asked < AT


def test_a_new_question_gets_the_next_number(past):
    """The numbers of a day stay dense, the demonstration's own included."""
    database, _marks = past
    with database.transaction() as session:
        last = session.scalars(sa.select(Consultation).order_by(Consultation.id.desc()).limit(1)).one()
        given = session.get_one(CaseNumber, re.search(r"ZX(\d+)-", last.number)[1]).last
        assert last.number.endswith(f"-{given:04d}")
        for number in session.scalars(sa.select(Consultation.number)):
            assert consultations.read_number(number)[0].ending == number[2:]


def test_states_and_times_agree(past):
    database, _marks = past
    with database.reading() as session:
        for case in session.scalars(sa.select(Consultation)):
            assert (case.taken_at is not None) == (case.lawyer_id is not None)
            assert (case.closed_at is not None) == (case.state in {CaseState.CLOSED, CaseState.WITHDRAWN})
            assert case.answered_at is None or case.answered_at >= case.taken_at


def test_an_office_finds_terms_flows_claims_and_somebody_entered_twice(past):
    database, _marks = past
    with database.reading() as session:
        office = session.scalar(sa.select(Post.person_id).where(Post.role == Role.OFFICE).limit(1))
        seen = scope.of(session, office, beijing_date(AT))
        ending = session.execute(terms.ending(seen)).all()
        assert {post.role for post, _branch in ending} == {Role.SECRETARY, Role.DEPUTY, Role.COMMITTEE}
        assert {post.term_ends_on < seen.on for post, _branch in ending} == {True, False}
        assert {flow.direction for flow in session.scalars(sa.select(Flow))} == set(Direction)
        assert len(session.scalars(claim_lists.waiting(seen)).all()) == 2
        found = session.execute(duplicates.pairs(seen)).all()
        assert [duplicates.STRONGEST[place] for *_pair, place in found].count(Likeness.PHONE) == 2
        phones = session.scalars(sa.select(BindingClaim.phone)).all()
    assert all(each.startswith("1990000") for each in phones)


def test_its_elections_say_what_the_rules_say_and_whose_posts_there_are(past):
    database, _marks = past
    with database.reading() as session:
        written = [drafts.whole(session, each) for each in session.scalars(sa.select(Election.id))]
        assert {each.state for each in written} == set(ElectionState)
        for each in written:
            if each.is_draft:
                continue
            verdict = records.verdict(each, Rules.of(each))
            said = [place for place, one in enumerate(each.candidates) if one.is_elected]
            assert each.state is ElectionState.INVALID or said == sorted(verdict.elected)
            assert bool(verdict.void) == (each.state is ElectionState.INVALID)
            assert verdict.needs_no_reason == (each.state is ElectionState.VALID)
            assert each.state is ElectionState.INVALID or checks.problems(each) == []
        led = sa.select(Post.branch_id).where(Post.role == Role.SECRETARY, Post.term_ends_on.is_not(None))
        assert {each.branch_id for each in written if not each.is_draft} == set(session.scalars(led))
