"""Sending itself: template messages to a WeChat that is slow to answer, by several clients in turn.

Every round runs every sender, each time beginning with another, each against a fresh local WeChat in a process of its
own. What a sender says it sent is compared with what WeChat recorded.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import engine, wechat
from bench.environments import REFERENCES, ROOT, programs_of
from bench.processes import Failed, cpu_seconds, run, tail
from bench.table import laid_out
from bot.client import stable_token
from errors import AssistantError

#: A sender slower than ten messages a second is given up.
SLOWEST_RATE = 10
START_SECONDS = 60
#: From here on the local WeChat, and not the sender, may be what is measured.
BUSY_SHARE = 0.85
Say = Callable[[str], None]


@dataclass(frozen=True)
class Sender:
    """A client and how many connections (or threads with one each) it has; the whole engine with its ledger in this
    `database`, the others without one."""

    name: str
    title: str
    connections: int
    database: str = ""

    @property
    def key(self) -> str:
        return f"{self.name}-{self.database or self.connections}"

    @property
    def is_ours(self) -> bool:
        return self.name in {"ours", "engine"}

    def python(self) -> Path:
        """The interpreter that has what the client needs. Raises Failed."""
        return Path(sys.executable) if self.name == "ours" else programs_of("fanout") / "python"


OURS = Sender("ours", "法学会助手, bot/fanout", 512)
SENDERS = (
    Sender("wechatpy", "wechatpy, threads", 128),
    Sender("requests", "requests, threads", 128),
    Sender("urllib3", "urllib3, threads", 128),
    Sender("aiohttp", "aiohttp on uvloop", 512),
    Sender("pycurl", "pycurl multi on epoll", 512),
    Sender("ours", "法学会助手, bot/fanout", 128),
    OURS,
    Sender("engine", "法学会助手 + PostgreSQL", 512, "postgresql"),
    Sender("engine", "法学会助手 + SQLite", 512, "sqlite"),
)


@dataclass(frozen=True)
class Plan:
    messages: int
    latency_seconds: float
    rounds: int
    senders: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One sender in one round; `doubled` and `missing` are people, by WeChat's own record."""

    sender: str
    round: int
    taken: int
    seconds: float
    rate: float
    cpu_per_thousand: float
    peak_mb: float
    grown_mb: float
    doubled: int
    missing: int
    wechat_share: float
    #: The whole engine's only: what the ledger cost its server, and how long putting everybody into it took.
    database_cpu_per_thousand: float | None = None
    queueing_seconds: float | None = None


@dataclass
class Results:
    plan: Plan
    machine: dict[str, Any]
    runs: list[Run] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)

    def middle(self, key: str, figure: str) -> float | None:
        """The median of a figure over a sender's rounds."""
        figures = [getattr(run, figure) for run in self.runs if run.sender == key]
        return float(median(figures)) if figures and None not in figures else None

    def ratio(self, key: str, figure: str) -> float | None:
        """Ours (with the most connections) divided by the sender's."""
        ours, theirs = self.middle(OURS.key, figure), self.middle(key, figure)
        return ours / theirs if ours and theirs else None

    @property
    def is_clean(self) -> bool:
        """Everything asked for was measured, and with ours everybody got one message."""
        names = {sender.key for sender in SENDERS if sender.is_ours}
        ours = [run for run in self.runs if run.sender in names]
        return not self.unavailable and not any(run.doubled or run.missing for run in ours)

    def as_json(self) -> dict[str, Any]:
        ratios = {
            key: {figure: self.ratio(key, figure) for figure in ("rate", "cpu_per_thousand", "peak_mb")}
            for key in self.plan.senders
        }
        return {**asdict(self), "ratios_of_medians": ratios}


def fanout(plan: Plan, say: Say) -> Results:
    """All rounds of all senders asked for."""
    results = Results(plan, _machine())
    senders = [sender for sender in SENDERS if sender.key in plan.senders]
    for number in range(plan.rounds):
        turn = number % len(senders)
        for sender in senders[turn:] + senders[:turn]:
            if sender.key not in results.unavailable:
                _one(plan, sender, number + 1, results, say)
    return results


def _one(plan: Plan, sender: Sender, number: int, results: Results, say: Say) -> None:
    try:
        run = measure(plan, sender, number)
    except (Failed, OSError, AssistantError) as reason:
        results.unavailable[sender.key] = str(reason)
        say(f"  {sender.key}: could not be measured 未能测量: {reason}")
    else:
        results.runs.append(run)
        say(f"  round {number}  {sender.key:14} {run.rate:8,.0f}/s  {run.cpu_per_thousand:.3f} CPU s per 1,000")


def measure(plan: Plan, sender: Sender, number: int) -> Run:
    """One sender against a WeChat of its own. Raises Failed."""
    with ExitStack() as stack:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bot-fanout-")))
        standing = stack.enter_context(wechat.standing(room, plan.messages, plan.latency_seconds))
        standing.wechat.add_followers([engine.WARMED])
        ready = stack.enter_context(engine.queued(sender.database, room, plan.messages)) if sender.database else None
        busy_before = cpu_seconds([standing.pid])
        limit = START_SECONDS + plan.messages / SLOWEST_RATE
        if ready:
            figures = engine.send(ready, standing.wechat.url, sender.connections, room, limit)
        else:
            figures = send(sender, standing.wechat.url, plan.messages, room, limit)
        busy = cpu_seconds([standing.pid]) - busy_before
        times = wechat.record(standing.wechat, wechat.TEMPLATE).times
    told = {openid: count for openid, count in times.items() if openid != engine.WARMED}
    return Run(
        sender=sender.key,
        round=number,
        taken=int(figures["taken"]),
        seconds=figures["seconds"],
        rate=figures["taken"] / figures["seconds"],
        cpu_per_thousand=figures["cpu_seconds"] / plan.messages * 1000,
        peak_mb=figures["peak_mb"],
        grown_mb=figures["grown_mb"],
        doubled=sum(count > 1 for count in told.values()),
        missing=plan.messages - len(told),
        wechat_share=busy / figures["seconds"],
        database_cpu_per_thousand=figures["database_cpu_seconds"] / plan.messages * 1000 if ready else None,
        queueing_seconds=ready.queueing_seconds if ready else None,
    )


