"""The same tables on SQLite, PostgreSQL and MariaDB: new, again, changed, and nobody twice in a main branch (F030)."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

import schema
from admin import listings
from clock import beijing_date, parse_instant
from models import (
    Affiliation,
    Branch,
    BranchAct,
    BranchChange,
    BranchKind,
    Change,
    County,
    Database,
    Person,
    Station,
    Vault,
)
from services.membership import changes, merging
from services.organisation import branch_history
from services.tables import imports, table_files
from services.tables.imports import ChangedSince, Kind
from services.tables.imports_kinds import Fate
from tests import servers
from tests.conftest import SECRET
from tests.services.test_imports import bring_in, count, said

AT = parse_instant("2026-11-27T09:00")
YESTERDAY = beijing_date(AT) - timedelta(days=1)
PEOPLE = "姓名,手机号,支部,职务,加入日期\n"
BRANCHES = "支部,类别,县（市）区\n"
STATIONS = "服务站,县（市）区,地址,开放时间,电话,经度,纬度,支部\n"
pytestmark = pytest.mark.xdist_group("databases")


@pytest.fixture(scope="module", params=["sqlite", "postgres", "mariadb"])
def server(request):
    if request.param == "sqlite":
        yield None
        return
    with ExitStack() as stack:
        try:
            yield stack.enter_context(getattr(servers, request.param)(durable=False))
        except servers.Missing as missing:
            warnings.warn(f"NOT TESTED ON {request.param.upper()}: {missing}", stacklevel=1)
            pytest.skip(str(missing))


@pytest.fixture
def database(server, tmp_path):
    url = str(servers.fresh_database(server)) if server else f"sqlite:///{tmp_path / 'bot.db'}"
    database = Database(url, Vault(SECRET))
    schema.upgrade(database)
    with database.transaction() as session:
        session.add(County(name="金水区"))
        session.flush()
        rows = [("甲支部", "律师事务所流动党支部"), ("乙支部", "法律服务站流动党支部")]
        label = {kind.label: kind for kind in BranchKind}
        session.add_all(Branch(name=name, kind=label[kind], county_id=1) for name, kind in rows)
    yield database
    database.close()
    if server:
        servers.drop_database(url)


def belongs(database, name):
    with database.reading() as session:
        rows = session.execute(
            sa.select(Branch.name, Affiliation.is_main, Affiliation.since_on)
            .join(Branch, Branch.id == Affiliation.branch_id)
            .join(Person, Person.id == Affiliation.person_id)
            .where(Person.name == name, Affiliation.until_on.is_(None))
            .order_by(Affiliation.id)
        )
        return [tuple(row) for row in rows]


def test_people_come_in_are_known_again_and_change(database):
    table = PEOPLE + "张三,19900001111,甲支部,支部书记,2020-01-31\n夏𬀩䶮,19900002222,甲支部,,2021-02-03\n"
    assert bring_in(database, table).fates == {Fate.NEW: 2}
    assert bring_in(database, table).fates == {Fate.UNCHANGED: 2}
    found = bring_in(database, table.replace("2021-02-03", "2021-02-04"))
    assert found.fates == {Fate.UNCHANGED: 1, Fate.CHANGED: 1}
    assert belongs(database, "夏𬀩䶮") == [("甲支部", True, date(2021, 2, 4))]


def test_whoever_is_in_a_branch_already_gets_the_other_as_a_further_one(database):
    """At most one open main branch for a person: MariaDB has no index that would refuse a second."""
    bring_in(database, PEOPLE + "张三,19900001111,甲支部,,2020-01-31\n")
    bring_in(database, PEOPLE + "张三,19900001111,乙支部,,2019-01-01\n张三,19900001111,甲支部,,2020-01-31\n")
    assert belongs(database, "张三") == [("甲支部", True, date(2020, 1, 31)), ("乙支部", False, date(2019, 1, 1))]


def test_two_entries_that_were_merged_stay_one_person(database):
    bring_in(database, PEOPLE + "张三,19900001111,甲支部,,2020-01-31\n张三,19900002222,乙支部,,2021-01-31\n")
    with database.transaction() as session:
        keep, gone = session.scalars(sa.select(Person).order_by(Person.id)).all()
        merging.merge(session, keep, gone, "核对过身份证，登记了两次", AT, by=None)
    table = PEOPLE + "张三,19900001111,甲支部,,2020-01-31\n张三,19900001111,乙支部,,2021-01-31\n"
    assert bring_in(database, table).fates == {Fate.UNCHANGED: 2}
    assert count(database, Person) == 2
    assert [is_main for _, is_main, _ in belongs(database, "张三")] == [True, False]


def test_the_number_of_an_entry_that_was_merged_means_whoever_it_is_now(database):
    bring_in(database, PEOPLE + "张三,19900001111,甲支部,,2020-01-31\n张叁,19900002222,乙支部,,2021-01-31\n")
    with database.transaction() as session:
        keep, gone = session.scalars(sa.select(Person).order_by(Person.id)).all()
        change = merging.merge(session, keep, gone, "核对过身份证，登记了两次", AT, by=None)
    for name in ("张叁", "张三"):
        table = PEOPLE + f"{name},19900002222,乙支部,,2021-01-31\n"
        assert bring_in(database, table).fates == {Fate.UNCHANGED: 1}
    moved = PEOPLE + "张叁,19900002222,乙支部,,2021-05-01\n"
    assert bring_in(database, moved).fates == {Fate.CHANGED: 1}
    assert belongs(database, "张三") == [("甲支部", True, date(2020, 1, 31)), ("乙支部", False, date(2021, 5, 1))]
    assert count(database, Person) == 2
    assert said(bring_in(database, PEOPLE + "李四,19900002222,乙支部,,2021-01-31\n")) == [
        "B2“手机号”：已经登记在另一个姓名下；请核对是改名、换号还是填错。"
    ]
    twice = PEOPLE + "张三,19900001111,乙支部,,2021-05-01\n张叁,19900002222,乙支部,,2021-05-01\n"
    assert said(bring_in(database, twice)) == ["第 3 行：与第 2 行重复：两条登记已经合并，是同一个人。"]
    bring_in(database, moved.replace("2021-05-01", "2021-01-31"))
    with database.transaction() as session:
        changes.undo(session, session.get_one(Change, change.id), AT, by=None)
    assert bring_in(database, PEOPLE + "张叁,19900002222,乙支部,,2021-01-31\n").fates == {Fate.UNCHANGED: 1}
    assert belongs(database, "张叁") == [("乙支部", True, date(2021, 1, 31))]


def figures(database, on):
    with database.reading() as session:
        then = branch_history.states(on)
        rows = session.execute(sa.select(then.c.kind, sa.func.count()).group_by(then.c.kind))
        return {str(kind): number for kind, number in rows}


def test_a_table_that_changes_a_branch_leaves_the_figures_of_yesterday(database):
    before = figures(database, YESTERDAY)
    table = BRANCHES + "甲支部,法律服务站流动党支部,金水区\n丙支部,律师事务所流动党支部,市本级\n"
    kinds = {kind.label: kind for kind in BranchKind}
    found = bring_in(database, table, Kind.BRANCHES)
    assert said(found) == []
    assert found.fates == {Fate.NEW: 1, Fate.CHANGED: 1}
    assert figures(database, YESTERDAY) == before
    today = figures(database, beijing_date(AT))
    assert today == {str(kinds["法律服务站流动党支部"]): 2, str(kinds["律师事务所流动党支部"]): 1}
    assert bring_in(database, table, Kind.BRANCHES).fates == {Fate.UNCHANGED: 2}
    with database.reading() as session:
        acts = session.scalars(sa.select(BranchChange.act).order_by(BranchChange.id)).all()
    assert sorted(acts) == sorted([BranchAct.CHANGED, BranchAct.FOUNDED])


def test_a_dissolved_branch_in_a_table_is_said_in_words(database):
    with database.transaction() as session:
        session.execute(sa.update(Branch).where(Branch.name == "乙支部").values(dissolved_on=date(2026, 11, 1)))
    assert said(bring_in(database, BRANCHES + "乙支部,法律服务站流动党支部,金水区\n", Kind.BRANCHES)) == [
        "A2“支部”：这个支部在 2026-11-01 撤销了，请先在控制台恢复它。"
    ]
    assert said(bring_in(database, PEOPLE + "张三,19900001111,乙支部,,2020-01-31\n")) == [
        "C2“支部”：乙支部已在 2026-11-01 撤销，不再登记人员。"
    ]
    assert count(database, Person) == 0


def test_stations_come_in_are_known_again_and_change(database):
    table = STATIONS + "甲站,金水区,某路 1 号,周一至周五 9:00–12:00,0371-12345678,113.6654,34.7579,乙支部\n"
    assert said(bring_in(database, table, Kind.STATIONS)) == []
    assert bring_in(database, table, Kind.STATIONS).fates == {Fate.UNCHANGED: 1}
    found = bring_in(database, table.replace("某路 1 号", "某路 2 号"), Kind.STATIONS)
    assert found.changes[0].differences == (("地址", "某路 1 号", "某路 2 号"),)
    assert count(database, Station) == 1


def test_what_changed_after_the_preparing_leaves_the_table_out(database):
    """A further branch, a post and a date, each entered at the desk when the table was compared already."""
    bring_in(database, PEOPLE + "张三,19900001111,甲支部,,2020-01-31\n")
    task = imports.Task(
        Kind.PEOPLE, table_files.opened((PEOPLE + "张三,19900001111,甲支部,,2021-01-31\n").encode()), AT
    )
    for change in (
        "INSERT INTO affiliations (person_id, branch_id, is_main, since_on) VALUES (1, 2, FALSE, '2020-02-01')",
        "INSERT INTO posts (person_id, role, branch_id, since_on, duties) VALUES (1, 'secretary', 1, '2020-02-01', '')",
        "UPDATE affiliations SET since_on = '2020-03-01' WHERE branch_id = 1",
    ):
        with imports.Prepared() as prepared:
            with database.reading() as session:
                imports.check(session, task, prepared)
            with database.transaction() as session:
                session.execute(sa.text(change))
            with pytest.raises(ChangedSince), database.transaction() as session:
                imports.apply(session, task, prepared, "表.csv")
    assert belongs(database, "张三")[0][2] == date(2020, 3, 1)


def test_a_list_handed_out_while_the_roll_changes_has_each_of_its_rows_once(database, monkeypatch):
    monkeypatch.setattr(listings, "AT_ONCE", 2)
    with database.transaction() as session:
        session.add_all(Person(name=f"人{number}") for number in range(9))
    listing = listings.Listing("人", ("姓名",), (10,), lambda of, some: [(row[0].name,) for row in some])
    names = []
    with database.reading() as listed, database.reading() as session:
        found = listings.found(listed, sa.select(Person).order_by(Person.name))
        for number, (name,) in enumerate(listings.rows(listing, found, listings.Reading(session, AT, False))):
            names.append(name)
            with database.transaction() as meanwhile:
                # In front of all that is still to come, one goes and one comes by turns.
                if number % 2:
                    meanwhile.add(Person(name=f"丁{number}"))
                else:
                    meanwhile.execute(sa.delete(Person).where(Person.name == f"人{number}"))
    assert names == [f"人{number}" for number in range(9)]
