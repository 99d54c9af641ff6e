"""The drill: a notice to many people through a WeChat that errs and dawdles, while its senders are killed.

Whoever says that nothing is lost and nobody is told twice has to show it: the count per person is WeChat's own.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import redis
import sqlalchemy as sa
import yaml

import clock
import config
import schema
from bench import stores, wechat
from bench.crew import Crew
from bench.ledger import RECOVERED_WITHIN_SECONDS, Reckoning, Watch, reckon
from bench.processes import Failed, free_port
from bench.wechat import TEMPLATE, Standing
from errors import AssistantError
from models import Consent, Database, Lease, NoticeKind, SendState, Vault, insert_new
from services.sending import fates, outbox
from services.sending.outbox import Letter, Recipient
from tests import servers

CAMPAIGN = "drill"
SECRET = "a secret for drills, forty characters long"
SUBSCRIBE = "/cgi-bin/message/subscribe/bizsend"
NOTICE_TEMPLATE = "SIM-notice"
FACTS = {
    "title": "演练通知", "words": "这是一次演练", "sender": "市法学会", "time": "2026年11月27日 09:00",
}  # fmt: skip
#: Of a thousand people: who gets it by a channel on which WeChat removes no doubles; who has left the account and we
#: know it; who has left and we do not.
SUBSCRIBED, UNFOLLOWED, GONE = 50, 5, 5
#: What goes wrong with how many calls in a hundred: with template messages, and with subscription notifications.
FAULTS = (
    (TEMPLATE, "error", -1, 1.0),
    (TEMPLATE, "http", 502, 0.5),
    (TEMPLATE, "drop", 0, 0.3),
    (TEMPLATE, "drop_after", 0, 0.3),
    (TEMPLATE, "hang", 0, 0.1),
    (TEMPLATE, "hang_after", 0, 0.1),
    (SUBSCRIBE, "error", -1, 1.0),
    (SUBSCRIBE, "drop_after", 0, 1.0),
    (SUBSCRIBE, "hang", 0, 0.5),
)
TOO_FAST = 45011
LATENCY_SECONDS = (0.02, 0.25)
CALL_TIMEOUT_SECONDS = 5.0
#: A killed process is started again after at most so long, as a supervisor does.
RESTART_SECONDS = (0.2, 2.0)
LOOK_SECONDS, SAY_SECONDS = 0.2, 5.0
#: Whatever is still open then is stuck.
LIMIT_SECONDS = 240.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Variant:
    """One installation. The processes are those commands of app.py; `run` has a web server and hears delivery events."""

    key: str
    title: str
    database: str
    commands: tuple[str, ...]
    has_redis: bool = False
    #: Once WeChat says that we are too fast, and everybody waits a minute.
    is_throttled: bool = False

    @property
    def sender(self) -> str:
        """The command whose processes send, and are killed."""
        return "run" if "run" in self.commands else "worker"


THREE = ("worker", "worker", "worker", "scheduler")
VARIANTS = (
    Variant("postgresql-1", "PostgreSQL, 1 sender", "postgresql", ("worker",)),
    Variant("postgresql-3", "PostgreSQL + Redis, 3 senders", "postgresql", THREE, has_redis=True, is_throttled=True),
    Variant("mariadb-1", "MariaDB, 1 sender", "mariadb", ("worker",)),
    Variant("mariadb-3", "MariaDB + Redis, 3 senders", "mariadb", THREE, has_redis=True),
    Variant("sqlite-1", "SQLite, all in one process", "sqlite", ("run",)),
)


@dataclass(frozen=True)
class Plan:
    people: int
    kills: int
    seed: int
    variants: tuple[Variant, ...]
    per_second: float = 500.0
    connections: int = 128
    #: Whether the leases of the dead end by themselves. A test is not patient.
    waits_for_leases: bool = True


@dataclass
class Outcome:
    """How one variant went."""

    variant: str
    seconds: float
    kills: int
    calls: int
    slowest_recovery_seconds: float
    delivered: int
    reckoning: Reckoning

    @property
    def broken(self) -> list[str]:
        return self.reckoning.broken


@dataclass
class Results:
    plan: Plan
    outcomes: list[Outcome] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Every variant ran and kept every promise."""
        return not self.unavailable and not any(outcome.broken for outcome in self.outcomes)

    def as_json(self) -> dict[str, Any]:
        """Everything, the whole lists included."""
        return {
            "plan": asdict(self.plan),
            "unavailable": self.unavailable,
            "outcomes": [
                asdict(outcome) | {"reckoning": asdict(outcome.reckoning) | {"not_got": _listed(outcome.reckoning)}}
                for outcome in self.outcomes
            ],
        }


