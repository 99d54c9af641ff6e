"""Tables as plain text: CSV in UTF-8 or GBK, read line by line and written line by line."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from errors import Misunderstood
from services.tables.sheets import MARK, Line, Table, TableFile, guarded

ENCODINGS = ("utf-8-sig", "gb18030")
#: Of what the first line has most, that separates.
SEPARATORS = ",\t;"
_PIECE = 64 * 1024
SAVE_AS = "请在 Excel 里“另存为”，类型选“CSV UTF-8（逗号分隔）”。"


def opened(raw: bytes) -> TableFile:
    """A table in plain text. Raises Misunderstood for anything else."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Misunderstood(f"文件是 UTF-16 编码，{SAVE_AS}")
    if raw.lstrip()[:1] == b"<":
        raise Misunderstood("这是网页（或 XML），不是表格：请在 Excel 里打开它，另存为 .xlsx。")
    if b"\0" in raw:
        raise Misunderstood("这不是表格文件：请上传 .xlsx 工作簿或 CSV。")
    encoding = next((each for each in ENCODINGS if _is_in(raw, each)), None)
    if encoding is None:
        raise Misunderstood(f"文件既不是 UTF-8 也不是 GBK 编码，{SAVE_AS}")
    return TableFile(lambda: _lines(raw, encoding), raw.count(b"\n"))


def _is_in(raw: bytes, encoding: str) -> bool:
    """Whether all of it can be read so; never more than a piece is decoded at a time."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(raw), _PIECE):
            decoder.decode(raw[start : start + _PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _lines(raw: bytes, encoding: str) -> Iterator[Line]:
    text = io.TextIOWrapper(io.BytesIO(raw), encoding, newline="")
    first = text.readline()
    text.seek(0)
    separator = max(SEPARATORS, key=first.count)
    try:
        for number, cells in enumerate(csv.reader(text, delimiter=separator, strict=True), 1):
            yield Line(number, cells)
    except csv.Error as error:
        where = "引号没有配对" if "unexpected end" in str(error) else str(error)
        raise Misunderstood(f"文件不是合格的 CSV：{where}。请在 Excel 里重新另存为 CSV。") from None


def write(table: Table, mark: str) -> tuple[bytes, int]:
    """A small file in memory, and its rows; see `write_to`."""
    out = io.BytesIO()
    count = write_to(out, table, mark)
    return out.getvalue(), count


def write_to(out: BinaryIO, table: Table, mark: str) -> int:
    """Write a file that every spreadsheet opens rightly, with a last line that says whose it is; returns its rows."""
    text = io.TextIOWrapper(out, "utf-8-sig", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(map(guarded, table.columns))
    as_text = [column in table.as_text for column in table.columns]
    count = 0
    for row in table.rows:
        cells = ("" if value is None else str(value) for value in row)
        writer.writerow([guarded(cell, as_text=of) for cell, of in zip(cells, as_text, strict=True)])
        count += 1
    writer.writerow([f"{MARK} {mark}；共 {count} 行"])
    # Written through, and left open: it is its owner's.
    text.detach()
    return count
