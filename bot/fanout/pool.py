"""The loop's side: which call goes out on which connection, and when another connection is opened.

Everything here runs on the loop's own thread.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from bot.fanout.calls import Answer, Call, Outcome
from bot.fanout.connection import Connection
from bot.fanout.host import Host

log = structlog.get_logger("fanout")

IDLE_SECONDS = 60.0
#: More at once would overflow the queue of connections that a server has not accepted yet.
OPENING_AT_ONCE = 64
#: What lies unread on a connection is read within this time; only then is it offered again.
READ_FIRST_SECONDS = 0.01
BACK_OFF_SECONDS, BACK_OFF_AT_MOST_SECONDS = 0.05, 5.0
#: After so many new connections in a row that brought no answer, what waits is not tried on yet another.
HOPELESS_FAILURES = 3
GLANCE_SECONDS = 0.25
FLUSH_SECONDS, FLUSH_ANSWERS = 0.05, 256


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections there may be, and how long anything may take."""

    connections: int
    timeout_seconds: float
    connect_timeout_seconds: float


class Pool:
    """Takes calls and hands over their answers in batches, each exactly one."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        host: Host,
        limits: Limits,
        hand_over: Callable[[list[Answer]], None],
    ) -> None:
        self._loop = loop
        self._host = host
        self._limits = limits
        self._hand_over = hand_over
        self.token = ""
        self._waiting: deque[Call] = deque()
        # By the time of their call or of their rest: the first has waited longest, the last is the warmest.
        self._busy: dict[Connection, None] = {}
        self._idle: dict[Connection, None] = {}
        # Those that have said something since their last answer, which the loop has yet to read.
        self._unread: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        # New connections in a row that brought nothing.
        self._failures = 0
        self._is_pausing = False
        self._answers: list[Answer] = []
        self._is_flush_due = False
        self._is_glancing = False

    def take(self, calls: Sequence[Call]) -> None:
        """Send these as soon as there is a connection free for each."""
        self._waiting.extend(calls)
        self._move()

    async def end(self) -> None:
        """Cut off what is under way and give back what waits; every call has its answer afterwards."""
        self._give_back("被要求停止")
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in [*self._busy]:
            connection.give_up("被要求停止")
        for connection in [*self._idle, *self._unread]:
            connection.close()
        self._flush()

    # --- calls find connections --------------------------------------------------------------------------

    def _move(self) -> None:
        while self._waiting and self._idle:
            connection, _ = self._idle.popitem()
            self._offer(connection)
        self._open_more()

    def _offer(self, connection: Connection) -> None:
        """Give the connection a call, unless there is none, or something must be read first."""
        if not connection.is_open:
            return
        if not self._waiting:
            connection.since = self._loop.time()
            self._idle[connection] = None
        elif connection.is_quiet():
            call = self._waiting.popleft()
            self._busy[connection] = None
            connection.send(call, self._host.request(call.path, self.token, call.body), self.token, self._loop.time())
        else:
            self._unread.add(connection)
            self._loop.call_later(READ_FIRST_SECONDS, self._wake, connection)

    def _wake(self, connection: Connection) -> None:
        if connection in self._unread:
            self._unread.remove(connection)
            self._offer(connection)

    # --- what connections tell (connection.Owner) --------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        """One more to work with."""
        if not self._is_glancing:
            self._is_glancing = True
            self._loop.call_later(self._glance_seconds, self._glance)
        self._offer(connection)

    def answered(self, connection: Connection, answer: Answer) -> None:
        """A call has ended; the connection may be free for the next."""
        del self._busy[connection]
        self._note(answer)
        self._offer(connection)
        if connection.carried == 1 and self._failures:
            self._failures = 0
            self._open_more()

    def lost(self, connection: Connection) -> None:
        """The connection has ended."""
        self._idle.pop(connection, None)
        self._unread.discard(connection)
        was_slammed = connection.is_new
        if was_slammed or (connection.written and not connection.carried):
            self._back_off("cut before its first answer")
            if was_slammed or self._failures >= HOPELESS_FAILURES:
                self._give_back_if_alone("连得上，却得不到回答")
        self._move()

    # --- connections -------------------------------------------------------------------------------------

    def _open_more(self) -> None:
        for _ in range(0 if self._is_pausing else self._room()):
            attempt = self._host.connect(lambda raw: Connection(self, raw), self._limits.connect_timeout_seconds)
            task = self._loop.create_task(attempt)
            self._opening.add(task)
            task.add_done_callback(self._tried)

    def _room(self) -> int:
        """How many more connections to open now; after a failure one, and none more before it has brought an answer."""
        there = len(self._busy) + len(self._idle) + len(self._unread)
        room = min(OPENING_AT_ONCE, len(self._waiting), self._limits.connections - there)
        if self._failures:
            room = min(room, 1 - sum(not connection.carried for connection in self._busy))
        return room - len(self._opening)

    def _tried(self, task: asyncio.Task[None]) -> None:
        """An attempt to connect has ended, whatever way: nobody may wait for it for ever."""
        self._opening.remove(task)
        if task.cancelled():
            return
        if error := task.exception():
            self._back_off(type(error).__name__)
            self._give_back_if_alone("连不上微信")
        self._move()

    def _back_off(self, why: str) -> None:
        """Open nothing for a while, longer after each failure; those that fail together count as one."""
        if self._is_pausing:
            return
        pause = min(BACK_OFF_AT_MOST_SECONDS, BACK_OFF_SECONDS * 2 ** min(self._failures, 16))
        self._failures += 1
        self._is_pausing = True
        self._loop.call_later(pause, self._go_on)
        log.warning("fanout.connection_failed", host=self._host.name, why=why, pause_seconds=pause)

    def _go_on(self) -> None:
        self._is_pausing = False
        self._move()

    def _give_back_if_alone(self, why: str) -> None:
        """With no connection there and none coming, what waits is told now instead of waiting for a dead host."""
        if not (self._busy or self._idle or self._unread or self._opening):
            self._give_back(why)

    def _give_back(self, why: str) -> None:
        while self._waiting:
            self._note(Answer(self._waiting.popleft(), Outcome.NEVER_LEFT, detail=why))

    def _glance(self) -> None:
        """Now and then: who has waited too long for an answer, who has rested too long."""
        now = self._loop.time()
        for connection in _since(self._busy, now - self._limits.timeout_seconds):
            connection.give_up("没有及时回答")
        for connection in _since(self._idle, now - IDLE_SECONDS):
            del self._idle[connection]
            connection.close()
        self._is_glancing = bool(self._busy or self._idle or self._unread)
        if self._is_glancing:
            self._loop.call_later(self._glance_seconds, self._glance)

    @property
    def _glance_seconds(self) -> float:
        return min(GLANCE_SECONDS, self._limits.timeout_seconds / 4)

    # --- answers -----------------------------------------------------------------------------------------

    def _note(self, answer: Answer) -> None:
        self._answers.append(answer)
        if len(self._answers) >= FLUSH_ANSWERS or not (self._waiting or self._busy):
            self._flush()
        elif not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_later(FLUSH_SECONDS, self._flush_in_time)

    def _flush_in_time(self) -> None:
        self._is_flush_due = False
        self._flush()

    def _flush(self) -> None:
        answers, self._answers = self._answers, []
        if answers:
            self._hand_over(answers)


def _since(connections: Iterable[Connection], at: float) -> list[Connection]:
    """The first of these, which stand in the order of their times: those at it since `at` or longer."""
    return list(itertools.takewhile(lambda connection: connection.since <= at, connections))
