"""The life of branches: every act dated, every earlier day still told as it was, totals that foot (F034)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from clock import beijing_date, parse_instant
from errors import Misunderstood, RuleBroken
from models import (
    Affiliation,
    AuditEntry,
    Base,
    Branch,
    BranchKind,
    County,
    Database,
    Gathering,
    GatheringState,
    Person,
    Post,
    Role,
    Vault,
)
from services import scope
from services.meetings import rhythm
from services.membership import people
from services.organisation import branch_ending, branch_history, lifecycle, organisations
from services.organisation.lifecycle import Details
from tests.conftest import SECRET
from tests.conftest import settings as house_settings

AT = parse_instant("2026-03-02T10:00")
WHY = "市委批复"


def office(session) -> scope.Scope:
    who = session.scalar(sa.select(Post.person_id).where(Post.role == Role.OFFICE).limit(1))
    return scope.of(session, who, date(2026, 11, 23))


def total(session, on=date(2030, 1, 1)) -> int:
    return sum(organisations.totals(organisations.branch_counts(session, on)).values())


def two_firms(session) -> tuple[Branch, Branch]:
    rows = session.scalars(sa.select(Branch).where(Branch.kind == BranchKind.FIRM).order_by(Branch.id).limit(2))
    first, second = rows
    return first, second


def test_a_branch_dissolved_in_2026_is_still_in_the_report_of_2025(database):
    with database.transaction() as session:
        branch, _ = two_firms(session)
        lifecycle.end(session, branch, None, WHY, AT, by=1)
    with database.reading() as session:
        assert total(session) == 673
        assert total(session, date(2026, 3, 2)) == 673
        assert total(session, date(2026, 3, 1)) == 674
        assert total(session, date(2025, 12, 31)) == 674


def test_a_branch_is_told_as_it_was_on_any_day(database):
    with database.transaction() as session:
        branch, _ = two_firms(session)
        first = branch.name
        to = Details("新名称流动党支部", BranchKind.ASSOCIATION, None, "")
        lifecycle.change(session, branch, to, WHY, AT, by=1)
        again = Details("又一名称流动党支部", BranchKind.ASSOCIATION, None, "")
        lifecycle.change(session, branch, again, WHY, AT + timedelta(days=30), by=1)
        days = [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 31), date(2026, 4, 1)]
        told = branch_history.names_on(session, [(branch.id, on) for on in days])
        assert [told.get((branch.id, on), branch.name) for on in days] == [
            first, "新名称流动党支部", "新名称流动党支部", "又一名称流动党支部",
        ]  # fmt: skip
        totals = organisations.totals(organisations.branch_counts(session, date(2026, 3, 1)))
        assert list(totals.values()) == [12, 150, 377, 135]
        totals = organisations.totals(organisations.branch_counts(session, date(2026, 3, 2)))
        assert list(totals.values()) == [12, 150, 376, 136]
        assert [event.says for event in branch_history.events(session, branch)] == [
            "名称：新名称流动党支部 → 又一名称流动党支部",
            f"名称：{first} → 新名称流动党支部；类别：律师事务所流动党支部 → 团体会员流动党支部；所在地：中原区 → 市本级",
        ]


def test_a_merger_ends_the_old_and_begins_the_new_and_can_be_undone(database):
    with database.transaction() as session:
        branch, into = two_firms(session)
        on = beijing_date(AT)
        mine = {person.id for person in people.members_of(session, branch.id, on)}
        theirs = {person.id for person in people.members_of(session, into.id, on)}
        planned = branch_ending.plan(session, branch, into, AT)
        assert (planned.people, planned.there_already, planned.homeless) == (len(mine), 0, 0)
        assert (planned.posts_moved, planned.posts_ended) == (0, 1), "the other branch keeps its secretary"
        lifecycle.end(session, branch, into, WHY, AT, by=1)
        assert {p.id for p in people.members_of(session, into.id, on)} == mine | theirs
        assert people.members_of(session, branch.id, on) == []
        assert {p.id for p in people.members_of(session, branch.id, on - timedelta(days=1))} == mine
        someone = min(mine)
        session.execute(
            sa.update(Affiliation)
            .where(Affiliation.person_id == someone, Affiliation.branch_id == into.id)
            .values(until_on=date(2026, 5, 1))
        )
        later = AT + timedelta(days=90)
        done = lifecycle.restore(session, branch, "合并有误", later, by=1)
        assert (done.people, done.left) == (len(mine) - 1, 1), "who has left since is not fetched back"
        on = beijing_date(later)
        assert {p.id for p in people.members_of(session, branch.id, on)} == mine - {someone}
        assert {p.id for p in people.members_of(session, into.id, on)} == theirs
        assert {p.id for p in people.members_of(session, into.id, date(2026, 4, 1))} == mine | theirs
        assert people.holders(session, Role.SECRETARY, on, branch_id=branch.id)
        acts = session.scalars(sa.select(AuditEntry.act).where(AuditEntry.subject == f"branch:{branch.id}")).all()
        assert acts == ["branch.merge", "branch.restore"]


def test_undone_on_the_same_day_it_is_as_if_it_had_not_been(database):
    with database.transaction() as session:
        branch, into = two_firms(session)
        at = parse_instant("2026-11-24T10:00")
        before = _holding(session, beijing_date(at))
        coming = _coming(session, branch.id)
        assert coming > 0
        for _ in range(2):
            lifecycle.end(session, branch, into, WHY, at, by=1)
            assert _coming(session, branch.id) == 0
            lifecycle.restore(session, branch, "合并有误", at, by=1)
        assert _holding(session, beijing_date(at)) == before
        assert _coming(session, branch.id) == coming
        assert total(session, beijing_date(at)) == 674


def _holding(session, on) -> set:
    rows = session.execute(
        sa.select(Affiliation.person_id, Affiliation.branch_id, Affiliation.is_main).where(
            *people.holds(Affiliation, on)
        )
    )
    posts = session.execute(sa.select(Post.person_id, Post.branch_id, Post.role).where(*people.holds(Post, on)))
    return {*map(tuple, rows), *map(tuple, posts)}


def _coming(session, branch_id) -> int:
    return session.scalar(
        sa.select(sa.func.count()).where(Gathering.branch_id == branch_id, Gathering.state == GatheringState.PLANNED)
    )


def test_a_merger_into_what_has_ended_since_is_not_undone_and_says_why(database):
    with database.transaction() as session:
        branch, into = two_firms(session)
        lifecycle.end(session, branch, into, WHY, AT, by=1)
        lifecycle.end(session, into, None, WHY, AT, by=1)
        with pytest.raises(RuleBroken, match=f"请先恢复“{into.name}”"):
            lifecycle.restore(session, branch, "合并有误", AT, by=1)
        with pytest.raises(RuleBroken, match="只能查看或恢复"):
            lifecycle.end(session, branch, None, WHY, AT, by=1)
        lifecycle.restore(session, into, "合并有误", AT, by=1)
        lifecycle.restore(session, branch, "合并有误", AT, by=1)
        assert total(session) == 674


def test_a_restored_branch_has_one_secretary_whoever_came_to_lead_it_meanwhile(database):
    with database.transaction() as session:
        branch, other = two_firms(session)
        on = beijing_date(AT)
        [leads] = people.holders(session, Role.SECRETARY, on, branch_id=other.id)
        lifecycle.end(session, branch, None, WHY, AT, by=1)
        # As the roll of earlier versions may still have it.
        session.add(Post(person_id=leads, role=Role.SECRETARY, branch_id=branch.id, since_on=date(2026, 1, 1)))
        session.flush()
        assert branch_ending.plan_return(session, branch, AT).posts_left == 1
        lifecycle.restore(session, branch, "撤销有误", AT, by=1)
        assert people.holders(session, Role.SECRETARY, on, branch_id=branch.id) == [leads]


def test_somebody_in_both_branches_stays_in_one_and_keeps_a_main_branch(database):
    with database.transaction() as session:
        branch, into = two_firms(session)
        who = people.members_of(session, branch.id, date(2026, 3, 1))[0].id
        session.add(Affiliation(person_id=who, branch_id=into.id, is_main=False, since_on=date(2026, 1, 1)))
        session.flush()
        lifecycle.end(session, branch, into, WHY, AT, by=1)
        assert [b.id for b in people.branches_of(session, who, beijing_date(AT))] == [into.id]
        main = sa.select(Affiliation.is_main).where(Affiliation.person_id == who, Affiliation.until_on.is_(None))
        assert session.scalars(main).all() == [True]
        lifecycle.restore(session, branch, "合并有误", AT, by=1)
        rows = session.execute(
            sa.select(Affiliation.branch_id, Affiliation.is_main).where(
                Affiliation.person_id == who, Affiliation.until_on.is_(None)
            )
        )
        assert set(map(tuple, rows)) == {(branch.id, True), (into.id, False)}


def test_a_dissolved_branch_gets_no_gatherings(database):
    given = house_settings("sqlite://")
    with database.transaction() as session:
        branch, _ = two_firms(session)
        at = parse_instant("2026-12-20T10:00")
        lifecycle.end(session, branch, None, WHY, at, by=1)
        rhythm.plan(session, rhythm.calendar(session, given.calendar), given.study_day, at)
        late = sa.select(sa.func.count()).where(Gathering.held_on > date(2027, 1, 25))
        assert session.scalar(late) > 0
        assert session.scalar(late.where(Gathering.branch_id == branch.id)) == 0


def test_a_name_that_is_taken_or_was_dissolved_is_said_at_the_field(database):
    with database.transaction() as session:
        branch, other = two_firms(session)
        said = {"name": other.name, "kind": "firm", "county": "city", "reason": WHY}
        to, _, form = lifecycle.read(session, said, office(session), branch)
        assert to is None
        assert form.wrong == {"name": "已有同名的支部，请换一个名称。"}
        lifecycle.end(session, other, None, WHY, AT, by=1)
        _, _, form = lifecycle.read(session, said, office(session), None)
        assert "请恢复它" in form.wrong["name"]


def test_nothing_changed_is_no_change(database):
    with database.transaction() as session:
        branch, _ = two_firms(session)
        same = Details(branch.name, branch.kind, branch.county_id, branch.room)
        with pytest.raises(Misunderstood, match="没有改动"):
            lifecycle.change(session, branch, same, WHY, AT, by=1)


class Life(RuleBasedStateMachine):
    """Any sequence of acts; beside it a plain diary of what was true at the end of each day."""

    def __init__(self) -> None:
        super().__init__()
        self.database = Database("sqlite://", Vault(SECRET))
        Base.metadata.create_all(self.database.engine)
        self.at, self.count = AT, 0
        self.diary: dict[date, dict[int, tuple[str, BranchKind, int | None]]] = {}

    @initialize()
    def begin(self) -> None:
        with self.database.transaction() as session:
            session.add_all([County(name="甲区"), County(name="乙县")])
            session.flush()
            for number in range(4):
                branch = Branch(name=f"支部{number}", kind=BranchKind.FIRM, county_id=1 + number % 2)
                session.add(branch)
                session.flush()
                for each in range(3):
                    person = Person(name=f"党员{number}{each}")
                    session.add(person)
                    session.flush()
                    session.add(Affiliation(person_id=person.id, branch_id=branch.id, since_on=date(2020, 1, 1)))
        self.write()
        self.diary[date(2020, 6, 1)] = self.diary[beijing_date(self.at)]

    def write(self) -> None:
        with self.database.reading() as session:
            rows = session.scalars(sa.select(Branch).where(branch_history.living()))
            self.diary[beijing_date(self.at)] = {row.id: (row.name, row.kind, row.county_id) for row in rows}

    def pick(self, session, number: int, *, is_living: bool) -> Branch | None:
        condition = Branch.dissolved_on.is_(None) if is_living else Branch.dissolved_on.is_not(None)
        rows = session.scalars(sa.select(Branch).where(condition).order_by(Branch.id)).all()
        return rows[number % len(rows)] if rows else None

    @rule(days=st.integers(0, 40))
    def time_passes(self, days: int) -> None:
        for _ in range(days):
            self.at += timedelta(days=1)
        self.write()

    @rule(kind=st.sampled_from(list(BranchKind)), county=st.sampled_from([None, 1, 2]))
    def found(self, kind, county) -> None:
        self.count += 1
        with self.database.transaction() as session:
            lifecycle.found(session, Details(f"新支部{self.count}", kind, county, ""), WHY, self.at, by=1)
        self.write()

    @rule(n=st.integers(0, 9), kind=st.sampled_from(list(BranchKind)), county=st.sampled_from([None, 1, 2]))
    def change(self, n, kind, county) -> None:
        self.count += 1
        with self.database.transaction() as session:
            branch = self.pick(session, n, is_living=True)
            if branch is not None:
                to = Details(f"改名{self.count}", kind, county, "")
                lifecycle.change(session, branch, to, WHY, self.at, by=1)
        self.write()

    @rule(n=st.integers(0, 9), m=st.integers(0, 9), merges=st.booleans())
    def end(self, n, m, merges) -> None:
        with self.database.transaction() as session:
            branch, into = self.pick(session, n, is_living=True), self.pick(session, m, is_living=True)
            if branch is None or branch is into:
                return
            lifecycle.end(session, branch, into if merges else None, WHY, self.at, by=1)
        self.write()

    @rule(n=st.integers(0, 9))
    def restore(self, n) -> None:
        with self.database.transaction() as session:
            branch = self.pick(session, n, is_living=False)
            if branch is None:
                return
            planned = branch_ending.plan_return(session, branch, self.at)
            if planned.refused:
                with pytest.raises(RuleBroken):
                    lifecycle.restore(session, branch, WHY, self.at, by=1)
            else:
                lifecycle.restore(session, branch, WHY, self.at, by=1)
        self.write()

    @precondition(lambda self: self.diary)
    @invariant()
    def every_day_is_told_as_it_was(self) -> None:
        with self.database.reading() as session:
            for on, then in self.diary.items():
                states = branch_history.states(on)
                told = {
                    row.branch_id: (row.name, row.kind, row.county_id) for row in session.execute(sa.select(states))
                }
                assert told == then, on
                counts = organisations.branch_counts(session, on)
                assert sum(count.total for count in counts) == len(then)

    @precondition(lambda self: self.diary)
    @invariant()
    def nobody_is_in_a_branch_that_is_not_there_nor_twice_in_one(self) -> None:
        on = beijing_date(self.at)
        with self.database.reading() as session:
            rows = session.execute(
                sa.select(Affiliation.person_id, Affiliation.branch_id).where(*people.holds(Affiliation, on))
            ).all()
            living = set(session.scalars(sa.select(Branch.id).where(branch_history.living())))
            assert {branch_id for _, branch_id in rows} <= living
            assert len(rows) == len(set(map(tuple, rows)))

    def teardown(self) -> None:
        self.database.close()


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=12, stateful_step_count=16, deadline=None, suppress_health_check=list(HealthCheck)
)
