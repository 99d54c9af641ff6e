"""An election is recorded once, the posts follow, and it is only ever set aside (F028)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

import schema
from clock import at_beijing, beijing_date
from errors import Misunderstood, RuleBroken
from models import (
    Affiliation,
    AuditEntry,
    Branch,
    Candidate,
    Change,
    Duty,
    Election,
    ElectionKind,
    ElectionState,
    Person,
    Post,
    Role,
    Seat,
    Turnout,
)
from scheduler import terms as reminders
from scheduler.clockwork import Clockwork
from services.elections import checks, drafts, records
from services.elections.drafts import Row, Typed
from services.elections.records import Decision
from services.elections.rules import Rules
from services.membership import changes, merging, people, roll, terms
from tests.conftest import LOADED_AT

BY, ON = 1, beijing_date(LOADED_AT)
YEARS = 3
VALID, INVALID = Decision(True, ""), Decision(False, "计票有误，改期重选")


def of(session) -> tuple[Branch, list[Person], Post]:
    """A branch, its members without its secretary, its secretary's post."""
    question = sa.select(Post).options(joinedload(Post.person)).where(Post.role == Role.SECRETARY)
    post = session.scalars(question.order_by(Post.id).limit(1)).one()
    everybody = people.members_of(session, post.branch_id, ON)
    return session.get_one(Branch, post.branch_id), [each for each in everybody if each.id != post.person_id], post


def begun(session, on: date = ON, kind: ElectionKind = ElectionKind.RENEWAL) -> Election:
    branch, _members, _post = of(session)
    return drafts.begin(session, branch, kind, on, "活动室", Rules(), LOADED_AT, by=BY)


def secretary_row(person: Person, votes: int) -> Row:
    return Row(person.id, person.name, False, Seat.SECRETARY, Role.SECRETARY, None, votes)


def typed(election: Election, *rows: Row, away: int = 0, returned: int | None = None, **more) -> Typed:
    """Everybody came but some."""
    turnouts = {voter.person_id: Turnout.PRESENT for voter in election.voters}
    turnouts |= {voter.person_id: Turnout.ABSENT for voter in election.voters[:away]}
    seats = {seat: min(1, sum(row.seat is seat for row in rows)) for seat in Seat}
    came = len(turnouts) - away
    usual = Typed(
        election.kind, election.held_on, turnouts=turnouts, returned=came if returned is None else returned,
        seats=seats, rows=rows,
    )  # fmt: skip
    return replace(usual, **more)


def record(session, election: Election, decision: Decision = VALID) -> None:
    records.record(session, election, decision, Rules(), YEARS, LOADED_AT, by=BY)


def led_by(session, branch_id: int) -> list[int]:
    return people.holders(session, Role.SECRETARY, ON, branch_id=branch_id)


def elect(session, *, away: int = 0, decision: Decision = VALID) -> tuple[Election, Person]:
    _branch, members, _post = of(session)
    election = begun(session)
    drafts.write(session, election, typed(election, secretary_row(members[0], len(members) - away), away=away))
    record(session, election, decision)
    return election, members[0]


# --- the draft -----------------------------------------------------------------------------------------------


def test_the_list_is_who_belonged_on_that_day_and_the_counts_follow_from_it(database):
    with database.transaction() as session:
        branch, members, _post = of(session)
        election = begun(session)
        assert (election.due, election.present) == (len(election.voters),) * 2
        turnouts = {members[0].id: Turnout.PROBATIONARY, members[1].id: Turnout.LEAVE}
        drafts.write(session, election, replace(typed(election), turnouts=turnouts, returned=None))
        assert election.due == len(election.voters) - 1
        assert election.present == election.issued == len(election.voters) - 2
        left = session.scalars(sa.select(Affiliation).where(Affiliation.person_id == members[2].id)).first()
        left.until_on = ON
        drafts.write(session, election, replace(typed(election), returned=None, turnouts={}))
        assert members[2].id not in {voter.person_id for voter in election.voters}
        assert {v.turnout for v in election.voters if v.person_id == members[0].id} == {Turnout.PROBATIONARY}
        assert begun(session).id == election.id, "the same draft is gone on with"
        assert election.branch_id == branch.id


