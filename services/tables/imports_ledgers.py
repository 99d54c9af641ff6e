"""Holidays and the publicity ledger from a table: a known day or number is an update (F030, F125)."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, ClassVar

from models import PublicityItem, PublicityRow, SpecialDay
from services.tables.imports_kinds import Column, Keyed, Shown, text
from services.tables.sheets import SCIENTIFIC, Row

_AMOUNT = re.compile(r"([0-9]{1,9})(余|多)?")


class Holidays(Keyed):
    model, heading, key, twice = SpecialDay, "日期", "day", "与第 {} 行是同一天。"
    shows: ClassVar[Shown] = {
        "类别": ("is_working", lambda is_working: "调休" if is_working else "放假"),
        "名称": ("name", text), "来源": ("source", text),
    }  # fmt: skip
    columns = (
        Column("日期", "2027-01-01", "每天一行"),
        Column("类别", "放假", "放假，或调休（周末上班）"),
        Column("名称", "元旦", "节日的名称"),
        Column("来源", "国务院办公厅通知", "文件名或文号"),
    )

    def values(self, row: Row) -> dict[str, Any]:
        day, kind = row.day("日期"), row.text("类别", 16)
        name, source = row.text("名称", 32), row.text("来源", 128)
        is_working = kind in {"调休", "调休上班"}
        if kind and not is_working and kind != "放假":
            row.wrong("类别", f"“{kind}”看不懂，应为“放假”或“调休”。")
        if day is not None and is_working and day.weekday() < 5:
            row.wrong("类别", f"{day} 不是周末，本来就上班，不是调休。")
        return {"day": day, "is_working": is_working, "name": name, "source": source}


class Publicity(Keyed):
    model, heading, key = PublicityRow, "编号", "key"
    shows: ClassVar[Shown] = {
        "年份": ("year", text), "日期": ("held_on", text), "类别": ("item", lambda item: item.label),
        "数量": ("amount", text), "约数": ("is_at_least", lambda is_so: "余" if is_so else ""), "来源": ("source", text),
    }  # fmt: skip
    columns = (
        Column("编号", "2017-L22-01", "您这里的编号，不能重复；同号的是更新"),
        Column("年份", "2017", "四位数字"),
        Column("类别", "法治宣传活动", "、".join(item.label for item in PublicityItem)),
        Column("数量", "600余", "整数；约数写成 600余"),
        Column("来源", "工作报告 L22", "从哪里来的数"),
        Column("日期", "", "知道哪一天就填", is_needed=False),
        Column("单位", "场", "类别决定单位，填了会核对", is_needed=False),
    )

    def values(self, row: Row) -> dict[str, Any]:
        key, source = row.text("编号", 64), row.text("来源", 128)
        year, day = row.text("年份", 8), row.day("日期", needed=False)
        if year and not re.fullmatch(r"(19|20)[0-9]{2}", year):
            row.wrong("年份", f"“{year}”应为四位年份，例如 2017。")
        if day is not None and year and str(day.year) != year:
            row.wrong("日期", f"{day} 不在 {year} 年。")
        item, (number, is_at_least) = _item(row), _amount(row)
        return {
            "key": key, "year": 0 if row.problems else int(year), "held_on": day, "item": item, "amount": number,
            "is_at_least": is_at_least, "source": source,
        }  # fmt: skip


def _item(row: Row) -> PublicityItem | None:
    said = row.text("类别", 32)
    item = next((each for each in PublicityItem if each.label == said), None)
    if said and item is None:
        row.wrong("类别", f"没有“{said}”这一类；可填：{'、'.join(each.label for each in PublicityItem)}。")
    unit = row.text("单位", 16, needed=False).replace("（", "(").replace("）", ")")
    if item is not None and unit and unit != item.unit.label:
        row.wrong("单位", f"{item.label}的单位是“{item.unit.label}”，不是“{unit}”；不同的单位不能混在一起。")
    return item


def _amount(row: Row) -> tuple[int, bool]:
    said = unicodedata.normalize("NFKC", row.text("数量", 32)).replace(",", "").replace(" ", "")
    if not said:
        return 0, False
    match = _AMOUNT.fullmatch(said)
    if match is not None:
        return int(match[1]), match[2] is not None
    if SCIENTIFIC.fullmatch(said):
        row.wrong("数量", f"“{said}”是科学计数法，请写出完整的数字。")
    else:
        row.wrong("数量", f"“{said}”应为整数，例如 63130；约数写成 600余。")
    return 0, False
