"""Writes workbooks that people print and sort: text stays text, nothing in a cell is run, every page says whose it is.

Rows are written as they come and kept nowhere, so that 63,130 of them need no more memory than ten (pitfall 25).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import BinaryIO

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from services.tables import sheets

#: What WeChat's and everybody's spreadsheet shows at the foot of a page, at most.
LONGEST_FOOTER = 200
#: A cell holds no more; the library would leave a longer one out.
LONGEST_CELL = 32_767


class Look(Enum):
    """How a row stands on its sheet."""

    PLAIN = auto()
    HEADING = auto()
    #: A heading that begins a page of its own when printed.
    NEW_PAGE = auto()
    #: Our own words to whoever fills a form in; nobody reads them back.
    EXAMPLE = auto()


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
    #: Somebody is to fill it in: whatever is typed into its columns stays text.
    is_form: bool = False


def table(title: str, columns: Sequence[str], widths: tuple[int, ...], rows: Iterable[Sequence[object]]) -> Sheet:
    """A sheet with one heading and plain rows below it."""

    def every() -> Iterable[Row]:
        yield Row(columns, Look.HEADING)
        for cells in rows:
            yield Row(cells)

    return Sheet(title, widths, every())


def write(pages: Iterable[Sheet], mark: str) -> bytes:
    """A small workbook as a file in memory; see `write_to`."""
    out = io.BytesIO()
    write_to(out, pages, mark)
    return out.getvalue()


def write_to(out: BinaryIO, pages: Iterable[Sheet], mark: str, who: str = "") -> int:
    """Write the workbook; `mark` says who made it when and for what, under each table, on each page and in the file's
    properties. Returns the number of plain rows."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    count = 0
    with xlsxwriter.Workbook(out, options) as book:
        looks = _looks(book)
        for page in pages:
            count += _fill(book.add_worksheet(page.title), page, mark, looks)
        book.set_properties({"title": mark[:LONGEST_FOOTER], "author": who, "comments": f"{mark}；共 {count} 行"})
    return count


def _looks(book: xlsxwriter.Workbook) -> dict[Look, Format]:
    plain = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top", "border": 1})
    head = book.add_format({"num_format": "@", "bold": True, "bg_color": "#EEEEEE", "border": 1})
    example = book.add_format({"num_format": "@", "italic": True, "font_color": "#666666", "border": 1})
    return {Look.PLAIN: plain, Look.HEADING: head, Look.NEW_PAGE: head, Look.EXAMPLE: example}


def _fill(sheet: Worksheet, page: Sheet, mark: str, looks: dict[Look, Format]) -> int:
    for column, width in enumerate(page.widths):
        # Of the column as well: what somebody types below the last row stays text too.
        sheet.set_column(column, column, width, looks[Look.PLAIN] if page.is_form else None)
    sheet.set_paper(9)  # A4
    if page.has_head:
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
    breaks, number, count = [], 0, 0
    for row in page.rows:
        if row.look is Look.NEW_PAGE and number:
            breaks.append(number)
        for column, cell in enumerate(row.cells):
            if row.look is Look.EXAMPLE:
                sheet.write_string(number, column, str(cell), looks[row.look])
            else:
                _put(sheet, number, column, cell, looks[row.look])
        number += 1
        count += row.look is Look.PLAIN
    sheet.set_h_pagebreaks(breaks)
    if mark:
        said = f"{mark}；共 {count} 行"
        sheet.set_footer("&L" + said[-LONGEST_FOOTER:].replace("&", "&&") + "&R&P/&N")
        sheet.write_string(number, 0, f"{sheets.MARK} {said}")
    return count


def _put(sheet: Worksheet, row: int, column: int, cell: object, form: Format) -> None:
    if isinstance(cell, int) and not isinstance(cell, bool):
        sheet.write_number(row, column, cell)
    else:
        text = sheets.guarded("" if cell is None else str(cell))
        sheet.write_string(row, column, text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…", form)
