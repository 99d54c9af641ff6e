"""Stores what WeChat delivers and how it was answered. Core statements for many rows: this is on every path."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.desk import TRIES_ARE_OVER_AFTER, AlreadyAnswered, Answered, Delivery, Standing, Stored
from bot.messages import Message
from bot.turn import Talk
from models import Answer, Conversation, Follower, InboxMessage, Outcome, insert_new

#: How far back recovery looks; older rows were answered or given up long ago.
RECOVERY_REACHES_BACK = timedelta(days=3)

#: Queues an answer that comes too late for the passive reply: session, app, openid, words, message key, at.
PushLate = Callable[[Session, str, str, str, str, datetime], None]

_ANSWERS = Answer.__table__
_TALKS = Conversation.__table__

#: Everything the desk must know of a delivery, in one question for all that wait.
_STANDING = (
    sa.select(
        InboxMessage.key,
        InboxMessage.receipt,
        InboxMessage.signature,
        InboxMessage.received_at,
        InboxMessage.acknowledged_at,
        Answer.message_key,
        Answer.reply,
        Answer.outcome,
        Answer.answered_at,
        Answer.route,
        Follower.person_id,
        Conversation.flow,
        Conversation.said,
        Conversation.updated_at,
        Follower.openid.label("follower"),
    )
    .outerjoin(Answer, Answer.message_key == InboxMessage.key)
    .outerjoin(Follower, Follower.openid == InboxMessage.openid)
    .outerjoin(Conversation, Conversation.openid == InboxMessage.openid)
    .where(InboxMessage.key.in_(sa.bindparam("keys", expanding=True)))
)


class SqlInbox:
    """The inbox of one installation, for all its processes."""

    def __init__(self, push_late: PushLate) -> None:
        self._push_late = push_late

    def store(self, session: Session, deliveries: list[Delivery]) -> list[Stored]:
        """Keep what is new; say of each delivery whether it is new, a retry, or a replay (F002, F004, F007)."""
        # In one order everywhere, so that two processes with the same retries cannot lock each other out.
        insert_new(session, InboxMessage, [_row(d) for d in sorted(deliveries, key=lambda d: d.key)])
        rows = {r.key: r for r in session.execute(_STANDING, {"keys": list({d.key for d in deliveries})})}
        strangers = {d.message.openid: d.at for d in deliveries if d.key in rows and rows[d.key].follower is None}
        insert_new(session, Follower, [_stranger(o, at) for o, at in strangers.items()])
        return [_stored(delivery, rows.get(delivery.key)) for delivery in deliveries]

    def finish(self, session: Session, answers: list[Answered]) -> None:
        """Write the answers; queue those that nobody waits for any more. Raises AlreadyAnswered."""
        keys = [answer.key for answer in answers]
        late = _LATE.with_for_update(read=True) if _locks_rows(session) else _LATE
        acknowledged = set(session.scalars(late, {"keys": keys}))
        try:
            session.execute(sa.insert(_ANSWERS), [_answer_row(a, a.key in acknowledged) for a in answers])
        except IntegrityError:
            raise AlreadyAnswered from None
        for answer in answers:
            if answer.reply is not None and _must_push(answer, answer.key in acknowledged):
                self._push_late(session, answer.app, answer.openid, answer.reply, answer.key, answer.at)

    def acknowledge(self, session: Session, key: str, at: datetime) -> Answered | None:
        """Promise the answer for later, unless it is there: then return it. The row's lock makes it either or."""
        session.execute(
            sa.update(InboxMessage)
            .where(InboxMessage.key == key, InboxMessage.acknowledged_at.is_(None))
            .values(acknowledged_at=at)
        )
        answer, acknowledged = self.answer_to(session, key)
        if answer is None or answer.was_pushed:
            return None
        if acknowledged:
            session.execute(sa.update(InboxMessage).where(InboxMessage.key == key).values(acknowledged_at=None))
        return answer

    def answer_to(self, session: Session, key: str) -> tuple[Answered | None, bool]:
        """The stored answer, if any, and whether “已收到” was said."""
        row = session.execute(_STANDING, {"keys": [key]}).first()
        return (_answer(row), row.acknowledged_at is not None) if row else (None, False)

    def unfinished(self, session: Session, before: datetime, limit: int) -> list[Delivery]:
        """Messages received before `before` that have no answer."""
        rows = session.execute(
            sa.select(InboxMessage)
            .outerjoin(Answer, Answer.message_key == InboxMessage.key)
            .where(
                Answer.message_key.is_(None),
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

    def take_over(self, session: Session, key: str, at: datetime) -> int:
        """Count one more attempt and return how many there were; the answer will be pushed."""
        session.execute(
            sa.update(InboxMessage)
            .where(InboxMessage.key == key)
            .values(
                attempts=InboxMessage.attempts + 1,
                acknowledged_at=sa.func.coalesce(
                    InboxMessage.acknowledged_at, sa.bindparam("at", at, InboxMessage.received_at.type)
                ),
            )
        )
        return session.scalar(sa.select(InboxMessage.attempts).where(InboxMessage.key == key)) or 0

    def standing_of(self, session: Session, openid: str, *, lock: bool) -> tuple[int | None, Talk | None]:
        """Who a follower is and where their conversation stands now; with `lock` nobody else moves it on."""
        person_id = session.scalar(sa.select(Follower.person_id).where(Follower.openid == openid))
        question = sa.select(_TALKS).where(_TALKS.c.openid == openid)
        row = session.execute(question.with_for_update() if lock and _locks_rows(session) else question).first()
        return person_id, _talk(row)

    def keep_talk(self, session: Session, openid: str, talk: Talk | None) -> None:
        """Write where a conversation stands, or that there is none."""
        session.execute(sa.delete(_TALKS).where(_TALKS.c.openid == openid))
        if talk is not None:
            said = json.dumps(talk.said, ensure_ascii=False)
            session.execute(
                sa.insert(_TALKS),
                {"openid": openid, "flow": talk.flow, "said": said, "updated_at": talk.updated_at},
            )


_LATE = sa.select(InboxMessage.key).where(
    InboxMessage.key.in_(sa.bindparam("keys", expanding=True)), InboxMessage.acknowledged_at.is_not(None)
)


def _locks_rows(session: Session) -> bool:
    """SQLite has no row locks and needs none: its transactions write one after another."""
    return session.get_bind().dialect.name != "sqlite"


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
        "acknowledged_at": None,
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
    answer, acknowledged = _answer(row), row.acknowledged_at is not None
    if row.signature == delivery.signature and answer is not None:
        return Stored(Standing.REPLAY)
    return Stored(Standing.RETRY, row.person_id, talk, answer, row.received_at, acknowledged)


def _talk(row: Any) -> Talk | None:
    return Talk(row.flow, json.loads(row.said), row.updated_at) if row and row.flow else None


def _answer(row: Any) -> Answered | None:
    if row.message_key is None:
        return None
    return Answered(row.key, "", row.reply, row.route, row.answered_at, 0, was_pushed=row.outcome == Outcome.PUSHED)


def _must_push(answer: Answered, acknowledged: bool) -> bool:
    return acknowledged or answer.latency_ms > TRIES_ARE_OVER_AFTER.total_seconds() * 1000 or answer.app != "official"


def _answer_row(answer: Answered, acknowledged: bool) -> dict[str, Any]:
    if answer.error_id:
        outcome = Outcome.FAILED
    elif answer.reply is None:
        outcome = Outcome.SILENT
    else:
        outcome = Outcome.PUSHED if _must_push(answer, acknowledged) else Outcome.REPLIED
    return {
        "message_key": answer.key,
        "outcome": outcome,
        "route": answer.route[:48],
        "reply": answer.reply,
        "error_id": answer.error_id,
        "answered_at": answer.at,
        "latency_ms": answer.latency_ms,
    }
