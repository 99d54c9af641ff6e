"""Takes what WeChat delivers, stores it, has it answered once, and answers in time, whatever happens.

All that wait are stored by one statement and one commit. Handlers that many people call at the same moment
answer them together, in one transaction; every other message has a thread and a transaction of its own. It is
one path: a message alone is a company of one (docs/decisions/0002). Whoever waits, waits as a coroutine (0008).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import structlog

from bot.answering import Answering, Answers, Transaction
from bot.clerk import Clerk, Ticket
from bot.crypto import Refused
from bot.once import TRIES_ARE_OVER_AFTER, Answered, Busy, Delivery, Inbox, Standing
from bot.replies import Reply
from bot.router import Router
from clock import Now
from metrics import Metrics

log = structlog.get_logger("desk")

#: WeChat closes the connection after 5 s (§1.7); half a second is for the network and ourselves.
ANSWER_WITHIN_SECONDS = 4.5
#: Whoever stored a message has answered or acknowledged it by now, or is dead.
OWNER_IS_DEAD_AFTER = timedelta(seconds=6)
MAX_WAITING = 4000
HELPERS = 16
#: Threads that ask the database for those whose answer is not simply there: retries, and whoever is out of time.
COUNTERS = 8
POLL_SECONDS = 0.1
STORE_AGAIN_SECONDS = 0.25

NOT_TAKEN = "系统正忙，这一条没有收下，请过一会儿再发一次。"
ACKNOWLEDGED = "已收到，正在办理，结果稍后发给您。"
T = TypeVar("T")
OUTCOMES = ("replied", "silent", "failed", "elsewhere")


class Desk:
    """Owns the threads behind the webhook. `transaction` is `Database.transaction`."""

    def __init__(
        self,
        inbox: Inbox,
        router: Router,
        transaction: Transaction,
        now: Now,
        metrics: Metrics,
        answer_within_seconds: float = ANSWER_WITHIN_SECONDS,
    ) -> None:
        self._inbox = inbox
        self._router = router
        self._transaction = transaction
        self._now = now
        self._metrics = metrics
        self._ended = {name: metrics.messages.labels(name) for name in OUTCOMES}
        self._within = answer_within_seconds
        self._answering = Answering(inbox, router, transaction, now)
        # Only setdefault and pop change it, and neither can be interrupted.
        self._working: dict[str, Ticket] = {}
        self._helpers = ThreadPoolExecutor(HELPERS, "helper")
        self._counters = ThreadPoolExecutor(COUNTERS, "counter")
        self._stopping = False
        self._clerk = Clerk(self._serve)

    # --- whoever waits, in the server's loop ---------------------------------------------------------------

    async def receive(self, delivery: Delivery) -> Reply:
        """The answer to a delivery within the deadline. Raises Refused for a replay, Busy when nothing was stored."""
        started = time.monotonic()
        ticket = self._submit(delivery)
        await ticket.wait(self._within)
        while isinstance(ticket.error, Busy) and self._left(started) > STORE_AGAIN_SECONDS:
            # The database did not take it just now; WeChat would not ask again, so we do.
            await asyncio.sleep(STORE_AGAIN_SECONDS)
            ticket = self._submit(delivery)
            await ticket.wait(self._left(started))
        if not ticket.is_settled:
            return await self._out_of_time(ticket)
        if ticket.error is not None:
            raise ticket.error
        reply = _said(ticket.answer, delivery) if ticket.answer else await self._wait_for(ticket, started)
        self._metrics.latency.observe(time.monotonic() - started)
        return reply

    def _submit(self, delivery: Delivery) -> Ticket:
        if self._stopping or self._clerk.waiting + len(self._working) >= MAX_WAITING:
            raise Busy("消息太多，这一条没有收下。")
        ticket = Ticket(delivery)
        self._clerk.hand_in(ticket)
        return ticket

    def _left(self, started: float) -> float:
        return max(0.0, self._within - (time.monotonic() - started))

    async def _out_of_time(self, ticket: Ticket) -> Reply:
        """Say “已收到” in a way that the database agrees with: the answer is then pushed, or is here just now."""
        if ticket.stored is None:
            raise Busy("来不及存下这条消息。")
        return _said(await self._ask(lambda: self._acknowledge(ticket)), ticket.delivery)

    def _acknowledge(self, ticket: Ticket) -> Answered:
        with self._transaction() as session:
            return self._inbox.acknowledge(session, ticket.delivery, self._now())

    async def _wait_for(self, ticket: Ticket, started: float) -> Reply:
        """A retry: wait for whoever works on the message, take it over from the dead, or give its answer again."""
        key = ticket.delivery.key
        while self._left(started) > 0:
            first = self._working.get(key)
            if first is not None:
                await first.wait(self._left(started))
            answer = await self._ask(lambda: self._answer_to(key))
            if answer is not None:
                return _said(answer, ticket.delivery)
            if first is None and self._is_orphan(ticket):
                found = Ticket(ticket.delivery, ticket.stored)
                if self._start_working(found):
                    return await self._finish_orphan(found)
            await asyncio.sleep(POLL_SECONDS)
        return await self._out_of_time(ticket)

    def _answer_to(self, key: str) -> Answered | None:
        with self._transaction() as session:
            return self._inbox.answer_to(session, key)

    def _is_orphan(self, ticket: Ticket) -> bool:
        received = ticket.stored.received_at if ticket.stored else None
        return received is not None and self._now() - received > OWNER_IS_DEAD_AFTER

    async def _finish_orphan(self, found: Ticket) -> Reply:
        self._helpers.submit(self._finish, [found], self._answering.alone)
        if await found.wait(self._within) and found.answer is not None:
            return _said(found.answer, found.delivery)
        return await self._out_of_time(found)

    async def _ask(self, question: Callable[[], T]) -> T:
        """The loop never waits for the database: a thread does."""
        return await asyncio.get_running_loop().run_in_executor(self._counters, question)

    # --- the clerk's thread ------------------------------------------------------------------------------

    def _serve(self, company: list[Ticket]) -> None:
        try:
            self._store(company)
        except Exception:
            log.exception("inbox.store_failed", messages=len(company))
            for ticket in company:
                ticket.settle(error=Busy("消息没有存下。"))
            return
        try:
            self._share_out(company)
        except Exception:
            log.exception("desk.company_failed", messages=len(company))
            self._let_go(company)

    def _store(self, company: list[Ticket]) -> None:
        with self._transaction() as session:
            stored = self._inbox.store(session, [ticket.delivery for ticket in company])
        for ticket, each in zip(company, stored, strict=True):
            ticket.stored = each
        self._metrics.batch.observe(len(company))

    def _share_out(self, company: list[Ticket]) -> None:
        together = []
        for ticket in company:
            stored = ticket.stored
            if stored is None or stored.standing is Standing.REPLAY:
                ticket.settle(error=Refused("replay", "这个签名已经用过。"))
            elif stored.standing is Standing.RETRY:
                ticket.settle(stored.answer)
            elif self._start_working(ticket):
                if self._router.shares(ticket.delivery.message, stored.talk):
                    together.append(ticket)
                else:
                    self._helpers.submit(self._finish, [ticket], self._answering.alone)
        if together:
            self._finish(together, self._answering.together)

    def _finish(self, tickets: list[Ticket], answers: Answers) -> None:
        try:
            for ticket, answer in zip(tickets, answers(tickets), strict=True):
                self._settle(ticket, answer)
        except Exception:
            log.exception("desk.answer_failed", messages=len(tickets))
            self._let_go(tickets)

    def _let_go(self, tickets: list[Ticket]) -> None:
        """Nobody waits for what nobody works on; recovery finishes the messages."""
        for ticket in tickets:
            if not ticket.is_settled:
                self._settle(ticket, None)

    def _start_working(self, ticket: Ticket) -> bool:
        return self._working.setdefault(ticket.delivery.key, ticket) is ticket

    def _settle(self, ticket: Ticket, answer: Answered | None) -> None:
        self._working.pop(ticket.delivery.key, None)
        self._ended[_outcome(answer)].inc()
        ticket.settle(answer)

    # --- after a crash -----------------------------------------------------------------------------------

    def recover(self, limit: int = 200) -> int:
        """Finish messages whose process died; their answers are pushed. Returns how many were finished.

        Several processes may do this at once: an answer's primary key lets one of them finish.
        """
        with self._transaction() as session:
            left = self._inbox.unfinished(session, self._now() - TRIES_ARE_OVER_AFTER, limit)
        ours = [ticket for ticket in map(Ticket, left) if self._start_working(ticket)]
        for ticket in ours:
            self._finish([ticket], self._answering.left_behind)
        return len(ours)

    def stop(self, timeout: float = 5.0) -> None:
        """Take nothing more, finish what was taken."""
        self._stopping = True
        self._clerk.stop(timeout)
        self._helpers.shutdown(wait=True, cancel_futures=False)
        self._counters.shutdown(wait=True, cancel_futures=False)


def _said(answer: Answered, delivery: Delivery) -> Reply:
    """What the person reads at this delivery: the answer, or that it will follow."""
    if answer.is_late:
        return ACKNOWLEDGED if delivery.message.takes_reply else None
    return answer.reply


def _outcome(answer: Answered | None) -> str:
    if answer is None:
        return "elsewhere"
    return "failed" if answer.error_id else "silent" if answer.reply is None else "replied"
