"""Consultations as an office looks at them: numbers, states, times. Their words are their handlers' (P5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, defer

from errors import NotFound
from models import CaseState, CaseStep, Consultation, Matter, Person
from services.consulting import cases
from services.consulting.assignment import OPEN
from services.consulting.consultations import WITH_NAMES
from services.scope import Scope

HANDLERS_ONLY = "这件咨询的内容只有承办人能看。"


def matching(
    scope: Scope, state: CaseState | None, county_id: int, matter: Matter | None, *, is_dangerous: bool
) -> sa.Select[Consultation]:
    """Cases of the scope; the dangerous are those that are not over."""
    question = sa.select(Consultation).options(*WITH_NAMES).where(scope.cases)
    if state is not None:
        question = question.where(Consultation.state == state)
    if county_id:
        question = question.where(Consultation.county_id == county_id)
    if matter is not None:
        question = question.where(Consultation.matter == matter)
    if is_dangerous:
        question = question.where(Consultation.is_dangerous, Consultation.state.in_(OPEN))
    return question.order_by(Consultation.id.desc())


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a case, by whom, when; without words."""

    step: CaseStep
    by: str


def history(session: Session, case: Consultation) -> list[Event]:
    """Everything that happened, in order, without a word of what was said."""
    rows = session.execute(
        sa.select(CaseStep, Person.name)
        .outerjoin(Person, Person.id == CaseStep.by_person_id)
        .options(defer(CaseStep.words, raiseload=True))
        .where(CaseStep.consultation_id == case.id)
        .order_by(CaseStep.id)
    )
    return [Event(step, name or "") for step, name in rows]


def read(session: Session, scope: Scope, case: Consultation, at: datetime) -> list[CaseStep]:
    """The words, for who handles the case; the look is written down. Raises NotFound."""
    if not may_read(session, scope, case):
        raise NotFound(HANDLERS_ONLY)
    return cases.look(session, case, at, by=scope.person_id)


def may_read(session: Session, scope: Scope, case: Consultation) -> bool:
    """Whether somebody handles a case, so that its words are theirs to read."""
    mine = sa.select(Consultation.id).where(Consultation.id == case.id, scope.words)
    return session.scalar(mine) is not None
