"""One engine and its transactions, on each of the three databases."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from models.base import Base
from models.keys import DataKey, KeyUse
from models.vault import Stored, Vault


class Database:
    """One engine and its transactions. Handed to the edges; services only ever see a session."""

    def __init__(self, url: str, vault: Vault, pool_size: int = 24) -> None:
        self.url = sa.make_url(url)
        options: dict[str, Any] = {"pool_pre_ping": self.url.get_backend_name() != "sqlite"}
        if not self.is_sqlite:
            # The connection that was used last has its statements prepared.
            options |= {"pool_size": pool_size, "max_overflow": 8, "pool_timeout": 4, "pool_use_lifo": True}
        self.engine = sa.create_engine(self.url, **options)
        self.engine.dialect.vault = vault  # type: ignore[attr-defined]
        self.vault = vault
        vault.read_from(self._data_keys)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._file: tuple[int, int] | None = None
        # SQLite has one writer. Waiting for it here is fair; its own waiting is a lottery of short sleeps.
        self._one_writer = threading.RLock() if self.is_sqlite else None
        if self.is_sqlite:
            sa.event.listen(self.engine, "first_connect", self._note_file)
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        if self.url.get_backend_name() in {"mysql", "mariadb"}:
            sa.event.listen(self.engine, "connect", _prepare_mariadb)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    def _note_file(self, _connection: object, _record: object) -> None:
        self._file = _identity(self.url.database)

    @property
    def is_replaced(self) -> bool:
        """Whether SQLite's file was taken away under us, or another put in its place: what we write then is lost."""
        return self._file is not None and _identity(self.url.database) != self._file

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose work is kept whole when the block ends, or dropped whole when it raises."""
        with self._one_writer or nullcontext(), self._sessions() as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for questions only; it never waits for a writer."""
        with self._sessions() as session:
            session.connection(execution_options={"reading": True})
            yield session
            # What was read stays readable: a rollback would empty every row that is still held.
            session.expunge_all()
            session.rollback()

    def _data_keys(self) -> list[Stored]:
        """The stored keys, the oldest first; none while there is no table yet. Read over a connection of its own: it
        happens within somebody's transaction."""
        aside = sa.create_engine(self.url, poolclass=sa.NullPool)
        with aside.connect() as connection:
            if not sa.inspect(connection).has_table(DataKey.__tablename__):
                return []
            rows = connection.execute(sa.select(DataKey.use, DataKey.wrapped).order_by(DataKey.id)).all()
        return [(use is KeyUse.INDEX, bytes.fromhex(wrapped)) for use, wrapped in rows]

    def refresh_statistics(self) -> None:
        """Let the database count its rows after many were added at once; until then it plans for empty tables."""
        names = ", ".join(Base.metadata.tables)
        is_mysql = self.url.get_backend_name() in {"mysql", "mariadb"}
        with self.transaction() as session:
            session.execute(sa.text(f"ANALYZE TABLE {names}" if is_mysql else "ANALYZE"))

    def close(self) -> None:
        """Give every connection back to the server."""
        self.engine.dispose()


def _identity(path: str | None) -> tuple[int, int] | None:
    """Which file it is, whatever it is called."""
    try:
        found = os.stat(path or "")  # noqa: PTH116 - not every name that SQLite takes is a path
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself: we say BEGIN IMMEDIATE (see _begin_sqlite).
    connection.isolation_level = None
    cursor = connection.cursor()
    for line in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {line}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that starts as a reader and then writes can fail at once with "database is locked".
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _prepare_mariadb(connection: Any, _record: object) -> None:
    # Its default, REPEATABLE READ, would hide rows that other processes have just finished.
    cursor = connection.cursor()
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    cursor.execute("SET SESSION time_zone = '+00:00'")
    cursor.close()
