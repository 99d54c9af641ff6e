"""Branches and stations from a table: a known name is an update (F030, F022, F024)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa

from clock import beijing_date
from models import Branch, BranchAct, BranchChange, BranchKind, County, Station
from services.organisation import branch_history, stations
from services.organisation.branch_history import CITY
from services.scope import Scope
from services.tables.imports_kinds import OUTSIDE, Column, Ground, Keyed, Shown, text
from services.tables.sheets import Row

#: The mainland, roughly: outside of it latitude and longitude were exchanged, or a digit is missing.
LATITUDES, LONGITUDES = (18.0, 54.0), (73.0, 136.0)


#: Why a branch is what a table said.
BY_TABLE = "表格导入"


class _Placed(Keyed):
    """Rows that stand in a county, within the scope of whoever brings them in."""

    def __init__(self, ground: Ground, scope: Scope | None) -> None:
        super().__init__(ground)
        self._scope = scope
        counties = ground.ask(sa.select(County.id, County.name))
        self._counties = {name: number for number, name in counties}
        names = {number: name for name, number in self._counties.items()}
        self.shown = {**self.shown, "县（市）区": ("county_id", lambda number: names.get(number, CITY))}

    def is_outside(self, county_id: int | None) -> bool:
        return self._scope is not None and not self._scope.is_city and county_id not in self._scope.county_ids

    def county(self, row: Row, *, may_be_city: bool) -> int | None:
        known: dict[str, int | None] = {CITY: None} if may_be_city else {}
        county_id = row.one_of("县（市）区", known | self._counties)
        if not row.problems and self.is_outside(county_id):
            row.wrong("县（市）区", OUTSIDE)
        return county_id

    def allow(self, row: Row, before: sa.Row[Any]) -> None:
        if self.is_outside(before._mapping["county_id"]):
            row.wrong(self.heading, f"已有同名的，{OUTSIDE}")


class Branches(_Placed):
    model, heading, key = Branch, "支部", "name"

    def __init__(self, ground: Ground, scope: Scope | None, at: datetime) -> None:
        super().__init__(ground, scope)
        self._at = at

    shows: ClassVar[Shown] = {"类别": ("kind", lambda kind: kind.label)}
    columns = (
        Column("支部", "金水区某某律师事务所流动党支部", "全名，不能重复；同名的支部是更新"),
        Column("类别", "律师事务所流动党支部", "、".join(kind.label for kind in BranchKind)),
        Column("县（市）区", "金水区", f"全称；市里直接管的填“{CITY}”"),
    )

    def values(self, row: Row) -> dict[str, Any]:
        name = row.text("支部", 64)
        kind = row.one_of("类别", {each.label: each for each in BranchKind})
        county_id = self.county(row, may_be_city=True)
        return {"name": name, "kind": kind, "county_id": county_id}

    def allow(self, row: Row, before: sa.Row[Any]) -> None:
        super().allow(row, before)
        if before._mapping["dissolved_on"] is not None:
            row.wrong(self.heading, f"这个支部在 {before._mapping['dissolved_on']} 撤销了，请先在控制台恢复它。")

    def write(self, ready: list[Any]) -> None:
        """With an act in the life of each, so that reports of earlier days stay as they were (F034)."""
        names = [values["name"] for _fate, values in ready]
        before = self.known(names)
        super().write(ready)
        after = self.known(names)
        rows = [self._act(after[name], before.get(name)) for name in names]
        if rows:
            self.session.execute(sa.insert(BranchChange), rows)

    def _act(self, after: sa.Row[Any], before: sa.Row[Any] | None) -> dict[str, Any]:
        was = (before if before is not None else after)._mapping
        return {
            "branch_id": was["id"], "act": BranchAct.FOUNDED if before is None else BranchAct.CHANGED,
            "done_on": beijing_date(self._at), "done_at": self._at, "reason": BY_TABLE, "was_living": before is not None,
            "old_name": was["name"], "old_kind": was["kind"], "old_county_id": was["county_id"],
        }  # fmt: skip


class Stations(_Placed):
    model, heading, key = Station, "服务站", "name"
    columns = (
        Column("服务站", "金水区某某法律服务站", "全名，不能重复；同名的服务站是更新"),
        Column("县（市）区", "金水区", "全称"),
        Column("地址", "金水区某某路 1 号", "群众照着找得到的地址"),
        Column("开放时间", "周一至周五 9:00–12:00 14:00–17:30", "先写星期，再写几点到几点", is_needed=False),
        Column("电话", "0371-12345678", "可以是座机", is_needed=False),
        Column("经度", "113.6654", "十进制度数，73 到 136", is_needed=False),
        Column("纬度", "34.7579", "十进制度数，18 到 54；新的服务站经度、纬度都要填", is_needed=False),
        Column("支部", "金水区某某法律服务站流动党支部", "设在这个站的支部，全名；没有可空着", is_needed=False),
    )
    shows: ClassVar[Shown] = {
        "地址": ("address", text), "开放时间": ("hours", text), "电话": ("phone", text),
        "经度": ("longitude", text), "纬度": ("latitude", text),
    }  # fmt: skip

    def __init__(self, ground: Ground, scope: Scope | None) -> None:
        super().__init__(ground, scope)
        living = sa.select(Branch.id, Branch.name).where(branch_history.living())
        self._branches = {name: number for number, name in ground.ask(living)}
        names = {number: name for name, number in self._branches.items()}
        self.shown = {**self.shown, "支部": ("branch_id", lambda number: names.get(number, ""))}

    def values(self, row: Row) -> dict[str, Any]:
        name, address = row.text("服务站", 64), row.text("地址", 128)
        hours, phone = row.text("开放时间", 64, needed=False), row.text("电话", 32, needed=False)
        if hours and stations.week(hours) is None:
            row.wrong("开放时间", f"“{hours}”看不懂，应写成 周一至周五 9:00–12:00 14:00–17:30。")
        longitude, latitude = _degrees(row, "经度", LONGITUDES), _degrees(row, "纬度", LATITUDES)
        county_id = self.county(row, may_be_city=False)
        branch_id = row.one_of("支部", self._branches, needed=False) if self._names_branch(row) else None
        return {
            "name": name, "county_id": county_id, "address": address, "hours": hours, "phone": phone,
            "longitude": longitude, "latitude": latitude, "branch_id": branch_id,
        }  # fmt: skip

    def _names_branch(self, row: Row) -> bool:
        """Whether a branch is named that there is; all their names would be too many to list."""
        said = row.text("支部", 64, needed=False)
        if said and said not in self._branches:
            row.wrong("支部", f"没有“{said}”这个支部，请照支部的全名填写。")
        return bool(said) and not row.problems


def _degrees(row: Row, column: str, bounds: tuple[float, float]) -> float | None:
    said = row.text(column, 32)
    if not said:
        return None
    try:
        value = float(said)
    except ValueError:
        row.wrong(column, f"“{said}”不是度数，应为小数，例如 {bounds[0] + 16.5}。")
        return None
    if not bounds[0] <= value <= bounds[1]:
        row.wrong(column, f"{said} 不在 {bounds[0]:g} 到 {bounds[1]:g} 之间；经度和纬度是不是填反了？")
    return value
