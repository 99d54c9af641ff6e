"""The due-table as people look at it (F139): rule by rule, and row by row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Due, DueState, Lease
from services.sending import fates

RECENT = timedelta(days=30)


def matching(state: DueState | None) -> sa.Select[Due]:
    """Rows in one state, or all; what waits is listed from the next on, the rest from the last back."""
    question = sa.select(Due)
    if state is None:
        return question.order_by(Due.due_at.desc(), Due.id)
    order = Due.due_at if state is DueState.WAITING else Due.due_at.desc()
    return question.where(Due.state == state).order_by(order, Due.id)


@dataclass(frozen=True, slots=True)
class OfRule:
    """One automatic rule: when next, when last, and how it went in the last thirty days."""

    name: str
    next_at: datetime | None
    last_at: datetime | None
    late: int
    done: int
    expired: int


def by_rule(session: Session, names: list[str], at: datetime) -> list[OfRule]:
    """The rules in force, in their order, then those that have rows and are in force no more."""

    def count(*where: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(sa.case((sa.and_(*where), 1), else_=0)), 0)

    waits, recent = Due.state == DueState.WAITING, Due.due_at > at - RECENT
    rows = session.execute(
        sa.select(
            Due.rule,
            sa.func.min(sa.case((sa.and_(waits, Due.due_at > at), Due.due_at))),
            sa.func.max(Due.decided_at),
            count(waits, Due.due_at <= at),
            count(Due.state == DueState.DONE, recent),
            count(Due.state == DueState.EXPIRED, recent),
        ).group_by(Due.rule)
    )
    found = {row[0]: OfRule(*row) for row in rows}
    empty = [OfRule(name, None, None, 0, 0, 0) for name in names if name not in found]
    known = {rule.name: rule for rule in [*found.values(), *empty]}
    return [known[name] for name in [*names, *sorted(found.keys() - set(names))]]


def watched(session: Session, at: datetime) -> dict[str, bool]:
    """Whether a process holds the clock, and whether any sender lives."""
    held = session.scalar(sa.select(Lease.name).where(Lease.name == "scheduler", Lease.until > at))
    return {"scheduler": held is not None, "sender": fates.senders(session, at) > 0}