def test_paper_counts_stand_where_there_is_no_list(database):
    with database.transaction() as session:
        _branch, members, _post = of(session)
        election = begun(session)
        due = len(members)
        came = due - 1
        paper = Typed(
            election.kind, ON, has_list=False, due=due, present=came, issued=came, returned=came, spoiled=1,
            seats={Seat.SECRETARY: 1}, rows=(secretary_row(members[0], came - 2),),
        )  # fmt: skip
        drafts.write(session, election, paper)
        assert checks.problems(election) == []
        assert (election.candidates[0].votes_against, election.candidates[0].abstained) == (0, 1)
        record(session, election)
        assert (election.state, election.due, election.candidates[0].is_elected) == (ElectionState.VALID, due, True)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"returned": None}, "收回选票数还没有填"),
        ({"rows": ()}, "还没有登记候选人"),
        ({"seats": {}}, "书记的应选名额还没有填"),
        ({"votes": 99}, "合计 99，应等于有效票"),
        ({"turnout": Turnout.PROBATIONARY}, "没有被选举权"),
        ({"twice": True}, "登记了两次"),
        ({"far": True}, "不在本支部名册里"),
        ({"written": True}, "在名册里，请回去直接选"),
    ],
)
def test_what_is_missing_or_cannot_be_keeps_it_a_draft(database, wrong, says):
    with database.transaction() as session:
        _branch, members, _post = of(session)
        election = begun(session)
        who = members[0]
        if wrong.get("far"):
            here = [voter.person_id for voter in election.voters]
            who = session.scalars(sa.select(Person).where(Person.id.not_in(here)).limit(1)).one()
        rows = (secretary_row(who, wrong.get("votes", len(election.voters))),) * (2 if "twice" in wrong else 1)
        if "written" in wrong:
            rows += (Row(None, " ".join(who.name), True, Seat.SECRETARY, Role.SECRETARY, None, 0),)
        it = typed(election, *rows)
        if "turnout" in wrong:
            it.turnouts[members[0].id] = wrong["turnout"]
        it = replace(it, **{key: value for key, value in wrong.items() if key in {"returned", "rows", "seats"}})
        drafts.write(session, election, it)
        assert any(says in each for each in checks.problems(election))
        with pytest.raises(RuleBroken):
            record(session, election)
        assert session.scalar(sa.select(Election.state).where(Election.id == election.id)) is ElectionState.DRAFT


# --- recording -----------------------------------------------------------------------------------------------


def test_a_short_quorum_is_not_recorded_as_valid_without_a_reason(database):
    with database.transaction() as session:
        branch, members, post = of(session)
        away = len(members) // 2
        election = begun(session)
        rows = secretary_row(members[-1], len(election.voters) - away)
        drafts.write(session, election, typed(election, rows, away=away))
        for reason in ("", "同意", "\u200b\u200b\u200b\u200b"):
            with pytest.raises(Misunderstood, match="为什么仍然有效"):
                record(session, election, Decision(True, reason))
        assert led_by(session, branch.id) == [post.person_id]
        record(session, election, Decision(True, "经党总支批准，见批复 3 号"))
        assert (election.state, election.reason) == (ElectionState.EXCUSED, "经党总支批准，见批复 3 号")
        said = session.scalars(sa.select(AuditEntry).where(AuditEntry.act == "election.record")).one()
        assert "到会人数不足" in said.details
        assert "批复 3 号" in said.details


