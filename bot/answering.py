"""Has messages handled and keeps their answers, each in the transaction of what was done for it.

Handlers that many people call at the same moment answer them together, in one transaction; if that fails,
each message is answered alone, so that one cannot spoil the rest (docs/decisions/0002).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import structlog
from sqlalchemy.orm import Session

from bot.clerk import Ticket
from bot.once import AlreadyAnswered, Answered, Delivery, Inbox, Standing, Stored
from bot.replies import Reply, tap
from bot.router import Router
from bot.together import answer_all
from bot.turn import Turn
from clock import Now
from errors import AssistantError

log = structlog.get_logger("answering")

Transaction = Callable[[], AbstractContextManager[Session]]
#: Gives the answer to each ticket, in their order; None means that somebody else has given or promised it.
Answers = Callable[[list[Ticket]], Iterator[Answered | None]]

#: A message whose handling killed the process this often is given up, loudly.
MAX_ATTEMPTS = 3


class Answering:
    """Three ways in which stored messages get their answers; what the database does not even take is raised."""

    def __init__(self, inbox: Inbox, router: Router, transaction: Transaction, now: Now) -> None:
        self._inbox = inbox
        self._router = router
        self._transaction = transaction
        self._now = now

    def together(self, tickets: list[Ticket]) -> Iterator[Answered | None]:
        """The answers to a company."""
        try:
            answers = self._handle(tickets)
        except Exception as error:
            if len(tickets) > 1 and not isinstance(error, AssistantError):
                log.warning("answering.company_failed", messages=len(tickets), error=repr(error))
            yield from self.alone(tickets)
        else:
            yield from answers

    def alone(self, tickets: list[Ticket]) -> Iterator[Answered | None]:
        """The answers to messages that have nothing to do with each other."""
        return map(self._one, tickets)

    def left_behind(self, tickets: list[Ticket]) -> Iterator[Answered | None]:
        """The answers to messages whose process died; one that killed it again and again is given up."""
        for ticket in tickets:
            delivery = ticket.delivery
            with self._transaction() as session:
                attempts = self._inbox.take_over(session, delivery.key)
                person_id, talk = self._inbox.standing_of(session, delivery.message.openid, lock=False)
            ticket.stored = Stored(Standing.NEW, person_id, talk)
            yield self._give_up(delivery, attempts) if attempts > MAX_ATTEMPTS else self._one(ticket)

    def _one(self, ticket: Ticket, *, again: bool = False) -> Answered | None:
        try:
            return self._handle([ticket], are_late=again)[0]
        except AlreadyAnswered:
            with self._transaction() as session:
                done = self._inbox.answer_to(session, ticket.delivery.key)
            if done is not None and done.is_late and not again:
                # “已收到” was said while we were committing: what was done is gone, so do it once more and push.
                return self._one(ticket, again=True)
            return done
        except AssistantError as error:
            return self._record(ticket.delivery, str(error), "规则")
        except Exception:
            error_id = _error_id()
            log.exception("handler.failed", error_id=error_id, message=ticket.delivery.message.label)
            return self._record(ticket.delivery, _sorry(error_id), "出错", error_id)

    def _give_up(self, delivery: Delivery, attempts: int) -> Answered | None:
        error_id = _error_id()
        log.error("message.given_up", error_id=error_id, attempts=attempts, kind=delivery.message.label)
        return self._record(delivery, _sorry(error_id), "放弃", error_id)

    def _record(self, delivery: Delivery, reply: str, route: str, error_id: str | None = None) -> Answered | None:
        """Keep the answer of a handler that raised; its effects are gone with its transaction."""
        answer = self._answered(delivery, reply, route, error_id=error_id)
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
                answers.append(self._answered(ticket.delivery, reply, turn.route, is_late=are_late))
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
        self, delivery: Delivery, reply: Reply, route: str, *, error_id: str | None = None, is_late: bool = False
    ) -> Answered:
        message, now = delivery.message, self._now()
        latency = max(0, round((now - delivery.at).total_seconds() * 1000))
        said = reply if message.takes_reply else None
        return Answered(delivery.key, message.openid, said, route, now, latency, delivery.app, error_id, is_late)


def _error_id() -> str:
    return secrets.token_hex(3).upper()


def _sorry(error_id: str) -> str:
    """What a person reads when something of ours broke."""
    return f"抱歉，刚才没有办成，请稍后再试。若仍不行，请把编号 {error_id} 告诉办公室。（{tap('帮助')}）"
