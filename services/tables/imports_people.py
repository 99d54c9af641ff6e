"""People from a table: whoever has this phone and this name is this person (F030).

Somebody in another branch gets it as a further one; nobody and no post is taken away by what a table leaves out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from errors import Misunderstood
from models import Affiliation, Branch, Person, Post, Role, Station, insert_all
from models.base import vault_of
from services.membership import people
from services.organisation import branch_history
from services.scope import Scope
from services.tables.exports import mask
from services.tables.imports_kinds import OUTSIDE, Change, Column, Fate
from services.tables.sheets import SCIENTIFIC, Row

MEMBER = ("", "党员", "无")
ROLES = {Role.SECRETARY.label: Role.SECRETARY, Role.LAWYER.label: Role.LAWYER}
#: What stands between the parts of a name.
BETWEEN_NAMES = frozenset("·•・．. ")
FOUNDED = date(1921, 7, 1)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row that can be read."""

    row: Row
    name: str
    phone: str
    index: str
    branch: str
    branch_id: int
    role: Role | None
    station_id: int | None
    since_on: date

    @property
    def key(self) -> tuple[str, str]:
        return self.index, self.name

    @property
    def person(self) -> int:
        """Who is meant, in eight bytes."""
        return hash((self.phone, self.name))


@dataclass(frozen=True, slots=True)
class _Writing:
    """What is to be written of an entry."""

    entry: _Entry
    is_new: bool
    is_main: bool
    joins: bool
    moves: int | None
    appoints: bool


class _Known:
    """What the database has of the people of some rows: three questions for some hundred of them."""

    def __init__(self, session: Session, indexes: Iterable[str], on: date) -> None:
        rows = session.execute(
            sa.select(Person.id, Person.phone_index, Person.name)
            .where(Person.phone_index.in_(list(indexes)))
            .order_by(Person.id)
        ).all()
        self.ids = {(row.phone_index, row.name): row.id for row in rows}
        self.names: dict[str, set[str]] = {}
        for row in rows:
            self.names.setdefault(row.phone_index, set()).add(row.name)
        ids = list(self.ids.values())
        columns = (Affiliation.id, Affiliation.branch_id, Affiliation.since_on, Affiliation.until_on)
        self.belongs: dict[int, list[Any]] = {}
        for each in session.execute(
            sa.select(Affiliation.person_id, *columns).where(Affiliation.person_id.in_(ids)).order_by(Affiliation.id)
        ):
            self.belongs.setdefault(each.person_id, []).append(each)
        held = sa.select(Post.person_id, Post.role, Post.branch_id, Post.station_id)
        self.posts = {
            tuple(row) for row in session.execute(held.where(Post.person_id.in_(ids), *people.holds(Post, on)))
        }