@pytest.mark.parametrize(
    ("values", "promise"),
    [
        ({"state": "valid", "present": 3, "issued": 3, "returned": 3}, "valid_has_its_quorum"),
        ({"state": "excused", "reason": ""}, "excused_has_a_reason"),
        ({"state": "excused", "reason": "批复", "returned": 9}, "never_valid_with_more_ballots"),
        ({"state": "invalid", "reason": ""}, "invalid_has_a_reason"),
        ({"present": 11}, "present_are_of_those_due"),
        ({"issued": 9}, "ballots_go_to_those_present"),
        ({"spoiled": 9}, "spoiled_are_of_those_returned"),
        ({"due": -1}, "counts_are_possible"),
        ({"due": 2_000_000}, "counts_are_possible"),
        ({"state": "valid", "returned": None}, "recorded_is_complete"),
        ({"counts_on": None}, "counts_until_set_aside"),
        ({"counts_on": date(2020, 1, 1)}, "counts_on_its_day"),
        ({"set_aside_at": LOADED_AT, "counts_on": None}, "set_aside_has_a_reason"),
        ({"secretary_seats": 2}, "one_secretary"),
        ({"quorum_top": 6}, "quorum_is_a_part"),
    ],
)
def test_the_database_itself_refuses_what_cannot_be(database, values, promise):
    """Past every service."""
    with database.transaction() as session:
        branch, _members, _post = of(session)
        whole = {
            "branch_id": branch.id, "kind": "renewal", "held_on": ON, "round": 1, "place": "", "state": "valid",
            "has_list": False, "due": 10, "present": 8, "issued": 8, "returned": 8, "spoiled": 0, "secretary_seats": 1,
            "deputy_seats": 0, "committee_seats": 0, "quorum_top": 4, "quorum_bottom": 5, "majority_of": "due",
            "reason": "", "written_at": LOADED_AT, "recorded_at": LOADED_AT, "counts_on": ON, "set_aside_reason": "",
        }  # fmt: skip
        with session.begin_nested() as fine:
            session.execute(sa.insert(Election.__table__).values(whole))
            fine.rollback()
        with pytest.raises(IntegrityError, match=promise), session.begin_nested():
            session.execute(sa.insert(Election.__table__).values(whole | values))


@pytest.mark.parametrize(
    ("values", "promise"),
    [
        ({"votes_for": -1}, "votes_are_possible"),
        ({"abstained": 100_000}, "votes_are_possible"),
        ({"person_id": None}, "is_on_the_roll_or_written_in"),
        ({"is_elected": True, "votes_for": 0}, "elected_is_somebody"),
        ({"is_elected": True, "person_id": None, "is_written_in": True}, "elected_is_somebody"),
        ({"role": "lawyer"}, "role_is_of_a_branch"),
        ({"seat": "deputy"}, "role_follows_from_the_seat"),
        ({"seat": "committee", "role": "committee"}, "committee_has_a_duty"),
        ({"duty": "life"}, "committee_has_a_duty"),
    ],
)
def test_the_database_itself_refuses_votes_that_cannot_be(database, values, promise):
    with database.transaction() as session:
        _branch, members, _post = of(session)
        whole = {
            "election_id": begun(session).id, "person_id": members[0].id, "name": "赵", "is_written_in": False,
            "seat": "secretary", "role": "secretary", "duty": None, "votes_for": 5, "votes_against": 0, "abstained": 0,
            "is_elected": False,
        }  # fmt: skip
        with session.begin_nested() as fine:
            session.execute(sa.insert(Candidate.__table__).values(whole))
            fine.rollback()
        with pytest.raises(IntegrityError, match=promise), session.begin_nested():
            session.execute(sa.insert(Candidate.__table__).values(whole | values))


def test_a_second_record_of_a_day_is_refused_and_a_second_ballot_is_another(database):
    with database.transaction() as session:
        _branch, members, _post = of(session)
        elect(session)
        again = begun(session)
        drafts.write(session, again, typed(again, secretary_row(members[1], len(again.voters))))
        with pytest.raises(RuleBroken, match="已经有一份生效的选举记录"), session.begin_nested():
            record(session, again)
        session.expire_all()
        again = drafts.whole(session, again.id)
        assert again.is_draft
        drafts.write(session, again, typed(again, secretary_row(members[1], len(again.voters)), round=2))
        record(session, again)
        assert led_by(session, again.branch_id) == [members[1].id]


def test_what_is_recorded_is_not_changed_and_not_thrown_away(database):
    with database.transaction() as session:
        election, _person = elect(session)
        for act in (
            lambda: drafts.write(session, election, typed(election)),
            lambda: drafts.discard(session, election, LOADED_AT, by=BY),
            lambda: record(session, election),
        ):
            with pytest.raises(RuleBroken, match="已经存档"):
                act()


