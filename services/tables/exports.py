"""Tables handed out: masked unless a reason is given, marked with whose they are, noted in the audit (F137).

Rows stand in the order of branches and names; nobody is ever listed by how active they are (product.md P1).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import beijing, beijing_date
from errors import RuleBroken
from models import (
    Affiliation,
    Attendance,
    Branch,
    Gathering,
    GatheringState,
    Labelled,
    Person,
    Post,
    Presence,
    PublicityRow,
    Role,
    SpecialDay,
)
from services import audit, publicity
from services.membership import people
from services.organisation import branch_history
from services.organisation.branch_history import CITY
from services.tables import csv_files, organisation_tables, workbooks
from services.tables.sheets import Table

LONGEST_SPAN_DAYS = 366
#: How wide a column of a workbook stands, in characters.
WIDTHS = {"支部": 40, "支部（现名）": 40, "服务站": 36, "地址": 40, "开放时间": 36, "内容": 50, "来源": 40}
USUAL_WIDTH = 16
#: So many people are in memory at a time.
AT_ONCE = 1000


class Kind(Labelled):
    PEOPLE = "people", "人员"
    BRANCHES = "branches", "支部"
    ATTENDANCE = "attendance", "出席情况"
    HOLIDAYS = "holidays", "节假日"
    PUBLICITY = "publicity", "宣传台账"
    STATIONS = "stations", "服务站"
    COVERAGE = "coverage", "四级覆盖"
    CHANGES = "changes", "支部沿革"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, by whom, and for what."""

    kind: Kind
    who: str
    reason: str = ""
    is_unmasked: bool = False
    start: date | None = None
    end: date | None = None
    #: A workbook instead of CSV.
    is_workbook: bool = False


def export(session: Session, asked: Request, at: datetime) -> tuple[bytes, int]:
    """The file and its number of rows; the audit row is written in the same transaction. Raises RuleBroken."""
    if asked.is_unmasked and not asked.reason.strip():
        raise RuleBroken("导出完整手机号要写明用途，例如 --reason 换届通知逐个打电话。")
    table = _table(session, asked, at)
    moment = f"{beijing(at):%Y-%m-%d %H:%M}"
    masked = "" if asked.kind is not Kind.PEOPLE else "手机号未隐去，" if asked.is_unmasked else "手机号已隐去，"
    said = f"由 {asked.who} 导出，{masked}用途：{asked.reason or '未写'}"
    mark = f"法学会助手导出 {asked.kind.label}，{moment}（北京时间），{said}"
    content, count = _workbook(asked, table, mark) if asked.is_workbook else csv_files.write(table, mark)
    what = f"{count} 行；{masked}由 {asked.who}；用途：{asked.reason or '未写'}"
    audit.note(session, at, None, "export.unmasked" if asked.is_unmasked else "export", f"{asked.kind}", what)
    return content, count


def _workbook(asked: Request, table: Table, mark: str) -> tuple[bytes, int]:
    out = io.BytesIO()
    widths = tuple(WIDTHS.get(column, USUAL_WIDTH) for column in table.columns)
    sheet = workbooks.table(asked.kind.label, table.columns, widths, table.rows)
    count = workbooks.write_to(out, [sheet], mark, asked.who)
    return out.getvalue(), count


def _table(session: Session, asked: Request, at: datetime) -> Table:
    on = beijing_date(at)
    match asked.kind:
        case Kind.PEOPLE:
            return _people(session, on, is_unmasked=asked.is_unmasked)
        case Kind.BRANCHES:
            return _branches(session, on)
        case Kind.ATTENDANCE:
            return _attendance(session, *_span(asked), at)
        case Kind.HOLIDAYS:
            return _holidays(session)
        case Kind.PUBLICITY:
            return _publicity(session)
        case Kind.STATIONS:
            return organisation_tables.stations_of(session, on)
        case Kind.COVERAGE:
            return organisation_tables.coverage_of(session, on)
        case Kind.CHANGES:
            return organisation_tables.changes_of(session)


def mask(phone: str | None) -> str:
    """199****1234."""
    return f"{phone[:3]}****{phone[-4:]}" if phone and len(phone) >= 8 else ""


def _people(session: Session, on: date, *, is_unmasked: bool) -> Table:
    """The columns that `import people` reads, one row for each affiliation in force; posts that no table gives stand
    in a column of their own, which it leaves alone."""
    posts: dict[tuple[int, int | None, bool], list[str]] = {}
    held = sa.select(Post).where(Post.branch_id.is_not(None), *people.holds(Post, on)).order_by(Post.id)
    for post in session.scalars(held):
        posts.setdefault((post.person_id, post.branch_id, post.role is Role.SECRETARY), []).append(post.title)
    rows = session.execute(
        sa.select(Person, Branch.name, Branch.id, Affiliation.since_on)
        .join(Affiliation, Affiliation.person_id == Person.id)
        .join(Branch, Branch.id == Affiliation.branch_id)
        .where(*people.holds(Affiliation, on))
        .order_by(Branch.id, Person.name, Person.id),
        execution_options={"yield_per": AT_ONCE},
    )
    listed = (
        (
            person.name, (person.phone or "") if is_unmasked else mask(person.phone), branch,
            "".join(posts.get((person.id, branch_id, True), [])[:1]), since_on,
            "、".join(posts.get((person.id, branch_id, False), [])),
        )
        for person, branch, branch_id, since_on in rows
    )  # fmt: skip
    return Table(("姓名", "手机号", "支部", "职务", "加入日期", "其他职务"), listed, frozenset({"手机号"}))


