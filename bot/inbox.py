"""Stores what WeChat delivers and how it was answered. Core statements for many rows: this is on every path."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.messages import Message
from bot.once import TRIES_ARE_OVER_AFTER, AlreadyAnswered, Answered, Delivery, Standing, Stored
from bot.turn import Talk
from models import (
    Answer,
    Conversation,
    Follower,
    InboxMessage,
    Outcome,
    among,
    dialect_of,
    insert_all,
    insert_new,
)

#: How far back recovery looks; older rows were answered or given up long ago.
RECOVERY_REACHES_BACK = timedelta(days=3)

#: Nobody is told “已收到” before this; quicker answers need not be checked against it.
COULD_BE_ACKNOWLEDGED_MS = 1000

#: Queues an answer that comes too late for the passive reply: session, app, openid, words, message key, at.
PushLate = Callable[[Session, str, str, str, str, datetime], None]

_INBOX, _ANSWERS = InboxMessage.__table__.c, Answer.__table__.c
_TALKS, _FOLLOWERS = Conversation.__table__.c, Follower.__table__.c


@cache
def _standing(dialect: str) -> sa.Select[Any]:
    """Everything the desk must know of deliveries, in one question for all that wait."""
    return (
        sa.select(
            _INBOX.key, _INBOX.receipt, _INBOX.signature, _INBOX.received_at,
            _ANSWERS.message_key, _ANSWERS.reply, _ANSWERS.outcome, _ANSWERS.answered_at, _ANSWERS.route,
            _FOLLOWERS.person_id, _FOLLOWERS.openid.label("follower"), _TALKS.flow, _TALKS.said, _TALKS.updated_at,
        )
        .select_from(InboxMessage.__table__)
        .outerjoin(Answer.__table__, _ANSWERS.message_key == _INBOX.key)
        .outerjoin(Follower.__table__, _FOLLOWERS.openid == _INBOX.openid)
        .outerjoin(Conversation.__table__, _TALKS.openid == _INBOX.openid)
        .where(among(dialect, _INBOX.key, "keys"))
    )  # fmt: skip


class SqlInbox:
    """The inbox of one installation, for all its processes."""

    def __init__(self, push_late: PushLate) -> None:
        self._push_late = push_late

    def store(self, session: Session, deliveries: list[Delivery]) -> list[Stored]:
        """Keep what is new; say of each delivery whether it is new, a retry, or a replay (F002, F004, F007)."""
        # In one order everywhere, so that two processes with the same retries cannot lock each other out.
        insert_new(session, InboxMessage, [_row(d) for d in sorted(deliveries, key=lambda d: d.key)])
        keys = list({delivery.key for delivery in deliveries})
        rows = {row.key: row for row in session.connection().execute(_standing(dialect_of(session)), {"keys": keys})}
        strangers = {d.message.openid: d.at for d in deliveries if d.key in rows and rows[d.key].follower is None}
        insert_new(session, Follower, [_stranger(o, at) for o, at in strangers.items()])
        return [_stored(delivery, rows.get(delivery.key)) for delivery in deliveries]

    def finish(self, session: Session, answers: list[Answered]) -> None:
        """Write the answers; queue those that nobody waits for any more. Raises AlreadyAnswered.

        Only an answer that took long can have been acknowledged, so only those are looked up. Should the time
        run out between that look and the commit, the primary key refuses the answer and it is made again.
        """
        slow = [a.key for a in answers if a.is_late or a.latency_ms > COULD_BE_ACKNOWLEDGED_MS]
        promised = self._promised(session, slow)
        for answer in answers:
            if answer.key in promised:
                self._keep_promise(session, answer)
        rows = [_answer_row(answer) for answer in answers if answer.key not in promised]
        try:
            insert_all(session, Answer, rows)
        except IntegrityError:
            raise AlreadyAnswered from None
        for answer in answers:
            if answer.key in promised or _must_push(answer):
                self._push(session, answer)

    def _promised(self, session: Session, keys: list[str]) -> set[str]:
        if not keys:
            return set()
        asked = sa.select(Answer.message_key).where(
            Answer.message_key.in_(keys), Answer.outcome == Outcome.ACKNOWLEDGED
        )
        return set(session.scalars(asked.with_for_update() if _locks_rows(session) else asked))

    def _keep_promise(self, session: Session, answer: Answered) -> None:
        changed = session.execute(
            sa.update(Answer)
            .where(Answer.message_key == answer.key, Answer.outcome == Outcome.ACKNOWLEDGED)
            .values({**_answer_row(answer), "outcome": Outcome.FAILED if answer.error_id else Outcome.PUSHED})
        )
        if changed.rowcount != 1:  # type: ignore[attr-defined]
            raise AlreadyAnswered

    def _push(self, session: Session, answer: Answered) -> None:
        if answer.reply is not None:
            self._push_late(session, answer.app, answer.openid, answer.reply, answer.key, answer.at)

    def acknowledge(self, session: Session, delivery: Delivery, at: datetime) -> Answered:
        """Promise the answer for later, unless it is there: whoever writes the row first has decided."""
        row = {
            "message_key": delivery.key, "outcome": Outcome.ACKNOWLEDGED, "route": "", "reply": None,
            "error_id": None, "answered_at": at, "latency_ms": _milliseconds(at - delivery.at),
        }  # fmt: skip
        insert_new(session, Answer, [row])
        answer = self.answer_to(session, delivery.key)
        if answer is None:
            raise RuntimeError("the row that was just written is not there")
        return answer

    def answer_to(self, session: Session, key: str) -> Answered | None:
        """The stored answer, if there is one."""
        row = session.execute(_standing(dialect_of(session)), {"keys": [key]}).first()
        return _answer(row) if row else None

    def unfinished(self, session: Session, before: datetime, limit: int) -> list[Delivery]:
        """Messages received before `before` that have no answer."""
        rows = session.execute(
            sa.select(InboxMessage)
            .outerjoin(Answer, Answer.message_key == InboxMessage.key)
            .where(
                sa.or_(Answer.message_key.is_(None), Answer.outcome == Outcome.ACKNOWLEDGED),
                InboxMessage.received_at < before,
                InboxMessage.received_at > before - RECOVERY_REACHES_BACK,
            )
            .order_by(InboxMessage.received_at)
            .limit(limit)
        ).scalars()
        return [
            Delivery(
                Message.from_json(row.body),
                row.signature,
                row.received_at,
                _app(row.kind),
                row.key,
                row.receipt,
            )
            for row in rows
        ]

    def take_over(self, session: Session, key: str) -> int:
        """Count one more attempt at a message and return how many there were."""
        session.execute(
            sa.update(InboxMessage).where(InboxMessage.key == key).values(attempts=InboxMessage.attempts + 1)
        )
        return session.scalar(sa.select(InboxMessage.attempts).where(InboxMessage.key == key)) or 0

    def standing_of(self, session: Session, openid: str, *, lock: bool) -> tuple[int | None, Talk | None]:
        """Who a follower is and where their conversation stands now; with `lock` nobody else moves it on."""
        person_id = session.scalar(sa.select(Follower.person_id).where(Follower.openid == openid))
        question = sa.select(_TALKS.flow, _TALKS.said, _TALKS.updated_at).where(_TALKS.openid == openid)
        row = session.execute(question.with_for_update() if lock and _locks_rows(session) else question).first()
        return person_id, _talk(row)

    def keep_talk(self, session: Session, openid: str, talk: Talk | None) -> None:
        """Write where a conversation stands, or that there is none."""
        session.execute(sa.delete(Conversation).where(Conversation.openid == openid))
        if talk is not None:
            said = json.dumps(talk.said, ensure_ascii=False)
            row = {"openid": openid, "flow": talk.flow, "said": said, "updated_at": talk.updated_at}
            insert_all(session, Conversation, [row])


def _locks_rows(session: Session) -> bool:
    """SQLite has no row locks and needs none: its transactions write one after another."""
    return dialect_of(session) != "sqlite"


def _row(delivery: Delivery) -> dict[str, Any]:
    message = delivery.message
    return {
        "key": delivery.key,
        "receipt": delivery.receipt,
        "signature": delivery.signature,
        "openid": message.openid,
        "kind": _kind(delivery),
        "body": message.as_json(),
        "received_at": delivery.at,
        "attempts": 0,
    }


def _kind(delivery: Delivery) -> str:
    return delivery.message.label if delivery.app == "official" else f"{delivery.app}:{delivery.message.label}"[:48]


def _app(kind: str) -> str:
    return "mini" if kind.startswith("mini:") else "official"


def _stranger(openid: str, at: datetime) -> dict[str, Any]:
    return {
        "openid": openid, "person_id": None, "is_subscribed": True, "met_at": at,
        "bound_at": None, "left_at": None, "scene": None,
    }  # fmt: skip


def _stored(delivery: Delivery, row: Any) -> Stored:
    if row is None:
        # The key is not there although we inserted it: another message has used the same signature.
        return Stored(Standing.REPLAY)
    talk = _talk(row)
    if row.receipt == delivery.receipt:
        return Stored(Standing.NEW, row.person_id, talk, received_at=row.received_at)
    answer = _answer(row)
    if row.signature == delivery.signature and answer is not None:
        return Stored(Standing.REPLAY)
    return Stored(Standing.RETRY, row.person_id, talk, answer, row.received_at)


def _talk(row: Any) -> Talk | None:
    return Talk(row.flow, json.loads(row.said), row.updated_at) if row and row.flow else None


def _answer(row: Any) -> Answered | None:
    if row.message_key is None:
        return None
    is_late = row.outcome in {Outcome.ACKNOWLEDGED, Outcome.PUSHED}
    return Answered(row.key, "", row.reply, row.route, row.answered_at, 0, is_late=is_late)


def _must_push(answer: Answered) -> bool:
    """Whether WeChat waits no longer for this answer, or never did (mini programs take no passive reply)."""
    return answer.latency_ms > _milliseconds(TRIES_ARE_OVER_AFTER) or answer.app != "official"


def _answer_row(answer: Answered) -> dict[str, Any]:
    if answer.error_id:
        outcome = Outcome.FAILED
    elif answer.reply is None:
        outcome = Outcome.SILENT
    else:
        outcome = Outcome.PUSHED if _must_push(answer) else Outcome.REPLIED
    return {
        "message_key": answer.key,
        "outcome": outcome,
        "route": answer.route[:48],
        "reply": answer.reply,
        "error_id": answer.error_id,
        "answered_at": answer.at,
        "latency_ms": answer.latency_ms,
    }


def _milliseconds(length: timedelta) -> int:
    return max(0, round(length.total_seconds() * 1000))