def test_more_ballots_than_were_given_out_is_only_ever_invalid(database):
    with database.transaction() as session:
        branch, members, post = of(session)
        election = begun(session)
        many = len(election.voters)
        it = typed(election, secretary_row(members[0], many + 1), returned=many + 1)
        drafts.write(session, election, it)
        with pytest.raises(RuleBroken, match="应重新选举"):
            record(session, election, Decision(True, "经党总支批准照常有效"))
        record(session, election, Decision(False, ""))
        assert election.state is ElectionState.INVALID
        assert "多于发出的" in election.reason
        assert led_by(session, branch.id) == [post.person_id]
        assert not any(each.is_elected for each in election.candidates)


# --- posts ---------------------------------------------------------------------------------------------------


def test_a_renewed_committee_takes_over_on_the_day_with_its_term_and_is_reminded_of_its_end(database):
    with database.transaction() as session:
        branch, members, old = of(session)
        old_person = old.person_id
        session.add(
            Post(person_id=members[3].id, role=Role.DEPUTY, branch_id=branch.id, since_on=date(2024, 1, 2), duties="")
        )
        election = begun(session)
        many = len(election.voters)
        rows = [
            Row(members[0].id, members[0].name, False, Seat.COMMITTEE, Role.SECRETARY, None, many),
            Row(members[1].id, members[1].name, False, Seat.COMMITTEE, Role.COMMITTEE, Duty.PUBLICITY, many - 1, 1),
            Row(members[2].id, members[2].name, False, Seat.COMMITTEE, Role.COMMITTEE, Duty.LIFE, 1, many - 1),
        ]
        seats = {Seat.COMMITTEE: 2}
        drafts.write(session, election, typed(election, *rows, seats=seats))
        before = records.planned(session, election, records.verdict(election, Rules()), YEARS, LOADED_AT)
        record(session, election)
        held = terms.of_branch(session, branch.id, ON)
        assert [(post.person_id, post.title, post.since_on) for post in held] == [
            (members[0].id, "支部书记", ON), (members[1].id, "宣传委员", ON),
        ]  # fmt: skip
        assert {post.term_ends_on for post in held} == {terms.months_from(ON, 36)}
        assert {post.person_id for post in before.ends} == {old_person, members[3].id}, "told beforehand"
        assert [each.person.id for each in before.begins] == [members[0].id, members[1].id]
        said = session.scalars(sa.select(AuditEntry.act).where(AuditEntry.subject == f"person:{old_person}")).all()
        assert "post.end" in said
        ends_on = held[0].term_ends_on
    told = Clockwork(database, [reminders.rule()]).tick(at_beijing(terms.months_from(ends_on, -6), reminders.TOLD_AT))
    assert any("提醒" in each.note for each in told), "F027 goes on from it"


def test_without_a_new_secretary_the_old_one_goes_on(database):
    with database.transaction() as session:
        branch, members, old = of(session)
        election = begun(session)
        row = Row(members[0].id, members[0].name, False, Seat.DEPUTY, Role.DEPUTY, None, len(election.voters))
        drafts.write(session, election, typed(election, row))
        record(session, election)
        assert led_by(session, branch.id) == [old.person_id]
        assert [post.title for post in terms.of_branch(session, branch.id, ON)] == ["支部书记", "支部副书记"]


def test_who_joins_in_between_ends_with_the_others_and_takes_nobodys_place(database):
    with database.transaction() as session:
        branch, members, old = of(session)
        old.since_on, old.term_ends_on = date(2025, 6, 1), date(2028, 6, 1)
        election = begun(session, kind=ElectionKind.BY_ELECTION)
        row = Row(
            members[0].id, members[0].name, False, Seat.COMMITTEE, Role.COMMITTEE, Duty.LIFE, len(election.voters)
        )
        drafts.write(session, election, typed(election, row))
        record(session, election)
        held = terms.of_branch(session, branch.id, ON)
        assert [(post.title, post.term_ends_on) for post in held] == [
            ("支部书记", date(2028, 6, 1)), ("群众生活委员", date(2028, 6, 1)),
        ]  # fmt: skip