class People:
    columns = (
        Column("姓名", "张三", "与手机号一起认人：两样都相同就是同一个人"),
        Column("手机号", "19900001234", "11 位数字；这一列设为文本"),
        Column("支部", "金水区某某律师事务所流动党支部", "全名；在几个支部就写几行"),
        Column("加入日期", "2020-01-31", "加入这个支部的日期"),
        Column("职务", "支部书记", f"{'、'.join(ROLES)}；没有职务空着", is_needed=False),
    )

    def __init__(self, session: Session, scope: Scope | None, today: date) -> None:
        self._session, self._today = session, today
        self._dialect = session.get_bind().dialect
        self._vault = vault_of(self._dialect)
        self._branches = dict(session.execute(sa.select(Branch.name, Branch.id).where(branch_history.living())).all())
        inside = sa.select(Branch.id).where(scope.branches) if scope is not None else sa.select(Branch.id)
        self._inside = set(session.scalars(inside))
        self._stations = dict(session.execute(sa.select(Station.branch_id, Station.id)).all())
        # Of what was above, as small as can be: phone → person, person → first row, person in a branch → row.
        self._owners: dict[int, int] = {}
        self._people: dict[int, int] = {}
        self._places: dict[int, int] = {}
        self._new: set[int] = set()

    def compare(self, rows: list[Row]) -> list[Change]:
        entries = [entry for row in rows if (entry := self._entry(row)) is not None]
        known = _Known(self._session, {entry.index for entry in entries}, self._today)
        for entry in entries:
            self._compare_above(entry)
            if entry.index in known.names and entry.name not in known.names[entry.index]:
                entry.row.wrong("手机号", "已经登记在另一个姓名下；请核对是改名、换号还是填错。")
        return [change for entry in entries if (change := self._change(entry, known)) is not None]

    def _entry(self, row: Row) -> _Entry | None:
        if row.problems:
            return None
        name = row.text("姓名", 64)
        if any(letter.isdigit() for letter in name):
            row.wrong("姓名", f"“{name}”里有数字。")
        elif not all(letter.isalpha() or letter in BETWEEN_NAMES for letter in name):
            row.wrong("姓名", f"“{name}”里有不是姓名的符号；少数民族姓名中间用“·”。")
        phone, branch = _phone(row), row.text("支部", 64)
        branch_id = self._branches.get(branch, 0)
        if branch and not branch_id:
            row.wrong("支部", f"没有“{branch}”这个支部，请照支部的全名填写。")
        elif branch and branch_id not in self._inside:
            row.wrong("支部", f"“{branch}”{OUTSIDE}")
        since_on = row.day("加入日期")
        if since_on is not None and not FOUNDED <= since_on <= self._today:
            row.wrong("加入日期", f"“{since_on}”早于 {FOUNDED} 或晚于今天。")
        role, station_id = _role(row, self._stations.get(branch_id))
        if row.problems or since_on is None:
            return None
        return _Entry(row, name, phone, self._vault.index(phone), branch, branch_id, role, station_id, since_on)

    def _compare_above(self, entry: _Entry) -> None:
        number = entry.row.number
        self._people.setdefault(entry.person, number)
        above = self._places.setdefault(hash((entry.person, entry.branch_id)), number)
        owner = self._owners.setdefault(int(entry.phone), entry.person)
        if above != number:
            entry.row.wrong("", f"与第 {above} 行重复。")
        elif owner != entry.person:
            entry.row.wrong("手机号", f"与第 {self._people[owner]} 行相同，但姓名不同。")

    def _change(self, entry: _Entry, known: _Known) -> Change | None:
        person_id = known.ids.get(entry.key)
        belongs = known.belongs.get(person_id or 0, [])
        now = [each for each in belongs if each.until_on is None or each.until_on > self._today]
        here = next((each for each in now if each.branch_id == entry.branch_id), None)
        left = max(
            (each.until_on for each in belongs if each.branch_id == entry.branch_id and each not in now), default=None
        )
        if left is not None and entry.since_on < left:
            entry.row.wrong("加入日期", f"这个人在这个支部的上一段组织关系到 {left} 结束，应填这一天或以后。")
        if entry.row.problems:
            return None
        if person_id is None:
            self._new.add(entry.person)
        is_in = (
            person_id,
            entry.role,
            None if entry.station_id else entry.branch_id,
            entry.station_id,
        ) in known.posts
        appoints = entry.role is not None and not is_in
        moves = here.id if here is not None and here.since_on != entry.since_on else None
        writing = _Writing(entry, person_id is None, not now, here is None, moves, appoints)
        differences = _differences(writing, here.since_on if here is not None else None)
        fate = Fate.NEW if entry.person in self._new else Fate.CHANGED if differences else Fate.UNCHANGED
        return Change(entry.row.number, f"{entry.name} {mask(entry.phone)}", fate, differences, writing)

    def write(self, changes: list[Change]) -> None:
        writings = [change.values for change in changes if change.differences]
        new: dict[tuple[str, str], _Entry] = {}
        firsts: dict[tuple[str, str], _Writing] = {}
        for each in writings:
            if each.is_new:
                new.setdefault(each.entry.key, each.entry)
            if each.joins:
                firsts.setdefault(each.entry.key, each)
        if new:
            rows = [{"name": e.name, "phone": e.phone, "phone_index": e.index} for e in new.values()]
            self._session.execute(sa.insert(Person), rows)
        ids = self._ids(writings)
        joins = [
            {
                "person_id": ids[w.entry.key], "branch_id": w.entry.branch_id, "since_on": w.entry.since_on,
                "is_main": w.is_main and firsts[w.entry.key] is w,
            }
            for w in writings if w.joins
        ]  # fmt: skip
        moves = [{"id": w.moves, "since_on": w.entry.since_on} for w in writings if w.moves]
        posts = [_post(w.entry, ids[w.entry.key]) for w in writings if w.appoints]
        insert_all(self._session, Affiliation, joins)
        insert_all(self._session, Post, posts)
        if moves:
            self._session.execute(sa.update(Affiliation), moves)

    def _ids(self, writings: list[_Writing]) -> dict[tuple[str, str], int]:
        """Everybody's id, those who have just come in among them: no database tells it of many at once."""
        indexes = {w.entry.index for w in writings}
        rows = sa.select(Person.phone_index, Person.name, Person.id).where(Person.phone_index.in_(indexes))
        return {
            (index or "", name): number for index, name, number in self._session.execute(rows.order_by(Person.id))
        }


