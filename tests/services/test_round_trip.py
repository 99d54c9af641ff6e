"""What is handed out can be brought in again, and changes nothing (F030, F137)."""

import pytest
import sqlalchemy as sa

from models import Affiliation, Branch, Duty, Person, Post, Role, Station
from services.tables import exports, imports, table_files
from services.tables.exports import Request
from services.tables.imports import Task
from services.tables.imports_kinds import Fate
from tests.conftest import LOADED_AT


def handed_out(database, kind, *, is_workbook):
    asked = Request(exports.Kind(kind), "命令行用户 某人", "核对名册", kind == "people", is_workbook=is_workbook)
    with database.transaction() as session:
        return exports.export(session, asked, LOADED_AT)


def checked(database, kind, content):
    with database.reading() as session:
        return imports.check(session, Task(imports.Kind(kind), table_files.opened(content), LOADED_AT))


@pytest.fixture
def city(database):
    """With what a table does not give: a member of a committee, a station that has no hours and no branch."""
    with database.transaction() as session:
        first = session.scalars(sa.select(Affiliation).order_by(Affiliation.id).limit(1)).one()
        given = {"role": Role.COMMITTEE, "duty": Duty.ORGANISATION, "since_on": first.since_on}
        session.add(Post(person_id=first.person_id, branch_id=first.branch_id, **given))
        station = session.scalars(sa.select(Station).order_by(Station.id).limit(1)).one()
        station.hours, station.phone, station.branch_id = "", "", None
    return database


@pytest.mark.parametrize("is_workbook", [True, False])
@pytest.mark.parametrize("kind", ["people", "branches", "stations"])
def test_what_was_handed_out_comes_in_again_unchanged(city, kind, is_workbook):
    content, rows = handed_out(city, kind, is_workbook=is_workbook)
    assert content.startswith(b"PK") is is_workbook
    found = checked(city, kind, content)
    assert [str(problem) for problem in found.problems] == []
    assert found.fates == {Fate.UNCHANGED: rows}, found.changes[:3]
    table = {"people": Affiliation, "branches": Branch, "stations": Station}[kind]
    with city.reading() as session:
        assert rows == session.scalar(sa.select(sa.func.count()).select_from(table))


def test_one_cell_that_was_changed_is_the_one_change(city):
    content, rows = handed_out(city, "branches", is_workbook=False)
    text = content.decode("utf-8-sig").replace("律师事务所流动党支部,金水区", "律师事务所流动党支部,中原区", 1)
    found = checked(city, "branches", text.encode())
    assert found.fates == {Fate.CHANGED: 1, Fate.UNCHANGED: rows - 1}
    assert found.changes[0].differences == (("县（市）区", "金水区", "中原区"),)


def test_masked_numbers_are_no_numbers(city):
    asked = Request(exports.Kind.PEOPLE, "命令行用户 某人")
    with city.transaction() as session:
        content, rows = exports.export(session, asked, LOADED_AT)
        assert session.scalar(sa.select(sa.func.count()).select_from(Person)) > 0
    found = checked(city, "people", content)
    assert found.wrong_rows == rows
    assert "星号" in found.problems[0].says or "隐去" in found.problems[0].says
