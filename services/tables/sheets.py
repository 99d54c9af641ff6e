"""A table as people fill it in: its headings, its rows, and what is wrong with which cell, in words (pitfall 25)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import TypeVar

from errors import Misunderstood

#: A spreadsheet runs a cell that begins so; see `guarded`.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: A line that begins so belongs to nobody: who exported the file, or an example.
MARK = "#"
#: What is kept from being read as something else by the sign before it, that sign itself among it.
_GUARDED = (*FORMULA, MARK, "'")
T = TypeVar("T")

CHUNK = 500
#: A title and some words may stand above the headings.
HEADING_WITHIN = 10
SCIENTIFIC = re.compile(r"\d(\.\d+)?[eE]\+?\d+")
_DATE = re.compile(r"(\d{4})(?:-|/|\.|年)(\d{1,2})(?:-|/|\.|月)(\d{1,2})日?")
#: What takes no room on a screen and comes along when words are copied.
_UNSEEN = re.compile("[\u200b-\u200f\u2060\ufeff]")
_TABBED = re.compile(r"[0-9]+\t+")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one cell; rows are counted as a spreadsheet does. Without a place it is the whole row."""

    row: int
    column: str
    says: str
    place: str = ""

    def __str__(self) -> str:
        where = self.place or f"第 {self.row} 行"
        return f"{where}{f'“{self.column}”' if self.column else ''}：{self.says}"


@dataclass(slots=True)
class Row:
    """One row by its headings. Reading a cell that is wrong notes a problem and gives None."""

    number: int
    cells: Mapping[str, str]
    #: Heading → column, counted from 0.
    places: Mapping[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, column: str, says: str) -> None:
        place = f"{letters(self.places[column])}{self.number}" if column in self.places else ""
        self.problems.append(Problem(self.number, column, says, place))

    def text(self, column: str, longest: int, *, needed: bool = True) -> str:
        value = _UNSEEN.sub("", self.cells.get(column, "")).strip()
        if needed and not value:
            self.wrong(column, "是空的。")
        if len(value) > longest:
            self.wrong(column, f"太长：最多 {longest} 个字，现在 {len(value)} 个。")
        if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in value):
            self.wrong(column, "里面有换行或看不见的控制字符，请删去。")
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

    def one_of(self, column: str, words: Mapping[str, T], *, needed: bool = True) -> T | None:
        """What one of these words stands for."""
        said = self.text(column, 64, needed=needed)
        if said and said not in words:
            self.wrong(column, f"没有“{said}”；可填：{'、'.join(words)}。")
        return words.get(said)


@dataclass(frozen=True, slots=True)
class Line:
    """What stands in one line of a file, and what the file itself says is wrong with a cell (its column from 0)."""

    number: int
    cells: Sequence[str]
    wrong: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file that was opened: its lines can be read again and again, and are kept nowhere meanwhile."""

    lines: Callable[[], Iterator[Line]]
    #: About how many there are, for showing how far one is.
    about: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A table by its headings, row by row."""

    file: TableFile
    heading: int
    places: Mapping[str, int]
    remarks: tuple[str, ...]

    def rows(self) -> Iterator[Row]:
        """Every row that is one: without lines of nobody, without the blank end. Blank lines between are a problem."""
        blank: list[int] = []
        for line in self.file.lines():
            if line.number <= self.heading or _is_mark(line.cells):
                continue
            if not any(cell.strip() for cell in line.cells) and not line.wrong:
                blank = [blank[0] if blank else line.number, line.number]
                continue
            if blank:
                yield _blank(*blank)
                blank = []
            yield self._row(line)

    def _row(self, line: Line) -> Row:
        cells = {
            name: plain(line.cells[place]) if place < len(line.cells) else "" for name, place in self.places.items()
        }
        row = Row(line.number, cells, self.places)
        names = {place: name for name, place in self.places.items()}
        for place, says in line.wrong.items():
            if place in names:
                row.wrong(names[place], says)
        width = max(self.places.values()) + 1
        if len(line.cells) > width and any(cell.strip() for cell in line.cells[width:]):
            row.wrong("", f"有 {len(line.cells)} 格，比表头的 {width} 格多。")
        return row


def read(file: TableFile, columns: Sequence[str], optional: Sequence[str] = ()) -> Reading:
    """Find the headings. Raises Misunderstood for a file that is no such table."""
    number, heading = _heading(file, columns)
    if not heading:
        raise Misunderstood("文件是空的。")
    missing = [column for column in columns if column not in heading]
    if missing:
        raise Misunderstood(f"表头缺少：{'、'.join(missing)}。第一行应是：{'、'.join([*columns, *optional])}。")
    twice = sorted({name for name in heading if name and heading.count(name) > 1})
    if twice:
        raise Misunderstood(f"表头重复：{'、'.join(twice)}。")
    unused = [name for name in heading if name and name not in {*columns, *optional}]
    said = (f"多出的列没有用到：{'、'.join(unused)}。",) if unused else ()
    places = {name: place for place, name in enumerate(heading) if name}
    return Reading(file, number, places, (*file.remarks, *said))


def _heading(file: TableFile, columns: Sequence[str]) -> tuple[int, list[str]]:
    """The line with all the headings, or the first with any words, with its number."""
    first: tuple[int, list[str]] = (0, [])
    for line in islice(file.lines(), HEADING_WITHIN):
        names = [" ".join(plain(cell).split()) for cell in line.cells]
        while names and not names[-1]:
            names.pop()
        if set(columns) <= set(names):
            return line.number, names
        if names and not first[0]:
            first = line.number, names
    return first


def _blank(start: int, end: int) -> Row:
    row = Row(start, {})
    row.wrong("", "是空行，请删去。" if start == end else f"到第 {end} 行都是空行，请删去。")
    return row


def _is_mark(cells: Sequence[str]) -> bool:
    """The line that says who exported a file, or an example that nobody means."""
    return bool(cells) and cells[0].startswith(MARK)


def letters(column: int) -> str:
    """What a spreadsheet calls a column, counted from 0: A … Z, AA …"""
    name, rest = "", column + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """So many at a time as one statement takes."""
    rest = iter(values)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


# --- cells that no spreadsheet runs or rewrites, and back --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows; the columns named in `as_text` hold digits that are no number."""

    columns: tuple[str, ...]
    rows: Iterable[Sequence[object]]
    as_text: frozenset[str] = frozenset()


def guarded(cell: str, *, as_text: bool = False) -> str:
    """A cell as a file takes it: nothing in it is run, and eleven digits stay eleven digits.

    `plain` gives exactly the text again. The tab behind digits keeps a spreadsheet from turning them into 1.99E+10.
    """
    if _TABBED.fullmatch(cell) or (as_text and cell.isascii() and cell.isdigit()):
        return f"{cell}\t"
    return f"'{cell}" if cell.startswith(_GUARDED) else cell


def plain(cell: str) -> str:
    """A cell without what only guards it."""
    if _TABBED.fullmatch(cell):
        return cell[:-1]
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_GUARDED) else cell