def _post(entry: _Entry, person_id: int) -> dict[str, Any]:
    branch_id = None if entry.station_id else entry.branch_id
    return {
        "person_id": person_id, "role": entry.role, "branch_id": branch_id, "station_id": entry.station_id,
        "since_on": entry.since_on,
    }  # fmt: skip


def _differences(writing: _Writing, was: date | None) -> tuple[tuple[str, str, str], ...]:
    entry = writing.entry
    found = []
    if writing.joins:
        found.append(("支部", "", entry.branch))
    if writing.joins or writing.moves:
        found.append(("加入日期", str(was or ""), str(entry.since_on)))
    if writing.appoints and entry.role is not None:
        found.append(("职务", "", entry.role.label))
    return tuple(found)


def _phone(row: Row) -> str:
    said = unicodedata.normalize("NFKC", row.text("手机号", 32)).replace(" ", "").replace("-", "").lstrip("'")
    # A number that came through a calculation; nothing is lost of it.
    said = re.sub(r"^([0-9]{11})\.0+$", r"\1", said)
    # As nearly every cell is; reading any number of the world takes a hundred times as long.
    if not said or re.fullmatch(r"1[0-9]{10}", said):
        return said
    if SCIENTIFIC.fullmatch(said):
        row.wrong("手机号", f"“{said}”是科学计数法，原来的号码已经丢失：请把这一列设为文本，再填一次。")
    elif "*" in said:
        row.wrong("手机号", "中间几位被隐去了，不能导入；请用未隐去的表。")
    elif re.fullmatch(r"[0-9]+\.[0-9]*", said):
        row.wrong("手机号", f"“{said}”带小数点：请把这一列设为文本。")
    elif said.startswith("0"):
        row.wrong("手机号", f"“{said}”前面多了 0，手机号以 1 开头。")
    elif re.fullmatch(r"[0-9]+", said) and len(said) != 11:
        row.wrong("手机号", f"应为 11 位数字，现在 {len(said)} 位。")
    else:
        try:
            return people.read_phone(said)
        except Misunderstood as error:
            row.wrong("手机号", str(error))
    return ""


def _role(row: Row, station_id: int | None) -> tuple[Role | None, int | None]:
    said = row.text("职务", 32, needed=False)
    if said in MEMBER:
        return None, None
    role = ROLES.get(said)
    if role is None:
        row.wrong("职务", f"“{said}”不能从表格登记；可填：{'、'.join(ROLES)}，或留空。")
    if role is not Role.LAWYER:
        return role, None
    if station_id is None:
        row.wrong("职务", "这个支部没有服务站，不能登记值班律师。")
    return role, station_id
