"""Opens a table that somebody has sent: what it is, its bytes say and not its name (pitfall 25)."""

from __future__ import annotations

from errors import Misunderstood
from services.tables import csv_files, xlsx_files
from services.tables.sheets import TableFile

MAX_BYTES = 32 * 1024 * 1024
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
#: The stream in which a workbook with a password lies, as its directory spells it.
_LOCKED = "EncryptedPackage".encode("utf-16-le")


def opened(raw: bytes, sheet: str = "") -> TableFile:
    """A table, ready to be read; nothing but its lines is kept. Raises Misunderstood, in one sentence."""
    refuse(raw)
    if raw.startswith(_ZIP):
        return xlsx_files.opened(raw, sheet)
    if sheet:
        raise Misunderstood(f"CSV 文件里只有一张表，没有“{sheet}”；请不要写表名，或换成工作簿。")
    return csv_files.opened(raw)


def refuse(raw: bytes) -> None:
    """Raises Misunderstood for what its first bytes show to be no table of ours, before anybody reads on."""
    if not raw:
        raise Misunderstood("文件是空的。")
    if len(raw) > MAX_BYTES:
        raise Misunderstood(f"文件超过 {MAX_BYTES >> 20} MB，请分开导入。")
    if raw.startswith(_OLE) and _LOCKED in raw:
        raise Misunderstood("工作簿有打开密码，读不了：请在 Excel 里去掉密码，再存一次。")
    if raw.startswith(_OLE):
        raise Misunderstood("这是旧格式的 .xls 工作簿：请在 Excel 里“另存为”，类型选“Excel 工作簿（.xlsx）”。")
