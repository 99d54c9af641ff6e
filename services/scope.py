"""“My node and below” in one place: what somebody's posts open to them, as conditions for every list (F032).

Chat, console, API and exports ask here; what lies outside is not there: NotFound, and a row in the audit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from errors import NotFound
from models import (
    Affiliation,
    Branch,
    Broadcast,
    CaseState,
    Consultation,
    Gathering,
    Import,
    Outgoing,
    Person,
    Post,
    Role,
    Station,
)
from services import audit, cases, people
from services.cases import Desk
from services.consultations import LOW_RATING

OUTSIDE = "没有这一项，或它不在您的管理范围内。"
#: These see the whole city; the auditor reads and changes nothing.
CITY = frozenset({Role.OFFICE, Role.AUDITOR})

Condition = sa.ColumnElement[bool]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """What the posts of one person open on one day. Each property is a condition on its table."""

    person_id: int
    on: date
    roles: frozenset[Role]
    county_ids: frozenset[int]
    branch_ids: frozenset[int]
    station_ids: frozenset[int]
    #: The same posts as the chat reads them, for consultations.
    desk: Desk

    @property
    def is_city(self) -> bool:
        return bool(self.roles & CITY)

    @property
    def branches(self) -> Condition:
        if self.is_city:
            return sa.true()
        own = sa.select(Station.branch_id).where(Station.id.in_(self.station_ids))
        return sa.or_(Branch.county_id.in_(self.county_ids), Branch.id.in_(self.branch_ids), Branch.id.in_(own))

    @property
    def stations(self) -> Condition:
        if self.is_city:
            return sa.true()
        return sa.or_(
            Station.county_id.in_(self.county_ids),
            Station.id.in_(self.station_ids),
            Station.branch_id.in_(self.branch_ids),
        )

    @property
    def people(self) -> Condition:
        """Who belongs to a branch of the scope, or holds a post in it, on that day."""
        if self.is_city:
            return sa.true()
        belongs = (
            sa.select(Affiliation.person_id)
            .join(Branch, Branch.id == Affiliation.branch_id)
            .where(self.branches, *people.holds(Affiliation, self.on))
        )
        holds = sa.select(Post.person_id).where(
            sa.or_(Post.county_id.in_(self.county_ids), Post.branch_id.in_(self.branch_ids)),
            *people.holds(Post, self.on),
        )
        return sa.or_(Person.id.in_(belongs), Person.id.in_(holds))

    @property
    def gatherings(self) -> Condition:
        if self.is_city:
            return sa.true()
        return Gathering.branch_id.in_(sa.select(Branch.id).where(self.branches))

    @property
    def cases(self) -> Condition:
        """Cases that may be listed, by number and figures; their words are another question."""
        return sa.true() if self.is_city else self.desk.reach

    @property
    def words(self) -> Condition:
        """Cases whose words are somebody's to read (P5): the handler's; while it waits, those on duty in its county; what
        is dangerous or was rated low, the office that has to look into it."""
        waits = sa.and_(Consultation.state == CaseState.WAITING, Consultation.county_id.in_(self.desk.counties))
        grave = sa.or_(Consultation.is_dangerous, Consultation.rating <= LOW_RATING)
        return sa.or_(Consultation.lawyer_id == self.person_id, waits, sa.and_(self.desk.visible, grave))

    @property
    def broadcasts(self) -> Condition:
        """What one wrote, and what stayed within one's county."""
        if self.is_city:
            return sa.true()
        return sa.or_(Broadcast.author_id == self.person_id, Broadcast.county_id.in_(self.county_ids))

    @property
    def outgoing(self) -> Condition:
        """Messages to people of the scope: a county office sees its own part of a notice to the whole city."""
        if self.is_city:
            return sa.true()
        return Outgoing.person_id.in_(sa.select(Person.id).where(self.people))

    @property
    def imports(self) -> Condition:
        """Tables that one has sent oneself, and those of one's county."""
        if self.is_city:
            return sa.true()
        return sa.or_(Import.by_person_id == self.person_id, Import.county_id.in_(self.county_ids))

    def holds(self, *roles: Role) -> bool:
        return bool(self.roles & set(roles))


