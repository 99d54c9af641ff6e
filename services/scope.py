"""“My node and below” in one place: what somebody's posts open to them, as conditions for every list (F032).

Chat, console, API and exports ask here; what lies outside is not there: NotFound, and a row in the audit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager, joinedload

from errors import NotFound
from models import (
    Affiliation,
    Branch,
    Broadcast,
    CaseState,
    Consultation,
    County,
    Election,
    Gathering,
    Import,
    Merged,
    Organisation,
    Outgoing,
    Person,
    Post,
    Role,
    Station,
    Township,
)
from services import audit
from services.consulting import cases
from services.consulting.cases import Desk
from services.consulting.consultations import LOW_RATING
from services.membership import people

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
    def own_branches(self) -> Condition:
        """Branches whose roll is theirs to change: to look, as the auditor or at a lawyer's station, is not enough."""
        if self.holds(Role.OFFICE):
            return sa.true()
        return sa.or_(Branch.county_id.in_(self.county_ids), Branch.id.in_(self.branch_ids))

    @property
    def own_people(self) -> Condition:
        """Who belongs to a branch whose roll is theirs, or holds a post in their county."""
        if self.holds(Role.OFFICE):
            return self.people
        belongs = (
            sa.select(Affiliation.person_id)
            .join(Branch, Branch.id == Affiliation.branch_id)
            .where(self.own_branches, *people.holds(Affiliation, self.on))
        )
        holds = sa.select(Post.person_id).where(Post.county_id.in_(self.county_ids), *people.holds(Post, self.on))
        return sa.or_(Person.id.in_(belongs), Person.id.in_(holds))

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
        """Who belongs to a branch of the scope, or holds a post in it, on that day; somebody who was found to be
        somebody else is looked for under the other's name."""
        if self.is_city:
            return Person.id.not_in(sa.select(Merged.person_id))
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
    def elections(self) -> Condition:
        """Records of the branches that one sees as their secretary or office; a lawyer's station opens none."""
        return sa.true() if self.is_city else self.own_elections

    @property
    def own_elections(self) -> Condition:
        """Those that are theirs to write; setting one aside is the offices'."""
        return Election.branch_id.in_(sa.select(Branch.id).where(self.own_branches))

    @property
    def cases(self) -> Condition:
        """Cases that may be listed, by number and figures: a county office's all, a lawyer's what waits in the county and
        what is their own. Their words are another question."""
        if self.is_city:
            return sa.true()
        waits = sa.and_(Consultation.state == CaseState.WAITING, Consultation.county_id.in_(self.desk.counties))
        watched = Consultation.county_id.in_(self.desk.watched)
        return sa.or_(Consultation.lawyer_id == self.person_id, waits, watched)

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

    # --- the organisation: what is seen, and what may be changed -----------------------------------------------

    @property
    def counties(self) -> Condition:
        """Counties that are seen as a whole, with their townships, coverage and brand."""
        return sa.true() if self.is_city else County.id.in_(self.county_ids)

    @property
    def organisations(self) -> Condition:
        """What stands above the branches: a county's own, and the city's above it."""
        if self.is_city:
            return sa.true()
        return sa.or_(Organisation.county_id.in_(self.county_ids), Organisation.county_id.is_(None))

    @property
    def keeps_city(self) -> bool:
        """Whether the city's own is theirs to change, and every county's with it."""
        return Role.OFFICE in self.roles

    def _keeps(self, county_id: sa.ColumnElement[int] | sa.orm.InstrumentedAttribute[Any]) -> Condition:
        return sa.true() if self.keeps_city else county_id.in_(self.county_ids)

    @property
    def kept_branches(self) -> Condition:
        """Branches whose life and details are theirs to change: the city office's all, a county office's its own."""
        return self._keeps(Branch.county_id)

    def keeps_branch(self, branch: Branch) -> bool:
        """The same of one branch."""
        return self.keeps_county(branch.county_id)

    def keeps_county(self, county_id: int | None) -> bool:
        """Whether what lies in a county, or in none, is theirs to change."""
        return self.keeps_city or county_id in self.county_ids

    def groups_branch(self, branch: Branch) -> bool:
        return self.keeps_branch(branch) or branch.id in self.branch_ids

    @property
    def grouped_branches(self) -> Condition:
        """Branches whose Party groups are theirs to form; a secretary's own as well."""
        return sa.or_(self.kept_branches, Branch.id.in_(self.branch_ids))

    @property
    def kept_counties(self) -> Condition:
        return self._keeps(County.id)

    @property
    def kept_organisations(self) -> Condition:
        return self._keeps(Organisation.county_id)

    @property
    def kept_stations(self) -> Condition:
        return self._keeps(Station.county_id)

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
        roles=frozenset(post.role for post in posts if post.role.opens_the_desk),
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
    return one(
        session.scalar(
            sa.select(Branch).options(joinedload(Branch.county)).where(Branch.id == branch_id, scope.branches)
        )
    )


