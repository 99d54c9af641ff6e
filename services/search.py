"""One box over everything a scope holds: branches, people, stations, consultation numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from models import Branch, Consultation, Person, Station, spelling
from services.consulting import consultations
from services.membership import roster
from services.scope import Scope

EACH = 10
LONGEST = 64


@dataclass(slots=True)
class Found:
    """Up to ten of each kind."""

    people: list[roster.Line] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    stations: list[Station] = field(default_factory=list)
    cases: list[Consultation] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.people) + len(self.branches) + len(self.stations) + len(self.cases)


def find(session: Session, scope: Scope, words: str, *, with_people: bool, with_cases: bool) -> Found:
    """What is meant by a word, inside the scope; the switches leave out what a role has no section for."""
    said = "".join(words.split())[:LONGEST]
    found = Found()
    if not spelling.fold(said):
        return found
    if with_people:
        rows = session.scalars(_best_first(session, scope, said).limit(EACH)).all()
        found.people = roster.lines(session, rows, scope.on)
    found.branches = list(
        session.scalars(
            sa.select(Branch)
            .options(joinedload(Branch.county))
            .where(scope.branches, Branch.name.contains(said, autoescape=True))
            .order_by(Branch.name)
            .limit(EACH)
        )
    )
    found.stations = list(
        session.scalars(
            sa.select(Station)
            .options(joinedload(Station.county))
            .where(
                scope.stations,
                sa.or_(Station.name.contains(said, autoescape=True), Station.address.contains(said, autoescape=True)),
            )
            .order_by(Station.name)
            .limit(EACH)
        )
    )
    if with_cases:
        found.cases = _cases(session, scope, said)
    return found


def _best_first(session: Session, scope: Scope, said: str) -> sa.Select[Person]:
    """The very name first, then names that begin so, then the rest."""
    key = spelling.fold(said)
    rank = sa.case(
        (Person.search_key.startswith(f"{key} ", autoescape=True), 0),
        (Person.search_key.contains(f" {key} ", autoescape=True), 0),
        (Person.search_key.endswith(f" {key}", autoescape=True), 1),
        (Person.search_key.startswith(key, autoescape=True), 2),
        else_=3,
    )
    return (
        sa.select(Person)
        .where(scope.people, roster.named(session, said))
        .order_by(rank, Person.search_key, Person.id)
    )


def _cases(session: Session, scope: Scope, said: str) -> list[Consultation]:
    number, rest = consultations.read_number(said)
    if number is None or rest:
        return []
    return list(
        session.scalars(
            sa.select(Consultation)
            .options(joinedload(Consultation.county))
            .where(scope.cases, Consultation.number.endswith(number.ending))
            .order_by(Consultation.id.desc())
            .limit(EACH)
        )
    )
