"""The clock that cannot ring twice: rules make rows in the due-table, each row is decided once (pitfalls 9–14).

APScheduler only wakes us. What is due, what is too late, and what was done already stands in SQL, so missed
wake-ups, two schedulers and restarts change nothing but the hour.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from bot import leases
from models import Database, Due, DueState, dialect_of, insert_new
from services import switches

log = structlog.get_logger("clock")

LEASE = "scheduler"
LEASE_FOR = timedelta(seconds=30)
#: No tick decides more than this; the next one goes on.
MAX_DECISIONS = 5000
#: Decided in one transaction.
AT_ONCE = 200
MAX_REMEMBERED = 50_000
TOO_LATE = "错过了最晚时间，没有执行"
NO_RULE = "这条规则已经取消"
OFF = "已关闭"
#: So many days ahead a rule is asked when it is next due.
LOOK_AHEAD_DAYS = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule wants: something about `subject` at `due_at`, useful until `not_after`."""

    subject: str
    due_at: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the timetable. `ask` names what will be due around an instant; `act` does some of it.

    Both run in a transaction; `act` returns a note for each. `says` is the reason people read (P4). `is_on` is how
    it stands until an operator switches it; a rule that has None cannot be switched off.
    """

    name: str
    says: str
    ask: Callable[[Session, datetime], Iterable[Asked]]
    act: Callable[[Session, list[Due], datetime], list[str]]
    is_on: bool | None = None

    def next_due_at(self, session: Session, at: datetime) -> datetime | None:
        """When it will next ask for something after `at`, as far as can be seen."""
        days = (at + timedelta(days=n) for n in range(LOOK_AHEAD_DAYS))
        return min(
            (asked.due_at for day in days for asked in self.ask(session, day) if asked.due_at > at), default=None
        )


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
        self._written: set[tuple[str, str, datetime]] = set()

    @property
    def rules(self) -> list[Rule]:
        return list(self._rules.values())

    def tick(self, at: datetime, *, alone: bool = True) -> list[Decision]:
        """Decide all that is due at `at`. With `alone`, only while holding the scheduler's lease.

        A row that cannot be decided (its rule raised) stays waiting until it is too late, and is logged.
        In no-send mode nothing is decided: a restored copy stands still (F142).
        """
        if alone:
            with self._database.transaction() as session:
                if not leases.take(session, LEASE, self._holder, at, LEASE_FOR):
                    return []
        with self._database.reading() as session:
            if switches.no_send(session) is not None:
                return []
            # Asked without holding SQLite's one writer: rules look at every branch, messages need not wait for that.
            fresh = [row for row in self._asked(session, at) if _key(row) not in self._written]
        with self._database.transaction() as session:
            insert_new(session, Due, fresh)
            due = self._due(session, at)
        self._remember(fresh)
        decisions: list[Decision] = []
        for start in range(0, len(due), AT_ONCE):
            decisions += self._decide_some(due[start : start + AT_ONCE], at)
        return decisions

    def _decide_some(self, due: list[int], at: datetime) -> list[Decision]:
        """Decide in one transaction; when that fails, one by one, so that one cannot hold up the rest."""
        try:
            with self._database.transaction() as session:
                return self.decide(session, due, at)
        except Exception:
            if len(due) == 1:
                log.exception("due.failed", due=due[0])
                return []
        return [decision for due_id in due for decision in self._decide_some([due_id], at)]

    def rehearse(self, session: Session, at: datetime) -> list[Decision]:
        """The same in a session that the caller rolls back: what would be decided at `at` (`tick --dry-run`)."""
        self.plan(session, at)
        return self.decide(session, self._due(session, at), at)

    def plan(self, session: Session, at: datetime) -> None:
        """Write down what the rules ask for; what is there already stays (unique by rule, subject, instant)."""
        insert_new(session, Due, self._asked(session, at))

    def _asked(self, session: Session, at: datetime) -> list[dict[str, Any]]:
        """What the rules ask for, in the order of its index: two who write it at once then wait for each other in
        one direction only (MariaDB)."""
        rows = [
            {
                "rule": rule.name, "subject": asked.subject, "due_at": asked.due_at, "not_after": asked.not_after,
                "state": DueState.WAITING, "decided_at": None, "note": "",
            }
            for rule in self._rules.values()
            for asked in rule.ask(session, at)
        ]  # fmt: skip
        return sorted(rows, key=_key)

    def _remember(self, rows: list[dict[str, Any]]) -> None:
        """What this process has written down need not be written again with every tick."""
        if len(self._written) > MAX_REMEMBERED:
            self._written.clear()
        self._written.update(map(_key, rows))

    def _due(self, session: Session, at: datetime) -> list[int]:
        return list(
            session.scalars(
                sa.select(Due.id)
                .where(Due.state == DueState.WAITING, Due.due_at <= at)
                .order_by(Due.due_at, Due.id)
                .limit(MAX_DECISIONS)
            )
        )

    def decide(self, session: Session, due_ids: list[int], at: datetime) -> list[Decision]:
        """Do these rows or mark them too late; those that somebody else is deciding or has decided are left out."""
        waiting = (
            sa.select(Due).where(Due.id.in_(due_ids), Due.state == DueState.WAITING).order_by(Due.due_at, Due.id)
        )
        if dialect_of(session) != "sqlite":
            waiting = waiting.with_for_update(skip_locked=True)
        rows = list(session.scalars(waiting))
        for due in rows:
            due.decided_at = at
            due.state = DueState.EXPIRED if at > due.not_after else DueState.DONE
            due.note = TOO_LATE if at > due.not_after else ""
        for name in dict.fromkeys(due.rule for due in rows):
            timely = [due for due in rows if due.rule == name and due.state is DueState.DONE]
            for due, note in zip(timely, self._act(session, name, timely, at), strict=True):
                due.note = note[:128]
        session.flush()
        return [Decision(due.rule, due.subject, due.due_at, due.state, due.note) for due in rows]

    def _act(self, session: Session, name: str, dues: list[Due], at: datetime) -> list[str]:
        rule = self._rules.get(name)
        if rule is None or not dues:
            return [NO_RULE] * len(dues)
        if rule.is_on is not None and not switches.is_rule_on(session, name, usually=rule.is_on):
            return [OFF] * len(dues)
        return rule.act(session, dues, at)


def _key(row: dict[str, Any]) -> tuple[str, str, datetime]:
    return row["rule"], row["subject"], row["due_at"]
