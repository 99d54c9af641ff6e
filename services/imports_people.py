"""What a table of people would change: whoever has this phone and this name is this person (F030)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from errors import Misunderstood
from models import Affiliation, Branch, Labelled, Person, Post, Role, Station, Vault
from services import branch_history, people, sheets
from services.sheets import Row

MEMBER = ("", "党员", "无")

Write = Callable[[Session], None]


class Fate(Labelled):
    """What a row does to the database."""

    NEW = "new", "新增"
    CHANGED = "changed", "变更"
    UNCHANGED = "unchanged", "不变"


@dataclass(frozen=True, slots=True)
class _Entry:
    row: Row
    name: str
    phone: str
    index: str
    branch_id: int
    role: Role | None
    station_id: int | None
    since_on: date

    @property
    def key(self) -> tuple[str, str]:
        return self.index, self.name


def changes(session: Session, vault: Vault, rows: list[Row], today: date) -> Iterator[tuple[Fate, list[Write]]]:
    """Whoever has this phone and name is this person; somebody in another branch gets it as a further one."""
    branches = dict(session.execute(sa.select(Branch.name, Branch.id).where(branch_history.living())).all())
    stations = dict(session.execute(sa.select(Station.branch_id, Station.id)).all())
    entries = [e for row in rows if (e := _entry(row, vault, branches, stations, today)) is not None]
    known = _known(session, {entry.index for entry in entries})
    _compare_within(entries)
    _compare_with_known(entries, known)
    ids = {(index, person.name): person.id for index, person in known}
    affiliations = _affiliations(session, ids.values(), today)
    posts = _posts(session, ids.values(), today)
    made: dict[tuple[str, str], Person] = {}
    for entry in entries:
        if entry.row.problems:
            continue
        person_id = ids.get(entry.key)
        is_first = person_id is None and entry.key not in made
        person = made.setdefault(entry.key, Person(name=entry.name, phone=entry.phone, phone_index=entry.index))
        writes: list[Write] = [_adds(person)] if is_first else []
        mine = affiliations.get(person_id, {}) if person_id else {}
        if entry.branch_id not in mine:
            is_main = is_first if person_id is None else not any(row.is_main for row in mine.values())
            writes.append(_joins(entry, person_id, person, is_main=is_main))
        elif mine[entry.branch_id].since_on != entry.since_on:
            writes.append(_rejoins(mine[entry.branch_id].id, entry.since_on))
        if entry.role is not None and (person_id, entry.role, entry.branch_id, entry.station_id) not in posts:
            writes.append(_appoints(entry, person_id, person))
        yield (Fate.NEW if person_id is None else Fate.CHANGED if writes else Fate.UNCHANGED), writes


def _entry(
    row: Row, vault: Vault, branches: dict[str, int], stations: dict[int | None, int], today: date
) -> _Entry | None:
    if row.problems:
        return None
    name = row.text("姓名", 64)
    if any(letter.isdigit() for letter in name):
        row.wrong("姓名", f"“{name}”里有数字。")
    phone = _phone(row)
    branch = row.text("支部", 64)
    if branch and branch not in branches:
        row.wrong("支部", f"没有“{branch}”这个支部，请照支部的全名填写。")
    since_on = row.day("加入日期")
    if since_on is not None and not date(1921, 7, 1) <= since_on <= today:
        row.wrong("加入日期", f"“{since_on}”早于 1921-07-01 或晚于今天。")
    branch_id = branches.get(branch, 0)
    role, station_id = _role(row, stations.get(branch_id))
    if row.problems or since_on is None:
        return None
    return _Entry(row, name, phone, vault.index(phone), branch_id, role, station_id, since_on)


def _phone(row: Row) -> str:
    said = unicodedata.normalize("NFKC", row.text("手机号", 32)).replace(" ", "").replace("-", "")
    if not said:
        return ""
    if sheets.SCIENTIFIC.fullmatch(said):
        row.wrong("手机号", f"“{said}”是科学计数法，原来的号码已经丢失：请把这一列设为文本，再填一次。")
    elif "*" in said:
        row.wrong("手机号", "中间几位被隐去了，不能导入；请用未隐去的表。")
    elif re.fullmatch(r"\d+\.0*", said):
        row.wrong("手机号", f"“{said}”带小数点：请把这一列设为文本。")
    elif said.startswith("0"):
        row.wrong("手机号", f"“{said}”前面多了 0，手机号以 1 开头。")
    elif re.fullmatch(r"\d+", said) and len(said) != 11:
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
    if said == Role.SECRETARY.label:
        return Role.SECRETARY, None
    if said == Role.LAWYER.label:
        if station_id is None:
            row.wrong("职务", "这个支部没有服务站，不能登记值班律师。")
        return Role.LAWYER, station_id
    row.wrong("职务", f"“{said}”不能从表格登记；可填：{Role.SECRETARY.label}、{Role.LAWYER.label}，或留空。")
    return None, None


def _known(session: Session, indexes: Iterable[str]) -> list[tuple[str, Person]]:
    found: list[Person] = []
    for chunk in sheets.chunks(indexes):
        found += session.scalars(sa.select(Person).where(Person.phone_index.in_(chunk)).order_by(Person.id))
    return [(person.phone_index or "", person) for person in found]


def _compare_within(entries: list[_Entry]) -> None:
    first: dict[tuple[str, str, int], int] = {}
    owners: dict[str, _Entry] = {}
    for entry in entries:
        row, owner = (
            first.setdefault((*entry.key, entry.branch_id), entry.row.number),
            owners.setdefault(entry.index, entry),
        )
        if row != entry.row.number:
            entry.row.wrong("", f"与第 {row} 行重复。")
        elif owner.name != entry.name:
            entry.row.wrong("手机号", f"与第 {owner.row.number} 行相同，但姓名不同。")


def _compare_with_known(entries: list[_Entry], known: list[tuple[str, Person]]) -> None:
    names: dict[str, set[str]] = {}
    for index, person in known:
        names.setdefault(index, set()).add(person.name)
    for entry in entries:
        if entry.index in names and entry.name not in names[entry.index]:
            entry.row.wrong("手机号", "已经登记在另一个姓名下；请核对是改名、换号还是填错。")


def _affiliations(session: Session, ids: Iterable[int], on: date) -> dict[int, dict[int, Affiliation]]:
    found: dict[int, dict[int, Affiliation]] = {}
    for chunk in sheets.chunks(ids):
        rows = sa.select(Affiliation).where(Affiliation.person_id.in_(chunk), *people.holds(Affiliation, on))
        for row in session.scalars(rows):
            found.setdefault(row.person_id, {})[row.branch_id] = row
    return found


def _posts(session: Session, ids: Iterable[int], on: date) -> set[tuple[Any, ...]]:
    found: set[tuple[Any, ...]] = set()
    for chunk in sheets.chunks(ids):
        rows = sa.select(Post).where(Post.person_id.in_(chunk), *people.holds(Post, on))
        for row in session.scalars(rows):
            found |= {(row.person_id, row.role, row.branch_id, row.station_id)}
    return found


def _adds(person: Person) -> Write:
    def write(session: Session) -> None:
        session.add(person)
        session.flush()

    return write


def _joins(entry: _Entry, person_id: int | None, person: Person, *, is_main: bool) -> Write:
    def write(session: Session) -> None:
        who = person_id or person.id
        session.add(Affiliation(person_id=who, branch_id=entry.branch_id, is_main=is_main, since_on=entry.since_on))

    return write


def _rejoins(affiliation_id: int, since_on: date) -> Write:
    def write(session: Session) -> None:
        session.execute(sa.update(Affiliation).where(Affiliation.id == affiliation_id).values(since_on=since_on))

    return write


def _appoints(entry: _Entry, person_id: int | None, person: Person) -> Write:
    def write(session: Session) -> None:
        place = {"station_id": entry.station_id} if entry.station_id else {"branch_id": entry.branch_id}
        session.add(Post(person_id=person_id or person.id, role=entry.role, since_on=entry.since_on, **place))

    return write