def send(sender: Sender, url: str, messages: int, room: Path, limit_seconds: float) -> dict[str, float]:
    """Let a sender send in a process of its own: what it says of itself. Raises Failed."""
    token = stable_token(url, wechat.ACCOUNT.app_id, wechat.ACCOUNT.app_secret, 5.0).token
    log = room / "sender.log"
    job = [sender.name, url, token, str(messages), str(sender.connections)]
    run([sender.python(), REFERENCES / "senders.py", *job], room, log, {"PYTHONPATH": str(ROOT)}, limit_seconds)
    try:
        figures: dict[str, float] = json.loads(log.read_text("utf-8").splitlines()[-1])
    except (ValueError, IndexError):
        raise Failed(f"{sender.key} did not report{tail(log)}") from None
    return figures


# --- as people read it ---------------------------------------------------------------------------------------

COLUMNS = (
    ("", ""),
    ("connections", "连接"),
    ("messages/s", "每秒条数"),
    ("of the limit", "占上限"),
    ("CPU s/1,000", "每千条CPU秒"),
    ("database's", "数据库的"),
    ("peak MB", "内存峰值"),
    ("grown MB", "其中增长"),
    ("missing", "没收到"),
    ("doubled", "收到两次"),
    ("WeChat busy", "本地微信忙"),
    ("our rate is", "我们的速度"),
    ("our CPU is", "我们的CPU"),
)


def lines(results: Results) -> list[str]:
    """The table and what must be said with it."""
    plan, machine = results.plan, results.machine
    said = [
        "Sending 群发",
        f"{plan.messages:,} template messages · WeChat answers after {plan.latency_seconds * 1000:.0f} ms · "
        f"{plan.rounds} rounds in turn, medians · the limit is connections ÷ latency",
        f"{machine['cores']} cores, the local WeChat included · Python {machine['python']}",
        "",
        *laid_out([*zip(*COLUMNS, strict=True), *(_row(results, sender) for sender in _asked(plan))]),
    ]
    said += [*_engines(results), *_queueing(results)]
    said += [f"{key}: could not be measured 未能测量: {reason}" for key, reason in results.unavailable.items()]
    return said + [""] * bool(_held_up(results)) + _held_up(results)


def _row(results: Results, sender: Sender) -> Sequence[str]:
    def show(figure: str, form: str) -> str:
        value = results.middle(sender.key, figure)
        return "–" if value is None else format(value, form)

    rate, latency = results.middle(sender.key, "rate"), results.plan.latency_seconds
    runs = [run for run in results.runs if run.sender == sender.key]
    return (
        sender.title,
        str(sender.connections),
        show("rate", ",.0f"),
        f"{rate * latency / sender.connections:.0%}" if rate and latency else "–",
        show("cpu_per_thousand", ".3f"),
        show("database_cpu_per_thousand", ".3f"),
        show("peak_mb", ".1f"),
        show("grown_mb", ".1f"),
        str(sum(run.missing for run in runs)),
        str(sum(run.doubled for run in runs)),
        show("wechat_share", ".0%"),
        _times(results, sender, "rate"),
        _times(results, sender, "cpu_per_thousand"),
    )


def _times(results: Results, sender: Sender, figure: str) -> str:
    ratio = None if sender.is_ours else results.ratio(sender.key, figure)
    return "–" if ratio is None else f"{ratio:.2f} ×"


def _engines(results: Results) -> list[str]:
    """The whole engine beside those who only send."""
    peers = [sender for sender in _asked(results.plan) if not sender.is_ours]
    said = []
    for whole in [sender for sender in _asked(results.plan) if sender.database]:
        for peer in peers:
            times = [
                ours / theirs
                for figure in ("rate", "cpu_per_thousand")
                if (ours := results.middle(whole.key, figure)) and (theirs := results.middle(peer.key, figure))
            ]
            if len(times) == 2:
                said.append(f"{whole.title}: {times[0]:.1f} × the rate of {peer.title}, {times[1]:.2f} × its CPU")
    return said


def _queueing(results: Results) -> list[str]:
    """What the engine's figures leave out: everybody is in the ledger before the clock starts."""
    return [
        f"{sender.title}: queueing {results.plan.messages:,} rows beforehand took {seconds:.2f} s 事先排队用时"
        for sender in _asked(results.plan)
        if (seconds := results.middle(sender.key, "queueing_seconds")) is not None
    ]


def _held_up(results: Results) -> list[str]:
    """Who was held up by the local WeChat rather than by itself."""
    return [
        f"{sender.title}, {sender.connections}: the local WeChat was busy {share:.0%} of the time; the sender may be "
        "faster than this 本地微信已接近满负荷，实际可能更快"
        for sender in _asked(results.plan)
        if (share := results.middle(sender.key, "wechat_share") or 0.0) > BUSY_SHARE
    ]


def _asked(plan: Plan) -> list[Sender]:
    return [sender for sender in SENDERS if sender.key in plan.senders]


def _machine() -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": os.getloadavg()[0],
    }
