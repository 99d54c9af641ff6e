"""Stations as an office looks at them: lists with today's hours and lawyers, and coverage by county."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import beijing_date
from models import Branch, Person, Post, Role, Station
from services import figures
from services.meetings.calendar import Holidays
from services.membership import people
from services.organisation import stations
from services.scope import Scope


def matching(scope: Scope, county_id: int, words: str) -> sa.Select[Station]:
    question = sa.select(Station).options(joinedload(Station.county)).where(scope.stations)
    if county_id:
        question = question.where(Station.county_id == county_id)
    if words:
        said = [column.contains(words, autoescape=True) for column in (Station.name, Station.address)]
        question = question.where(sa.or_(*said))
    return question.order_by(Station.county_id, Station.name)


@dataclass(frozen=True, slots=True)
class Line:
    """A station in a list, with its day."""

    station: Station
    today: str
    is_open: bool
    lawyers: int
    is_shut: bool


def lines(session: Session, rows: Sequence[Station], holidays: Holidays, at: datetime) -> list[Line]:
    """Today's hours and the number of lawyers for some stations, with two statements."""
    on = beijing_date(at)
    counts = dict(
        session.execute(
            sa.select(Post.station_id, sa.func.count())
            .where(Post.station_id.in_([s.id for s in rows]), Post.role == Role.LAWYER, *people.holds(Post, on))
            .group_by(Post.station_id)
        ).all()
    )
    found = []
    shut = set(
        session.scalars(sa.select(Station.id).where(Station.id.in_([s.id for s in rows]), stations.is_shut(on)))
    )
    for station in rows:
        today, is_shut = stations.on(station.hours, on, holidays), station.id in shut
        says = "已关停" if is_shut else stations.say_today(today, at)
        found.append(Line(station, says, today.is_open(at) and not is_shut, counts.get(station.id, 0), is_shut))
    return found


@dataclass(frozen=True, slots=True)
class Coverage:
    """One county: its stations that are not shut, and what they lack. A county without any is a row as well (F134)."""

    county_id: int
    county: str
    stations: int
    without_lawyer: int
    without_hours: int


def coverage(session: Session, scope: Scope) -> list[Coverage]:
    """County by county."""
    staffed = sa.select(Post.station_id).where(
        Post.role == Role.LAWYER, Post.station_id.is_not(None), *people.holds(Post, scope.on)
    )
    rows = session.execute(
        sa.select(Station.county_id, Station.hours, sa.case((Station.id.in_(staffed), 1), else_=0)).where(
            scope.stations, ~stations.is_shut(scope.on)
        )
    ).all()
    found = []
    for county in figures.counties(session, scope):
        own = [row for row in rows if row[0] == county.id]
        unread = sum(stations.week(hours) is None for _county, hours, _staffed in own)
        found.append(Coverage(county.id, county.name, len(own), sum(not row[2] for row in own), unread))
    return found


def lawyers(session: Session, station_id: int, on: date) -> list[Person]:
    """Who is on duty at a station, by name."""
    return list(
        session.scalars(
            sa.select(Person)
            .join(Post, Post.person_id == Person.id)
            .where(Post.station_id == station_id, Post.role == Role.LAWYER, *people.holds(Post, on))
            .order_by(Person.name)
        )
    )


def branch_of(session: Session, station: Station) -> Branch | None:
    return session.get(Branch, station.branch_id) if station.branch_id else None
