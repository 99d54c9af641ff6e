"""People from a table: whoever has this phone and this name is this person (F030).

Somebody in another branch gets it as a further one; nobody and no post is taken away by what a table leaves out.
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa

from models import Affiliation, Branch, Merged, Person, Post, Role, Station, insert_all, many, spelling, update_each
from models.base import vault_of
from models.people import tail_index
from services.membership import people
from services.organisation import branch_history
from services.scope import Scope
from services.tables import imports_people_cells as cells
from services.tables.exports import mask
from services.tables.imports_kinds import OUTSIDE, Change, Column, Compared, Fate, Ground
from services.tables.imports_secretaries import Secretaries
from services.tables.sheets import Row

#: What stands between the parts of a name.
BETWEEN_NAMES = frozenset("·•・．. ")
FOUNDED = date(1921, 7, 1)


class _Entry(NamedTuple):
    """What a row says, once it can be read."""

    name: str
    phone: str
    phone_index: str
    branch: str
    branch_id: int
    role: Role | None
    station_id: int | None
    since_on: date

    @property
    def key(self) -> tuple[str, str]:
        return self.phone_index, self.name

    @property
    def person(self) -> int:
        """Who is meant, in eight bytes."""
        return hash((self.phone, self.name))


class _Writing(NamedTuple):
    """What is to be written of an entry."""

    entry: _Entry
    person_id: int | None
    is_new: bool
    is_main: bool
    joins: bool
    moves: int | None
    appoints: bool


class _Ready(NamedTuple):
    """What is to be written of some rows. Somebody who is new has no number yet: in `joins` and `posts` their digest
    stands for it."""

    people: list[many.Statement]
    newcomers: list[str]
    joins: list[dict[str, Any]]
    posts: list[dict[str, Any]]
    moves: list[dict[str, Any]]


class _Known:
    """What the database has of the people of some rows: four questions for some hundred of them."""

    def __init__(self, ground: Ground, indexes: list[str], on: date) -> None:
        dialect = many.dialect_of(ground.session)
        people_of = sa.select(Person.id, Person.phone_index, Person.name)
        rows = ground.ask(
            people_of.where(many.among(dialect, Person.__table__.c.phone_index, "keys")), indexes, held=True
        )
        # Whoever was merged is somebody else now, and may be called by either name; who has the number today comes first.
        into = sa.select(Merged.person_id, Merged.into_id, Person.name).join(Person, Person.id == Merged.into_id)
        into = into.where(many.among(dialect, Merged.__table__.c.person_id, "keys"))
        now = {each.person_id: each for each in ground.ask(into, [row.id for row in rows], held=True)}
        self.merged = {
            (row.phone_index, name): now[row.id].into_id
            for row in rows if row.id in now for name in (row.name, now[row.id].name)
        }  # fmt: skip
        self.ids = self.merged | {(row.phone_index, row.name): row.id for row in rows if row.id not in now}
        self.names: dict[str, set[str]] = {}
        for index, name in self.ids:
            self.names.setdefault(index, set()).add(name)
        ids = sorted(set(self.ids.values()))
        columns = (Affiliation.branch_id, Affiliation.since_on, Affiliation.until_on)
        belongs = sa.select(Affiliation.id, Affiliation.person_id, *columns)
        self.belongs: dict[int, list[Any]] = {}
        for each in ground.ask(belongs.where(many.among(dialect, Affiliation.__table__.c.person_id, "keys")), ids):
            self.belongs.setdefault(each.person_id, []).append(each)
        posts = sa.select(Post.id, Post.person_id, Post.role, Post.branch_id, Post.station_id)
        held = ground.ask(
            posts.where(many.among(dialect, Post.__table__.c.person_id, "keys"), *people.holds(Post, on)), ids
        )
        self.posts = {tuple(row[1:]) for row in held}


class People:
    columns = (
        Column("姓名", "张三", "与手机号一起认人：两样都相同就是同一个人"),
        Column("手机号", "19900001234", "11 位数字；这一列设为文本"),
        Column("支部", "金水区某某律师事务所流动党支部", "全名；在几个支部就写几行"),
        Column("加入日期", "2020-01-31", "加入这个支部的日期"),
        Column("职务", "支部书记", f"{'、'.join(cells.ROLES)}；没有职务空着", is_needed=False),
    )

    def __init__(self, ground: Ground, scope: Scope | None, today: date) -> None:
        self._ground, self._session, self._today = ground, ground.session, today
        self._dialect = self._session.get_bind().dialect
        self._vault = vault_of(self._dialect)
        branches = ground.ask(sa.select(Branch.name, Branch.id, Branch.dissolved_on))
        self._branches = {name: number for name, number, ended_on in branches if ended_on is None}
        self._ended = {name: ended_on for name, _number, ended_on in branches if ended_on is not None}
        self._secretaries = Secretaries(ground, today)
        inside = sa.select(Branch.id).where(scope.branches if scope is not None else sa.true())
        self._inside = {number for (number,) in ground.ask(inside)}
        stations = ground.ask(sa.select(Station.id, Station.branch_id))
        self._stations = {branch_id: number for number, branch_id in stations}
        # Of what was above, as small as can be: phone → person, person → first row, person in a branch → row.
        self._owners: dict[int, int] = {}
        self._people: dict[int, int] = {}
        self._places: dict[int, int] = {}
        # Who is somebody new, and who is in no branch but by this table.
        self._new: set[int] = set()
        self._joined: set[int] = set()

    def compare(self, rows: list[Row]) -> Compared:
        entries = [(row, entry) for row in rows if (entry := self._entry(row)) is not None]
        keys = sorted({entry.phone_index for _row, entry in entries})
        known = self.known(keys)
        for row, entry in entries:
            self._compare_above(row, entry, known)
            if entry.phone_index in known.names and entry.name not in known.names[entry.phone_index]:
                row.wrong("手机号", "已经登记在另一个姓名下；请核对是改名、换号还是填错。")
            if entry.role is Role.SECRETARY and not row.problems:
                person_id = known.ids.get(entry.key)
                self._secretaries.compare(row, entry.branch, entry.branch_id, person_id, person_id or entry.person)
        changes = [change for row, entry in entries if (change := self._change(row, entry, known)) is not None]
        return Compared(keys, changes)

    def known(self, keys: list[str]) -> _Known:
        return _Known(self._ground, keys, self._today)

    def _entry(self, row: Row) -> _Entry | None:
        if row.problems:
            return None
        name = row.text("姓名", 64)
        if any(letter.isdigit() for letter in name):
            row.wrong("姓名", f"“{name}”里有数字。")
        elif not all(letter.isalpha() or letter in BETWEEN_NAMES for letter in name):
            row.wrong("姓名", f"“{name}”里有不是姓名的符号；少数民族姓名中间用“·”。")
        phone, branch = cells.phone(row), row.text("支部", 64)
        branch_id = self._branches.get(branch, 0)
        if branch in self._ended:
            row.wrong("支部", branch_history.gone(branch, self._ended[branch]))
        elif branch and not branch_id:
            row.wrong("支部", f"没有“{branch}”这个支部，请照支部的全名填写。")
        elif branch and branch_id not in self._inside:
            row.wrong("支部", f"“{branch}”{OUTSIDE}")
        since_on = row.day("加入日期")
        if since_on is not None and not FOUNDED <= since_on <= self._today:
            row.wrong("加入日期", f"“{since_on}”早于 {FOUNDED} 或晚于今天。")
        role, station_id = cells.role(row, self._stations.get(branch_id))
        if row.problems or since_on is None:
            return None
        return _Entry(name, phone, self._vault.index(phone), branch, branch_id, role, station_id, since_on)

    def _compare_above(self, row: Row, entry: _Entry, known: _Known) -> None:
        number, is_merged = row.number, entry.key in known.merged
        self._people.setdefault(entry.person, number)
        who = known.ids.get(entry.key, entry.person)
        above = self._places.setdefault(hash((who, entry.branch_id)), number)
        owner = self._owners.setdefault(int(entry.phone), entry.person)
        if above != number:
            row.wrong("", f"与第 {above} 行重复{'：两条登记已经合并，是同一个人' if is_merged else ''}。")
        elif owner != entry.person:
            row.wrong("手机号", f"与第 {self._people[owner]} 行相同，但姓名不同。")

    def _change(self, row: Row, entry: _Entry, known: _Known) -> Change | None:
        person_id = known.ids.get(entry.key)
        belongs = known.belongs.get(person_id or 0, [])
        now = [each for each in belongs if each.until_on is None or each.until_on > self._today]
        here = next((each for each in now if each.branch_id == entry.branch_id), None)
        left = max(
            (each.until_on for each in belongs if each.branch_id == entry.branch_id and each not in now), default=None
        )
        if left is not None and entry.since_on < left:
            row.wrong("加入日期", f"这个人在这个支部的上一段组织关系到 {left} 结束，应填这一天或以后。")
        if row.problems:
            return None
        writing = self._writing(entry, person_id, now, here, known)
        differences = _differences(writing, here.since_on if here is not None else None)
        fate = Fate.NEW if entry.person in self._new else Fate.CHANGED if differences else Fate.UNCHANGED
        return Change(row.number, f"{entry.name} {mask(entry.phone)}", fate, differences, writing)

    def _writing(
        self, entry: _Entry, person_id: int | None, now: list[Any], here: sa.Row[Any] | None, known: _Known
    ) -> _Writing:
        """Whoever stands in several rows is new in the first of them, and has a main branch by the first of them."""
        who = person_id or entry.person
        is_new = person_id is None and entry.person not in self._new
        is_main = not now and who not in self._joined
        if person_id is None:
            self._new.add(entry.person)
        if not now:
            self._joined.add(who)
        place = person_id, entry.role, None if entry.station_id else entry.branch_id, entry.station_id
        appoints = entry.role is not None and place not in known.posts
        moves = here.id if here is not None and here.since_on != entry.since_on else None
        return _Writing(entry, person_id, is_new, is_main, here is None, moves, appoints)

    def ready(self, changes: list[Change]) -> _Ready:
        """Spelling and sealing take longer than all the rest."""
        writings: list[_Writing] = [each.values for each in changes if each.differences]
        new = [self._person(each.entry) for each in writings if each.is_new]
        return _Ready(
            list(many.statements(self._session, Person, new)),
            [each.entry.phone_index for each in writings if each.person_id is None],
            [_affiliation(each) for each in writings if each.joins],
            [_post(each) for each in writings if each.appoints],
            [{"id": each.moves, "since_on": each.entry.since_on} for each in writings if each.moves],
        )

    def _person(self, entry: _Entry) -> dict[str, Any]:
        return {
            "name": entry.name, "search_key": spelling.key(entry.name), "sound": spelling.sound(entry.name),
            "phone": entry.phone, "phone_index": entry.phone_index, "phone_tail": tail_index(self._dialect, entry.phone),
            "is_fictional": False,
        }  # fmt: skip

    def write(self, ready: _Ready) -> None:
        many.run(self._session, ready.people)
        numbers = self._numbers(ready.newcomers)
        for row in (*ready.joins, *ready.posts):
            row["person_id"] = numbers.get(row["person_id"], row["person_id"])
        insert_all(self._session, Affiliation, ready.joins)
        insert_all(self._session, Post, ready.posts)
        update_each(self._session, Affiliation, ready.moves, only_if={})

    def _numbers(self, newcomers: list[str]) -> dict[Any, int]:
        """Of those who have just come in: no database tells them of many at once."""
        named = sa.select(Person.phone_index, Person.id)
        named = named.where(many.among(self._dialect.name, Person.__table__.c.phone_index, "keys"))
        return dict(self._session.execute(named, {"keys": newcomers}).all())


def _affiliation(writing: _Writing) -> dict[str, Any]:
    entry = writing.entry
    return {
        "person_id": writing.person_id or entry.phone_index, "branch_id": entry.branch_id,
        "since_on": entry.since_on, "is_main": writing.is_main,
    }  # fmt: skip


def _post(writing: _Writing) -> dict[str, Any]:
    entry = writing.entry
    return {
        "person_id": writing.person_id or entry.phone_index, "role": entry.role,
        "branch_id": None if entry.station_id else entry.branch_id, "station_id": entry.station_id,
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
