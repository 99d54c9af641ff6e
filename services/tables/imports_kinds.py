"""What every kind of table that is brought in has in common: its columns, what a row changes, and how it is written."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVarTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Labelled
from models.base import Base, vault_of
from services.tables.sheets import Row

Shown = Mapping[str, tuple[str, Callable[[Any], str]]]
Ts = TypeVarTuple("Ts")
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


class Compared(NamedTuple):
    """What became of some rows, and the keys by which the database was asked about them."""

    keys: list[Any]
    changes: list[Change]


class Ground:
    """What a table is compared with, question by question. The same questions asked later with the same `mark` in the end:
    nothing that was looked at has changed, and whatever follows from it is as it was.

    Who is about to write holds what is found until then, as every act on the roll does (services/membership/changes.py).
    """

    def __init__(self, session: Session, *, holds: bool = False) -> None:
        self.session = session
        self._holds = holds and session.get_bind().dialect.name != "sqlite"
        # What is sealed already was sealed under the key of then.
        self._answers = hashlib.sha256(vault_of(session.get_bind().dialect).current_mark)

    def ask(self, question: sa.Select[*Ts], keys: Sequence[Any] = (), *, held: bool = False) -> Sequence[sa.Row[*Ts]]:
        """The rows of a question, about some `keys` where it has a parameter of that name; `held` ones nobody else changes
        any more. They come by their first column: asked for an order, MariaDB would read the whole table along it."""
        question = question.with_for_update() if held and self._holds else question
        rows = sorted(self.session.execute(question, {"keys": keys}), key=itemgetter(0))
        self._answers.update(repr(rows).encode())
        return rows

    @property
    def mark(self) -> str:
        return self._answers.hexdigest()


class Importer(Protocol):
    """Compares rows with what is there, and writes them; made anew for each of the two.

    `compare` sees a file from top to bottom, some rows at a time, notes problems in the rows and leaves those out. `known`
    asks what it asked. `ready` makes of some changes what `write` needs, with everything done that takes time.
    """

    def compare(self, rows: list[Row]) -> Compared: ...

    def known(self, keys: list[Any]) -> object: ...

    def ready(self, changes: list[Change]) -> Any: ...

    def write(self, ready: Any) -> None: ...


class Keyed(ABC):
    """A table whose rows are found by one column: known there, a row is an update, else new."""

    model: ClassVar[type[Base]]
    #: The column by which a row is found: its heading, and its name in the table.
    heading: ClassVar[str]
    key: ClassVar[str]
    #: Heading → column of the table and how a value is shown; the key is not among them.
    shows: ClassVar[Shown]
    #: What is said of a key that was there above.
    twice: ClassVar[str] = "与第 {} 行相同。"

    def __init__(self, ground: Ground) -> None:
        self.ground, self.session = ground, ground.session
        self.shown: Shown = self.shows
        self._first: dict[Any, int] = {}

    @abstractmethod
    def values(self, row: Row) -> dict[str, Any]:
        """What a row would write, the key among it; of no use once something wrong is noted, but for the key."""

    def allow(self, row: Row, before: sa.Row[Any]) -> None:  # noqa: B027 - most tables allow everything
        """Note a problem where what is there may not be changed."""

    def compare(self, rows: list[Row]) -> Compared:
        read = [(row, self.values(row)) for row in rows if not row.problems]
        keys = [values[self.key] for row, values in read if not row.problems]
        known = self.known(keys)
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
        return Compared(keys, found)

    def known(self, keys: list[Any]) -> dict[Any, sa.Row[Any]]:
        table = self.model.__table__
        rows = sa.select(table).where(table.c[self.key].in_(keys))
        return {row._mapping[self.key]: row for row in self.ground.ask(rows, held=True)}

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

    def ready(self, changes: list[Change]) -> list[Any]:
        return [(change.fate, change.values) for change in changes if change.fate is not Fate.UNCHANGED]

    def write(self, ready: list[Any]) -> None:
        new = [values for fate, values in ready if fate is Fate.NEW]
        changed = [values for fate, values in ready if fate is Fate.CHANGED]
        if new:
            self.session.execute(sa.insert(self.model), new)
        if changed:
            self.session.execute(sa.update(self.model), changed)


def text(value: object) -> str:
    """A value as a preview shows it."""
    return "" if value is None else str(value)