def _listed(reckoning: Reckoning) -> list[dict[str, Any]]:
    return [{"fate": fate, "reason": why, "people": who} for (fate, why), who in reckoning.not_got.items()]


def drill(plan: Plan, say: Say) -> Results:
    """All variants asked for, one after another."""
    results = Results(plan)
    for variant in plan.variants:
        say(f"{variant.title}")
        try:
            with tempfile.TemporaryDirectory(prefix="bot-drill-") as room:
                outcome = rehearse(plan, variant, Path(room), say)
        except (Failed, OSError, AssistantError, servers.Missing, servers.Broken) as reason:
            results.unavailable[variant.key] = str(reason)
            say(f"  could not be held 未能演练: {reason}")
        else:
            results.outcomes.append(outcome)
            say(f"  {outcome.seconds:.0f} s, {'; '.join(outcome.broken) or 'every promise kept'}")
    return results


def rehearse(plan: Plan, variant: Variant, room: Path, say: Say) -> Outcome:
    """One variant from the queue to the reckoning. Raises Failed when a process ends that nobody killed."""
    people = [f"oDrill{number:022d}" for number in range(plan.people)]
    port = free_port()
    callback = f"http://127.0.0.1:{port}/wechat" if variant.sender == "run" else ""
    with ExitStack() as stack:
        store = stack.enter_context(stores.running(variant.database))
        memory = stack.enter_context(servers.valkey()) if variant.has_redis else None
        standing = stack.enter_context(_unruly_wechat(plan, people, room, callback))
        database = stack.enter_context(_filled(store.fresh(room), people))
        environment = _environment(plan, database, standing, room, port, memory)
        crew = stack.enter_context(Crew(variant.commands, room, environment))
        watch = Watch(database, CAMPAIGN)
        play = _Play(plan, variant, crew, watch, database, standing, memory, say)
        seconds, states = play.through()
        standing.wechat.settle()
        told = reckon(database, CAMPAIGN, people, wechat.record(standing.wechat))
        slowest = watch.slowest_recovery(crew.heirs_since)
        if slowest > RECOVERED_WITHIN_SECONDS:
            told.broken.append(f"rows of a killed sender were left alone for {slowest:.1f} s")
        calls = standing.wechat.calls(TEMPLATE) + standing.wechat.calls(SUBSCRIBE)
        delivered = states[SendState.DELIVERED]
        return Outcome(variant.key, seconds, len(crew.heirs_since), calls, slowest, delivered, told)


class _Play:
    """Kills and breaks at the moments that the seed has chosen, until every row has its fate."""

    def __init__(
        self, plan: Plan, variant: Variant, crew: Crew, watch: Watch, database: Database, standing: Standing,
        memory: servers.Url | None, say: Say,
    ) -> None:  # fmt: skip
        self._plan, self._variant, self._crew, self._watch = plan, variant, crew, watch
        self._database, self._wechat, self._memory, self._say = database, standing.wechat, memory, say
        self._chance = random.Random(f"{plan.seed} {variant.key}")
        self._restarts: list[tuple[float, int]] = []
        #: What happens when so many people have left the queue.
        self._acts = sorted(self._planned(), key=lambda act: act[0])

    def _planned(self) -> Iterator[tuple[int, Callable[[], None]]]:
        people, chance = self._plan.people, self._chance
        for number in range(self._plan.kills):
            # One in each stretch, so that they do not all fall together.
            share = (number + chance.uniform(0.1, 0.9)) / self._plan.kills
            yield int(share * 0.95 * people), self._kill
        if self._memory is not None:
            yield int(chance.uniform(0.2, 0.4) * people), self._empty_redis
            yield int(chance.uniform(0.5, 0.7) * people), self._stop_redis
        if self._variant.is_throttled:
            yield int(chance.uniform(0.3, 0.6) * people), self._throttle

    def through(self) -> tuple[float, Counter[SendState]]:
        """Until nobody waits any more, or the time is up. Returns the seconds it took, and the states at the end."""
        began = said = time.monotonic()
        while True:
            now, states = time.monotonic(), self._watch.look(clock.now())
            waiting = states[SendState.WAITING]
            if fallen := self._crew.fallen():
                raise Failed("; ".join(fallen))
            self._restart(now)
            if self._acts and self._plan.people - waiting >= self._acts[0][0]:
                self._acts.pop(0)[1]()
                continue
            if not waiting and not states[SendState.CLAIMED]:
                return now - began, states
            if now - began > LIMIT_SECONDS:
                return now - began, states
            if now - said > SAY_SECONDS:
                said = now
                self._say(f"  {now - began:4.0f} s  {waiting:6,} wait, {states[SendState.CLAIMED]:4,} are under way")
            time.sleep(LOOK_SECONDS)

    def _restart(self, now: float) -> None:
        due = [(at, place) for at, place in self._restarts if at <= now]
        for restart in due:
            self._restarts.remove(restart)
            self._crew.start(restart[1])

    def _kill(self) -> None:
        """kill -9 for one of those that send; of three now and then two, or all."""
        alive = self._crew.alive(self._variant.sender)
        time.sleep(self._chance.uniform(0, LOOK_SECONDS))
        unlucky = self._chance.sample(alive, self._chance.randint(1, len(alive))) if alive else []
        for place in unlucky:
            self._crew.kill(place)
            self._restarts.append((time.monotonic() + self._chance.uniform(*RESTART_SECONDS), place))
        if not self._plan.waits_for_leases:
            with self._database.transaction() as session:
                dead = [Lease.name.startswith(f"{fates.ALIVE}{pid}-") for pid in self._crew.heirs_since]
                session.execute(sa.delete(Lease).where(sa.or_(*dead)))
        self._say(f"  kill -9 for {len(unlucky)} of {len(alive)} senders")

    def _empty_redis(self) -> None:
        assert self._memory is not None
        redis.Redis.from_url(self._memory).flushall()
        self._say("  Redis emptied")

    def _stop_redis(self) -> None:
        """For good: from here on there is none."""
        assert self._memory is not None
        with suppress(ProcessLookupError):
            os.kill(self._memory.pid, signal.SIGKILL)
        self._say("  Redis stopped")

    def _throttle(self) -> None:
        self._wechat.inject(TEMPLATE, TOO_FAST, times=1)
        self._say(f"  WeChat says {TOO_FAST}: too fast")


