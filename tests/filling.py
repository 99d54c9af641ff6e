"""Rows for any table, made from the table itself: what must hold for every table is tested over all of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import parse_instant
from models.base import Encrypted, Instant

AT = parse_instant("2026-11-27T09:00")


def add_row(session: Session, table: sa.Table, values: dict[str, Any]) -> None:
    """A row with something in every column that wants something, and in those it points to."""
    for column in table.columns:
        if column.name in values or column.nullable or column.default is not None:
            continue
        if column.foreign_keys:
            [foreign] = column.foreign_keys
            if session.scalar(sa.select(sa.func.max(foreign.column))) is None:
                add_row(session, foreign.column.table, {})
            values[column.name] = session.scalar(sa.select(sa.func.max(foreign.column)))
        elif isinstance(column.type, sa.Enum):
            values[column.name] = next(iter(column.type.enum_class or column.type.enums))
        elif column is not table.autoincrement_column:
            values[column.name] = _example(column)
    session.execute(sa.insert(table), [values])


def _example(column: sa.Column[Any]) -> object:
    if isinstance(column.type, Instant):
        return AT
    if isinstance(column.type, Encrypted):
        return "机密"
    return {int: 1, float: 1.0, bool: False, str: "x", bytes: b"x"}.get(column.type.python_type, AT.date())
