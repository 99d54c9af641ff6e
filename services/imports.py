"""Tables brought in from outside: read whole, said what would change, written only without a single error (F030)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import Misunderstood
from models import Labelled, PublicityItem, PublicityRow, SpecialDay, Vault
from services import audit, imports_people, sheets
from services.imports_people import Fate, Write
from services.sheets import Problem, Row

_AMOUNT = re.compile(r"(\d{1,9})(余|多)?")


class Kind(Labelled):
    PEOPLE = "people", "人员"
    HOLIDAYS = "holidays", "节假日"
    PUBLICITY = "publicity", "宣传台账"


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
        if fate is not Fate.UNCHANGED:
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
            for fate, writes in imports_people.changes(session, vault, rows, beijing_date(at)):
                of.add(fate, *writes)
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
    for chunk in sheets.chunks({row.cells.get("编号", "") for row in rows}):
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
    if sheets.SCIENTIFIC.fullmatch(said):
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
