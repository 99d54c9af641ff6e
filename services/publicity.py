"""The publicity ledger (F125): totals by category, each in its own unit, open down to the rows behind it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from errors import RuleBroken
from models import PublicityItem, PublicityRow, Unit


@dataclass(frozen=True, slots=True)
class Amount:
    """So many of one thing. Amounts of different units are never added: 人 is not 人次 (F126)."""

    number: int
    unit: Unit
    is_at_least: bool = False

    def __add__(self, other: Amount) -> Amount:
        if self.unit is not other.unit:
            raise RuleBroken(
                f"{self.number} {self.unit.label}与 {other.number} {other.unit.label}单位不同，不能相加；请分别统计。"
            )
        return Amount(self.number + other.number, self.unit, self.is_at_least or other.is_at_least)

    @property
    def figure(self) -> str:
        """600余, 63130."""
        return f"{self.number}{'余' if self.is_at_least else ''}"

    def __str__(self) -> str:
        return f"{self.figure} {self.unit.label}"


@dataclass(frozen=True, slots=True)
class Line:
    """One category of a year: its total and the rows it is the sum of (P3)."""

    item: PublicityItem
    total: Amount
    rows: tuple[PublicityRow, ...]


def amount_of(row: PublicityRow) -> Amount:
    return Amount(row.amount, row.item.unit, row.is_at_least)


def ledger(session: Session, year: int) -> list[Line]:
    """The categories of a year that have rows, in the work report's order."""
    found = session.scalars(
        sa.select(PublicityRow).where(PublicityRow.year == year).order_by(PublicityRow.held_on, PublicityRow.key)
    ).all()
    lines = []
    for item in PublicityItem:
        rows = tuple(row for row in found if row.item is item)
        if rows:
            lines.append(Line(item, sum((amount_of(row) for row in rows), Amount(0, item.unit)), rows))
    return lines


def years(session: Session) -> list[int]:
    """The years that have rows."""
    return list(session.scalars(sa.select(PublicityRow.year).distinct().order_by(PublicityRow.year)))
