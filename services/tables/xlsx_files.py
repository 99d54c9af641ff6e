"""Workbooks (.xlsx) as tables: real dates and whole numbers become text, and what a workbook hides is told.

The file is gone through once before anything is made of it: how far it unpacks, how far its cells reach, and what the
reader does not tell (hidden rows, error values, formulas without a result). A workbook of a million empty rows, or of
a kilobyte that unpacks to gigabytes, ends there.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import partial
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from errors import Misunderstood
from services.tables.sheets import Line, TableFile, letters

MAX_UNPACKED = 256 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 100
#: The reader lays a sheet out whole, empty cells too: rows and columns are bounded together.
MAX_CELLS = 2_000_000
#: What a spreadsheet keeps of a number, and so what of one can be trusted.
EXACT = 10**15
SHOWN_ROWS = 8
#: Somebody who has so many wrong cells mends them by the column.
MAX_NOTED = 2000
_PIECE = 64 * 1024
_LOCAL_HEADER = 30
_PLACE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
BROKEN = "工作簿损坏了，读不出来：请在 Excel 里打开它，另存为新的 .xlsx。"


def opened(raw: bytes, sheet: str = "") -> TableFile:
    """The sheet of this name, or the first that can be seen and is not empty. Raises Misunderstood."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            parts = {info.filename: info for info in packed.infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise Misunderstood(BROKEN) from None
    if "xl/workbook.xml" not in parts:
        raise Misunderstood("这不是 .xlsx 工作簿：请在 Excel 里另存为 .xlsx 或 CSV。")
    _bound(raw, parts)
    try:
        return _opened(raw, parts, sheet)
    except (CalamineError, ElementTree.ParseError, expat.ExpatError, zlib.error, KeyError, OSError, ValueError):
        raise Misunderstood(BROKEN) from None


def _bound(raw: bytes, parts: dict[str, zipfile.ZipInfo]) -> None:
    """Unpack everything once and keep nothing: a header may lie about how much there is."""
    left = MAX_UNPACKED
    for info in parts.values():
        for piece in _unpacked(raw, info):
            left -= len(piece)
            if left < 0:
                raise Misunderstood(
                    f"工作簿解开后超过 {MAX_UNPACKED >> 20} MB，不读：请删去图片和多余的表，或另存为 CSV。"
                )


