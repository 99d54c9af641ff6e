"""One row of the organisation that is somebody's to change, or NotFound: the conditions stand in `scope` (F032)."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager, joinedload

from models import Branch, BrandStory, County, LiaisonPoint, Organisation, PartyGroup, Station, Township, Village
from services import scope
from services.scope import Scope


def branch(session: Session, seen: Scope, branch_id: int) -> Branch:
    """A branch that is theirs to change, with its county. Raises NotFound."""
    question = sa.select(Branch).options(joinedload(Branch.county))
    return scope.one(session.scalar(question.where(Branch.id == branch_id, seen.kept_branches)))


def branch_to_group(session: Session, seen: Scope, branch_id: int) -> Branch:
    """A branch whose Party groups are theirs to form. Raises NotFound."""
    return scope.one(session.scalar(sa.select(Branch).where(Branch.id == branch_id, seen.grouped_branches)))


def party_group(session: Session, seen: Scope, group_id: int) -> PartyGroup:
    """A Party group that is theirs to change. Raises NotFound."""
    question = sa.select(PartyGroup).join(Branch, Branch.id == PartyGroup.branch_id)
    return scope.one(session.scalar(question.where(PartyGroup.id == group_id, seen.grouped_branches)))


def county(session: Session, seen: Scope, county_id: int) -> County:
    """Raises NotFound."""
    return scope.one(session.scalar(sa.select(County).where(County.id == county_id, seen.kept_counties)))


def organisation(session: Session, seen: Scope, organisation_id: int) -> Organisation:
    """Raises NotFound."""
    question = sa.select(Organisation).where(Organisation.id == organisation_id, seen.kept_organisations)
    return scope.one(session.scalar(question))


def station(session: Session, seen: Scope, station_id: int) -> Station:
    """With its county. Raises NotFound."""
    question = sa.select(Station).options(joinedload(Station.county))
    return scope.one(session.scalar(question.where(Station.id == station_id, seen.kept_stations)))


def township(session: Session, seen: Scope, township_id: int) -> Township:
    """Raises NotFound."""
    question = sa.select(Township).join(Township.county).where(Township.id == township_id, seen.kept_counties)
    return scope.one(session.scalar(question))


def village(session: Session, seen: Scope, village_id: int) -> Village:
    """With its township. Raises NotFound."""
    question = (
        sa.select(Village).join(Village.township).join(Township.county).options(contains_eager(Village.township))
    )
    return scope.one(session.scalar(question.where(Village.id == village_id, seen.kept_counties)))


def point(session: Session, seen: Scope, point_id: int) -> LiaisonPoint:
    """With its village and township. Raises NotFound."""
    question = sa.select(LiaisonPoint).join(LiaisonPoint.village).join(Village.township).join(Township.county)
    eager = contains_eager(LiaisonPoint.village).contains_eager(Village.township)
    return scope.one(session.scalar(question.options(eager).where(LiaisonPoint.id == point_id, seen.kept_counties)))


def story(session: Session, seen: Scope, story_id: int) -> BrandStory:
    """Raises NotFound."""
    question = sa.select(BrandStory).join(County, County.id == BrandStory.county_id)
    return scope.one(session.scalar(question.where(BrandStory.id == story_id, seen.kept_counties)))
