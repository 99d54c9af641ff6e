"""Deliveries wait together and are served together: the more come at once, the larger the company."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from bot.once import Answered, Delivery, Stored

MAX_COMPANY = 128


class Ticket:
    """One delivery on its way through the desk. Settled by any thread, waited for by any number of coroutines."""

    __slots__ = ("_gates", "answer", "delivery", "error", "is_settled", "stored")

    def __init__(self, delivery: Delivery, stored: Stored | None = None) -> None:
        self.delivery, self.stored = delivery, stored
        self.answer: Answered | None = None
        self.error: Exception | None = None
        self.is_settled = False
        self._gates: list[asyncio.Future[None]] = []

    def settle(self, answer: Answered | None = None, error: Exception | None = None) -> None:
        """Let everybody through who waits. What was settled first stays."""
        if self.is_settled:
            return
        self.answer, self.error, self.is_settled = answer, error, True
        for gate in self._gates:
            # A loop that has ended has nobody left who waits.
            with suppress(RuntimeError):
                gate.get_loop().call_soon_threadsafe(_open, gate)

    async def wait(self, seconds: float) -> bool:
        """Wait so long at most; whether it is settled."""
        if self.is_settled:
            return True
        gate = asyncio.get_running_loop().create_future()
        self._gates.append(gate)
        # Settled before the gate stood there: nobody would open it.
        if not self.is_settled:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await gate
        return self.is_settled


def _open(gate: asyncio.Future[None]) -> None:
    if not gate.done():
        gate.set_result(None)


class Clerk:
    """One thread that takes all who wait and has them served, company after company; `serve` raises nothing."""

    def __init__(self, serve: Callable[[list[Ticket]], None]) -> None:
        self._serve = serve
        self._waiting: SimpleQueue[Ticket | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="clerk", daemon=True)
        self._thread.start()

    def hand_in(self, ticket: Ticket) -> None:
        self._waiting.put(ticket)

    @property
    def waiting(self) -> int:
        """How many have not been taken yet."""
        return self._waiting.qsize()

    def stop(self, timeout: float) -> None:
        """Serve those who have come, then nobody."""
        self._waiting.put(None)
        self._thread.join(timeout)

    def _work(self) -> None:
        is_open = True
        while is_open:
            came = [self._waiting.get()]
            while len(came) < MAX_COMPANY and not self._waiting.empty():
                came.append(self._waiting.get())
            is_open = None not in came
            if company := [ticket for ticket in came if ticket is not None]:
                self._serve(company)
