"""What an operator switches: no-send mode, in which nothing leaves or is decided (F142, pitfall 7), and rules (F043)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Due, DueState, Outgoing, SendState, Switch, not_left
from services import audit
from services.sending import fates

NO_SEND = "no_send"
RULE = "rule:"
DISCARDED = "恢复备份后放弃，没有发出"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What would start to move when sending is allowed."""

    waiting: int
    too_late: int
    dues: int

    @property
    def would_leave(self) -> int:
        return self.waiting - self.too_late


def no_send(session: Session) -> Switch | None:
    """The switch while it is on, with since when and why; None when sending is allowed."""
    switch = session.get(Switch, NO_SEND)
    return switch if switch is not None and switch.is_on else None


def stop_sending(session: Session, note: str, at: datetime) -> None:
    """From here on nothing leaves; said again, the first time and reason stand."""
    if no_send(session) is None:
        session.merge(Switch(name=NO_SEND, is_on=True, since=at, note=note[:128]))
        audit.note(session, at, None, "sending.stop", NO_SEND, note)


def allow_sending(session: Session, at: datetime, *, discard: bool = False) -> int:
    """End no-send mode. With `discard`, what waits now is given up. Returns how many rows were given up."""
    gone = 0
    if discard:
        gone = fates.give_up(session, SendState.CANCELLED, DISCARDED, at, not_left())
    session.merge(Switch(name=NO_SEND, is_on=False, since=at, note=""))
    audit.note(session, at, None, "sending.allow", NO_SEND, f"放弃 {gone} 条" if discard else None)
    return gone


def backlog(session: Session, at: datetime) -> Backlog:
    """What waits at an instant, and what of it is no longer worth sending."""
    rows = sa.select(sa.func.count()).select_from(Outgoing).where(Outgoing.state == SendState.WAITING)
    dues = sa.select(sa.func.count()).select_from(Due).where(Due.state == DueState.WAITING, Due.due_at <= at)
    return Backlog(
        session.scalar(rows) or 0, session.scalar(rows.where(Outgoing.not_after < at)) or 0, session.scalar(dues) or 0
    )


def is_rule_on(session: Session, rule: str, *, usually: bool) -> bool:
    """Whether a rule of the timetable is on; `usually` is how it stands while nobody has switched it."""
    switch = session.get(Switch, RULE + rule)
    return usually if switch is None else switch.is_on


def switch_rule(
    session: Session, rule: str, at: datetime, *, on: bool, by: int | None = None, note: str = ""
) -> None:
    """Switch a rule on or off; what comes due while it is off is decided as switched off, not put off.

    `by` is nobody for the command line.
    """
    session.merge(Switch(name=RULE + rule, is_on=on, since=at, note=note[:128]))
    audit.note(session, at, by, "rule.on" if on else "rule.off", RULE + rule, note or None)


def rules(session: Session) -> dict[str, Switch]:
    """The rules that somebody has switched, by name."""
    rows = session.scalars(sa.select(Switch).where(Switch.name.startswith(RULE)))
    return {row.name.removeprefix(RULE): row for row in rows}