def of(session: Session, person_id: int, on: date) -> Scope:
    """The scope of a person's posts on a date; somebody without a post has an empty one."""
    posts = people.posts(session, person_id, on)
    return Scope(
        person_id=person_id,
        on=on,
        roles=frozenset(post.role for post in posts),
        county_ids=_ids(posts, Role.COUNTY_OFFICE, "county_id"),
        branch_ids=_ids(posts, Role.SECRETARY, "branch_id"),
        station_ids=_ids(posts, Role.LAWYER, "station_id"),
        desk=cases.desk_of(session, person_id, posts),
    )


def _ids(posts: list[Post], role: Role, column: str) -> frozenset[int]:
    return frozenset(getattr(post, column) for post in posts if post.role is role and getattr(post, column))


def refuse(session: Session, person_id: int | None, asked: str, at: datetime) -> None:
    """Keep the trace of somebody asking for what is not theirs."""
    audit.note(session, at, person_id, "console.refused", asked)


# --- one row, or NotFound ------------------------------------------------------------------------------------


def branch(session: Session, scope: Scope, branch_id: int) -> Branch:
    """With its county. Raises NotFound outside the scope, as for none at all."""
    return _one(
        session.scalar(
            sa.select(Branch).options(joinedload(Branch.county)).where(Branch.id == branch_id, scope.branches)
        )
    )


def person(session: Session, scope: Scope, person_id: int) -> Person:
    """Raises NotFound."""
    return _one(session.scalar(sa.select(Person).where(Person.id == person_id, scope.people)))


def station(session: Session, scope: Scope, station_id: int) -> Station:
    """With its county. Raises NotFound."""
    return _one(
        session.scalar(
            sa.select(Station).options(joinedload(Station.county)).where(Station.id == station_id, scope.stations)
        )
    )


def case(session: Session, scope: Scope, number: str) -> Consultation:
    """A case to list, by its whole number. Raises NotFound."""
    question = sa.select(Consultation).options(
        joinedload(Consultation.county), joinedload(Consultation.station), joinedload(Consultation.lawyer)
    )
    return _one(session.scalar(question.where(Consultation.number == number, scope.cases)))


def broadcast(session: Session, scope: Scope, broadcast_id: int) -> Broadcast:
    """With its author. Raises NotFound."""
    return _one(
        session.scalar(
            sa.select(Broadcast)
            .options(joinedload(Broadcast.author))
            .where(Broadcast.id == broadcast_id, scope.broadcasts)
        )
    )


def steered(session: Session, scope: Scope, campaign: str) -> None:
    """Whether a campaign is theirs to hold or end: for a county, only what it wrote. Raises NotFound."""
    if scope.is_city:
        return
    kind, _, number = campaign.partition(":")
    if kind != "broadcast" or not (number.isascii() and number.isdecimal()):
        raise NotFound(OUTSIDE)
    broadcast(session, scope, int(number))


def message(session: Session, scope: Scope, row_id: int) -> Outgoing:
    """One row of the outbox with its person. Raises NotFound."""
    question = sa.select(Outgoing).options(joinedload(Outgoing.person), joinedload(Outgoing.notice))
    return _one(session.scalar(question.where(Outgoing.id == row_id, scope.outgoing)))


def brought(session: Session, scope: Scope, import_id: int) -> Import:
    """A table to be brought in, with who sent it. Raises NotFound."""
    question = sa.select(Import).options(joinedload(Import.by))
    return _one(session.scalar(question.where(Import.id == import_id, scope.imports)))


def gathering(session: Session, scope: Scope, gathering_id: int) -> Gathering:
    """Raises NotFound."""
    return _one(session.scalar(sa.select(Gathering).where(Gathering.id == gathering_id, scope.gatherings)))


def _one(found: T | None) -> T:
    if found is None:
        raise NotFound(OUTSIDE)
    return found
