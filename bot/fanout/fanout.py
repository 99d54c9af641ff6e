"""The caller's side: a thread that sends, and the doors to it from other threads."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Sequence

import structlog
import uvloop

from bot.fanout.calls import Answer, Call, Overfull
from bot.fanout.host import Host
from bot.fanout.pool import Limits, Pool

log = structlog.get_logger("fanout")

MOST_WAITING = 100_000
END_SECONDS = 10.0


class Fanout:
    """Sends POSTs to one host over many connections. Each call is sent at most once and answered exactly once.

    Order is not promised. `on_answers` is called on the sending thread and must not block it.
    """

    def __init__(
        self,
        base_url: str,
        on_answers: Callable[[list[Answer]], None],
        connections: int,
        timeout_seconds: float = 10.0,
        connect_timeout_seconds: float = 5.0,
        most_waiting: int = MOST_WAITING,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._on_answers = on_answers
        self._most_waiting = most_waiting
        self._waiting = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self._loop = uvloop.new_event_loop()
        limits = Limits(connections, timeout_seconds, connect_timeout_seconds)
        self._pool = Pool(self._loop, Host(base_url, tls), limits, self._hand_over)
        self._thread = threading.Thread(target=self._run, name="fanout", daemon=True)
        self._thread.start()

    def submit(self, calls: Sequence[Call], token: str) -> None:
        """Queue these calls. The token is from now on everybody's: it is put in when a call is written.

        Raises Overfull, and takes none of them, when too many wait already.
        """
        calls = tuple(calls)
        with self._changed:
            if self._is_closed:
                raise RuntimeError("the fan-out client is closed")
            if self._waiting + len(calls) > self._most_waiting:
                raise Overfull(f"等待发送的消息不能超过 {self._most_waiting:,} 条，请等一部分发出后再交。")
            self._waiting += len(calls)
            self._pool.token = token
            self._loop.call_soon_threadsafe(self._pool.take, calls)

    @property
    def token(self) -> str:
        """The access token that calls are written with."""
        return self._pool.token

    @token.setter
    def token(self, token: str) -> None:
        self._pool.token = token

    @property
    def waiting(self) -> int:
        """Calls whose answers have not been handed over yet: queued or under way."""
        return self._waiting

    def drain(self, timeout_seconds: float | None = None) -> bool:
        """Wait until every answer has been handed over; False if that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting == 0, timeout_seconds)

    def close(self) -> None:
        """Stop at once: what is under way may have left, what waits has not; both are answered so."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(END_SECONDS)

    def _run(self) -> None:
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._pool.end())
        finally:
            self._loop.close()

    def _hand_over(self, answers: list[Answer]) -> None:
        try:
            self._on_answers(answers)
        except Exception:
            log.exception("fanout.answers_not_taken", count=len(answers))
        with self._changed:
            self._waiting -= len(answers)
            self._changed.notify_all()