def _unpacked(raw: bytes, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """One part of the package, piece by piece. Raises Misunderstood."""
    head = raw[info.header_offset : info.header_offset + _LOCAL_HEADER]
    if len(head) < _LOCAL_HEADER or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise Misunderstood(BROKEN)
    names = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    start = info.header_offset + _LOCAL_HEADER + names
    packed = memoryview(raw)[start : start + info.compress_size]
    if info.compress_type == zipfile.ZIP_STORED:
        yield bytes(packed)
        return
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for begin in range(0, len(packed), _PIECE):
            piece = engine.decompress(packed[begin : begin + _PIECE], _PIECE)
            yield piece
            while engine.unconsumed_tail:
                yield engine.decompress(engine.unconsumed_tail, _PIECE)
    except zlib.error:
        raise Misunderstood(BROKEN) from None


def _opened(raw: bytes, parts: dict[str, zipfile.ZipInfo], wanted: str) -> TableFile:
    book = CalamineWorkbook.from_filelike(io.BytesIO(raw))
    paths = _paths(raw, parts)
    seen = [each.name for each in book.sheets_metadata if each.visible is SheetVisibleEnum.Visible]
    seen = [name for name in seen if name in paths and paths[name] in parts]
    if wanted and wanted not in seen:
        raise Misunderstood(f"工作簿里没有“{wanted}”这张表；有：{'、'.join(seen)}。")
    for name in [wanted] if wanted else seen:
        look = _looked_through(raw, parts[paths[name]])
        if look.rows or wanted:
            remarks = [f"工作簿有 {len(seen)} 张表，读的是“{name}”。"] if len(seen) > 1 else []
            lines = partial(_lines, book.get_sheet_by_name(name), look)
            return TableFile(lines, look.rows, (*remarks, *look.remarks))
    raise Misunderstood("文件是空的。")


def _paths(raw: bytes, parts: dict[str, zipfile.ZipInfo]) -> dict[str, str]:
    """Sheet → where it lies in the package."""
    relations = _tree(raw, parts["xl/_rels/workbook.xml.rels"])
    targets = {each.get("Id"): each.get("Target", "") for each in relations}
    sheets = [each for each in _tree(raw, parts["xl/workbook.xml"]).iter() if each.tag.endswith("}sheet")]
    found = {}
    for each in sheets:
        target = targets.get(each.get(_RELATION), "")
        found[each.get("name", "")] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return found


def _tree(raw: bytes, info: zipfile.ZipInfo) -> ElementTree.Element:
    """A small part as a tree; one that brings definitions of its own is none that a spreadsheet wrote."""
    text = b"".join(_unpacked(raw, info))
    if b"<!DOCTYPE" in text:
        raise Misunderstood(BROKEN)
    return ElementTree.fromstring(text)  # noqa: S314 - without definitions nothing can be expanded


# --- what the reader does not tell ---------------------------------------------------------------------------


@dataclass(slots=True)
class _Look:
    """What going through a sheet found: the last row with a value, hidden rows, cells that hold no value of their own."""

    rows: int = 0
    hidden: int = 0
    first_hidden: list[int] = field(default_factory=list)
    wrong: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def remarks(self) -> list[str]:
        if not self.hidden:
            return []
        shown = "、".join(map(str, self.first_hidden)) + ("等" if self.hidden > len(self.first_hidden) else "")
        return [f"有 {self.hidden} 行是隐藏的（第 {shown} 行），也算在内。"]


class _Looking:
    """Handlers for the parser. Only a cell with a value counts: styles reach to the end of many a sheet."""

    def __init__(self) -> None:
        self.found = _Look()
        self._row, self._is_hidden, self._columns = 0, False, 0
        self._place, self._is_error, self._is_formula, self._has_value = (0, 0), False, False, False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "row":
                self._row = int(attributes.get("r", self._row + 1))
                self._is_hidden = attributes.get("hidden") in {"1", "true"}
                self._place = (self._row, -1)
            case "c":
                self._is_error, self._is_formula, self._has_value = attributes.get("t") == "e", False, False
                self._place = self._place_of(attributes.get("r"))
            case "f":
                self._is_formula = True
            case "v" | "is":
                self._has_value = True
            case "mergeCell":
                self._merge(attributes.get("ref", ""))

    def _place_of(self, said: str | None) -> tuple[int, int]:
        """Where a cell stands; without a place of its own, behind the one before."""
        if said is None:
            return self._row, self._place[1] + 1
        match = _PLACE.fullmatch(said)
        if match is None:
            # The reader may understand what we do not, and lay out all that lies before it.
            raise Misunderstood(BROKEN)
        return int(match[2]), _column(match[1])

    def end(self, name: str) -> None:
        if name.rpartition(":")[2] != "c" or not (self._has_value or self._is_formula):
            return
        row, column = self._place
        if row > MAX_ROWS or column >= MAX_COLUMNS:
            raise Misunderstood(
                f"{letters(column)}{row} 还有内容：最多读 {MAX_ROWS} 行、{MAX_COLUMNS} 列，请删去多余的行列，或分开导入。"
            )
        self._columns = max(self._columns, column + 1)
        if max(row, self.found.rows) * self._columns > MAX_CELLS:
            raise Misunderstood(
                f"{letters(column)}{row} 离得太远：行数乘列数最多 {MAX_CELLS}，请删去中间空着的行列。"
            )
        if row > self.found.rows:
            self.found.rows = row
            if self._is_hidden:
                self.found.hidden += 1
                if self.found.hidden <= SHOWN_ROWS:
                    self.found.first_hidden.append(row)
        if self._is_error:
            self._note((row, column), "公式出错了（如 #N/A、#REF!），请改成文字。")
        elif self._is_formula and not self._has_value:
            self._note((row, column), "公式还没有算出结果：请在 Excel 里打开、保存一次，或改成文字。")

    def _merge(self, of: str) -> None:
        """All but the first cell of a merged block are empty, whatever it looks like."""
        first, _, last = of.partition(":")
        begins, ends = _PLACE.fullmatch(first), _PLACE.fullmatch(last)
        if begins is None or ends is None:
            return
        place = int(begins[2]), _column(begins[1])
        self._note(place, f"{of} 是合并单元格，只有左上角一格有内容：请取消合并，把每一格填上。")

    def _note(self, place: tuple[int, int], says: str) -> None:
        if len(self.found.wrong) < MAX_NOTED:
            self.found.wrong[place] = says


def _column(name: str) -> int:
    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _looked_through(raw: bytes, info: zipfile.ZipInfo) -> _Look:
    looking, parser = _Looking(), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = looking.start, looking.end
    parser.StartDoctypeDeclHandler = _no_definitions
    for piece in _unpacked(raw, info):
        parser.Parse(piece, False)
    parser.Parse(b"", True)
    return looking.found


def _no_definitions(*_: Any) -> None:
    raise Misunderstood(BROKEN)


# --- the rows ------------------------------------------------------------------------------------------------


def _lines(sheet: CalamineSheet, look: _Look) -> Iterator[Line]:
    wrong: dict[int, dict[int, str]] = {}
    for (row, column), says in look.wrong.items():
        wrong.setdefault(row, {})[column] = says
    # Empty columns before the first are left out by the reader, empty rows are not.
    before = [""] * (sheet.start[1] if sheet.start else 0)
    for number, cells in enumerate(sheet.iter_rows(), 1):
        yield Line(number, [*before, *map(_text, cells)], wrong.get(number, {}))


def _text(cell: object) -> str:
    """What somebody sees in a cell, as text: a whole number without its point, a date as 2020-01-31."""
    match cell:
        case str():
            return cell
        case bool():
            return "是" if cell else "否"
        case int() | float():
            return str(int(cell)) if float(cell).is_integer() and abs(cell) < EXACT else repr(cell)
        case datetime():
            return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ", "minutes")
        case date():
            return cell.isoformat()
    return str(cell)
