"""How the cells of somebody in a table are read: a number that a spreadsheet ruined is told from one that was typed."""

from __future__ import annotations

import re
import unicodedata

from errors import Misunderstood
from models import Role
from services.membership import people
from services.tables.sheets import SCIENTIFIC, Row

MEMBER = ("", "党员", "无")
ROLES = {Role.SECRETARY.label: Role.SECRETARY, Role.LAWYER.label: Role.LAWYER}


def phone(row: Row) -> str:
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


def role(row: Row, station_id: int | None) -> tuple[Role | None, int | None]:
    said = row.text("职务", 32, needed=False)
    if said in MEMBER:
        return None, None
    found = ROLES.get(said)
    if found is None:
        row.wrong("职务", f"“{said}”不能从表格登记；可填：{'、'.join(ROLES)}，或留空。")
    if found is not Role.LAWYER:
        return found, None
    if station_id is None:
        row.wrong("职务", "这个支部没有服务站，不能登记值班律师。")
    return found, station_id
