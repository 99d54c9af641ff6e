"""Which kinds of notice a person does not want (F115). What is statutory cannot be declined, and says so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from errors import RuleBroken
from models import OptOut, Topic, insert_new

DECLINED = "本人退订了“{topic}”类通知"


def decline(session: Session, recipient: str, topic: Topic, at: datetime) -> None:
    """No more of this topic for them. Raises RuleBroken for what everybody gets."""
    if not topic.may_be_declined:
        raise RuleBroken(f"“{topic.label}”是组织生活必须知道的，不能退订；可以退订的有：{'、'.join(choices())}。")
    insert_new(session, OptOut, [{"recipient": recipient, "topic": topic, "since": at}])


def allow(session: Session, recipient: str, topic: Topic) -> None:
    """They want it again."""
    session.execute(sa.delete(OptOut).where(OptOut.recipient == recipient, OptOut.topic == topic))


def of(session: Session, recipient: str) -> list[Topic]:
    """What somebody has declined."""
    return list(session.scalars(sa.select(OptOut.topic).where(OptOut.recipient == recipient).order_by(OptOut.topic)))


def declined(session: Session, recipients: Iterable[str], topic: Topic) -> set[str]:
    """Who of these does not want this topic."""
    if not topic.may_be_declined:
        return set()
    asked = list(recipients)
    return set(session.scalars(sa.select(OptOut.recipient).where(OptOut.topic == topic, OptOut.recipient.in_(asked))))


def choices() -> list[str]:
    """The topics that may be declined, by name."""
    return [topic.label for topic in Topic if topic.may_be_declined]
