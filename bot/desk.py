"""Takes what WeChat delivers, stores it, has it answered once, and answers in time, whatever happens.

All that wait are stored by one statement and one commit. Handlers that many people call at the same moment
answer them together, in one transaction; every other message has a thread and a transaction of its own. It is
one path: a message alone is a company of one (docs/decisions/0002-one-commit-for-all-that-wait.md).
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from bot.crypto import Refused
from bot.once import (
    TRIES_ARE_OVER_AFTER,
    AlreadyAnswered,
    Answered,
    Busy,
    Delivery,
    Inbox,
    Standing,
    Stored,
)
from bot.replies import Reply, tap
from bot.router import Router
from bot.together import answer_all
from bot.turn import Turn
from clock import Now
from errors import AssistantError
from metrics import Metrics

log = structlog.get_logger("desk")

#: WeChat closes the connection after 5 s (§1.7); half a second is for the network and ourselves.
ANSWER_WITHIN_SECONDS = 4.5
#: Whoever stored a message has answered or acknowledged it by now, or is dead.
OWNER_IS_DEAD_AFTER = timedelta(seconds=6)
#: A message whose handling killed the process this often is given up, loudly.
MAX_ATTEMPTS = 3
MAX_BATCH = 128
MAX_WAITING = 4000
HELPERS = 16
POLL_SECONDS = 0.1
STORE_AGAIN_SECONDS = 0.25

NOT_TAKEN = "系统正忙，这一条没有收下，请过一会儿再发一次。"
ACKNOWLEDGED = "已收到，正在办理，结果稍后发给您。"


class Ticket:
    """One delivery on its way through the desk; request threads wait on it."""

    __slots__ = ("answer", "delivery", "done", "error", "stored")

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.done = threading.Event()
        self.stored: Stored | None = None
        self.answer: Answered | None = None
        self.error: Exception | None = None

    def settle(self, answer: Answered | None = None, error: Exception | None = None) -> None:
        self.answer, self.error = answer, error
        self.done.set()


class Desk:
    """Owns the threads behind the webhook. `transaction` is `Database.transaction`."""

    def __init__(
        self,
        inbox: Inbox,
        router: Router,
        transaction: Callable[[], AbstractContextManager[Session]],
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
        self._waiting: deque[Ticket] = deque()
        self._arrived = threading.Condition()
        self._working: dict[str, Ticket] = {}
        self._working_lock = threading.Lock()
        self._helpers = ThreadPoolExecutor(HELPERS, "helper")
        self._stopping = False
        self._clerk = threading.Thread(target=self._work, name="clerk", daemon=True)
        self._clerk.start()

    # --- the request thread ------------------------------------------------------------------------------

    def receive(self, delivery: Delivery) -> Reply:
        """The answer to a delivery within the deadline. Raises Refused for a replay, Busy when nothing was stored."""
        started = time.monotonic()
        ticket = self._submit(delivery)
        ticket.done.wait(self._left(started))
        while isinstance(ticket.error, Busy) and self._left(started) > STORE_AGAIN_SECONDS:
            # The database did not take it just now; WeChat would not ask again, so we do.
            time.sleep(STORE_AGAIN_SECONDS)
            ticket = self._submit(delivery)
            ticket.done.wait(self._left(started))
        if not ticket.done.is_set():
            return self._out_of_time(ticket)
        if ticket.error is not None:
            raise ticket.error
        reply = _said(ticket.answer, delivery) if ticket.answer else self._wait_for(ticket, started)
        self._metrics.latency.observe(time.monotonic() - started)
        return reply

    def _submit(self, delivery: Delivery) -> Ticket:
        ticket = Ticket(delivery)
        with self._arrived:
            if self._stopping or len(self._waiting) + len(self._working) >= MAX_WAITING:
                raise Busy("消息太多，这一条没有收下。")
            self._waiting.append(ticket)
            self._arrived.notify()
        return ticket

    def _left(self, started: float) -> float:
        return max(0.0, self._within - (time.monotonic() - started))

    def _out_of_time(self, ticket: Ticket) -> Reply:
        """Say “已收到” in a way that the database agrees with: the answer is then pushed, or is here just now."""
        if ticket.stored is None:
            raise Busy("来不及存下这条消息。")
        with self._transaction() as session:
            answer = self._inbox.acknowledge(session, ticket.delivery, self._now())
        return _said(answer, ticket.delivery)

    def _wait_for(self, ticket: Ticket, started: float) -> Reply:
        """A retry: wait for whoever works on the message, take it over from the dead, or give its answer again."""
        key = ticket.delivery.key
        while self._left(started) > 0:
            with self._working_lock:
                first = self._working.get(key)
            if first is not None:
                first.done.wait(self._left(started))
            with self._transaction() as session:
                answer = self._inbox.answer_to(session, key)
            if answer is not None:
                return _said(answer, ticket.delivery)
            if first is None and self._is_orphan(ticket) and self._start_working(key, ticket):
                return self._finish_orphan(ticket)
            time.sleep(POLL_SECONDS)
        return self._out_of_time(ticket)

    def _is_orphan(self, ticket: Ticket) -> bool:
        received = ticket.stored.received_at if ticket.stored else None
        return received is not None and self._now() - received > OWNER_IS_DEAD_AFTER

    def _finish_orphan(self, ticket: Ticket) -> Reply:
        ticket.done.clear()
        self._helpers.submit(self._help, ticket)
        if ticket.done.wait(self._within) and ticket.answer is not None:
            return _said(ticket.answer, ticket.delivery)
        return self._out_of_time(ticket)

    # --- the clerk: stores all that wait, answers together those who ask the same ------------------------

    def _work(self) -> None:
        while True:
            batch = self._take()
            if not batch:
                return
            try:
                self._store(batch)
            except Exception:
                log.exception("inbox.store_failed", messages=len(batch))
                for ticket in batch:
                    ticket.settle(error=Busy("消息没有存下。"))
                continue
            try:
                self._share_out(batch)
            except Exception:
                # Whatever happened, the clerk must go on; recovery finishes what is stored and not answered.
                log.exception("desk.batch_failed", messages=len(batch))
                for ticket in batch:
                    if not ticket.done.is_set():
                        self._settle(ticket, None)

    def _take(self) -> list[Ticket]:
        with self._arrived:
            while not self._waiting and not self._stopping:
                self._arrived.wait()
            count = min(len(self._waiting), MAX_BATCH)
            return [self._waiting.popleft() for _ in range(count)]

    def _store(self, batch: list[Ticket]) -> None:
        with self._transaction() as session:
            stored = self._inbox.store(session, [ticket.delivery for ticket in batch])
        for ticket, each in zip(batch, stored, strict=True):
            ticket.stored = each
        self._metrics.batch.observe(len(batch))

    def _share_out(self, batch: list[Ticket]) -> None:
        together = []
        for ticket in batch:
            stored = ticket.stored
            if stored is None or stored.standing is Standing.REPLAY:
                ticket.settle(error=Refused("replay", "这个签名已经用过。"))
            elif stored.standing is Standing.RETRY:
                ticket.settle(stored.answer)
            elif self._start_working(ticket.delivery.key, ticket):
                if self._router.shares(ticket.delivery.message, stored.talk):
                    together.append(ticket)
                else:
                    self._helpers.submit(self._help, ticket)
        if together:
            self._answer_together(together)

    def _start_working(self, key: str, ticket: Ticket) -> bool:
        with self._working_lock:
            return self._working.setdefault(key, ticket) is ticket

    def _settle(self, ticket: Ticket, answer: Answered | None) -> None:
        with self._working_lock:
            self._working.pop(ticket.delivery.key, None)
        self._ended[_outcome(answer)].inc()
        ticket.settle(answer)

    # --- handling ----------------------------------------------------------------------------------------

    def _answer_together(self, tickets: list[Ticket]) -> None:
        """Answer a company in one transaction; when that fails, each alone, so that one cannot spoil the rest."""
        try:
            answers = self._handle(tickets)
        except Exception as error:
            if len(tickets) > 1 and not isinstance(error, AssistantError):
                log.warning("desk.company_failed", messages=len(tickets), error=repr(error))
            for ticket in tickets:
                self._answer_alone(ticket)
            return
        for ticket, answer in zip(tickets, answers, strict=True):
            self._settle(ticket, answer)

    def _help(self, ticket: Ticket) -> None:
        """One message in a thread of its own; a database that fails now leaves it to recovery."""
        try:
            self._answer_alone(ticket)
        except Exception:
            log.exception("desk.answer_failed", message=ticket.delivery.message.label)
            self._settle(ticket, None)

    def _answer_alone(self, ticket: Ticket, *, again: bool = False) -> None:
        answer: Answered | None
        try:
            [answer] = self._handle([ticket], are_late=again)
        except AlreadyAnswered:
            with self._transaction() as session:
                done = self._inbox.answer_to(session, ticket.delivery.key)
            if done is not None and done.is_late and not again:
                # “已收到” was said while we were committing: what was done is gone, so do it once more and push.
                self._answer_alone(ticket, again=True)
            else:
                self._settle(ticket, done)
            return
        except AssistantError as error:
            answer = self._record(ticket, str(error), "规则", None)
        except Exception:
            error_id = secrets.token_hex(3).upper()
            log.exception("handler.failed", error_id=error_id, message=ticket.delivery.message.label)
            answer = self._record(ticket, failed_reply(error_id), "出错", error_id)
        self._settle(ticket, answer)

    def _record(self, ticket: Ticket, reply: str, route: str, error_id: str | None) -> Answered | None:
        """Keep the answer of a handler that raised; its effects are gone with its transaction."""
        delivery = ticket.delivery
        said = reply if delivery.message.takes_reply else None
        answer = self._answered(delivery, said, route, error_id)
        try:
            with self._transaction() as session:
                self._inbox.finish(session, [answer])
        except AlreadyAnswered:
            return None
        except Exception:
            log.exception("inbox.finish_failed", error_id=error_id)
        return answer

    def _handle(self, tickets: list[Ticket], *, are_late: bool = False) -> list[Answered]:
        with ExitStack() as stack:
            opened: list[Session] = []

            def session() -> Session:
                if not opened:
                    opened.append(stack.enter_context(self._transaction()))
                return opened[0]

            turns = [self._turn(ticket, session) for ticket in tickets]
            replies = answer_all([self._router.answer(turn) for turn in turns], session)
            answers = []
            for ticket, turn, reply in zip(tickets, turns, replies, strict=True):
                if turn.talk_changed:
                    self._inbox.keep_talk(session(), turn.openid, turn.talk)
                said = reply if ticket.delivery.message.takes_reply else None
                answers.append(self._answered(ticket.delivery, said, turn.route, is_late=are_late))
            self._inbox.finish(session(), answers)
        return answers

    def _turn(self, ticket: Ticket, session: Callable[[], Session]) -> Turn:
        delivery, stored = ticket.delivery, ticket.stored
        person_id, talk = (stored.person_id, stored.talk) if stored else (None, None)
        if talk is not None and not self._router.shares(delivery.message, talk):
            # Two messages at once: the second waits here until the first has moved the talk on (F014).
            person_id, talk = self._inbox.standing_of(session(), delivery.message.openid, lock=True)
        return Turn(delivery.message, delivery.at, person_id, talk, _open=session)

    def _answered(
        self, delivery: Delivery, reply: Reply, route: str, error_id: str | None = None, *, is_late: bool = False
    ) -> Answered:
        now = self._now()
        latency = max(0, round((now - delivery.at).total_seconds() * 1000))
        return Answered(
            delivery.key, delivery.message.openid, reply, route, now, latency, delivery.app, error_id, is_late
        )

    # --- after a crash -----------------------------------------------------------------------------------

    def recover(self, limit: int = 200) -> int:
        """Finish messages whose process died; their answers are pushed. Returns how many were finished.

        Several processes may do this at once: an answer's primary key lets one of them finish.
        """
        now = self._now()
        with self._transaction() as session:
            left = self._inbox.unfinished(session, now - TRIES_ARE_OVER_AFTER, limit)
        finished = 0
        for delivery in left:
            ticket = Ticket(delivery)
            if not self._start_working(delivery.key, ticket):
                continue
            with self._transaction() as session:
                attempts = self._inbox.take_over(session, delivery.key)
                person_id, talk = self._inbox.standing_of(session, delivery.message.openid, lock=False)
            ticket.stored = Stored(Standing.NEW, person_id, talk)
            if attempts > MAX_ATTEMPTS:
                error_id = secrets.token_hex(3).upper()
                log.error("message.given_up", error_id=error_id, attempts=attempts, kind=delivery.message.label)
                self._settle(ticket, self._record(ticket, failed_reply(error_id), "放弃", error_id))
            else:
                self._answer_alone(ticket)
            finished += 1
        return finished

    def stop(self, timeout: float = 5.0) -> None:
        """Take nothing more, finish what was taken."""
        with self._arrived:
            self._stopping = True
            self._arrived.notify_all()
        self._clerk.join(timeout)
        self._helpers.shutdown(wait=True, cancel_futures=False)


def failed_reply(error_id: str) -> str:
    """What a person reads when something of ours broke."""
    return f"抱歉，刚才没有办成，请稍后再试。若仍不行，请把编号 {error_id} 告诉办公室。（{tap('帮助')}）"


def _said(answer: Answered, delivery: Delivery) -> Reply:
    """What the person reads at this delivery: the answer, or that it will follow."""
    if answer.is_late:
        return ACKNOWLEDGED if delivery.message.takes_reply else None
    return answer.reply


OUTCOMES = ("replied", "silent", "failed", "elsewhere")


def _outcome(answer: Answered | None) -> str:
    if answer is None:
        return "elsewhere"
    return "failed" if answer.error_id else "silent" if answer.reply is None else "replied"
