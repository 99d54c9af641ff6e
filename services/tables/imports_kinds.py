"""What every kind of table that is brought in has in common: its columns, what a row changes, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Labelled
from models.base import Base
from services.tables.sheets import Row

Shown = Mapping[str, tuple[str, Callable[[Any], str]]]
OUTSIDE = "不在您的管理范围内。"


class Fate(Labelled):
    """What a row does to the database."""

    NEW = "new", "新增"
    CHANGED = "changed", "变更"
    UNCHANGED = "unchanged", "不变"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, an example, and how it is filled in."""

    name: str
    example: str
    note: str
    is_needed: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """What one row does: what it is about, and column, before, after of what differs."""

    row: int
    title: str
    fate: Fate
    differences: tuple[tuple[str, str, str], ...]
    #: For whoever writes it.
    values: Any


class Importer(Protocol):
    """Compares rows with what is there, and writes them; made anew for each going through of a file.

    `compare` notes problems in the rows and leaves those out. It sees a file from top to bottom, some rows at a time,
    and says the same whether the rows before were written or only compared.
    """

    def compare(self, rows: list[Row]) -> list[Change]: ...

    def write(self, changes: list[Change]) -> None: ...


class Keyed:
    """A table whose rows are found by one column: known there, a row is an update, else new."""

    model: ClassVar[type[Base]]
    #: The column by which a row is found: its heading, and its name in the table.
    heading: ClassVar[str]
    key: ClassVar[str]
    #: Heading → column of the table and how a value is shown; the key is not among them.
    shows: ClassVar[Shown]
    #: What is said of a key that was there above.
    twice: ClassVar[str] = "与第 {} 行相同。"

    def __init__(self, session: Session) -> None:
        self.session = session
        self.shown: Shown = self.shows
        self._first: dict[Any, int] = {}

    def values(self, row: Row) -> dict[str, Any]:
        """What a row would write, the key among it; of no use once something wrong is noted, but for the key."""
        raise NotImplementedError

    def allow(self, row: Row, before: sa.Row[Any]) -> None:
        """Note a problem where what is there may not be changed."""

    def compare(self, rows: list[Row]) -> list[Change]:
        read = [(row, self.values(row)) for row in rows if not row.problems]
        known = self._known(values[self.key] for row, values in read if not row.problems)
        found = []
        for row, values in read:
            first = self._first.setdefault(values[self.key], row.number) if values[self.key] else row.number
            if first != row.number:
                row.wrong(self.heading, self.twice.format(first))
            if row.problems:
                continue
            before = known.get(values[self.key])
            if before is not None:
                self.allow(row, before)
            if not row.problems:
                found.append(self._change(row, before, values))
        return found

    def _known(self, keys: Iterable[Any]) -> dict[Any, sa.Row[Any]]:
        table = self.model.__table__
        rows = self.session.execute(sa.select(table).where(table.c[self.key].in_(list(keys))))
        return {row._mapping[self.key]: row for row in rows}

    def _change(self, row: Row, before: sa.Row[Any] | None, values: dict[str, Any]) -> Change:
        was = before._mapping if before is not None else {}
        differences = tuple(
            (heading, show(was[name]) if was else "", show(values[name]))
            for heading, (name, show) in self.shown.items()
            if not was or was[name] != values[name]
        )
        if not was:
            fate = Fate.NEW
        else:
            fate = Fate.CHANGED if differences else Fate.UNCHANGED
            values = {name.name: was[name.name] for name in self.model.__table__.primary_key} | values
        return Change(row.number, str(values[self.key]), fate, differences, values)

    def write(self, changes: list[Change]) -> None:
        new = [change.values for change in changes if change.fate is Fate.NEW]
        changed = [change.values for change in changes if change.fate is Fate.CHANGED]
        if new:
            self.session.execute(sa.insert(self.model), new)
        if changed:
            self.session.execute(sa.update(self.model), changed)


def text(value: object) -> str:
    """A value as a preview shows it."""
    return "" if value is None else str(value)
