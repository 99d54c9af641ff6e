"""Writes workbooks that people print and sort: text stays text, nothing in a cell is run, every page says whose it is.

Rows are written as they come and kept nowhere, so that 63,130 of them need no more memory than ten (pitfall 25).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from services import sheets

#: What WeChat's and everybody's spreadsheet shows at the foot of a page, at most.
LONGEST_FOOTER = 200


class Look(Enum):
    """How a row stands on its sheet."""

    PLAIN = auto()
    HEADING = auto()
    #: A heading that begins a page of its own when printed.
    NEW_PAGE = auto()


@dataclass(frozen=True, slots=True)
class Row:
    cells: Sequence[object]
    look: Look = Look.PLAIN


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: its name, how wide its columns are (in characters), and its rows from top to bottom."""

    title: str
    widths: tuple[int, ...]
    rows: Iterable[Row]
    #: The first row stays in sight and stands on each printed page.
    has_head: bool = True


def table(title: str, columns: Sequence[str], widths: tuple[int, ...], rows: Iterable[Sequence[object]]) -> Sheet:
    """A sheet with one heading and plain rows below it."""

    def every() -> Iterable[Row]:
        yield Row(columns, Look.HEADING)
        for cells in rows:
            yield Row(cells)

    return Sheet(title, widths, every())


def write(pages: Iterable[Sheet], mark: str) -> bytes:
    """The workbook as a file; `mark` says who made it when and for what, under each table and on each page."""
    out = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        plain = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top", "border": 1})
        head = book.add_format({"num_format": "@", "bold": True, "bg_color": "#EEEEEE", "border": 1})
        for page in pages:
            _fill(book.add_worksheet(page.title), page, mark, plain, head)
    return out.getvalue()


def _fill(sheet: Worksheet, page: Sheet, mark: str, plain: Format, head: Format) -> None:
    for column, width in enumerate(page.widths):
        sheet.set_column(column, column, width)
    sheet.set_paper(9)  # A4
    sheet.set_footer("&L" + mark[:LONGEST_FOOTER].replace("&", "&&") + "&R&P/&N")
    if page.has_head:
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
    breaks, number = [], 0
    for row in page.rows:
        if row.look is Look.NEW_PAGE and number:
            breaks.append(number)
        for column, cell in enumerate(row.cells):
            _put(sheet, number, column, cell, plain if row.look is Look.PLAIN else head)
        number += 1
    sheet.set_h_pagebreaks(breaks)
    sheet.write_string(number, 0, sheets.MARK + " " + mark)


def _put(sheet: Worksheet, row: int, column: int, cell: object, form: Format) -> None:
    if isinstance(cell, int):
        sheet.write_number(row, column, cell)
    else:
        sheet.write_string(row, column, sheets.safe("" if cell is None else str(cell)), form)
