"""The Friday storm: everybody checks in at once. Every round runs every target, each time in another order."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bench import stores
from bench.load import check_ins, fire, judge, percentiles
from bench.processes import Failed, cpu_seconds, peak_megabytes
from bench.stores import Store
from bench.targets import ACCOUNT, PATH, Assistant, Target, Unavailable, all_targets
from tests import servers

WARM_UP_SECONDS = 5
MOST_TO_WARM_UP = 1000
Say = Callable[[str], None]


#: The demo's first members belong to several branches and are asked which gathering they mean.
FIRST = 6000


@dataclass(frozen=True)
class Plan:
    messages: int
    connections: int
    rounds: int
    limit_seconds: float
    databases: tuple[str, ...]
    targets: tuple[str, ...]
    workers: int

    @property
    def warm_up(self) -> int:
        return min(MOST_TO_WARM_UP, max(self.connections, self.messages // 10))


@dataclass(frozen=True)
class Run:
    """One target in one round."""

    target: str
    database: str
    round: int
    sent: int
    acknowledged: int
    seconds: float
    rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    server_cpu_us: float
    database_cpu_us: float
    load_cpu_us: float
    peak_mb: float
    rows_lost: int
    failures: dict[str, int]


@dataclass
class Results:
    plan: Plan
    machine: dict[str, Any]
    titles: dict[str, str]
    runs: list[Run] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)

    def of(self, target: str, database: str) -> list[Run]:
        return [run for run in self.runs if run.target == target and run.database in {database, ""}]

    def ratio(self, reference: str, database: str) -> float | None:
        """How many times the reference's median rate ours is."""
        ours, theirs = self.of("ours", database), self.of(reference, database)
        if not ours or not theirs:
            return None
        return middle(ours, "rate") / middle(theirs, "rate")

    @property
    def is_clean(self) -> bool:
        """Everything asked for was measured, and ours neither failed anybody nor lost a row."""
        ours = [run for run in self.runs if run.target == "ours"]
        return not self.unavailable and all(not run.failures and run.rows_lost == 0 for run in ours)

    def as_json(self) -> dict[str, Any]:
        names = [name for name in self.plan.targets if name != "ours"]
        ratios = {d: {name: self.ratio(name, d) for name in names} for d in self.plan.databases}
        return {**asdict(self), "ratios_of_median_rates": ratios}


def middle(runs: Iterable[Run], name: str) -> float:
    return float(median(getattr(run, name) for run in runs))


def storm(plan: Plan, say: Say) -> Results:
    with ExitStack() as stack:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bot-storm-")))
        assistant = Assistant(plan.workers)
        targets = [target for target in all_targets(assistant) if target.key in plan.targets]
        results = Results(plan, _machine(room), {target.key: target.title for target in targets})
        standing = _standing(plan, stack, results)
        stack.enter_context(closing(assistant))
        pairs: list[tuple[Target, Store | None]] = [(t, None) for t in targets if not t.uses_database]
        pairs += [(t, store) for store in standing for t in targets if t.uses_database]
        for number in range(plan.rounds):
            for target, store in pairs[number % len(pairs) :] + pairs[: number % len(pairs)]:
                _one(plan, target, store, number, results, say)
        return results


def _standing(plan: Plan, stack: ExitStack, results: Results) -> list[Store]:
    standing = []
    for name in plan.databases:
        try:
            standing.append(stack.enter_context(stores.running(name)))
        except (servers.Missing, servers.Broken) as error:
            results.unavailable[name] = str(error)
    return standing


def _one(plan: Plan, target: Target, store: Store | None, number: int, results: Results, say: Say) -> None:
    database = store.name if store else ""
    name = f"{target.key} {database}".strip()
    if name in results.unavailable:
        return
    try:
        run = measure(plan, target, store, number)
    except (Unavailable, Failed, OSError, SQLAlchemyError, servers.Missing, servers.Broken) as reason:
        results.unavailable[name] = str(reason)
        say(f"  {name}: could not be measured 未能测量: {reason}")
    else:
        results.runs.append(run)
        failed = f", {sum(run.failures.values())} failures {run.failures}" if run.failures else ""
        say(f"  round {number + 1}  {name:26} {run.rate:8,.0f}/s  p95 {run.p95_ms:7.1f} ms{failed}")


def measure(plan: Plan, target: Target, store: Store | None, number: int) -> Run:
    people = FIRST + plan.messages + plan.warm_up
    with (
        tempfile.TemporaryDirectory(prefix="bot-bench-") as room,
        target.start(store, people, Path(room)) as stand,
    ):
        early = range(FIRST + plan.messages + 1, people + 1)
        warm_up = fire(stand.port, check_ins(ACCOUNT, stand.port, PATH, early), plan.connections, WARM_UP_SECONDS)
        warmed = judge(ACCOUNT, early, warm_up, target.phrase)

        numbers = range(FIRST + 1, FIRST + plan.messages + 1)
        requests = check_ins(ACCOUNT, stand.port, PATH, numbers)
        server_before, database_before = cpu_seconds([stand.pid]), cpu_seconds(stand.leans_on)
        volley = fire(stand.port, requests, plan.connections, plan.limit_seconds)
        server, database = cpu_seconds([stand.pid]), cpu_seconds(stand.leans_on)
        peak = peak_megabytes([stand.pid])

        verdict = judge(ACCOUNT, numbers, volley, target.phrase)
        stored = stand.rows()
    done = max(verdict.acknowledged, 1)
    p50, p95, p99, longest = percentiles(verdict.latencies, 50, 95, 99, 100)
    return Run(
        target=target.key,
        database=store.name if store else "",
        round=number + 1,
        sent=volley.sent,
        acknowledged=verdict.acknowledged,
        seconds=volley.seconds,
        rate=verdict.acknowledged / volley.seconds if volley.seconds else 0.0,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=longest,
        server_cpu_us=(server - server_before) / done * 1e6,
        database_cpu_us=(database - database_before) / done * 1e6,
        load_cpu_us=volley.cpu_seconds / max(volley.sent, 1) * 1e6,
        peak_mb=peak,
        # A row whose answer got lost on the way is no row lost.
        rows_lost=max(0, verdict.acknowledged + warmed.acknowledged - stored),
        failures=dict(verdict.failures),
    )


def _machine(room: Path) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "fdatasync_us": round(stores.sync_microseconds(room)),
        "load_before": os.getloadavg()[0],
        "clock": time.get_clock_info("perf_counter").implementation,
    }
