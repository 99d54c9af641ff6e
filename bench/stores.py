"""The databases a storm can fall on. Each round gets a fresh one, where possible a copy of a filled pattern."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from tests import servers


@dataclass(frozen=True)
class Store:
    """A running database server, or SQLite's plain files."""

    name: str
    server: servers.Url | None

    @property
    def pids(self) -> list[int]:
        return [self.server.pid] if self.server else []

    @property
    def can_copy(self) -> bool:
        return self.name != "mariadb"

    def fresh(self, room: Path, pattern: str | None = None) -> str:
        if self.server:
            return servers.fresh_database(self.server, template=pattern)
        path = room / "bot.db"
        if pattern:
            shutil.copy(sa.make_url(pattern).database or "", path)
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        if self.server:
            servers.drop_database(url)


KINDS: dict[str, Callable[[], AbstractContextManager[servers.Url | None]]] = {
    "postgresql": servers.postgres,
    "mariadb": servers.mariadb,
    "sqlite": nullcontext,
}


@contextmanager
def running(name: str) -> Iterator[Store]:
    with KINDS[name]() as url:
        yield Store(name, url)


def rows(url: str, table: str) -> int:
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        return int(connection.scalar(sa.text(f"SELECT COUNT(*) FROM {table}")) or 0)


def settle(url: str) -> None:
    """Write a filled pattern wholly into its one file, so that copying the file copies everything."""
    if url.startswith("sqlite"):
        with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def sync_microseconds(room: Path, times: int = 200) -> float:
    """What one durable write costs on this disk: the floor under every commit."""
    descriptor = os.open(room / "sync", os.O_CREAT | os.O_WRONLY)
    try:
        began = time.perf_counter()
        for _ in range(times):
            os.write(descriptor, b"x" * 512)
            os.fdatasync(descriptor)
        return (time.perf_counter() - began) / times * 1e6
    finally:
        os.close(descriptor)
