"""What wants somebody today: due and late, stuck, unanswered, failed. Everything within one scope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import beijing_date
from models import (
    Answer,
    Attendance,
    BindingClaim,
    Branch,
    Campaign,
    CaseState,
    ClaimState,
    Consultation,
    Credential,
    Due,
    DueState,
    Gathering,
    GatheringState,
    Outcome,
    Outgoing,
    Person,
    Presence,
    SendState,
    Switch,
)
from services import switches
from services.scope import Scope
from services.sending import campaigns

#: Failures older than this have been looked at, or never will be.
RECENT = timedelta(days=7)
#: A question that nobody took for so long is late (the targets in working time are still to come).
TOO_LONG = timedelta(hours=24)
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Cases:
    waiting: int
    waiting_long: int
    dangerous: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class Coming:
    """What one rule will do at one hour, and about how many."""

    due_at: datetime
    rule: str
    many: int


@dataclass(frozen=True, slots=True)
class Running:
    """How the machine itself is; for who looks after the city."""

    stopped: Switch | None
    circuit: str | None
    late: int
    expired: int
    waiting: int
    unknown: int
    refused: int
    failed: int
    halted: list[Campaign]
    coming: list[Coming]


def cases(session: Session, scope: Scope, at: datetime) -> Cases:
    """Questions that wait to be taken, those waiting too long, the dangerous that are open, taken but unanswered."""
    is_waiting = Consultation.state == CaseState.WAITING
    is_open = Consultation.state.in_((CaseState.WAITING, CaseState.TAKEN, CaseState.ANSWERED))
    row = session.execute(
        sa.select(
            _count_if(is_waiting),
            _count_if(sa.and_(is_waiting, Consultation.asked_at < at - TOO_LONG)),
            _count_if(sa.and_(is_open, Consultation.is_dangerous)),
            _count_if(Consultation.state == CaseState.TAKEN),
        ).where(scope.cases)
    ).one()
    return Cases(*row)


def _count_if(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def running(session: Session, at: datetime) -> Running:
    """The sender, the clock, the inbox, the calls to WeChat."""
    sends = _sends(session, at)
    late = sa.select(sa.func.count()).select_from(Due).where(Due.state == DueState.WAITING, Due.due_at <= at)
    expired = sa.select(sa.func.count()).where(Due.state == DueState.EXPIRED, Due.due_at > at - RECENT)
    failed = sa.select(sa.func.count()).where(Answer.outcome == Outcome.FAILED, Answer.answered_at > at - RECENT)
    coming = (
        sa.select(Due.due_at, Due.rule, sa.func.count())
        .where(Due.state == DueState.WAITING, Due.due_at > at)
        .group_by(Due.due_at, Due.rule)
        .order_by(Due.due_at, Due.rule)
    )
    return Running(
        stopped=switches.no_send(session),
        circuit=session.scalar(sa.select(Credential.reason).where(Credential.open_until > at).limit(1)),
        late=session.scalar(late) or 0,
        expired=session.scalar(expired) or 0,
        waiting=sends.get(SendState.WAITING, 0) + sends.get(SendState.CLAIMED, 0),
        unknown=sends.get(SendState.UNKNOWN, 0),
        refused=sends.get(SendState.REFUSED, 0),
        failed=session.scalar(failed) or 0,
        halted=campaigns.halted(session),
        coming=[Coming(*row) for row in session.execute(coming.limit(SHOWN))],
    )


def _sends(session: Session, at: datetime) -> dict[SendState, int]:
    pending = Outgoing.state.in_((SendState.WAITING, SendState.CLAIMED))
    lately = sa.and_(Outgoing.state.in_((SendState.UNKNOWN, SendState.REFUSED)), Outgoing.due_at > at - RECENT)
    rows = session.execute(
        sa.select(Outgoing.state, sa.func.count()).where(sa.or_(pending, lately)).group_by(Outgoing.state)
    )
    return {row[0]: row[1] for row in rows}


def today(session: Session, scope: Scope, at: datetime) -> tuple[list[Gathering], int, int]:
    """Gatherings of the day (a few, with their branches), how many there are, and how many people are there."""
    planned = (
        scope.gatherings, Gathering.held_on == beijing_date(at), Gathering.state == GatheringState.PLANNED,
    )  # fmt: skip
    count = session.scalar(sa.select(sa.func.count()).select_from(Gathering).where(*planned)) or 0
    present = session.scalar(
        sa.select(sa.func.count())
        .select_from(Attendance)
        .join(Gathering, Gathering.id == Attendance.gathering_id)
        .where(*planned, Attendance.presence == Presence.PRESENT)
    )
    rows = session.scalars(
        sa.select(Gathering)
        .options(joinedload(Gathering.branch))
        .join(Branch, Branch.id == Gathering.branch_id)
        .where(*planned)
        .order_by(Gathering.opens_at, Branch.name)
        .limit(SHOWN)
    )
    return list(rows), count, present or 0


def claims(session: Session, scope: Scope) -> int:
    """Words of “I am this person” that wait for somebody's yes or no."""
    return (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(BindingClaim)
            .join(Person, Person.id == BindingClaim.person_id)
            .where(BindingClaim.state == ClaimState.WAITING, scope.people)
        )
        or 0
    )


def oldest_waiting(session: Session, scope: Scope) -> list[Consultation]:
    """The questions that wait longest, the dangerous first; by number, without a word of them."""
    return list(
        session.scalars(
            sa.select(Consultation)
            .options(joinedload(Consultation.county))
            .where(scope.cases, Consultation.state == CaseState.WAITING)
            .order_by(Consultation.is_dangerous.desc(), Consultation.asked_at)
            .limit(SHOWN)
        )
    )
