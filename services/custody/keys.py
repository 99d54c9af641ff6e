"""The data keys: a new one from time to time, everything sealed anew under it, and the secret that wraps them (P5).

Nothing here needs to end in one go: what is still under a former key is found again by the mark it begins with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models import AuditEntry, Base, Database, DataKey, KeyUse
from models.base import Encrypted, vault_of
from models.vault import KEY_ID_BYTES, Key, Unreadable, Vault
from services import audit

#: Sealed anew in one transaction: some tens of milliseconds, between which messages are written.
AT_ONCE = 200
#: The audit's rows are never changed, so what they say stays under the key of its day.
NEVER_RESEALED = frozenset({AuditEntry.__tablename__})
#: A batch that was in another's way (a deadlock) is tried so often.
TRIES = 5


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of encrypted text."""

    table: sa.Table
    name: str

    @property
    def says(self) -> str:
        return f"{self.table.name}.{self.name}"

    @property
    def stored(self) -> sa.ColumnElement[bytes]:
        """As it is stored, unopened."""
        return sa.type_coerce(self.table.c[self.name], sa.LargeBinary)

    @property
    def mark(self) -> sa.ColumnElement[bytes]:
        # Written out: as parameters, PostgreSQL could not see that what is grouped by is what is selected.
        first: sa.ColumnElement[int] = sa.literal_column("1")
        many: sa.ColumnElement[int] = sa.literal_column(str(KEY_ID_BYTES))
        return sa.type_coerce(sa.func.substr(self.table.c[self.name], first, many), sa.LargeBinary)


def columns() -> list[Sealed]:
    """Every encrypted column of every table, found from the tables themselves."""
    return [
        Sealed(table, column.name)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Encrypted)
    ]


def resealed() -> list[Sealed]:
    """Those that a rotation seals anew."""
    return [each for each in columns() if each.table.name not in NEVER_RESEALED]


# --- keys ----------------------------------------------------------------------------------------------------


def every(session: Session) -> list[DataKey]:
    """All of them, the oldest first."""
    return list(session.scalars(sa.select(DataKey).order_by(DataKey.id)))


def rotate(session: Session, vault: Vault, at: datetime) -> DataKey:
    """Make the key that seals from now on. Running processes hear of it when they next look, or meet its mark."""
    key = _add(session, vault, KeyUse.TEXTS, at)
    audit.note(session, at, None, "key.rotate", f"key:{key.mark}")
    return key


def begin_anew(session: Session, vault: Vault, at: datetime) -> None:
    """New keys for texts and digests, where nobody knows the secret of those that are there any more."""
    for use in KeyUse:
        _add(session, vault, use, at)
    session.flush()


def _add(session: Session, vault: Vault, use: KeyUse, at: datetime) -> DataKey:
    fresh = Key.new()
    key = DataKey(use=use, mark=fresh.mark.hex(), wrapped=vault.wrap(fresh).hex(), made_at=at)
    session.add(key)
    return key


def rewrap(session: Session, vault: Vault, at: datetime) -> int:
    """Wrap every key by the present secret; returns how many were under a former one. Raises Unreadable."""
    former = [key for key in every(session) if not vault.is_wrapped_now(bytes.fromhex(key.wrapped))]
    for key in former:
        key.wrapped = vault.wrap(vault.unwrap(bytes.fromhex(key.wrapped))).hex()
    if former:
        audit.note(session, at, None, "key.rewrap", "keys", f"{len(former)}")
    return len(former)


def counted(session: Session) -> dict[str, dict[str, int]]:
    """Mark (hexadecimal) → column → how many rows stand under it. Reads every row."""
    found: dict[str, dict[str, int]] = {}
    for each in columns():
        rows = session.execute(
            sa.select(each.mark, sa.func.count()).where(each.table.c[each.name].is_not(None)).group_by(each.mark)
        )
        for mark, many in rows:
            found.setdefault(bytes(mark).hex(), {})[each.says] = many
    return found


