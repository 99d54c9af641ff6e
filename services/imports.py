"""Tables brought in from outside: read whole, said what would change, written only without a single error (F030)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import Misunderstood
from models import (
    Affiliation,
    Branch,
    Labelled,
    Person,
    Post,
    PublicityItem,
    PublicityRow,
    Role,
    SpecialDay,
    Station,
    Vault,
)
from services import audit, people, sheets
from services.sheets import Problem, Row

CHUNK = 500
MEMBER = ("", "党员", "无")
_AMOUNT = re.compile(r"(\d{1,9})(余|多)?")
_SCIENTIFIC = re.compile(r"\d(\.\d+)?[eE]\+?\d+")


class Kind(Labelled):
    PEOPLE = "people", "人员"
    HOLIDAYS = "holidays", "节假日"
    PUBLICITY = "publicity", "宣传台账"


class Fate(Labelled):
    """What a row does to the database."""

    NEW = "new", "新增"
    CHANGED = "changed", "变更"
    UNCHANGED = "unchanged", "不变"


Write = Callable[[Session], None]


@dataclass(slots=True)
class Plan:
    """What a file would do. Nothing is written until `apply`, and never while there are problems."""

    kind: Kind
    remarks: list[str]
    problems: list[Problem] = field(default_factory=list)
    fates: Counter[Fate] = field(default_factory=Counter)
    writes: list[Write] = field(default_factory=list)

    def add(self, fate: Fate, *writes: Write) -> None:
        self.fates[fate] += 1
        self.writes += writes


COLUMNS: dict[Kind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Kind.PEOPLE: (("姓名", "手机号", "支部", "加入日期"), ("职务",)),
    Kind.HOLIDAYS: (("日期", "类别", "名称", "来源"), ()),
    Kind.PUBLICITY: (("编号", "年份", "类别", "数量", "来源"), ("日期", "单位")),
}


def plan(session: Session, vault: Vault, kind: Kind, raw: bytes, at: datetime) -> Plan:
    """Read a file and compare it with what is there. Writes nothing. Raises Misunderstood."""
    rows, remarks = sheets.read(raw, *COLUMNS[kind])
    of = Plan(kind, remarks)
    if not rows:
        raise Misunderstood("表头下面没有数据。")
    match kind:
        case Kind.PEOPLE:
            _plan_people(session, vault, rows, of, beijing_date(at))
        case Kind.HOLIDAYS:
            _plan_holidays(session, rows, of)
        case Kind.PUBLICITY:
            _plan_publicity(session, rows, of)
    of.problems = sorted((p for row in rows for p in row.problems), key=lambda p: p.row)
    return of


def apply(session: Session, of: Plan, name: str, at: datetime) -> None:
    """Write a plan without problems, in the caller's transaction. Raises Misunderstood."""
    if of.problems:
        raise Misunderstood(f"有 {len(of.problems)} 处错误，什么也没有写入。")
    for write in of.writes:
        write(session)
    counts = "，".join(f"{fate.label} {of.fates[fate]}" for fate in Fate)
    audit.note(session, at, None, f"import.{of.kind}", f"file:{name}", counts)


# --- people --------------------------------------------------------------------------------------------------


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


def _plan_people(session: Session, vault: Vault, rows: list[Row], of: Plan, today: date) -> None:
    """Whoever has this phone and name is this person; somebody in another branch gets it as a further one."""
    branches = dict(session.execute(sa.select(Branch.name, Branch.id)).tuples().all())
    stations = dict(session.execute(sa.select(Station.branch_id, Station.id)).tuples().all())
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
        of.add(Fate.NEW if person_id is None else Fate.CHANGED if writes else Fate.UNCHANGED, *writes)


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
    if _SCIENTIFIC.fullmatch(said):
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
    for chunk in _chunks(indexes):
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
    for chunk in _chunks(ids):
        rows = sa.select(Affiliation).where(Affiliation.person_id.in_(chunk), *people.holds(Affiliation, on))
        for row in session.scalars(rows):
            found.setdefault(row.person_id, {})[row.branch_id] = row
    return found


def _posts(session: Session, ids: Iterable[int], on: date) -> set[tuple[Any, ...]]:
    found: set[tuple[Any, ...]] = set()
    for chunk in _chunks(ids):
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


# --- holidays ------------------------------------------------------------------------------------------------


