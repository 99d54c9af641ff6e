"""Figures that an office looks at, each of which can be opened to its rows (P3). 人 and 人次 are kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from models import (
    ARRIVED_STATES,
    Attendance,
    Branch,
    BranchKind,
    CaseState,
    Consultation,
    County,
    Gathering,
    GatheringState,
    Matter,
    Notice,
    NoticeKind,
    Outgoing,
    Presence,
    SendState,
    Station,
)
from services.organisation import branch_history
from services.organisation.branch_history import CITY
from services.organisation.branches import CITY_LEVEL
from services.scope import Scope
from services.sending.broadcasts import TEST

WEEKS = 12
CAMPAIGNS = 12
#: Notices whose reach is a figure: they go to many.
MANY = (NoticeKind.STUDY_DAY, NoticeKind.BROADCAST)


@dataclass(frozen=True, slots=True)
class Place:
    """The branches of one county, by kind; `county_id` is CITY_LEVEL for the city's own."""

    county_id: int
    name: str
    by_kind: dict[BranchKind, int]

    @property
    def total(self) -> int:
        return sum(self.by_kind.values())


def branches_by_place(session: Session, scope: Scope, on: date) -> list[Place]:
    """The branches of a day: the city's own first, then every county of the scope, the empty ones too."""
    then = branch_history.states(on)
    rows = session.execute(
        sa.select(then.c.county_id, then.c.kind, sa.func.count())
        .join(Branch, Branch.id == then.c.branch_id)
        .where(scope.branches)
        .group_by(then.c.county_id, then.c.kind)
    )
    found = {(county_id, kind): count for county_id, kind, count in rows}
    places: list[tuple[int | None, str]] = [(None, CITY)] if scope.is_city else []
    places += [(county.id, county.name) for county in counties(session, scope)]
    return [
        Place(county_id or CITY_LEVEL, name, {kind: found.get((county_id, kind), 0) for kind in BranchKind})
        for county_id, name in places
    ]


def counties(session: Session, scope: Scope) -> list[County]:
    """The counties that a scope touches, in the order in which they are always listed."""
    question = sa.select(County).order_by(County.id)
    if not scope.is_city:
        of_branches = sa.select(Branch.county_id).where(scope.branches, Branch.county_id.is_not(None))
        of_stations = sa.select(Station.county_id).where(scope.stations)
        question = question.where(sa.or_(County.id.in_(of_branches), County.id.in_(of_stations)))
    return list(session.scalars(question))


def counties_to_keep(session: Session, scope: Scope) -> list[County]:
    """The counties whose own is theirs to change."""
    return list(session.scalars(sa.select(County).where(scope.kept_counties).order_by(County.id)))


@dataclass(frozen=True, slots=True)
class Week:
    """What was held in one week, from Monday, and how many were there (人次)."""

    monday: date
    gatherings: int
    present: int
    leave: int

    @property
    def sunday(self) -> date:
        return self.monday + timedelta(days=6)


def attendance_by_week(session: Session, scope: Scope, at: datetime) -> list[Week]:
    """The last twelve weeks, the empty ones too."""
    today = beijing_date(at)
    this = today - timedelta(days=today.weekday())
    first = this - timedelta(weeks=WEEKS - 1)
    span = (
        scope.gatherings, Gathering.state == GatheringState.PLANNED, Gathering.held_on.between(first, today),
    )  # fmt: skip
    held = session.execute(sa.select(Gathering.held_on, sa.func.count()).where(*span).group_by(Gathering.held_on))
    marks = session.execute(
        sa.select(Gathering.held_on, Attendance.presence, sa.func.count())
        .join(Attendance, Attendance.gathering_id == Gathering.id)
        .where(*span)
        .group_by(Gathering.held_on, Attendance.presence)
    )
    gatherings: dict[date, int] = {}
    counts: dict[tuple[date, Presence], int] = {}
    for on, count in held:
        gatherings[_monday(on)] = gatherings.get(_monday(on), 0) + count
    for on, presence, count in marks:
        counts[_monday(on), presence] = counts.get((_monday(on), presence), 0) + count
    mondays = [first + timedelta(weeks=n) for n in range(WEEKS)]
    return [
        Week(m, gatherings.get(m, 0), counts.get((m, Presence.PRESENT), 0), counts.get((m, Presence.LEAVE), 0))
        for m in mondays
    ]


def _monday(on: date) -> date:
    return on - timedelta(days=on.weekday())


@dataclass(frozen=True, slots=True)
class MatterCount:
    matter: Matter
    total: int
    open: int


def cases_by_matter(session: Session, scope: Scope) -> list[MatterCount]:
    """Consultations by what they are about, and how many of them are not over."""
    is_open = Consultation.state.not_in((CaseState.CLOSED, CaseState.WITHDRAWN))
    rows = session.execute(
        sa.select(Consultation.matter, sa.func.count(), sa.func.sum(sa.case((is_open, 1), else_=0)))
        .where(scope.cases)
        .group_by(Consultation.matter)
    )
    found = {matter: (total, int(unfinished)) for matter, total, unfinished in rows}
    return [MatterCount(matter, *found.get(matter, (0, 0))) for matter in Matter]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A notice to many and what became of it; every state is named, so the sum is the audience."""

    key: str
    kind: NoticeKind
    queued_at: datetime
    states: dict[SendState, int]

    @property
    def total(self) -> int:
        return sum(self.states.values())

    @property
    def arrived(self) -> int:
        return sum(self.states[state] for state in ARRIVED_STATES)


def campaigns(session: Session, scope: Scope, keys: list[str] | None = None) -> list[Campaign]:
    """The last notices to many, counted over the people of the scope; or the ones that are named."""
    newest = sa.func.max(Notice.queued_at)
    question = sa.select(Notice.campaign, Notice.kind, newest).group_by(Notice.campaign, Notice.kind)
    if keys is None:
        question = question.where(Notice.kind.in_(MANY), Notice.campaign.not_like(f"{TEST}%"))
    else:
        question = question.where(Notice.campaign.in_(keys))
    named = session.execute(question.order_by(newest.desc()).limit(CAMPAIGNS if keys is None else len(keys))).all()
    counts: dict[str, dict[SendState, int]] = {}
    rows = session.execute(
        sa.select(Outgoing.campaign, Outgoing.state, sa.func.count())
        .where(Outgoing.campaign.in_([row[0] for row in named]), scope.outgoing)
        .group_by(Outgoing.campaign, Outgoing.state)
    )
    for key, state, count in rows:
        counts.setdefault(key, {})[state] = count
    return [
        Campaign(key, kind, at, {state: counts.get(key, {}).get(state, 0) for state in SendState})
        for key, kind, at in named
        if scope.is_city or key in counts
    ]
