"""Who is meant, out of a million people: the members of one county, counted, fetched, and put into the outbox."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

import clock
import schema
from bench import stores
from bench.references.senders import megabytes
from bench.table import DATABASES, laid_out
from models import Affiliation, Database, NoticeKind, Vault
from services.sending import audience, outbox
from services.sending.audience import Audience
from services.sending.outbox import Letter, Recipient
from tests import servers

COUNTY, MEANT = "金水区", 63_130
PEOPLE = 1_000_000
BRANCHES, OF_THE_COUNTY = 674, 56
#: Everybody's place in an order that has nothing to do with their number: prime to the number of people.
STRIDE = 7919
#: Required of the ids.
MOST_SECONDS = 0.3
TIMES = 5
SECRET = "a secret for benchmarks, forty characters"
FACTS = {"title": "通知", "words": "正文", "sender": "市法学会", "time": "2026年11月27日 09:00"}
INDEX = "ix_affiliations_branch_id_person_id"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    databases: tuple[str, ...]
    people: int = PEOPLE

    @property
    def meant(self) -> int:
        """How many members the county has."""
        return MEANT * self.people // PEOPLE


@dataclass(frozen=True)
class Found:
    """What one database took; the seconds are medians."""

    database: str
    meant: int
    count_seconds: float
    ids_seconds: float
    recipients_seconds: float
    #: The same ids with an index on the branch alone, as most would have it.
    plain_ids_seconds: float
    queue_seconds: float
    queue_mb: float


@dataclass
class Results:
    plan: Plan
    found: list[Found] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Everybody who is meant was found, and soon enough."""
        return not self.unavailable and all(
            found.meant == self.plan.meant and found.ids_seconds < MOST_SECONDS for found in self.found
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def audiences(plan: Plan, say: Say) -> Results:
    """Measure on each database."""
    results = Results(plan)
    for name in plan.databases:
        try:
            with _filled(name, plan) as database:
                say(f"  {name}: {plan.people:,} people")
                results.found.append(measure(name, database))
        except (servers.Missing, servers.Broken) as reason:
            results.unavailable[name] = str(reason)
    return results


@contextmanager
def _filled(name: str, plan: Plan) -> Iterator[Database]:
    """The whole city, the same every time, written by the database itself."""
    with ExitStack() as stack:
        store = stack.enter_context(stores.running(name))
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bot-audience-")))
        database = stack.enter_context(closing(Database(store.fresh(room), Vault(SECRET))))
        schema.upgrade(database)
        with database.transaction() as session:
            for line in _statements(database.is_sqlite, plan):
                session.execute(sa.text(line))
        _tidy(database)
        yield database


def _statements(is_sqlite: bool, plan: Plan) -> list[str]:
    place = f"i * {STRIDE} % {plan.people}"
    branch = (
        f"CASE WHEN {place} < {plan.meant} THEN 1 + {place} % {OF_THE_COUNTY} "
        f"ELSE {OF_THE_COUNTY + 1} + {place} % {BRANCHES - OF_THE_COUNTY} END"
    )
    counties = ", ".join(
        f"({number}, '{COUNTY if number == 1 else f'county {number}'}', '')" for number in range(1, 13)
    )
    # The rows are right by their making; asking for each would take longer than everything else.
    unchecked = [] if is_sqlite else ["SET LOCAL session_replication_role = replica"]
    return [
        *unchecked,
        f"INSERT INTO counties (id, name, brand) VALUES {counties}",
        f"INSERT INTO branches (id, name, kind, county_id, is_fictional) SELECT i, 'branch ' || i, 'firm', "
        f"CASE WHEN i <= {OF_THE_COUNTY} THEN 1 ELSE 2 + i % 11 END, true FROM {_numbers(is_sqlite, BRANCHES)}",
        f"INSERT INTO people (id, name, is_fictional) SELECT i, 'person ' || i, true "
        f"FROM {_numbers(is_sqlite, plan.people)}",
        f"INSERT INTO affiliations (person_id, branch_id, is_main, since_on) SELECT i, {branch}, true, '2020-01-01' "
        f"FROM {_numbers(is_sqlite, plan.people)}",
        "INSERT INTO followers (openid, person_id, is_subscribed, met_at, bound_at) SELECT "
        f"'oMillion' || (100000000000 + {place}), i, true, '2026-01-01 00:00:00', '2026-01-01 00:00:00' "
        f"FROM {_numbers(is_sqlite, plan.people)}",
    ]


def _numbers(is_sqlite: bool, most: int) -> str:
    if is_sqlite:
        return f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) SELECT i FROM n)"
    return f"generate_series(1::bigint, {most}) AS n(i)"


