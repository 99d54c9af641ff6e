"""Tables go out masked, marked, safe to open, and their sums foot (F137, pitfalls 22 and 25)."""

import csv
import io

import pytest
import sqlalchemy as sa

import demo
from clock import parse_instant
from errors import RuleBroken
from models import Affiliation, Branch, Gathering, Person
from services.meetings import gatherings
from services.meetings import leave as leaves
from services.meetings.gatherings import CheckIn
from services.organisation import coverage, lifecycle
from services.tables import csv_files, exports, sheets
from services.tables.exports import Kind, Request

AT = parse_instant("2026-11-28T09:00")
MARK = "命令行用户 某人"


def rows(database, kind, **more):
    with database.transaction() as session:
        content, count = exports.export(session, Request(kind, MARK, **more), AT)
    *table, mark = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert len(table) == count + 1
    return table, mark[0]


def test_cells_that_a_spreadsheet_would_run_are_disarmed():
    table = sheets.Table(("词",), [("=1+1",), ("+86",), ("-1",), ("@x",), ("\tx",), ("#x",), ("平常",)])
    content, _ = csv_files.write(table, "")
    cells = [row[0] for row in csv.reader(io.StringIO(content.decode("utf-8-sig")))][1:-1]
    assert cells == ["'=1+1", "'+86", "'-1", "'@x", "'\tx", "'#x", "平常"]


def test_disarmed_cells_come_back_as_they_were():
    content, _ = csv_files.write(sheets.Table(("词", "号"), [("=1+1", "0012")], frozenset({"号"})), "某人导出")
    (row,) = sheets.read(csv_files.opened(content), ("词", "号")).rows()
    assert row.cells == {"词": "=1+1", "号": "0012"}


def test_eleven_digits_stay_text():
    content, _ = csv_files.write(sheets.Table(("手机号",), [("19900001234",)], frozenset({"手机号"})), "")
    assert "19900001234\t\r\n" in content.decode("utf-8-sig")


def test_a_masked_number_shows_seven_digits_only(database):
    table, mark = rows(database, Kind.PEOPLE)
    assert demo.cast.INVITED_PHONE not in str(table)
    assert any(row[1] == "199****1234" for row in table)
    assert "手机号已隐去" in mark
    assert MARK in mark


def test_whole_numbers_need_a_reason(database):
    with pytest.raises(RuleBroken, match="用途"):
        rows(database, Kind.PEOPLE, is_unmasked=True, reason="  ")
    table, mark = rows(database, Kind.PEOPLE, is_unmasked=True, reason="换届")
    assert demo.cast.INVITED_PHONE in {row[1].strip() for row in table}
    assert "用途：换届" in mark


def test_all_branches_are_listed_with_their_members(database):
    table, _ = rows(database, Kind.BRANCHES)
    assert len(table) == 675
    with database.reading() as session:
        members = session.scalar(sa.select(sa.func.count()).select_from(Affiliation))
    assert sum(int(row[3]) for row in table[1:]) == members


def test_attendance_foots_also_when_somebody_came_from_elsewhere(database):
    at = parse_instant("2026-11-27T10:00")
    with database.transaction() as session:
        day = session.scalars(
            sa.select(Gathering).where(Gathering.held_on == exports.beijing_date(at)).order_by(Gathering.id)
        ).first()
        branch = session.get_one(Branch, day.branch_id).name
        members = session.scalars(
            sa.select(Affiliation.person_id).where(Affiliation.branch_id == day.branch_id)
        ).all()
        guest = session.scalars(sa.select(Person.id).where(Person.id.not_in(members)).limit(1)).one()
        gatherings.check_in(session, [CheckIn(day.id, who, at) for who in (members[0], guest)])
        leaves.ask(session, members[1], day.id, "出差", at)
        leaves.decide(session, day.id, members[1], grant=True, at=at, by=members[0])
        leaves.ask(session, members[2], day.id, "看病", at)
    day = parse_instant("2026-11-27T00:00")
    span = {"start": exports.beijing_date(day), "end": exports.beijing_date(day)}
    table, _ = rows(database, Kind.ATTENDANCE, **span)
    (row,) = [r for r in table if r[0] == branch]
    held, due, came, leave, asked, absent = map(int, row[2:])
    assert (held, due, came, leave, asked) == (1, len(members) + 1, 2, 1, 1)
    assert due == came + leave + asked + absent


def test_what_is_not_over_is_not_counted_as_missed(database):
    span = {"start": exports.beijing_date(AT), "end": exports.beijing_date(parse_instant("2026-12-31T09:00"))}
    table, _ = rows(database, Kind.ATTENDANCE, **span)
    assert {tuple(row[2:]) for row in table[1:]} == {("0",) * 6}


def test_nobody_is_listed_by_activity(database):
    """Branches stand in their own order and no person stands in it at all (P1)."""
    day = exports.beijing_date(AT)
    table, _ = rows(database, Kind.ATTENDANCE, start=day.replace(day=1), end=day)
    with database.reading() as session:
        assert [row[0] for row in table[1:]] == list(session.scalars(sa.select(Branch.name).order_by(Branch.id)))


def test_stations_coverage_and_the_life_of_branches_go_out_as_tables(database):
    stations, _ = rows(database, Kind.STATIONS)
    assert len(stations) == 151
    assert stations[1][-1] == "开放"
    villages, _ = rows(database, Kind.COVERAGE)
    with database.transaction() as session:
        city = coverage.whole_city(session, AT.date())[-1]
        branch = session.scalars(sa.select(Branch).order_by(Branch.id.desc()).limit(1)).one()
        lifecycle.end(session, branch, None, "团体注销", AT, by=1)
    assert len(villages) - 1 == city.villages
    assert sum(row[3] == "缺" for row in villages) == city.gaps
    assert "1990000" not in str(villages), "whom to ask there is not handed out"
    changes, _ = rows(database, Kind.CHANGES)
    assert changes[1:] == [[branch.name, "2026-11-28", "撤销", "撤销", "团体注销"]]
    branches_, _ = rows(database, Kind.BRANCHES)
    assert branch.name not in str(branches_)