def left(session: Session, mark: bytes) -> int:
    """How many rows a rotation has still to seal anew, those aside whose key no secret of ours opens."""
    lost = unreadable(session)
    return sum(
        session.scalar(
            sa.select(sa.func.count()).select_from(each.table).where(*_others(each, mark), each.mark.not_in(lost))
        )
        or 0
        for each in resealed()
    )


def unreadable(session: Session) -> list[bytes]:
    """The marks of keys that are wrapped under a secret we do not have, as after a restore without it."""
    vault = vault_of(session.get_bind().dialect)
    return [bytes.fromhex(key.mark) for key in every(session) if not vault.unwraps(bytes.fromhex(key.wrapped))]


# --- sealing anew --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done:
    """One batch of one column: so many rows sealed anew, so many that no key opens."""

    column: str
    rows: int
    unreadable: int


def reseal(database: Database) -> Iterator[Done]:
    """Seal anew what is under a former key, batch by batch, each in a transaction of its own.

    May be stopped at any point and begun again. A row that somebody changes meanwhile is left to them: its new words
    were sealed by whoever wrote them.
    """
    for each in resealed():
        yield from _reseal_column(database, each)


def _reseal_column(database: Database, each: Sealed) -> Iterator[Done]:
    last: tuple[Any, ...] | None = None
    while True:
        mark = database.vault.current_mark
        with database.reading() as session:
            rows = session.execute(_next(each, mark, last)).all()
        if not rows:
            return
        last = tuple(rows[-1][1:])
        changes, unreadable = _sealed_anew(database.vault, each, rows)
        yield Done(each.says, _write(database, each, changes), unreadable)


def _next(each: Sealed, mark: bytes, last: tuple[Any, ...] | None) -> sa.Select[*tuple[Any, ...]]:
    """The next rows under another key: the stored bytes, then the primary key, in its order."""
    key = list(each.table.primary_key.columns)
    question = sa.select(each.stored, *key).where(*_others(each, mark)).order_by(*key).limit(AT_ONCE)
    if last is None:
        return question
    # The first condition is what an index answers; the second one decides among equals.
    return question.where(key[0] >= last[0], sa.tuple_(*key) > sa.tuple_(*last) if len(key) > 1 else key[0] > last[0])


def _others(each: Sealed, mark: bytes) -> tuple[sa.ColumnElement[bool], ...]:
    return each.table.c[each.name].is_not(None), each.mark != mark


def _sealed_anew(vault: Vault, each: Sealed, rows: Any) -> tuple[list[dict[str, Any]], int]:
    key = [column.name for column in each.table.primary_key.columns]
    changes, unreadable = [], 0
    for row in rows:
        try:
            fresh = vault.seal(vault.open(bytes(row[0])))
        except Unreadable:
            unreadable += 1
            continue
        changes.append(
            {"old": bytes(row[0]), "new": fresh} | {f"at_{n}": v for n, v in zip(key, row[1:], strict=True)}
        )
    return changes, unreadable


def _write(database: Database, each: Sealed, changes: list[dict[str, Any]]) -> int:
    """Compare-and-set for every row of the batch. Raises OperationalError when it is in somebody's way for good."""
    key = list(each.table.primary_key.columns)
    plain = sa.table(
        each.table.name, sa.column(each.name, sa.LargeBinary()), *(sa.column(k.name, k.type) for k in key)
    )
    where = [plain.c[k.name] == sa.bindparam(f"at_{k.name}") for k in key]
    change = sa.update(plain).where(*where, plain.c[each.name] == sa.bindparam("old"))
    change = change.values({each.name: sa.bindparam("new")})
    for tried in range(TRIES):
        try:
            with database.transaction() as session:
                return sum(session.connection().execute(change, one).rowcount for one in changes)
        except OperationalError:
            if tried == TRIES - 1:
                raise
    return 0
