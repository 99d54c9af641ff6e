"""The whole engine as one sender: the ledger in a database, claims, fates, and the calls themselves.

    BOT_CONFIG=… python -m bench.engine

The campaign is paused when this starts; one row of another is sent first, so that everything is loaded and warm. It
tells what sending cost this process, in the same words as the other senders.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import app
import clock
import config
import schema
from bench import stores
from bench.environments import ROOT
from bench.processes import Failed, cpu_seconds, run, tail
from bench.references.senders import cpu_seconds as own_cpu_seconds
from bench.references.senders import megabytes
from models import Database, NoticeKind, SendState, Vault
from services.sending import campaigns, fates, outbox
from services.sending.outbox import Letter, Recipient

CAMPAIGN, WARM_UP = "bench", "warm-up"
#: Who gets the one message that is not measured.
WARMED = "oSimBulkWarmUp".ljust(28, "0")
PER_SECOND = 20_000
SECRET = "a secret for benchmarks, forty characters"
FACTS = {
    "title": "主题党日",
    "words": "本周五八点半开展主题党日活动",
    "sender": "市法学会",
    "time": "2026年11月13日 08:30",
}


@dataclass(frozen=True)
class Ready:
    """A database in which everybody waits, and what putting them there took."""

    url: str
    server_pids: list[int]
    queueing_seconds: float


@contextmanager
def queued(kind: str, room: Path, people: int) -> Iterator[Ready]:
    """A fresh database with one row for each of these made-up followers, held back until the engine is warm."""
    with stores.running(kind) as store:
        url = store.fresh(room)
        database = Database(url, Vault(SECRET))
        schema.upgrade(database)
        began = time.perf_counter()
        with database.transaction() as session:
            everybody = (Recipient(None, f"oSimBulk{number:020d}") for number in range(people))
            outbox.queue(session, Letter(NoticeKind.BROADCAST, CAMPAIGN, FACTS, everybody), clock.now())
            campaigns.pause(session, CAMPAIGN, clock.now(), by=None)
        took = time.perf_counter() - began
        with database.transaction() as session:
            outbox.queue(session, Letter(NoticeKind.BINDING, WARM_UP, FACTS, [Recipient(None, WARMED)]), clock.now())
        database.close()
        yield Ready(url, store.pids, took)


def send(ready: Ready, wechat_url: str, connections: int, room: Path, limit_seconds: float) -> dict[str, float]:
    """Let the engine send in a process of its own: what it says of itself, and what it cost the database. Raises
    Failed."""
    log = room / "engine.log"
    before = cpu_seconds(ready.server_pids)
    environment = {
        "PYTHONPATH": str(ROOT),
        "BOT_CONFIG": str(ROOT / "config.example.yaml"),
        "BOT_DATABASE__URL": ready.url,
        "BOT_SERVER__SECRET_KEY": SECRET,
        "BOT_WECHAT__API_BASE_URL": wechat_url,
        "BOT_SENDING__CONNECTIONS": str(connections),
        "BOT_SENDING__PER_SECOND": str(PER_SECOND),
        "BOT_SENDING__DAILY_TEMPLATES": "10000000",
    }
    run([sys.executable, "-m", "bench.engine"], room, log, environment, limit_seconds)
    try:
        figures: dict[str, float] = json.loads(log.read_text("utf-8").splitlines()[-1])
    except (ValueError, IndexError):
        raise Failed(f"the engine did not report{tail(log)}") from None
    return figures | {"database_cpu_seconds": cpu_seconds(ready.server_pids) - before}


def measured() -> dict[str, float]:
    """Send what is queued, and tell what that took."""
    parts = app.make(config.load())
    delivery = parts.delivery()
    delivery.run_until_empty()
    with parts.database.transaction() as session:
        campaigns.resume(session, CAMPAIGN, clock.now(), by=None)
    before, worked, began = megabytes("VmRSS"), own_cpu_seconds(), time.perf_counter()
    while _is_open(parts.database):
        delivery.run()
    seconds, cpu = time.perf_counter() - began, own_cpu_seconds() - worked
    peak = megabytes("VmHWM")
    with parts.database.reading() as session:
        taken = fates.tally(session, CAMPAIGN)[SendState.SENT]
    delivery.stop()
    return {"taken": taken, "seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak, "grown_mb": peak - before}


def _is_open(database: Database) -> bool:
    with database.reading() as session:
        return fates.is_work_waiting(session, clock.now())


if __name__ == "__main__":
    print(json.dumps(measured()))