def _tidy(database: Database) -> None:
    """What the database does by itself in quiet hours."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")


def measure(name: str, database: Database) -> Found:
    """Everything through the same doors as the chat and the console use."""
    meant, at = Audience(f"县:{COUNTY}"), clock.now()
    count = _median(database, lambda session: audience.count(session, meant, at))
    ids = _median(database, lambda session: session.scalars(meant.ids(session, at)).all())
    recipients = _median(database, lambda session: _recipients(session, meant))
    queue_seconds, queue_mb = _queue(database, meant)
    with database.reading() as session:
        found = audience.count(session, meant, at)
    _use_plain_index(database)
    plain = _median(database, lambda session: session.scalars(meant.ids(session, at)).all())
    return Found(name, found, count, ids, recipients, plain, queue_seconds, queue_mb)


def _recipients(session: Session, meant: Audience) -> list[Recipient]:
    return [Recipient(*row) for row in session.execute(meant.accounts(session, clock.now()))]


def _median(database: Database, ask: Callable[[Session], object]) -> float:
    seconds = []
    for _ in range(TIMES):
        with database.reading() as session:
            began = time.perf_counter()
            ask(session)
            seconds.append(time.perf_counter() - began)
    return median(seconds)


def _queue(database: Database, meant: Audience) -> tuple[float, float]:
    """Put one notice to all of them into the outbox: the seconds until it is kept, and what it needs in memory."""
    with database.reading() as session:
        everybody = _recipients(session, meant)
    # From here on the kernel counts the peak anew.
    Path("/proc/self/clear_refs").write_text("5")
    before, began = megabytes("VmRSS"), time.perf_counter()
    with database.transaction() as session:
        outbox.queue(session, Letter(NoticeKind.BROADCAST, "bench", FACTS, everybody), clock.now())
    return time.perf_counter() - began, megabytes("VmHWM") - before


def _use_plain_index(database: Database) -> None:
    table = Affiliation.__tablename__
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"DROP INDEX {INDEX}")
        connection.exec_driver_sql(f"CREATE INDEX ix_{table}_branch_id ON {table} (branch_id)")
    _tidy(database)


# --- as people read it ---------------------------------------------------------------------------------------

COLUMNS = (
    ("", ""),
    ("count ms", "计数"),
    ("ids ms", "取编号"),
    ("plain index ms", "普通索引"),
    ("ratio", "倍数"),
    ("recipients ms", "取收件人"),
    ("queueing s", "排队秒"),
    ("queueing MB", "排队内存"),
)


def lines(results: Results) -> list[str]:
    """The table and what must be said with it."""
    plan = results.plan
    return [
        "The audience 收件范围",
        f"the {plan.meant:,} members of one county out of {plan.people:,} people · medians of {TIMES} · "
        f"the ids in less than {MOST_SECONDS * 1000:.0f} ms",
        "",
        *laid_out([*zip(*COLUMNS, strict=True), *map(_row, results.found)]),
        *(f"{name}: could not be measured 未能测量: {reason}" for name, reason in results.unavailable.items()),
        *(f"{f.database}: {f.meant:,} people were found 人数不对" for f in results.found if f.meant != plan.meant),
    ]


def _row(found: Found) -> tuple[str, ...]:
    seconds = (found.count_seconds, found.ids_seconds, found.plain_ids_seconds)
    return (
        DATABASES[found.database],
        *(f"{1000 * each:,.0f}" for each in seconds),
        f"{found.plain_ids_seconds / found.ids_seconds:.2f} ×",
        f"{1000 * found.recipients_seconds:,.0f}",
        f"{found.queue_seconds:.2f}",
        f"{found.queue_mb:.1f}",
    )
