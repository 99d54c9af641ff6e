"""Two entries that are one person: nothing is lost, nothing counted twice, and everything comes back (F031, pitfalls 22, 25)."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from errors import Misunderstood, RuleBroken
from models import (
    Account,
    Affiliation,
    Attendance,
    AuditEntry,
    Base,
    Branch,
    Change,
    Database,
    Direction,
    Flow,
    Follower,
    Gathering,
    Merged,
    NotSame,
    OptOut,
    Outgoing,
    Person,
    Post,
    Presence,
    Role,
    SendState,
    Topic,
    Vault,
    Via,
)
from models.outbox import NoticeKind
from services import scope
from services.membership import changes, duplicates, merge_rules, merging, people, roster
from services.sending import outbox
from services.sending.outbox import Letter, Recipient
from tests.conftest import LOADED_AT, SECRET

AT, WHY = LOADED_AT, "核对过身份证，登记了两次"
BY = 1
ON = date(2026, 11, 23)


def rows(session) -> dict[str, list[tuple]]:
    """Every row of every table that a merge may touch, as it can be read; the audit only grows."""
    found = {}
    for table in Base.metadata.sorted_tables:
        if table.name in {"audit", "audit_seals", "gatherings", "dues", "day_exceptions"}:
            continue
        question = sa.select(table).order_by(*table.primary_key.columns)
        if table.name == "changes":
            question = question.where(table.c.kind != "merged")
        found[table.name] = [tuple(row) for row in session.execute(question)]
    return found


def person(session, name="欧阳䶮", phone=None) -> Person:
    index = Vault(SECRET).index(phone) if phone else None
    row = Person(name=name, phone=phone, phone_index=index)
    session.add(row)
    session.flush()
    return row


def test_every_reference_to_a_person_has_its_rule():
    """A new table that names a person fails here until somebody has said what a merge does with it."""
    keys = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        for key in column.foreign_keys
        if key.column.table.name == "people"
    }
    assert keys == set(merge_rules.RULES)


@pytest.fixture(scope="module")
def merged_stage(stage, tmp_path_factory):
    path = tmp_path_factory.mktemp("merging") / "merging.db"
    shutil.copyfile(stage, path)
    database = Database(f"sqlite:///{path}", Vault(SECRET))
    yield database
    database.close()


span = st.tuples(st.integers(0, 3), st.integers(0, 900), st.one_of(st.none(), st.integers(0, 700)))
one_side = st.fixed_dictionaries({
    "spans": st.lists(span, max_size=5),
    "posts": st.lists(span, max_size=2),
    "presences": st.lists(st.sampled_from(list(Presence)), max_size=6),
    "campaigns": st.sets(st.integers(0, 5)),
    "declined": st.sets(st.sampled_from([Topic.ACTIVITY, Topic.STUDY])),
    "account": st.booleans(),
    "phone": st.booleans(),
    "follows": st.booleans(),
    "flows": st.sets(st.sampled_from(list(Direction))),
    "apart": st.booleans(),
})  # fmt: skip


def furnish(session, who: Person, side, branches: list[int], gatherings: list[int], mark: str) -> None:
    """A life for one entry, as far as the database allows it."""
    begin, taken, has_main = date(2020, 1, 1), set(), False
    for place, since, lasts in side["spans"]:
        since_on = begin + timedelta(days=since)
        until_on = None if lasts is None else since_on + timedelta(days=lasts)
        if (place, since_on) in taken or (until_on is None and (place, None) in taken):
            continue
        taken |= {(place, since_on)} | ({(place, None)} if until_on is None else set())
        is_main = until_on is None and not has_main
        has_main = has_main or is_main
        row = Affiliation(
            person_id=who.id, branch_id=branches[place], is_main=is_main, since_on=since_on, until_on=until_on
        )
        session.add(row)
    for place, since, _ in side["posts"]:
        session.add(
            Post(person_id=who.id, role=Role.DEPUTY, branch_id=branches[place], since_on=begin + timedelta(since))
        )
    for gathering, presence in zip(gatherings, side["presences"], strict=False):
        session.add(
            Attendance(gathering_id=gathering, person_id=who.id, presence=presence, via=Via.SELF, at=AT, receipt=1)
        )
    for number in side["campaigns"]:
        letter = Letter(NoticeKind.REMINDER, f"m:{mark}:{number}", {"text": "t"}, [Recipient(who.id, None)])
        outbox.queue(session, letter, AT)
        if number % 2:
            session.execute(
                sa.update(Outgoing).where(Outgoing.person_id == who.id, Outgoing.campaign == f"m:{mark}:{number}")
                .values(state=SendState.WAITING, settled_at=None, reason=None)
            )  # fmt: skip
    for topic in side["declined"]:
        session.add(OptOut(recipient=f"person:{who.id}", topic=topic, since=AT))
    if side["account"]:
        session.add(Account(name=f"m{who.id}", person_id=who.id, password="x", made_at=AT))
    if side["follows"]:
        session.add(Follower(openid=f"oM{who.id}", person_id=who.id, met_at=AT, bound_at=AT))
    for direction in side["flows"]:
        session.add(Flow(person_id=who.id, branch_id=branches[0], direction=direction, place="外地", since_on=begin))
    if side["apart"]:
        session.add(NotSame(low_id=1, high_id=who.id, said_at=AT))
    session.flush()


@given(one=one_side, other=one_side)
@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_merge_and_its_undo_leave_every_table_as_it_was(merged_stage, one, other):
    """Whatever hangs on two entries: after the merge nothing names the one that went, and the figures foot; after the
    undo every row of every table is as before."""
    with merged_stage.engine.connect() as connection:
        transaction = connection.begin()
        with sa.orm.Session(connection, join_transaction_mode="create_savepoint") as session:
            branches = list(session.scalars(sa.select(Branch.id).limit(4)))
            gatherings = list(session.scalars(sa.select(Gathering.id).limit(6)))
            phones = ("19912340001" if one["phone"] else None, "19912340002" if other["phone"] else None)
            keep, gone = person(session, phone=phones[0]), person(session, phone=phones[1])
            for who, side in ((keep, one), (gone, other)):
                furnish(session, who, side, branches, gatherings, str(keep.id))
            before = rows(session)
            shared = merging.weights(session, keep.id, gone.id)[keep.id].shared
            change = merging.merge(session, keep, gone, WHY, AT, by=BY)
            session.expire_all()
            _foots(session, keep.id, gone.id, one, other, shared)
            changes.undo(session, change, AT, by=BY)
            after = rows(session)
            assert [name for name in before if before[name] != after[name]] == []
        transaction.rollback()


def _foots(session, keep: int, gone: int, one, other, shared: int) -> None:
    for name in merge_rules.RULES:
        table, _, column = name.partition(".")
        if name in {"accounts.person_id", "merged_people.person_id", "not_same.high_id", "not_same.low_id"}:
            continue
        of = Base.metadata.tables[table]
        assert session.scalar(sa.select(sa.func.count()).where(of.c[column] == gone)) == 0, name
    many = Counter(session.scalars(sa.select(Attendance.presence).where(Attendance.person_id == keep)))
    assert sum(many.values()) == len(one["presences"]) + len(other["presences"]) - shared
    best = [
        min(pair, key=merge_rules.KNOWN.index) for pair in zip(one["presences"], other["presences"], strict=False)
    ]
    longer = max(one["presences"], other["presences"], key=len)[len(best) :]
    assert many == Counter(best + longer)
    sent = session.scalar(sa.select(sa.func.count()).where(Outgoing.person_id == keep))
    assert sent == len(one["campaigns"]) + len(other["campaigns"]), "every message that was sent stays on the record"
    waiting = session.scalars(
        sa.select(Outgoing.campaign).where(Outgoing.person_id == keep, Outgoing.state == SendState.WAITING)
    ).all()
    assert len(waiting) == len(set(waiting)), "nobody gets a notice twice"
    spans = session.scalars(sa.select(Affiliation).where(Affiliation.person_id == keep)).all()
    assert sum(row.is_main and row.until_on is None for row in spans) <= 1
    assert sum(row.is_main and row.until_on is None for row in spans) == any(
        lasts is None for side in (one, other) for _, _, lasts in side["spans"]
    )


# --- what people see -----------------------------------------------------------------------------------------


def test_the_audit_still_names_the_old_number_and_the_old_name_finds_the_survivor(database):
    with database.transaction() as session:
        keep, gone = person(session, "欧阳䶮"), person(session, "欧阳岩")
        merging.merge(session, keep, gone, WHY, AT, by=BY)
        old, new = gone.id, keep.id
        session.add(AuditEntry(at=AT, person_id=old, act="account.login", subject=f"person:{old}"))
    with database.reading() as session:
        office = scope.of(session, session.scalar(sa.select(Post.person_id).where(Post.role == Role.OFFICE)), ON)
        assert merging.survivor(session, old) == new
        for words in ("欧阳岩", "ouyangyan", str(old)):
            found = session.scalars(roster.matching(session, office, words, 0, 0, None, "")).all()
            assert new in [each.id for each in found], words
            assert old not in [each.id for each in found], words
        assert session.scalar(sa.select(AuditEntry.person_id).where(AuditEntry.subject == f"person:{old}")) == old


def test_who_was_merged_is_not_merged_again_and_not_with_themselves(database):
    with database.transaction() as session:
        one, two, three = (person(session, f"重名{each}") for each in "甲乙丙")
        merging.merge(session, one, two, WHY, AT, by=BY)
        for keep, gone in ((three, two), (two, three)):
            with pytest.raises(RuleBroken, match="已经并入"):
                merging.merge(session, keep, gone, WHY, AT, by=BY)
        with pytest.raises(RuleBroken, match="同一条"):
            merging.merge(session, one, one, WHY, AT, by=BY)
        with pytest.raises(Misunderstood, match="请写明"):
            merging.merge(session, one, three, "嗯", AT, by=BY)


def test_three_entries_are_merged_one_after_another_and_come_apart_in_the_other_order(database):
    with database.transaction() as session:
        one, two, three = (person(session, f"重名{each}") for each in "甲乙丙")
        first = merging.merge(session, two, three, WHY, AT, by=BY).id
        second = merging.merge(session, one, two, WHY, AT, by=BY).id
        assert merging.survivor(session, three.id) == one.id
        with pytest.raises(RuleBroken, match="先撤销后来的"):
            changes.undo(session, session.get(Change, first), AT, by=BY)
    with database.transaction() as session:
        changes.undo(session, session.get(Change, second), AT, by=BY)
        changes.undo(session, session.get(Change, first), AT, by=BY)
        assert session.scalar(sa.select(sa.func.count()).select_from(Merged)) == 0
        with pytest.raises(RuleBroken, match="已经撤销过"):
            changes.undo(session, session.get(Change, first), AT, by=BY)


def test_what_happened_after_the_merge_stays_after_the_undo(database):
    """A post that was ended under the survivor comes back to its owner as ended."""
    with database.transaction() as session:
        keep, gone = person(session), person(session)
        branch = session.scalar(sa.select(Branch.id).limit(1))
        post = Post(person_id=gone.id, role=Role.DEPUTY, branch_id=branch, since_on=date(2025, 1, 1))
        session.add(post)
        session.flush()
        change = merging.merge(session, keep, gone, WHY, AT, by=BY)
        session.execute(sa.update(Post).where(Post.id == post.id).values(until_on=ON))
        changes.undo(session, session.get(Change, change.id), AT, by=BY)
        post = session.get(Post, post.id)
        assert (post.person_id, post.until_on) == (gone.id, ON)


# --- finding -------------------------------------------------------------------------------------------------


def found(session, seen, *, with_namesakes=True) -> dict[tuple[int, int], duplicates.Likeness]:
    listed = session.execute(duplicates.pairs(seen, with_namesakes=with_namesakes)).all()
    return {(pair.low.id, pair.high.id): pair.likeness for pair in duplicates.shown(session, listed)}


def test_entries_are_found_by_number_by_sound_and_by_place(database):
    with database.transaction() as session:
        office = scope.of(session, session.scalar(sa.select(Post.person_id).where(Post.role == Role.OFFICE)), ON)
        by_county = {}
        for row in session.scalars(sa.select(Branch).where(Branch.county_id.is_not(None)).order_by(Branch.id)):
            by_county.setdefault(row.county_id, []).append(row.id)
        (here, near, *_), (far, *_), *_ = by_county.values()
        spoken = {
            "phone": [("吕䶮", "19912341111", here), ("吕岩彦", "19912341111", far)],
            "tail": [("诸葛玮", "19912342222", here), ("诸葛伟", "19955552222", far)],
            "branch": [("尉迟𬀩", None, here), ("尉迟伟", None, here)],
            "county": [("买买提·肉孜", None, here), ("买买提•肉孜", None, near)],
            None: [("单雄信", None, here), ("单雄信", None, far)],
        }
        expected = {}
        for likeness, both in spoken.items():
            ids = []
            for name, phone, branch in both:
                row = person(session, name, phone)
                session.add(Affiliation(person_id=row.id, branch_id=branch, since_on=date(2024, 1, 1)))
                ids.append(row.id)
            expected[tuple(ids)] = likeness
        session.flush()
        listed = found(session, office)
        assert {pair: listed.get(pair) for pair in expected} == expected
        usually = {pair: like for pair, like in listed.items() if like is not duplicates.Likeness.COUNTY}
        assert found(session, office, with_namesakes=False) == usually, (
            "who only share a name are listed when asked for"
        )
        pair = next(iter(expected))
        low, high = duplicates.both(session, office, *pair)
        duplicates.tell_apart(session, low, high, AT, by=BY)
        assert pair not in found(session, office), "nobody is asked again"
        duplicates.ask_again(session, low, high, AT, by=BY)
        assert pair in found(session, office)


def test_a_county_is_not_shown_somebody_of_another(database):
    with database.transaction() as session:
        county = scope.of(
            session, session.scalar(sa.select(Post.person_id).where(Post.role == Role.COUNTY_OFFICE)), ON
        )
        own = session.scalar(sa.select(Branch.id).where(county.own_branches).limit(1))
        far = session.scalar(sa.select(Branch.id).where(~Branch.county_id.in_(county.county_ids)).limit(1))
        one, two = person(session, "重名甲", "19912349999"), person(session, "重名乙", "19912349999")
        for row, branch in ((one, own), (two, far)):
            session.add(Affiliation(person_id=row.id, branch_id=branch, since_on=date(2024, 1, 1)))
        session.flush()
        assert (one.id, two.id) not in found(session, county)
        assert people.get(session, one.id).sound == "zhongmingjia"