def test_who_was_appointed_that_day_already_is_not_appointed_twice_and_gets_the_end_of_the_term(database):
    with database.transaction() as session:
        branch, members, old = of(session)
        old.since_on, old.term_ends_on = ON, None
        election = begun(session)
        drafts.write(session, election, typed(election, secretary_row(old.person, len(election.voters))))
        record(session, election)
        [held] = session.scalars(
            sa.select(Post).where(Post.branch_id == branch.id, Post.role == Role.SECRETARY)
        ).all()
        assert (held.since_on, held.until_on, held.term_ends_on) == (ON, None, terms.months_from(ON, 36))
        assert members


def test_who_is_elected_again_begins_another_term_and_keeps_what_came_with_the_post(database):
    with database.transaction() as session:
        branch, _members, old = of(session)
        old.duties, old.since_on, old.term_ends_on = "兼管服务站值班", date(2023, 11, 1), date(2026, 11, 1)
        election = begun(session)
        drafts.write(session, election, typed(election, secretary_row(old.person, len(election.voters))))
        record(session, election)
        rows = sa.select(Post).where(Post.branch_id == branch.id, Post.role == Role.SECRETARY).order_by(Post.id)
        before, now = session.scalars(rows).all()
        assert (before.until_on, now.since_on, now.duties) == (ON, ON, "兼管服务站值班")
        assert now.term_ends_on == terms.months_from(ON, 36)


def test_two_entries_of_one_list_become_one_and_the_paper_keeps_its_counts(database):
    with database.transaction() as session:
        _branch, members, _post = of(session)
        election, person = elect(session)
        due, many = election.due, len(election.voters)
        change = merging.merge(session, person, members[-1], "核对过身份证，登记了两次", LOADED_AT, by=None)
        election = drafts.whole(session, election.id)
        assert (election.due, len(election.voters)) == (due, many - 1)
        assert election.candidates[0].person_id == person.id
        changes.undo(session, change, LOADED_AT, by=BY)
        assert len(drafts.whole(session, election.id).voters) == many


def test_an_old_paper_record_is_kept_without_touching_who_came_later(database):
    with database.transaction() as session:
        branch, members, old = of(session)
        old.since_on = ON
        election = begun(session, on=date(2026, 5, 8))
        drafts.write(session, election, typed(election, secretary_row(members[0], len(election.voters))))
        with pytest.raises(RuleBroken, match="选举之后已另有任职"):
            record(session, election)
        record(session, election, Decision(True, "", updates_posts=False))
        assert election.state is ElectionState.VALID
        assert led_by(session, branch.id) == [old.person_id]
        assert election.change_id is None


# --- setting aside -------------------------------------------------------------------------------------------


def test_set_aside_it_counts_no_longer_its_posts_go_back_and_it_stays_to_be_read(database):
    with database.transaction() as session:
        branch, _members, old = of(session)
        before = (old.id, old.since_on, old.until_on, old.term_ends_on)
        election, _person = elect(session)
        assert led_by(session, branch.id) != [old.person_id]
        with pytest.raises(Misunderstood):
            records.set_aside(session, election, "错", LOADED_AT, by=BY)
        records.set_aside(session, election, "计票有误，上级要求重新登记", LOADED_AT, by=BY)
        post = session.get_one(Post, before[0])
        assert (post.id, post.since_on, post.until_on, post.term_ends_on) == before
        assert led_by(session, branch.id) == [post.person_id]
        election = drafts.whole(session, election.id)
        assert election.is_set_aside
        assert election.candidates[0].is_elected, "what was recorded can be read"
        with pytest.raises(RuleBroken):
            records.set_aside(session, election, "计票有误，上级要求重新登记", LOADED_AT, by=BY)
        elect(session)


