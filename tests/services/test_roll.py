"""Who belongs where, from when to when, as the desk writes it; what the database refuses by itself (F025, F026)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from clock import beijing_date
from errors import Misunderstood, RuleBroken
from models import Affiliation, Branch, Change, Direction, Outgoing, Person, Post, Role, SendState
from services.membership import changes, flows, people, posts, roll, terms
from services.membership.flows import Elsewhere
from services.organisation import lifecycle
from tests.conftest import LOADED_AT

AT, BY, WHY = LOADED_AT, 1, "工作单位变动"
DAY = date(2026, 11, 1)


@pytest.fixture
def session(database):
    with database.transaction() as session:
        yield session


@pytest.fixture
def branches(session) -> list[Branch]:
    return list(session.scalars(sa.select(Branch).order_by(Branch.id.desc()).limit(3)))


@pytest.fixture
def who(session) -> Person:
    return roll.add(session, "夏𬀩·䶮", "１９９１２３４００００", AT, by=BY, within=sa.true())


def test_somebody_with_a_rare_name_and_full_width_digits_is_kept_as_they_are(session, who):
    assert (who.name, who.phone) == ("夏𬀩·䶮", "19912340000")
    with pytest.raises(RuleBroken, match="已登记在“夏𬀩·䶮”"):
        roll.add(session, "别人", "199-1234-0000", AT, by=BY, within=sa.true())


@pytest.mark.parametrize("name", ["", "一", "x" * 31, "张3", "张😀", "<script>", "'; DROP TABLE", "\u200b\u200b"])
def test_what_is_no_name_is_said(session, name):
    with pytest.raises(Misunderstood, match="姓名"):
        roll.read_name(name)


def test_what_cannot_be_seen_is_not_kept():
    assert roll.read_name(" 张\u200b伟 ") == "张伟"


def test_the_first_branch_is_the_main_one_and_another_day_of_it_is_refused(session, who, branches):
    first, second, _ = branches
    roll.join(session, who, first, DAY, AT, by=BY)
    roll.join(session, who, second, DAY, AT, by=BY)
    assert [row.is_main for row in roll.every(session, who.id)] == [True, False]
    assert [each.name for each in people.branches_of(session, who.id, DAY)] == [first.name, second.name]
    with pytest.raises(RuleBroken, match="不用再加"):
        roll.join(session, who, first, DAY + timedelta(3), AT, by=BY)


def test_the_main_branch_moves_on_one_day_and_comes_back(session, who, branches):
    first, second, third = branches
    roll.join(session, who, first, DAY, AT, by=BY)
    roll.join(session, who, second, DAY, AT, by=BY)
    before = [(r.branch_id, r.is_main, r.since_on, r.until_on) for r in roll.every(session, who.id)]
    on = DAY + timedelta(9)
    change = roll.move_main(session, who, second, on, WHY, AT, by=BY)
    spans = {(r.branch_id, r.is_main): (r.since_on, r.until_on) for r in roll.every(session, who.id)}
    assert spans == {(first.id, True): (DAY, on), (second.id, False): (DAY, on), (second.id, True): (on, None)}
    changes.undo(session, change, AT, by=BY)
    assert [(r.branch_id, r.is_main, r.since_on, r.until_on) for r in roll.every(session, who.id)] == before
    with pytest.raises(Misunderstood, match="请写明"):
        roll.move_main(session, who, third, on, "", AT, by=BY)


def test_who_holds_a_post_does_not_leave_the_branch(session):
    post = session.scalars(sa.select(Post).where(Post.role == Role.SECRETARY).limit(1)).one()
    row = next(r for r in roll.every(session, post.person_id) if r.branch_id == post.branch_id)
    with pytest.raises(RuleBroken, match="请先免职"):
        roll.leave(session, row, DAY, WHY, AT, by=BY)


def test_an_undo_is_refused_when_something_happened_since(session, who, branches):
    change = roll.join(session, who, branches[0], DAY, AT, by=BY).id
    row = roll.every(session, who.id)[0]
    roll.leave(session, row, DAY + timedelta(2), WHY, AT, by=BY)
    with pytest.raises(RuleBroken, match="先撤销后来的"):
        changes.undo(session, session.get(Change, change), AT, by=BY)


def test_the_database_refuses_two_open_main_branches_and_posts_without_their_place(database, session, who, branches):
    def refused(*rows) -> None:
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add_all(rows)
            session.flush()

    mine = {"person_id": who.id, "since_on": DAY}
    first, second, _ = (each.id for each in branches)
    refused(Affiliation(branch_id=first, is_main=True, **mine), Affiliation(branch_id=second, is_main=True, **mine))
    refused(
        Affiliation(branch_id=first, **mine),
        Affiliation(branch_id=first, person_id=who.id, since_on=date(2026, 1, 1)),
    )
    refused(Affiliation(branch_id=first, until_on=DAY - timedelta(1), **mine))
    refused(Post(role=Role.SECRETARY, **mine))
    refused(Post(role=Role.OFFICE, branch_id=first, **mine))
    refused(Post(role=Role.COMMITTEE, branch_id=first, **mine))


def test_both_secretaries_hear_of_an_out_flow_and_an_undone_one_is_not_sent(session, branches):
    here, there, _ = branches
    who = people.members_of(session, here.id, DAY)[0]
    change = flows.record(session, who, here, Direction.OUT, Elsewhere(there), DAY, AT, by=BY)
    led = people.secretaries(session, [here.id, there.id], DAY)
    sent = session.scalars(sa.select(Outgoing).where(Outgoing.campaign.startswith("flow:"))).all()
    assert {row.person_id for row in sent} == {each for ids in led.values() for each in ids}
    assert [each.elsewhere for each in flows.of_branch(session, here.id, DAY) if each.person.id == who.id] == [
        there.name
    ]
    flows.recall(session, change, AT)
    session.expire_all()
    assert {row.state for row in sent} == {SendState.CANCELLED}


def test_whose_main_branch_is_elsewhere_is_on_the_mobile_roll(session, who, branches):
    main, mobile, _ = branches
    roll.join(session, who, main, DAY, AT, by=BY)
    roll.join(session, who, mobile, DAY, AT, by=BY)
    guests = {each.person.id: each for each in flows.of_branch(session, mobile.id, DAY)}
    assert (guests[who.id].direction, guests[who.id].elsewhere) == (Direction.IN, main.name)


def test_a_dissolved_branch_gets_nobody_whatever_day_is_typed(session, who, branches):
    gone, other, _ = branches
    roll.join(session, who, other, DAY, AT, by=BY)
    lifecycle.end(session, gone, None, "市委批复", AT, by=BY)
    says, earlier = f"{gone.name}已在 {beijing_date(AT)} 撤销，不再登记人员。", DAY - timedelta(30)
    secretary = terms.Given(Role.SECRETARY, None, "", earlier, None)
    for act in (
        lambda: roll.join(session, who, gone, earlier, AT, by=BY),
        lambda: roll.move_main(session, who, gone, earlier, WHY, AT, by=BY),
        lambda: terms.appoint(session, who, gone, secretary, AT, by=BY),
        lambda: posts.appoint(session, who.id, Role.SECRETARY, gone.name, AT),
        lambda: flows.record(session, who, gone, Direction.IN, Elsewhere(None, "外地支部"), earlier, AT, by=BY),
        lambda: flows.record(session, who, other, Direction.OUT, Elsewhere(gone), DAY, AT, by=BY),
    ):
        with pytest.raises(RuleBroken, match=says) as refused:
            act()
        assert refused.value.about in {"branch", "place"}
    assert session.scalars(sa.select(Post).where(Post.branch_id == gone.id, Post.until_on.is_(None))).all() == []


def test_what_is_undone_brings_nobody_back_into_a_dissolved_branch(session, who, branches):
    gone = branches[0]
    roll.join(session, who, gone, DAY, AT, by=BY)
    change = roll.leave(session, roll.every(session, who.id)[0], DAY + timedelta(5), WHY, AT, by=BY)
    lifecycle.end(session, gone, None, "市委批复", AT, by=BY)
    with pytest.raises(RuleBroken, match="请先恢复这个支部"):
        changes.undo(session, change, AT, by=BY)
    lifecycle.restore(session, gone, "撤销有误", AT, by=BY)
    changes.undo(session, change, AT, by=BY)
    assert people.branches_of(session, who.id, beijing_date(AT)) == [gone]


def test_nobody_goes_and_comes_at_once(session, who, branches):
    here, there, _ = branches
    roll.join(session, who, here, DAY, AT, by=BY)
    flows.record(session, who, here, Direction.OUT, Elsewhere(there), DAY, AT, by=BY)
    with pytest.raises(RuleBroken, match="起已登记流出，还没有结束，请先结束它，再登记流入"):
        flows.record(session, who, here, Direction.IN, Elsewhere(None, "外地支部"), DAY, AT, by=BY)
