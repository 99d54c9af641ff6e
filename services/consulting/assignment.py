"""Who a consultation goes to: county, open station with a lawyer on duty, any lawyer there, the city office (F083).

A rule read from top to bottom; the step it writes says in words which line applied (P4).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from models import CaseState, Consultation, County, Person, Post, Role, Station
from services.meetings.calendar import Holidays
from services.membership import people
from services.organisation import stations

OPEN = (CaseState.WAITING, CaseState.TAKEN, CaseState.ANSWERED)


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a case goes, whom to tell, and why."""

    station: Station | None
    told: tuple[int, ...]
    why: str
    #: Nobody in the county: the city office finds somebody.
    is_pool: bool = False


def decide(session: Session, county: County, holidays: Holidays, at: datetime) -> Decision:
    """The rule. Nothing is written here."""
    on = beijing_date(at)
    duty = _duty(session, county.id, on)
    open_now = [s for s in stations.of_county(session, county.id, on) if s.id in duty and _is_open(s, holidays, at)]
    if open_now:
        loads = _open_cases(session, Consultation.station_id, [s.id for s in open_now])
        station = min(open_now, key=lambda s: (loads.get(s.id, 0), s.id))
        why = f"{county.name}此刻开门、有律师值班的服务站中，{station.name}未结案件最少（{loads.get(station.id, 0)} 件）。"
        return Decision(station, tuple(duty[station.id]), why)
    of_county = lawyers(session, county.id, on)
    if of_county:
        loads = _open_cases(session, Consultation.lawyer_id, of_county)
        chosen = min(of_county, key=lambda who: (loads.get(who, 0), who))
        at_station = next((station_id for station_id, who in duty.items() if chosen in who), None)
        name = people.get(session, chosen).name
        why = f"{county.name}此刻没有开门的服务站，请本区未结案件最少的值班律师{name}（{loads.get(chosen, 0)} 件）。"
        return Decision(session.get(Station, at_station) if at_station else None, (chosen,), why)
    return Decision(
        None, tuple(offices(session, on)), f"{county.name}没有值班律师，转市法学会办公室统一安排。", is_pool=True
    )


def lawyers(session: Session, county_id: int, on: date) -> list[int]:
    """Everybody who holds a lawyer's post in a county on a date, at a station or for the county itself."""
    rows = session.scalars(
        sa.select(Post.person_id)
        .outerjoin(Station, Station.id == Post.station_id)
        .where(
            Post.role == Role.LAWYER,
            sa.or_(Station.county_id == county_id, Post.county_id == county_id),
            *people.holds(Post, on),
        )
        .distinct()
        .order_by(Post.person_id)
    )
    return list(rows)


def colleagues(session: Session, county_id: int, on: date, *, but: int) -> list[Person]:
    """The other lawyers of a county, by name: to whom a case may be handed over."""
    ids = [who for who in lawyers(session, county_id, on) if who != but]
    return list(session.scalars(sa.select(Person).where(Person.id.in_(ids)).order_by(Person.name, Person.id)))


def offices(session: Session, on: date) -> list[int]:
    """The people of the city office: the pool for what no county takes."""
    return people.holders(session, Role.OFFICE, on)


def alarmed(session: Session, county_id: int, told: Iterable[int], on: date) -> list[int]:
    """Who hears of danger: those on duty for the case, the county's office and the city's."""
    county = people.holders(session, Role.COUNTY_OFFICE, on, county_id=county_id)
    return sorted({*told, *county, *offices(session, on)})


def _duty(session: Session, county_id: int, on: date) -> dict[int, list[int]]:
    rows = session.execute(
        sa.select(Post.station_id, Post.person_id)
        .join(Station, Station.id == Post.station_id)
        .where(Post.role == Role.LAWYER, Station.county_id == county_id, *people.holds(Post, on))
        .distinct()
        .order_by(Post.station_id, Post.person_id)
    )
    duty: dict[int, list[int]] = {}
    for station_id, person_id in rows:
        if station_id is not None:
            duty.setdefault(station_id, []).append(person_id)
    return duty


def _is_open(station: Station, holidays: Holidays, at: datetime) -> bool:
    return stations.on(station.hours, beijing_date(at), holidays).is_open(at)


def _open_cases(session: Session, column: sa.orm.InstrumentedAttribute[int | None], ids: list[int]) -> dict[int, int]:
    rows = session.execute(
        sa.select(column, sa.func.count()).where(column.in_(ids), Consultation.state.in_(OPEN)).group_by(column)
    )
    return {owner: count for owner, count in rows if owner is not None}