def test_where_posts_were_changed_since_it_is_set_aside_without_them_or_not_at_all(database):
    with database.transaction() as session:
        branch, _members, _old = of(session)
        election, person = elect(session)
        post = session.scalars(sa.select(Post).where(Post.person_id == person.id, Post.role == Role.SECRETARY)).one()
        terms.prolong(session, post, date(2030, 1, 1), "兼管值班", "经上级同意延期换届", LOADED_AT, by=BY)
        with pytest.raises(RuleBroken, match="之后又有改动"), session.begin_nested():
            records.set_aside(session, election, "计票有误，上级要求重新登记", LOADED_AT, by=BY)
        session.expire_all()
        election = drafts.whole(session, election.id)
        assert not election.is_set_aside
        records.set_aside(session, election, "计票有误，上级要求重新登记", LOADED_AT, by=BY, keeps_posts=True)
        assert led_by(session, branch.id) == [person.id]


WHY = "计票有误，上级要求重新登记"
TOMORROW = LOADED_AT + timedelta(days=1)


def test_no_post_goes_back_to_somebody_who_has_left_the_branch(database):
    """X is elected, then Y; X leaves; Y's election is set aside."""
    with database.transaction() as session:
        branch, _members, _post = of(session)
        _first, gone = elect(session)
        second = begun(session)
        other = next(each.person for each in second.voters if each.person_id != gone.id)
        drafts.write(session, second, typed(second, secretary_row(other, len(second.voters)), round=2))
        record(session, second)
        row = session.scalars(
            sa.select(Affiliation)
            .options(joinedload(Affiliation.branch))
            .where(Affiliation.person_id == gone.id, Affiliation.branch_id == branch.id)
        ).one()
        roll.leave(session, row, beijing_date(TOMORROW), "工作调动，组织关系转出", TOMORROW, by=BY)
        second = drafts.whole(session, second.id)
        says = f"{gone.name}已不在{branch.name}.*职务留着不动"
        with pytest.raises(RuleBroken, match=says), session.begin_nested():
            records.set_aside(session, second, WHY, TOMORROW, by=BY)
        session.expire_all()
        assert led_by(session, branch.id) == [other.id]
        second = drafts.whole(session, second.id)
        records.set_aside(session, second, WHY, TOMORROW, by=BY, keeps_posts=True)
        assert second.is_set_aside
        assert led_by(session, branch.id) == [other.id]


def test_nobody_gets_a_post_back_that_was_given_anew_meanwhile(database):
    with database.transaction() as session:
        branch, members, _old = of(session)
        deputy = terms.Given(Role.DEPUTY, None, "", date(2024, 1, 2), None)
        terms.appoint(session, members[2], branch, deputy, LOADED_AT, by=BY)
        election, _person = elect(session)
        terms.appoint(session, members[2], branch, replace(deputy, since_on=ON), LOADED_AT, by=BY)
        election = drafts.whole(session, election.id)
        with pytest.raises(RuleBroken, match="之后又有改动"), session.begin_nested():
            records.set_aside(session, election, WHY, LOADED_AT, by=BY)
        session.expire_all()
        held = [post for post in terms.of_branch(session, branch.id, ON) if post.role is Role.DEPUTY]
        assert [(post.person_id, post.since_on) for post in held] == [(members[2].id, ON)]


def test_one_act_one_change(database):
    with database.transaction() as session:
        election, person = elect(session)
        [change] = session.scalars(sa.select(Change)).all()
        assert election.change_id == change.id
        assert change.person_id == person.id
        assert {step.table for step in changes.steps_of(change)} == {"posts"}


def test_nothing_is_recorded_as_invalid_for_no_reason(database):
    with database.transaction() as session:
        _branch, members, _post = of(session)
        election = begun(session)
        drafts.write(session, election, typed(election, secretary_row(members[0], len(election.voters))))
        with pytest.raises(Misunderstood, match="为什么无效"):
            record(session, election, Decision(False, ""))
        record(session, election, INVALID)
        assert election.reason == INVALID.reason


def test_an_older_database_gets_the_names_of_filed_lists_and_of_no_draft(database):
    with database.transaction() as session:
        filed, _person = elect(session)
        draft = begun(session, on=ON - timedelta(days=1))
        ids = filed.id, draft.id
    schema.downgrade(database, "0010")
    schema.upgrade(database)
    with database.reading() as session:
        first, second = (drafts.whole(session, each) for each in ids)
        assert [voter.name for voter in first.voters] == [voter.person.name for voter in first.voters]
        assert {voter.name for voter in second.voters} == {""}