def branches_among(session: Session, scope: Scope, ids: Iterable[int]) -> set[int]:
    """Which of some branches may be opened: a link to any other would lead nowhere."""
    return set(session.scalars(sa.select(Branch.id).where(Branch.id.in_(list(ids)), scope.branches)))


def county(session: Session, scope: Scope, county_id: int) -> County:
    """Raises NotFound."""
    return one(session.scalar(sa.select(County).where(County.id == county_id, scope.counties)))


def township(session: Session, scope: Scope, township_id: int) -> Township:
    """With its county. Raises NotFound."""
    question = sa.select(Township).join(Township.county).options(contains_eager(Township.county))
    return one(session.scalar(question.where(Township.id == township_id, scope.counties)))


def own_branch(session: Session, scope: Scope, branch_id: int) -> Branch:
    """One whose roll they may change. Raises NotFound."""
    return one(session.scalar(sa.select(Branch).where(Branch.id == branch_id, scope.own_branches)))


def own_person(session: Session, scope: Scope, person_id: int) -> Person:
    """Somebody whose entries they may change. Raises NotFound."""
    return one(session.scalar(sa.select(Person).where(Person.id == person_id, scope.own_people)))


def is_own_person(session: Session, scope: Scope, person_id: int) -> bool:
    return session.scalar(sa.select(Person.id).where(Person.id == person_id, scope.own_people)) is not None


def person(session: Session, scope: Scope, person_id: int) -> Person:
    """Raises NotFound."""
    return one(session.scalar(sa.select(Person).where(Person.id == person_id, scope.people)))


def station(session: Session, scope: Scope, station_id: int) -> Station:
    """With its county. Raises NotFound."""
    return one(
        session.scalar(
            sa.select(Station).options(joinedload(Station.county)).where(Station.id == station_id, scope.stations)
        )
    )


def case(session: Session, scope: Scope, number: str) -> Consultation:
    """A case to list, by its whole number. Raises NotFound."""
    question = sa.select(Consultation).options(
        joinedload(Consultation.county), joinedload(Consultation.station), joinedload(Consultation.lawyer)
    )
    return one(session.scalar(question.where(Consultation.number == number, scope.cases)))


def broadcast(session: Session, scope: Scope, broadcast_id: int) -> Broadcast:
    """With its author. Raises NotFound."""
    return one(
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
    return one(session.scalar(question.where(Outgoing.id == row_id, scope.outgoing)))


def brought(session: Session, scope: Scope, import_id: int) -> Import:
    """A table to be brought in, with who sent it. Raises NotFound."""
    question = sa.select(Import).options(joinedload(Import.by))
    return one(session.scalar(question.where(Import.id == import_id, scope.imports)))


def gathering(session: Session, scope: Scope, gathering_id: int) -> Gathering:
    """Raises NotFound."""
    return one(session.scalar(sa.select(Gathering).where(Gathering.id == gathering_id, scope.gatherings)))


def election(session: Session, scope: Scope, election_id: int, *, own: bool = False) -> int:
    """The number of a record that they may see, or write. Raises NotFound."""
    which = scope.own_elections if own else scope.elections
    return one(session.scalar(sa.select(Election.id).where(Election.id == election_id, which)))


def one(found: T | None) -> T:
    """The row that was asked for. Raises NotFound where there is none."""
    if found is None:
        raise NotFound(OUTSIDE)
    return found
