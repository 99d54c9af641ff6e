"""Reads and writes the tables that people open in a spreadsheet, without its ruining numbers (pitfall 25)."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import TypeVar

from errors import Misunderstood

#: A spreadsheet runs a cell that begins so; see `safe`.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
MARK = "#"
MAX_BYTES = 32 * 1024 * 1024
T = TypeVar("T")

CHUNK = 500
SCIENTIFIC = re.compile(r"\d(\.\d+)?[eE]\+?\d+")
_DATE = re.compile(r"(\d{4})(?:-|/|\.|年)(\d{1,2})(?:-|/|\.|月)(\d{1,2})日?")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one cell; rows are counted as a spreadsheet does, the headings being row 1."""

    row: int
    column: str
    says: str

    def __str__(self) -> str:
        return f"第 {self.row} 行{f'“{self.column}”' if self.column else ''}：{self.says}"


@dataclass(slots=True)
class Row:
    """One row by its headings. Reading a cell that is wrong notes a problem and gives None."""

    number: int
    cells: dict[str, str]
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, column: str, says: str) -> None:
        self.problems.append(Problem(self.number, column, says))

    def text(self, column: str, longest: int, *, needed: bool = True) -> str:
        value = self.cells.get(column, "")
        if needed and not value:
            self.wrong(column, "是空的。")
        if len(value) > longest:
            self.wrong(column, f"太长：最多 {longest} 个字，现在 {len(value)} 个。")
        return value

    def day(self, column: str, *, needed: bool = True) -> date | None:
        value = unicodedata.normalize("NFKC", self.text(column, 32, needed=needed))
        if not value:
            return None
        match = _DATE.fullmatch(value)
        if match is None:
            hint = "像是表格的日期序号，请把这一列设为文本，" if re.fullmatch(r"\d{5}(\.0)?", value) else ""
            self.wrong(column, f"“{value}”不是日期，{hint}应写成 2020-01-31。")
            return None
        try:
            return date(*map(int, match.groups()))
        except ValueError:
            self.wrong(column, f"“{value}”没有这一天。")
            return None


def read(raw: bytes, columns: Sequence[str], optional: Sequence[str] = ()) -> tuple[list[Row], list[str]]:
    """The rows of a CSV file and remarks about it. Raises Misunderstood for a file that is no such table."""
    records = _records(_text(raw))
    heading = next((record for record in records if any(record)), None)
    if heading is None:
        raise Misunderstood("文件是空的。")
    missing = [column for column in columns if column not in heading]
    if missing:
        raise Misunderstood(f"表头缺少：{'、'.join(missing)}。第一行应是：{'、'.join([*columns, *optional])}。")
    twice = sorted({name for name in heading if name and heading.count(name) > 1})
    if twice:
        raise Misunderstood(f"表头重复：{'、'.join(twice)}。")
    unused = [name for name in heading if name and name not in {*columns, *optional}]
    remarks = [f"多出的列没有用到：{'、'.join(unused)}。"] if unused else []
    body = records[records.index(heading) + 1 :]
    while body and not any(body[-1]):
        body.pop()
    start = records.index(heading) + 2
    return [
        _row(number, heading, record) for number, record in enumerate(body, start) if not _is_mark(record)
    ], remarks


def _row(number: int, heading: list[str], record: list[str]) -> Row:
    row = Row(number, dict(zip(heading, record, strict=False)))
    if not any(record):
        row.wrong("", "是空行，请删去。")
    elif len(record) > len(heading) and any(record[len(heading) :]):
        row.wrong("", f"有 {len(record)} 格，比表头的 {len(heading)} 格多。")
    return row


def _is_mark(record: list[str]) -> bool:
    """The line that says who exported a file."""
    return record[:1] != [] and record[0].startswith(MARK)


def _text(raw: bytes) -> str:
    if raw.startswith(b"PK\x03\x04") or raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise Misunderstood("这是 Excel 工作簿，现在只读 CSV：请在 Excel 里“另存为”，类型选“CSV UTF-8（逗号分隔）”。")
    if len(raw) > MAX_BYTES:
        raise Misunderstood(f"文件超过 {MAX_BYTES // 1024 // 1024} MB，请分开导入。")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Misunderstood("文件是 UTF-16 编码，请另存为“CSV UTF-8（逗号分隔）”。")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Misunderstood("文件既不是 UTF-8 也不是 GBK 编码，请另存为“CSV UTF-8（逗号分隔）”。")


def _records(text: str) -> list[list[str]]:
    try:
        return [
            [_clean(cell) for cell in record] for record in csv.reader(io.StringIO(text, newline=""), strict=True)
        ]
    except csv.Error as error:
        raise Misunderstood(f"文件不是合格的 CSV：{error}。请在 Excel 里重新另存为 CSV。") from None


def _clean(cell: str) -> str:
    """Without what only keeps a spreadsheet from reading a cell as a number or a formula."""
    stripped = cell.strip()
    return stripped[1:] if stripped.startswith("'") and stripped[1:].startswith((*FORMULA, MARK)) else stripped


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """So many at a time as one statement takes."""
    rest = iter(values)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


# --- writing -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows; the columns named in `as_text` hold digits that are no number."""

    columns: tuple[str, ...]
    rows: Iterable[Sequence[object]]
    as_text: frozenset[str] = frozenset()


def write(table: Table, mark: str) -> tuple[bytes, int]:
    """A CSV file that every spreadsheet opens rightly, with a last line that says whose it is; and its rows."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(table.columns)
    count = 0
    for row in table.rows:
        writer.writerow(_cells(table, row))
        count += 1
    writer.writerow([f"{MARK} {mark}共 {count} 行"])
    return out.getvalue().encode("utf-8-sig"), count


def _cells(table: Table, row: Sequence[object]) -> Iterator[str]:
    for column, value in zip(table.columns, row, strict=True):
        shown = "" if value is None else str(value)
        # The tab behind keeps a spreadsheet from turning eleven digits into 1.99E+10.
        yield f"{shown}\t" if column in table.as_text and shown.isdigit() else safe(shown)


def safe(cell: str) -> str:
    """A cell that no spreadsheet runs (pitfall 25)."""
    return f"'{cell}" if cell.startswith((*FORMULA, MARK)) else cell
