"""The clock that cannot ring twice: rules make rows in the due-table, each row is decided once (pitfalls 9–14).

APScheduler only wakes us. What is due, what is too late, and what was done already stands in SQL, so missed
wake-ups, two schedulers and restarts change nothing but the hour.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from bot import leases
from models import Database, Due, DueState, insert_new

log = structlog.get_logger("clock")

LEASE = "scheduler"
LEASE_FOR = timedelta(seconds=30)
#: No tick decides more than this; the next one goes on.
MAX_DECISIONS = 5000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule wants: something about `subject` at `due_at`, useful until `not_after`."""

    subject: str
    due_at: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the timetable. `ask` names what will be due around an instant; `act` does one of them.

    Both run in a transaction; `act` returns a note for the record. `says` is the reason people read (P4).
    """

    name: str
    says: str
    ask: Callable[[Session, datetime], Iterable[Asked]]
    act: Callable[[Session, Due, datetime], str]


@dataclass(frozen=True, slots=True)
class Decision:
    """One row that was decided in a tick."""

    rule: str
    subject: str
    due_at: datetime
    state: DueState
    note: str


class Clockwork:
    """Decides what the rules ask for."""

    def __init__(self, database: Database, rules: Sequence[Rule]) -> None:
        self._database = database
        self._rules = {rule.name: rule for rule in rules}
        self._holder = secrets.token_hex(8)

    @property
    def rules(self) -> list[Rule]:
        return list(self._rules.values())

    def tick(self, at: datetime, *, alone: bool = True) -> list[Decision]:
        """Decide all that is due at `at`. With `alone`, only while holding the scheduler's lease.

        A row that cannot be decided (its rule raised) stays waiting until it is too late, and is logged.
        """
        if alone:
            with self._database.transaction() as session:
                if not leases.take(session, LEASE, self._holder, at, LEASE_FOR):
                    return []
        with self._database.transaction() as session:
            self.plan(session, at)
            due = self._due(session, at)
        decisions = []
        for due_id in due:
            try:
                with self._database.transaction() as session:
                    decision = self.decide(session, due_id, at)
            except Exception:
                log.exception("due.failed", due=due_id)
                continue
            if decision is not None:
                decisions.append(decision)
        return decisions

    def rehearse(self, session: Session, at: datetime) -> list[Decision]:
        """The same in a session that the caller rolls back: what would be decided at `at` (`tick --dry-run`)."""
        self.plan(session, at)
        found = [self.decide(session, due_id, at) for due_id in self._due(session, at)]
        return [decision for decision in found if decision is not None]

    def plan(self, session: Session, at: datetime) -> None:
        """Write down what the rules ask for; what is there already stays (unique by rule, subject, instant)."""
        for rule in self._rules.values():
            rows = [
                {
                    "rule": rule.name, "subject": asked.subject, "due_at": asked.due_at,
                    "not_after": asked.not_after, "state": DueState.WAITING, "decided_at": None, "note": "",
                }
                for asked in rule.ask(session, at)
            ]  # fmt: skip
            insert_new(session, Due, rows)

    def _due(self, session: Session, at: datetime) -> list[int]:
        return list(
            session.scalars(
                sa.select(Due.id)
                .where(Due.state == DueState.WAITING, Due.due_at <= at)
                .order_by(Due.due_at, Due.id)
                .limit(MAX_DECISIONS)
            )
        )

    def decide(self, session: Session, due_id: int, at: datetime) -> Decision | None:
        """Do one row, or mark it too late; None when somebody else has decided it."""
        changed = session.execute(
            sa.update(Due)
            .where(Due.id == due_id, Due.state == DueState.WAITING)
            .values(state=DueState.DONE, decided_at=at)
        )
        if changed.rowcount != 1:  # type: ignore[attr-defined]
            return None
        due = session.get_one(Due, due_id, populate_existing=True)
        rule = self._rules.get(due.rule)
        if rule is None:
            due.note = "这条规则已经取消"
        elif at > due.not_after:
            due.state, due.note = DueState.EXPIRED, "错过了最晚时间，没有执行"
        else:
            due.note = rule.act(session, due, at)[:128]
        session.flush()
        return Decision(due.rule, due.subject, due.due_at, due.state, due.note)
