"""The doorbell of the senders: it says “there is work” and nothing else; SQL decides who does what (pitfall 12).

Dramatiq carries the ring: on Redis to one of many processes, on its in-memory broker within one. A ring that is lost
(Redis emptied, stopped, restarted) costs seconds, because every sender also looks by itself now and then.
"""

from __future__ import annotations

from collections.abc import Callable

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger("bell")

QUEUE = "sending"
NAMESPACE = "assistant"
#: Rings that nobody has heard yet; more would say nothing new.
MOST_UNHEARD = 64
TIMEOUT_SECONDS = 2.0
#: How long the worker waits for a ring before it looks whether it should stop.
LOOK_UP_MILLISECONDS = 500
# Forgotten rings of the dead are worth nothing: SQL rings again (stack.md §1).
NEVER_TIDY_BY_CHANCE = 1_000_000


class Bell:
    """Rings for the senders, and is heard by them. With an empty `url` both are in this process."""

    def __init__(self, url: str = "") -> None:
        self._url = url
        self._broker = _broker(url)
        self._broker.declare_queue(QUEUE)
        self._work: Callable[[], object] = lambda: None
        self._ringing = dramatiq.Actor(
            self._answer, broker=self._broker, actor_name="deliver", queue_name=QUEUE, priority=0, options={}
        )
        self._worker: dramatiq.Worker | None = None
        self._was_heard = True

    def ring(self, times: int = 1) -> bool:
        """Let so many senders know. False when the bell is broken: they will look by themselves."""
        try:
            for _ in range(min(times, MOST_UNHEARD - self._unheard())):
                self._ringing.send()
        except (redis.RedisError, dramatiq.errors.BrokerConnectionError, OSError) as error:
            if self._was_heard:
                log.warning("bell.broken", error=type(error).__name__)
            self._was_heard = False
            return False
        if not self._was_heard:
            log.info("bell.mended")
        self._was_heard = True
        return True

    def listen(self, work: Callable[[], object]) -> None:
        """From now on do `work` at each ring, one after another, in a thread of the bell's own."""
        self._work = work
        self._worker = dramatiq.Worker(self._broker, worker_threads=1, worker_timeout=LOOK_UP_MILLISECONDS)
        # One ring is for one sender: whoever is busy leaves the next to somebody else.
        self._worker.queue_prefetch = 1
        self._worker.start()

    def stop(self) -> None:
        """Finish what is being done and hear no more rings."""
        if self._worker is not None:
            self._worker.stop()
        self._broker.close()

    def _answer(self) -> None:
        self._work()

    def _unheard(self) -> int:
        if isinstance(self._broker, RedisBroker):
            return int(self._broker.client.hlen(f"{NAMESPACE}:{QUEUE}.msgs"))
        return int(self._broker.queues[QUEUE].qsize())


def _broker(url: str) -> RedisBroker | StubBroker:
    if not url:
        return StubBroker(middleware=[])
    return RedisBroker(  # type: ignore[no-untyped-call]
        url=url, middleware=[], namespace=NAMESPACE, maintenance_chance=NEVER_TIDY_BY_CHANCE,
        socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS, retry=Retry(NoBackoff(), 0),
    )  # fmt: skip
