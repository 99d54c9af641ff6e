"""Many rows by one statement: how everything is written that is written often, first of all every message.

The statements are put to the driver as they stand, because SQLAlchemy's own treatment of each statement and each
value costs more than the database does (docs/decisions/0002). How a value is written, its column's type says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session

from models.base import Base

Rows = Sequence[Mapping[str, Any]]
#: As the driver takes it: text and values, or the values of each row.
Statement = tuple[str, tuple[Any, ...] | list[tuple[Any, ...]]]

#: What one text or one call of the driver is given.
ROWS_AT_ONCE = 500
#: Of SQLite's pages, while very many rows are written.
ROOM_KILOBYTES = 16_000


def insert_new(session: Session, model: type[Base], rows: Rows) -> int:
    """Insert the rows whose keys are not there yet, leave the others as they are, say how many were new."""
    return _insert(session, model, rows, leave_known=True)


def insert_all(session: Session, model: type[Base], rows: Rows) -> None:
    """Insert the rows. Raises IntegrityError when one of their keys is there already."""
    _insert(session, model, rows, leave_known=False)


def _insert(session: Session, model: type[Base], rows: Rows, *, leave_known: bool) -> int:
    return run(session, statements(session, model, rows, leave_known=leave_known))


def statements(session: Session, model: type[Base], rows: Rows, *, leave_known: bool = False) -> Iterator[Statement]:
    """What inserts the rows, for `run`, with every value as the database will hold it: sealed, where that is so."""
    if not rows:
        return iter(())
    return _insertion(session.get_bind().dialect, model.__table__, tuple(rows[0]), leave_known).of(rows)


def run(session: Session, prepared: Iterable[Statement]) -> int:
    """Put statements to the driver; returns how many rows they wrote."""
    connection = session.connection()
    return sum(connection.exec_driver_sql(text, values).rowcount for text, values in prepared)


@contextmanager
def roomy(session: Session) -> Iterator[None]:
    """SQLite keeps more of its pages at hand meanwhile: with its usual two megabytes the indexes of 63,130 people would be
    put away and fetched again for each of them."""
    if dialect_of(session) != "sqlite":
        yield
        return
    connection = session.connection()
    usual = connection.exec_driver_sql("PRAGMA cache_size").scalar()
    connection.exec_driver_sql(f"PRAGMA cache_size = -{ROOM_KILOBYTES}")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA cache_size = {usual}")


@dataclass(frozen=True, slots=True)
class _Insertion:
    """`INSERT` into some columns of one table: what stands before and after the rows, and how values are written."""

    head: str
    row: str
    tail: str
    writers: tuple[tuple[str, Callable[[Any], Any] | None], ...]

    def of(self, rows: Rows) -> Iterator[Statement]:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            values = (write(row[name]) if write else row[name] for row in some for name, write in self.writers)
            yield f"{self.head} VALUES {', '.join([self.row] * len(some))}{self.tail}", tuple(values)


class _JsonInsertion(_Insertion):
    """All rows as one JSON text, so that the statement and its plan stay the same however many there are."""

    def of(self, rows: Rows) -> Iterator[Statement]:
        written = [{name: write(row[name]) if write else row[name] for name, write in self.writers} for row in rows]
        yield f"{self.head}{self.row}{self.tail}", (json.dumps(written, default=_as_text),)


class _EachInsertion(_Insertion):
    """Prepared once and run for each row inside the library: on SQLite a quarter sooner than many rows in one text."""

    def of(self, rows: Rows) -> Iterator[Statement]:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            values = [tuple(write(row[name]) if write else row[name] for name, write in self.writers) for row in some]
            yield f"{self.head} VALUES {self.row}{self.tail}", values


@lru_cache(256)
def _insertion(dialect: sa.Dialect, table: sa.Table, names: tuple[str, ...], leave_known: bool) -> _Insertion:
    columns = [table.c[name] for name in names]
    prepare = dialect.identifier_preparer
    quoted = ", ".join(prepare.quote(name) for name in names)
    into = f"INTO {prepare.format_table(table)} ({quoted})"
    writers = tuple((c.name, c.type.dialect_impl(dialect).bind_processor(dialect)) for c in columns)
    if dialect.name == "mysql":
        marks = ", ".join(["%s"] * len(names))
        return _Insertion(f"INSERT {'IGNORE ' if leave_known else ''}{into}", f"({marks})", "", writers)
    leaving = " ON CONFLICT DO NOTHING" if leave_known else ""
    if dialect.name == "sqlite":
        return _EachInsertion(f"INSERT {into}", f"({', '.join('?' * len(names))})", leaving, writers)
    typed = ", ".join(f"{prepare.quote(c.name)} {c.type.compile(dialect)}" for c in columns)
    asked = f" SELECT {quoted} FROM json_to_recordset(%s) AS rows({typed})"  # noqa: S608 - names of our own columns
    return _JsonInsertion(f"INSERT {into}", asked, leaving, writers)


def _as_text(value: object) -> str:
    """What JSON has no word for, as PostgreSQL reads it."""
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written")


def put(session: Session, model: type[Base], row: Mapping[str, Any], further: Mapping[str, Any]) -> None:
    """Insert a row, or change the one that has its primary key; either way it stays locked until the caller's
    transaction ends. One statement: on MariaDB insert-else-update would let three first callers hold shared locks
    and wait for each other."""
    table = model.__table__
    key = [column.name for column in table.primary_key]
    match dialect_of(session):
        case "postgresql":
            session.execute(
                postgresql.insert(table).values(row).on_conflict_do_update(index_elements=key, set_=further)
            )
        case "sqlite":
            session.execute(sqlite.insert(table).values(row).on_conflict_do_update(index_elements=key, set_=further))
        case _:
            session.execute(mysql.insert(table).values(row).on_duplicate_key_update(further))


def among(dialect: str, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """`column` is one of the parameter's values; on PostgreSQL they are one array, so that the statement and its
    plan stay the same however many there are. Statements with it are made once and kept."""
    if dialect == "postgresql":
        return column == sa.any_(sa.bindparam(name, type_=postgresql.ARRAY(column.type)))
    return column.in_(sa.bindparam(name, expanding=True))


def dialect_of(session: Session) -> str:
    """postgresql, sqlite or mysql."""
    return session.get_bind().dialect.name


def update_each(session: Session, model: type[Base], rows: Rows, *, only_if: Mapping[str, Any]) -> int:
    """Give each row, named by its `id`, values of its own, where it still is as `only_if` says: compare-and-set
    for thousands of rows. What is the same for all is bound once. Returns how many rows were changed."""
    if not rows:
        return 0
    first, table, kind = rows[0], model.__table__, dialect_of(session)
    names = [name for name in first if name != "id" and any(row[name] != first[name] for row in rows)]
    alike = {name: first[name] for name in first if name != "id" and name not in names}
    change = sa.update(table).where(*(table.c[name] == value for name, value in only_if.items())).values(alike)
    values: Any = {}
    if not names:
        change = change.where(among(kind, table.c.id, "ids"))
        values = {"ids": [row["id"] for row in rows]}
    elif kind == "sqlite":
        # Prepared once and run for each row inside the library: as fast there as anything.
        change = change.where(table.c.id == sa.bindparam("new_id"))
        change = change.values({name: sa.bindparam(f"new_{name}") for name in names})
        values = [{f"new_{name}": row[name] for name in ("id", *names)} for row in rows]
    else:
        new, values = _as_table(kind, table, ["id", *names], rows)
        change = change.where(table.c.id == new.c.id).values({name: new.c[name] for name in names})
    return int(session.connection().execute(change, values).rowcount)


def _as_table(
    kind: str, table: sa.Table, names: Sequence[str], rows: Rows
) -> tuple[sa.Subquery, dict[str, Sequence[Any]]]:
    """Rows of ours as something to join with: arrays on PostgreSQL, a union of rows on MariaDB."""
    if kind == "postgresql":
        arrays = [sa.bindparam(f"new_{name}", type_=postgresql.ARRAY(table.c[name].type)) for name in names]
        columns = [sa.func.unnest(array).label(name) for array, name in zip(arrays, names, strict=True)]
        return sa.select(*columns).subquery("new"), {f"new_{n}": [row[n] for row in rows] for n in names}
    first, *rest = [
        sa.select(*(sa.bindparam(f"new_{n}_{i}", row[n], type_=table.c[n].type).label(n) for n in names))
        for i, row in enumerate(rows)
    ]
    return (first.union_all(*rest) if rest else first).subquery("new"), {}
