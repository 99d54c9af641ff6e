"""How many branches there are, by kind and by county (F022)."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Branch, BranchKind, County

CITY = "市本级"


@dataclass(frozen=True, slots=True)
class Count:
    """The branches of one place, by kind."""

    place: str
    by_kind: dict[BranchKind, int]

    @property
    def total(self) -> int:
        return sum(self.by_kind.values())


def branch_counts(session: Session) -> list[Count]:
    """The city's own branches first, then county by county, the empty ones too."""
    rows = session.execute(
        sa.select(Branch.county_id, Branch.kind, sa.func.count()).group_by(Branch.county_id, Branch.kind)
    )
    found = {(county_id, kind): count for county_id, kind, count in rows}
    places: list[tuple[int | None, str]] = [(None, CITY)]
    places += [(row.id, row.name) for row in session.scalars(sa.select(County).order_by(County.id))]
    return [Count(name, {kind: found.get((place, kind), 0) for kind in BranchKind}) for place, name in places]


def totals(counts: list[Count]) -> dict[BranchKind, int]:
    return {kind: sum(count.by_kind[kind] for count in counts) for kind in BranchKind}