def _plan_holidays(session: Session, rows: list[Row], of: Plan) -> None:
    known = {row.day: row for row in session.scalars(sa.select(SpecialDay))}
    first: dict[date, int] = {}
    for row in rows:
        if row.problems:
            continue
        day, kind = row.day("日期"), row.text("类别", 16)
        name, source = row.text("名称", 32), row.text("来源", 128)
        is_working = kind in {"调休", "调休上班"}
        if kind and not is_working and kind != "放假":
            row.wrong("类别", f"“{kind}”看不懂，应为“放假”或“调休”。")
        if day is not None and is_working and day.weekday() < 5:
            row.wrong("类别", f"{day} 不是周末，本来就上班，不是调休。")
        if day is not None and first.setdefault(day, row.number) != row.number:
            row.wrong("日期", f"与第 {first[day]} 行是同一天。")
        if row.problems or day is None:
            continue
        values = {"day": day, "is_working": is_working, "name": name, "source": source}
        of.add(_fate(known.get(day), values), _merges(SpecialDay(**values)))


# --- publicity -----------------------------------------------------------------------------------------------


def _plan_publicity(session: Session, rows: list[Row], of: Plan) -> None:
    known: dict[str, PublicityRow] = {}
    for chunk in _chunks({row.cells.get("编号", "") for row in rows}):
        found = session.scalars(sa.select(PublicityRow).where(PublicityRow.key.in_(chunk)))
        known |= {row.key: row for row in found}
    first: dict[str, int] = {}
    for row in rows:
        values = None if row.problems else _publicity(row)
        if values is None:
            continue
        key = values["key"]
        if first.setdefault(key, row.number) != row.number:
            row.wrong("编号", f"与第 {first[key]} 行相同。")
            continue
        before = known.get(key)
        if before is not None:
            values["id"] = before.id
        of.add(_fate(before, values), _merges(PublicityRow(**values)))


def _publicity(row: Row) -> dict[str, Any] | None:
    key, source = row.text("编号", 64), row.text("来源", 128)
    year, day = row.text("年份", 8), row.day("日期", needed=False)
    if year and not re.fullmatch(r"(19|20)\d\d", year):
        row.wrong("年份", f"“{year}”应为四位年份，例如 2017。")
    if day is not None and year and str(day.year) != year:
        row.wrong("日期", f"{day} 不在 {year} 年。")
    item = _item(row)
    amount = _amount(row)
    if row.problems or item is None or amount is None:
        return None
    number, is_at_least = amount
    return {
        "key": key, "year": int(year), "held_on": day, "item": item, "amount": number,
        "is_at_least": is_at_least, "source": source,
    }  # fmt: skip


def _item(row: Row) -> PublicityItem | None:
    said = row.text("类别", 32)
    item = next((each for each in PublicityItem if each.label == said), None)
    if said and item is None:
        row.wrong("类别", f"没有“{said}”这一类；可填：{'、'.join(each.label for each in PublicityItem)}。")
    unit = row.cells.get("单位", "").replace("（", "(").replace("）", ")")
    if item is not None and unit and unit != item.unit.label:
        row.wrong("单位", f"{item.label}的单位是“{item.unit.label}”，不是“{unit}”；不同的单位不能混在一起。")
    return item


def _amount(row: Row) -> tuple[int, bool] | None:
    said = unicodedata.normalize("NFKC", row.text("数量", 32)).replace(",", "").replace(" ", "")
    if not said:
        return None
    match = _AMOUNT.fullmatch(said)
    if match is not None:
        return int(match[1]), match[2] is not None
    if _SCIENTIFIC.fullmatch(said):
        row.wrong("数量", f"“{said}”是科学计数法，请写出完整的数字。")
    else:
        row.wrong("数量", f"“{said}”应为整数，例如 63130；约数写成 600余。")
    return None


# --- what all kinds share ------------------------------------------------------------------------------------


def _fate(before: Any, values: dict[str, Any]) -> Fate:
    if before is None:
        return Fate.NEW
    return Fate.UNCHANGED if all(getattr(before, name) == value for name, value in values.items()) else Fate.CHANGED


def _merges(row: SpecialDay | PublicityRow) -> Write:
    def write(session: Session) -> None:
        session.merge(row)

    return write


def _chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(values)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