def _branches(session: Session, on: date) -> Table:
    members = dict(
        session.execute(
            sa.select(Affiliation.branch_id, sa.func.count(sa.distinct(Affiliation.person_id)))
            .where(*people.holds(Affiliation, on))
            .group_by(Affiliation.branch_id)
        ).all()
    )
    living = sa.select(Branch).options(joinedload(Branch.county)).where(branch_history.living())
    rows = session.scalars(living.order_by(Branch.id))
    listed = (
        (row.name, row.kind.label, row.county.name if row.county else CITY, members.get(row.id, 0)) for row in rows
    )
    return Table(("支部", "类别", "县（市）区", "党员人数"), listed)


def _span(asked: Request) -> tuple[date, date]:
    if asked.start is None or asked.end is None:
        raise RuleBroken("出席情况要写明日期，例如 --from 2026-11-01 --to 2026-11-30。")
    if not 0 <= (asked.end - asked.start).days < LONGEST_SPAN_DAYS:
        raise RuleBroken("结束日期应在开始日期之后，最多一年。")
    return asked.start, asked.end


def _attendance(session: Session, start: date, end: date, at: datetime) -> Table:
    """What branches held and how many came: 应到 = 出席 + 请假 + 请假待批 + 缺席, all of them 人次."""
    over = (
        Gathering.held_on.between(start, end),
        Gathering.state == GatheringState.PLANNED,
        Gathering.closes_at <= at,
    )
    belongs = sa.and_(
        Affiliation.branch_id == Gathering.branch_id,
        Affiliation.since_on <= Gathering.held_on,
        sa.or_(Affiliation.until_on.is_(None), Affiliation.until_on > Gathering.held_on),
    )
    held = _by_branch(session, sa.select(Gathering.branch_id, sa.func.count()).where(*over))
    due = _by_branch(session, sa.select(Gathering.branch_id, sa.func.count()).join(Affiliation, belongs).where(*over))
    marked = sa.select(Gathering.branch_id, sa.func.count()).join(Attendance, Attendance.gathering_id == Gathering.id)
    known = {p: _by_branch(session, marked.where(*over, Attendance.presence == p)) for p in Presence}
    # Who came from elsewhere, or has left since, was there all the same, and counts as due (pitfall 22).
    is_member = sa.exists().where(belongs, Affiliation.person_id == Attendance.person_id)
    guests = _by_branch(session, marked.where(*over, ~is_member))
    rows = []
    # Who lived at the end, or held something before; by the names of that day.
    then = branch_history.states(end)
    there = sa.or_(Branch.id.in_(sa.select(then.c.branch_id)), Branch.id.in_(list(held)))
    listed = session.scalars(
        sa.select(Branch).options(joinedload(Branch.county)).where(there).order_by(Branch.id)
    ).all()
    names = branch_history.names_on(session, [(branch.id, end) for branch in listed])
    for branch in listed:
        i = branch.id
        came, leave, asked = (known[p].get(i, 0) for p in (Presence.PRESENT, Presence.LEAVE, Presence.LEAVE_ASKED))
        expected = due.get(i, 0) + guests.get(i, 0)
        place = branch.county.name if branch.county else CITY
        rows.append(
            (
                names.get((i, end), branch.name),
                place,
                held.get(i, 0),
                expected,
                came,
                leave,
                asked,
                expected - came - leave - asked,
            )
        )
    columns = ("支部", "县（市）区", "已办场次", "应到人次", "出席人次", "请假人次", "请假待批人次", "缺席人次")
    return Table(columns, rows)


def _by_branch(session: Session, counted: sa.Select[int, int]) -> dict[int, int]:
    return dict(session.execute(counted.group_by(Gathering.branch_id)).all())


def _holidays(session: Session) -> Table:
    rows = session.scalars(sa.select(SpecialDay).order_by(SpecialDay.day))
    listed = ((row.day, "调休" if row.is_working else "放假", row.name, row.source) for row in rows)
    return Table(("日期", "类别", "名称", "来源"), listed)


def _publicity(session: Session) -> Table:
    rows = session.scalars(sa.select(PublicityRow).order_by(PublicityRow.year, PublicityRow.key))
    listed = (
        (
            row.key, row.year, row.held_on, row.item.label, publicity.amount_of(row).figure, row.item.unit.label,
            row.source,
        )
        for row in rows
    )  # fmt: skip
    return Table(("编号", "年份", "日期", "类别", "数量", "单位", "来源"), listed, frozenset({"编号"}))
