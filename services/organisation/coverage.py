"""How far the four levels reach: townships, villages, and which of them has a liaison point on a day (F023, F134)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import County, LiaisonPoint, Township, Village
from services.scope import Scope


@dataclass(frozen=True, slots=True)
class Cover:
    """A county or a township: its villages, and those with a liaison point."""

    id: int
    name: str
    townships: int
    villages: int
    covered: int

    @property
    def gaps(self) -> int:
        return self.villages - self.covered

    @property
    def percent(self) -> str:
        """Rounded down, so that 100 % means every one; a dash where there are no villages."""
        return f"{self.covered * 1000 // self.villages / 10:.1f}%" if self.villages else "—"


def holds(on: date) -> sa.ColumnElement[bool]:
    """The points that are there on a day."""
    ends = sa.or_(LiaisonPoint.until_on.is_(None), LiaisonPoint.until_on > on)
    return sa.and_(LiaisonPoint.since_on <= on, ends)


def _covered(on: date) -> sa.ColumnElement[int]:
    has_point = sa.exists().where(LiaisonPoint.village_id == Village.id, holds(on))
    return sa.func.coalesce(sa.func.sum(sa.case((has_point, 1), else_=0)), 0)


def by_county(session: Session, scope: Scope, on: date) -> list[Cover]:
    """County by county, those without a single township too."""
    return _counties(session, scope.counties, on)


def _counties(session: Session, which: sa.ColumnElement[bool], on: date) -> list[Cover]:
    rows = session.execute(
        sa.select(
            County.id, County.name, sa.func.count(sa.distinct(Township.id)), sa.func.count(Village.id), _covered(on)
        )
        .outerjoin(Township, Township.county_id == County.id)
        .outerjoin(Village, Village.township_id == Township.id)
        .where(which)
        .group_by(County.id, County.name)
        .order_by(County.id)
    )
    return [Cover(id_, name, townships, villages, int(covered)) for id_, name, townships, villages, covered in rows]


def whole_city(session: Session, on: date) -> list[Cover]:
    """Every county, and what they add up to."""
    rows = _counties(session, sa.true(), on)
    sums = (sum(getattr(row, name) for row in rows) for name in ("townships", "villages", "covered"))
    return [*rows, Cover(0, "合计", *sums)]


def by_township(session: Session, county_id: int, on: date) -> list[Cover]:
    """The townships of a county, those without a village too."""
    rows = session.execute(
        sa.select(Township.id, Township.name, sa.func.count(Village.id), _covered(on))
        .outerjoin(Village, Village.township_id == Township.id)
        .where(Township.county_id == county_id)
        .group_by(Township.id, Township.name)
        .order_by(Township.id)
    )
    return [Cover(id_, name, 1, villages, int(covered)) for id_, name, villages, covered in rows]


def gaps(session: Session, county_id: int, on: date) -> list[Village]:
    """The villages of a county without a point, with their townships."""
    has_point = sa.exists().where(LiaisonPoint.village_id == Village.id, holds(on))
    return list(
        session.scalars(
            sa.select(Village)
            .join(Village.township)
            .options(sa.orm.contains_eager(Village.township))
            .where(Township.county_id == county_id, ~has_point)
            .order_by(Township.id, Village.id)
        )
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A village with its point, and the points that have ended, the latest first."""

    village: Village
    point: LiaisonPoint | None
    ended: list[LiaisonPoint]


def of_township(session: Session, township_id: int, on: date) -> list[Place]:
    """The villages of a township."""
    villages = session.scalars(
        sa.select(Village).where(Village.township_id == township_id).order_by(Village.id)
    ).all()
    points = session.scalars(
        sa.select(LiaisonPoint)
        .join(Village, Village.id == LiaisonPoint.village_id)
        .where(Village.township_id == township_id)
        .order_by(LiaisonPoint.since_on.desc(), LiaisonPoint.id.desc())
    ).all()
    found = []
    for village in villages:
        own = [point for point in points if point.village_id == village.id]
        current = next((point for point in own if point.until_on is None or point.until_on > on), None)
        found.append(Place(village, current, [point for point in own if point is not current]))
    return found
