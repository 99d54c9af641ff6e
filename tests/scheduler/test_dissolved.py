"""A branch that has ended gets no more notices, nor do those who belonged to it alone (F034)."""

from __future__ import annotations

import sqlalchemy as sa

from clock import parse_instant
from models import Affiliation, Branch, Follower, Outgoing
from services.organisation import lifecycle
from tests.conftest import CAST, demo

MORNING = "2026-11-27T08:30"


def told(house, openid: str) -> int:
    with house.database.reading() as session:
        person = sa.select(Follower.person_id).where(Follower.openid == openid).scalar_subquery()
        question = sa.select(sa.func.count()).where(
            Outgoing.person_id == person, Outgoing.campaign.startswith("study_day")
        )
        return session.scalar(question) or 0


def home(session, openid: str) -> Branch:
    return session.scalars(
        sa.select(Branch)
        .join(Affiliation, Affiliation.branch_id == Branch.id)
        .join(Follower, Follower.person_id == Affiliation.person_id)
        .where(Follower.openid == openid)
    ).one()


def test_a_dissolved_branch_gets_no_notice_and_a_merged_one_the_others(house):
    zhang_wei, someone = demo.cast.openid_of(CAST["张伟"]), demo.people.demo_openid(300)
    at = parse_instant("2026-11-26T10:00")
    with house.database.transaction() as session:
        mine, other = home(session, zhang_wei), home(session, someone)
        assert mine.id != other.id
        lifecycle.end(session, other, None, "律所注销", at, by=1)
        into = session.scalars(sa.select(Branch).where(Branch.id.not_in([mine.id, other.id])).limit(1)).one()
        lifecycle.end(session, mine, into, "人数不足合并", at, by=1)
    house.now(MORNING)
    house.tick()
    assert told(house, someone) == 0
    assert told(house, zhang_wei) == 1


def test_without_an_end_both_would_have_been_told(house):
    house.now(MORNING)
    house.tick()
    assert told(house, demo.people.demo_openid(300)) == told(house, demo.cast.openid_of(CAST["张伟"])) == 1