# --- the stage -----------------------------------------------------------------------------------------------


@contextmanager
def _unruly_wechat(plan: Plan, people: list[str], room: Path, callback: str) -> Iterator[Standing]:
    """A local WeChat in which those who have left are unknown, and much goes wrong."""
    following = [one for number, one in enumerate(people) if _kind(number) != "gone"]
    with wechat.standing(room, following, callback_url=callback) as standing:
        subscribed = [one for number, one in enumerate(people) if _kind(number) == "subscribed"]
        standing.wechat.add_followers(subscribed, long_term=[NOTICE_TEMPLATE])
        for path, kind, code, percent in FAULTS:
            standing.wechat.inject(path, code, kind=kind, percent=percent, seed=plan.seed)
        for path in (TEMPLATE, SUBSCRIBE):
            standing.wechat.latency(*LATENCY_SECONDS, path=path)
        yield standing


def _kind(number: int) -> str:
    """What is special about somebody; spread evenly over all."""
    place = number * 7919 % 1000
    if place < SUBSCRIBED:
        return "subscribed"
    if place < SUBSCRIBED + UNFOLLOWED:
        return "unfollowed"
    return "gone" if place < SUBSCRIBED + UNFOLLOWED + GONE else ""


@contextmanager
def _filled(url: str, people: list[str]) -> Iterator[Database]:
    """A database with tables, consents, and one row waiting for each of these people."""
    database = Database(url, Vault(SECRET))
    try:
        schema.upgrade(database)
        at = clock.now()
        recipients = [Recipient(None, openid, _kind(n) != "unfollowed") for n, openid in enumerate(people)]
        consents = [
            {"openid": openid, "template_id": NOTICE_TEMPLATE, "credits": 0, "is_long_term": True, "changed_at": at}
            for n, openid in enumerate(people)
            if _kind(n) == "subscribed"
        ]
        with database.transaction() as session:
            insert_new(session, Consent, consents)
            outbox.queue(session, Letter(NoticeKind.BROADCAST, CAMPAIGN, FACTS, recipients), at)
        yield database
    finally:
        database.close()


def _environment(
    plan: Plan, database: Database, standing: Standing, room: Path, port: int, memory: servers.Url | None
) -> dict[str, str]:
    """The example's settings, with the notice also as a subscription notification."""
    settings = yaml.safe_load((config.ROOT / "config.example.yaml").read_text("utf-8"))
    settings["wechat"]["subscriptions"] = {"broadcast": settings["wechat"]["templates"]["broadcast"]}
    given = room / "config.yaml"
    given.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
    return {
        "BOT_CONFIG": str(given),
        "BOT_DATABASE__URL": database.url.render_as_string(hide_password=False),
        "BOT_REDIS__URL": memory or "",
        "BOT_SERVER__PORT": str(port),
        "BOT_SERVER__SECRET_KEY": SECRET,
        "BOT_WECHAT__API_BASE_URL": standing.wechat.url,
        "BOT_WECHAT__TIMEOUT_SECONDS": str(CALL_TIMEOUT_SECONDS),
        "BOT_SENDING__PER_SECOND": str(plan.per_second),
        "BOT_SENDING__CONNECTIONS": str(plan.connections),
    }
