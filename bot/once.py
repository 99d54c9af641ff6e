"""What it takes to answer every message once: deliveries, how the inbox knows them, and their one answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from random import getrandbits
from typing import Protocol

from sqlalchemy.orm import Session

from bot.messages import Message
from bot.replies import Reply
from bot.turn import Talk
from errors import AssistantError

#: WeChat's three tries are over after 15 s; from then on an answer must be pushed.
TRIES_ARE_OVER_AFTER = timedelta(seconds=20)


class Busy(AssistantError):
    """Nothing was stored, and the person must be told so: WeChat does not try again after an answer (§1.7)."""


class Standing(Enum):
    """What the inbox knows of a delivery."""

    NEW = "new"
    RETRY = "retry"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One callback that passed the signature check. `receipt` is random: it tells who stored the message."""

    message: Message
    signature: str
    at: datetime
    app: str = "official"
    key: str = ""
    receipt: int = field(default_factory=lambda: getrandbits(62))


@dataclass(frozen=True, slots=True)
class Stored:
    """What the inbox says about a delivery, with all that handling it will need."""

    standing: Standing
    person_id: int | None = None
    talk: Talk | None = None
    answer: Answered | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A finished message. `failed` carries the error id that the person was told."""

    key: str
    openid: str
    reply: Reply
    route: str
    at: datetime
    latency_ms: int
    app: str = "official"
    error_id: str | None = None
    #: “已收到” was said instead; the answer itself is pushed.
    is_late: bool = False


class AlreadyAnswered(Exception):
    """The message has its answer; what was done for it a second time must be dropped."""


class Inbox(Protocol):
    """What the desk needs of storage; services/inbox.py is it."""

    def store(self, session: Session, deliveries: list[Delivery]) -> list[Stored]: ...
    def finish(self, session: Session, answers: list[Answered]) -> None: ...
    def acknowledge(self, session: Session, delivery: Delivery, at: datetime) -> Answered: ...
    def answer_to(self, session: Session, key: str) -> Answered | None: ...
    def unfinished(self, session: Session, before: datetime, limit: int) -> list[Delivery]: ...
    def take_over(self, session: Session, key: str) -> int: ...
    def standing_of(self, session: Session, openid: str, *, lock: bool) -> tuple[int | None, Talk | None]: ...
    def keep_talk(self, session: Session, openid: str, talk: Talk | None) -> None: ...
