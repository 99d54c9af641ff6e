"""While a large table comes in the others go on writing; it is all there or not at all, whoever dies or changes what (F030)."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date

import pytest
import sqlalchemy as sa

import config
import schema
from clock import beijing_date, parse_instant
from models import (
    Affiliation,
    Branch,
    BranchKind,
    County,
    Database,
    Import,
    ImportKind,
    ImportPart,
    ImportState,
    Person,
    Post,
    Role,
    Vault,
)
from scheduler.importing import Importing
from services import scope
from services.custody import keys
from services.membership import roll
from services.tables import import_runs, imports, table_files
from services.tables.import_runs import Sent
from services.tables.imports import CHANGED_SINCE, ChangedSince, Prepared, Task
from services.tables.imports_people import People
from tests import servers
from tests.conftest import SECRET
from tests.services import dying

AT = parse_instant(dying.AT)
HEAD = "姓名,手机号,支部,加入日期\n"
#: Three batches.
MANY = 1200


def table(branch, many=MANY):
    letters = "甲乙丙丁戊己庚辛壬癸"
    names = ("王" + "".join(letters[int(digit)] for digit in str(number)) for number in range(many))
    return HEAD + "".join(f"{name},198{n:08d},{branch},2020-01-31\n" for n, name in enumerate(names))


def task_of(text, progress=lambda _rows: None, kind=ImportKind.PEOPLE):
    return Task(kind, table_files.opened(text.encode()), AT, progress=progress)


def newcomers(database):
    with database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Person).where(Person.name.like("王%")))


@pytest.fixture
def city(tmp_path):
    """A database with one branch, and Zhao Min of the office."""
    database = Database(f"sqlite:///{tmp_path / 'bot.db'}", Vault(SECRET))
    schema.upgrade(database)
    with database.transaction() as session:
        county, office = County(name="金水区"), Person(name="赵敏")
        session.add_all([county, office])
        session.flush()
        session.add(Branch(name="甲支部", kind=BranchKind.FIRM, county_id=county.id))
        session.add(Post(person_id=office.id, role=Role.OFFICE, since_on=date(2020, 1, 1)))
    yield database
    database.close()


def another(database):
    """The same database as another process has it, which is refused at once where it would have to wait."""
    other = Database(str(database.url), Vault(SECRET))
    sa.event.listen(other.engine, "connect", lambda raw, _record: raw.execute("PRAGMA busy_timeout = 0"))
    return other


# --- others ----------------------------------------------------------------------------------------------------


def test_a_member_checks_in_while_a_table_is_being_prepared(house, zhang_wei):
    with house.database.reading() as session:
        branch = session.scalars(sa.select(Branch.name).order_by(Branch.id).limit(1)).one()
    before, said = newcomers(house.database), []
    with Prepared() as prepared:
        task = task_of(table(branch), lambda _rows: said.append(zhang_wei.says("签到")))
        with house.database.reading() as session:
            imports.check(session, task, prepared)
        assert [each.partition("：")[0] for each in said] == ["签到成功", "您已于 09:00 签到", "您已于 09:00 签到"]
        assert newcomers(house.database) == before
        with house.database.transaction() as session:
            imports.apply(session, task, prepared, "名册.csv")
    assert newcomers(house.database) == before + MANY


def test_every_process_writes_while_a_table_is_being_prepared(city):
    other = another(city)

    def write(_rows):
        with other.transaction() as session:
            session.add(County(name=f"第{session.scalar(sa.select(sa.func.count()).select_from(County))}县"))

    with Prepared() as prepared, city.reading() as session:
        imports.check(session, task_of(table("甲支部"), write), prepared)
    with city.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(County)) == 1 + 3
    other.close()


def test_nobody_sees_a_part_of_a_table_while_it_is_poured(city, monkeypatch):
    seen, usual = [], People.write

    def write(self, ready):
        usual(self, ready)
        seen.append(newcomers(city))

    monkeypatch.setattr(People, "write", write)
    with Prepared() as prepared:
        with city.reading() as session:
            imports.check(session, task_of(table("甲支部")), prepared)
        with city.transaction() as session:
            imports.apply(session, task_of("x"), prepared, "名册.csv")
    assert seen == [0, 0, 0]
    assert newcomers(city) == MANY


def test_what_was_prepared_lies_nowhere_readable(city, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with Prepared() as prepared, city.reading() as session:
        imports.check(session, task_of(table("甲支部", 600)), prepared)
        assert list((tmp_path / "temporary").iterdir()) == []
        descriptor = prepared.writings._file.fileno()
        stored = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        assert len(stored) > 600 * 100
        for plain in ("王甲", "198000", "wangjia", "INSERT"):
            assert plain.encode() not in stored, plain


def test_somebody_new_in_two_batches_is_one_person_with_one_main_branch(city):
    with city.transaction() as session:
        session.add(Branch(name="乙支部", kind=BranchKind.FIRM, county_id=1))
    first, *_ = table("甲支部").removeprefix(HEAD).split("\n")
    with Prepared() as prepared:
        task = task_of(table("甲支部") + first.replace("甲支部", "乙支部") + "\n")
        with city.reading() as session:
            assert imports.check(session, task, prepared).problem_count == 0
        with city.transaction() as session:
            imports.apply(session, task, prepared, "名册.csv")
    assert newcomers(city) == MANY
    with city.reading() as session:
        rows = session.execute(
            sa.select(Branch.name, Affiliation.is_main)
            .join(Branch, Branch.id == Affiliation.branch_id)
            .join(Person, Person.id == Affiliation.person_id)
            .where(Person.name == "王甲")
            .order_by(Affiliation.id)
        )
        assert [tuple(row) for row in rows] == [("甲支部", True), ("乙支部", False)]


# --- what changes meanwhile --------------------------------------------------------------------------------------


def joins(session):
    person = roll.add(session, "王甲", "19800000000", AT, by=None, within=sa.true())
    roll.join(session, person, session.scalars(sa.select(Branch)).one(), date(2021, 1, 1), AT, by=None)


CHANGES = {
    "somebody of the table was registered": joins,
    "a branch was renamed": lambda session: session.execute(sa.update(Branch).values(name="新的名字")),
    "a branch was dissolved": lambda session: session.execute(
        sa.update(Branch).values(dissolved_on=date(2026, 11, 1))
    ),
    "a new key seals": lambda session: keys.rotate(session, Vault(SECRET), AT),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_after_the_preparing_leaves_the_table_out(city, change):
    with Prepared() as prepared:
        with city.reading() as session:
            imports.check(session, task_of(table("甲支部")), prepared)
        with city.transaction() as session:
            CHANGES[change](session)
        city.vault.forget()
        before = newcomers(city)
        with pytest.raises(ChangedSince, match="名册又变了"), city.transaction() as session:
            imports.apply(session, task_of("x"), prepared, "名册.csv")
    assert newcomers(city) == before


OTHER_KINDS = {
    ImportKind.BRANCHES: (
        "支部,类别,县（市）区\n甲支部,团体会员流动党支部,金水区\n",
        "UPDATE branches SET kind = 'research'",
    ),
    ImportKind.STATIONS: (
        "服务站,县（市）区,地址,经度,纬度\n甲站,金水区,某路 1 号,113.6,34.7\n",
        "INSERT INTO stations (name, county_id, address, phone, hours, latitude, longitude, is_fictional)"
        " VALUES ('甲站', 1, '别处', '', '', 34.5, 113.5, FALSE)",
    ),
    ImportKind.HOLIDAYS: (
        "日期,类别,名称,来源\n2027-01-01,放假,元旦,国务院\n",
        "INSERT INTO day_exceptions (day, is_working, name, source) VALUES ('2027-01-01', FALSE, '元旦', '别处')",
    ),
    ImportKind.PUBLICITY: (
        "编号,年份,类别,数量,来源\nL1,2017,条幅,5,报告\n",
        "INSERT INTO publicity (key, year, item, amount, is_at_least, source)"
        " VALUES ('L1', 2017, 'banners', 6, FALSE, '别处')",
    ),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_every_kind_of_table_is_left_out_when_its_rows_changed(city, kind):
    text, change = OTHER_KINDS[kind]
    with Prepared() as prepared:
        with city.reading() as session:
            assert imports.check(session, task_of(text, kind=kind), prepared).problem_count == 0
        with city.transaction() as session:
            session.execute(sa.text(change))
        with pytest.raises(ChangedSince), city.transaction() as session:
            imports.apply(session, task_of("x", kind=kind), prepared, "表.csv")


# --- the row in `imports` ----------------------------------------------------------------------------------------


def said_yes(database):
    """A table of the office, previewed, and about to be written."""
    with database.transaction() as session:
        seen = scope.of(session, 1, beijing_date(AT))
        sent = Sent(ImportKind.PEOPLE, "名册.csv", "", table("甲支部").encode())
        number = import_runs.receive(session, seen, sent, AT)
    Importing(database, lambda: AT).run()
    with database.transaction() as session:
        row = session.get_one(Import, number)
        import_runs.ask_to_apply(session, seen, row, row.digest)


def the_row(database):
    with database.reading() as session:
        return session.scalars(sa.select(Import)).one()


def between(monkeypatch, act):
    """Let something happen as soon as the table is prepared, once."""
    usual, acts = imports.check, [act]

    def check(session, task, prepared=None):
        found = usual(session, task, prepared)
        if prepared is not None and acts:
            acts.pop()()
        return found

    monkeypatch.setattr(imports, "check", check)


def test_who_changes_the_roll_in_between_brings_the_preview_back_and_then_it_is_written(city, monkeypatch):
    said_yes(city)

    def change():
        with city.transaction() as session:
            joins(session)

    between(monkeypatch, change)
    Importing(city, lambda: AT).run()
    row = the_row(city)
    assert (row.state, row.says) == (ImportState.CHECKED, CHANGED_SINCE)
    assert (row.new, row.changed) == (MANY - 1, 1)
    assert newcomers(city) == 1
    with city.transaction() as session:
        import_runs.ask_to_apply(session, scope.of(session, 1, beijing_date(AT)), row, row.digest)
    Importing(city, lambda: AT).run()
    assert the_row(city).state is ImportState.APPLIED
    assert newcomers(city) == MANY


def test_whose_post_ends_in_between_writes_nothing(city, monkeypatch):
    said_yes(city)

    def end():
        with city.transaction() as session:
            session.execute(sa.update(Post).values(until_on=date(2026, 11, 1)))

    between(monkeypatch, end)
    Importing(city, lambda: AT).run()
    row = the_row(city)
    assert (row.state, row.says) == (ImportState.FAILED, scope.OUTSIDE)
    assert newcomers(city) == 0


@pytest.mark.parametrize("where", dying.ACTS)
def test_whoever_is_killed_leaves_nothing_and_another_writes_all(city, where, tmp_path):
    said_yes(city)
    left = tmp_path / "temporary"
    left.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.services.dying", str(city.url), where], cwd=config.ROOT,
        env=os.environ | {"TMPDIR": str(left)}, stdout=subprocess.PIPE, text=True, preexec_fn=servers.die_with_parent(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().strip() == where
    process.kill()
    process.communicate()
    assert list(left.iterdir()) == []
    assert newcomers(city) == 0
    assert the_row(city).state is ImportState.APPLYING
    assert Importing(city, lambda: AT).run() == 0, "somebody may still be at it"
    assert Importing(city, lambda: AT + import_runs.HELD).run() == 1
    assert newcomers(city) == MANY
    assert the_row(city).state is ImportState.APPLIED
    with city.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ImportPart)) == 0
