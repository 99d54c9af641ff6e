"""Who did, saw or changed what. Rows are only ever added, and sealed into a chain of digests soon afterwards."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from errors import Misunderstood, RuleBroken
from models import AuditEntry, AuditSeal, Switch

__all__ = ["AuditEntry", "Report", "guard", "is_guarded", "note", "opened_for_restore", "reason", "seal", "verify"]

START = "0" * 64
#: Sealed in one transaction.
AT_ONCE = 2000
#: A slow transaction may show an entry after younger ones were sealed; so far back is looked for such.
LOOK_BACK = 5000
#: While this switch is on, in the transaction of a restore, the triggers let the audit be replaced.
RESTORING = "audit_restore"
SHOWN_BREAKS = 20
SHORTEST_REASON, LONGEST_REASON = 4, 100
#: Kinds of letters that show nothing; a reason made of them is none.
UNSEEN = frozenset({"Cf", "Cs", "Cn", "Co"})


def note(
    session: Session, at: datetime, person_id: int | None, act: str, subject: str, details: str | None = None
) -> None:
    """Add one line, in the transaction of what it tells about."""
    session.add(AuditEntry(at=at, person_id=person_id, act=act, subject=subject[:64], details=details))


def reason(said: str, what: str, example: str) -> str:
    """Why somebody does what leaves a trace, as it is kept. Raises Misunderstood without one."""
    seen = "".join(
        " " if unicodedata.category(letter) == "Cc" else letter
        for letter in said
        if unicodedata.category(letter) not in UNSEEN
    )
    why = " ".join(seen.split())
    said_letters = sum(letter.isalnum() for letter in why)
    if said_letters < SHORTEST_REASON or len(why) > LONGEST_REASON:
        error = Misunderstood(f"请写明{what}，{SHORTEST_REASON}–{LONGEST_REASON} 个字，例如“{example}”。")
        error.about = "why"
        raise error
    return why


# --- the chain -----------------------------------------------------------------------------------------------

# As it is stored: the chain can be checked by somebody who may not read the details.
_STORED = (
    AuditEntry.id, AuditEntry.at, AuditEntry.person_id, AuditEntry.act, AuditEntry.subject,
    sa.type_coerce(AuditEntry.details, sa.LargeBinary).label("details"),
)  # fmt: skip


def _digest(previous: str, row: Any) -> str:
    details = None if row.details is None else bytes(row.details).hex()
    told = [row.id, row.at.astimezone(UTC).isoformat(), row.person_id, row.act, row.subject, details]
    return hashlib.sha256(f"{previous}\n{json.dumps(told, ensure_ascii=False)}".encode()).hexdigest()


def seal(session: Session, *, everything: bool = False) -> int:
    """Give entries that have none their place in the chain; returns how many. Of two sealers at once one fails.

    With `everything` entries are found however late they became visible.
    """
    last = session.execute(
        sa.select(AuditSeal.position, AuditSeal.digest).order_by(AuditSeal.position.desc()).limit(1)
    ).first()
    position, previous = (last.position, last.digest) if last else (0, START)
    newest = session.scalar(sa.select(sa.func.max(AuditSeal.entry_id))) or 0
    rows = session.execute(
        sa.select(*_STORED)
        .where(
            AuditEntry.id > (0 if everything else newest - LOOK_BACK),
            ~sa.exists().where(AuditSeal.entry_id == AuditEntry.id),
        )
        .order_by(AuditEntry.id)
        .limit(AT_ONCE)
    )
    seals = []
    for row in rows:
        digest = _digest(previous, row)
        position += 1
        seals.append({"position": position, "entry_id": row.id, "previous": previous, "digest": digest})
        previous = digest
    if seals:
        session.execute(sa.insert(AuditSeal.__table__), seals)
    return len(seals)


@dataclass(slots=True)
class Report:
    """What checking the chain found. `last` is worth writing down elsewhere: it vouches for all before it."""

    sealed: int = 0
    unsealed: int = 0
    last: str = START
    breaks: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.breaks


def verify(session: Session) -> Report:
    """Read the whole chain. It cannot see that its very end was cut off: compare `last` with an earlier one."""
    report = Report()
    chain = session.execute(
        sa.select(AuditSeal.position, AuditSeal.entry_id, AuditSeal.previous, AuditSeal.digest, *_STORED)
        .outerjoin(AuditEntry, AuditEntry.id == AuditSeal.entry_id)
        .order_by(AuditSeal.position)
        .execution_options(yield_per=AT_ONCE)
    )
    for expected, row in enumerate(chain, 1):
        said = _break(report.last, expected, row)
        if said and len(report.breaks) < SHOWN_BREAKS:
            report.breaks.append(said)
        report.sealed, report.last = expected, row.digest
    report.unsealed = (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(AuditEntry)
            .where(~sa.exists().where(AuditSeal.entry_id == AuditEntry.id))
        )
        or 0
    )
    return report


def _break(previous: str, expected: int, row: Any) -> str:
    if row.position != expected:
        return f"链上第 {expected} 环不见了（下一环是第 {row.position} 环）。"
    if row.id is None:
        return f"第 {row.position} 环：审计记录 {row.entry_id} 被删除了。"
    if row.previous != previous:
        return f"第 {row.position} 环接不上前一环。"
    if _digest(previous, row) != row.digest:
        return f"第 {row.position} 环：审计记录 {row.entry_id} 与封存时不同。"
    return ""


#: Where each kind of database lists its triggers; ours begin with the name of the table they guard.
_TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    "mysql": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
}


def is_guarded(session: Session) -> bool:
    """Whether triggers keep the audit from being changed; some MySQL servers do not let us make any."""
    names = session.scalars(sa.text(_TRIGGERS[session.get_bind().dialect.name])).all()
    guarded = (AuditEntry.__tablename__, AuditSeal.__tablename__)
    return all(any(name.startswith((f"{table}_no_", f"{table}_stays")) for name in names) for table in guarded)


def guard(connection: sa.Connection) -> None:
    """Make the triggers that a MySQL server did not allow when the tables were made. Raises RuleBroken if it still does
    not; the other databases always have theirs."""
    opened = f"SELECT 1 FROM {Switch.__tablename__} WHERE name = '{RESTORING}' AND is_on"  # noqa: S608 - our own words
    for table in (AuditEntry.__tablename__, AuditSeal.__tablename__):
        for act in ("update", "delete"):
            refuse = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'audit rows are never changed'"
            body = f"BEGIN IF NOT EXISTS ({opened}) THEN {refuse}; END IF; END"
            try:
                connection.execute(
                    sa.text(f"CREATE OR REPLACE TRIGGER {table}_no_{act} BEFORE {act} ON {table} FOR EACH ROW {body}")
                )
            except OperationalError as error:
                raise RuleBroken(f"数据库还是不让建触发器：{error.orig}") from None


@contextmanager
def opened_for_restore(connection: sa.Connection) -> Iterator[None]:
    """Lets a restore replace the audit; nobody else ever sees the switch, which ends with this block."""
    if not sa.inspect(connection).has_table(AuditSeal.__tablename__):
        yield
        return
    connection.execute(sa.delete(Switch).where(Switch.name == RESTORING))
    connection.execute(sa.insert(Switch).values(name=RESTORING, is_on=True, since=datetime(2000, 1, 1, tzinfo=UTC)))
    yield
    connection.execute(sa.delete(Switch).where(Switch.name == RESTORING))
