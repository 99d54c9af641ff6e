"""Which kinds of notice a person does not want (F115). What is statutory cannot be declined, and says so.

`recipient` is written as in the outbox: “person:17” for a member, “openid:o…” for a citizen.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from errors import Misunderstood, RuleBroken
from models import OptOut, Topic, insert_new

DECLINED = "本人退订了“{topic}”类通知"
#: What the chat says besides the statutory topic: nobody asks for these to be silent.
EXEMPT = f"{Topic.STATUTORY.label}（学习日、活动日和要您办理的事），您自己的咨询、请假、绑定的结果"


def decline(session: Session, recipient: str, topic: Topic, at: datetime) -> None:
    """No more of this topic for them. Raises RuleBroken for what everybody gets."""
    if not topic.may_be_declined:
        raise RuleBroken(f"“{topic.label}”是组织生活必须知道的，不能退订；可以退订的有：{'、'.join(choices())}。")
    insert_new(session, OptOut, [{"recipient": recipient, "topic": topic, "since": at}])


def allow(session: Session, recipient: str, topic: Topic) -> None:
    """They want it again."""
    session.execute(sa.delete(OptOut).where(OptOut.recipient == recipient, OptOut.topic == topic))


def forget(session: Session, recipient: str) -> None:
    """As if they had never said anything."""
    session.execute(sa.delete(OptOut).where(OptOut.recipient == recipient))


def carry(session: Session, known_as: str, now_also: str) -> None:
    """Whoever said no under one name has said it under the other too: a no is not lost when an account is bound
    or unbound. What the other name had declined stays declined."""
    said = session.execute(sa.select(OptOut.topic, OptOut.since).where(OptOut.recipient == known_as)).all()
    insert_new(session, OptOut, [{"recipient": now_also, "topic": topic, "since": since} for topic, since in said])


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


def named(name: str) -> Topic:
    """The topic that somebody means. Raises Misunderstood with the names there are."""
    found = next((topic for topic in Topic if name == topic.label), None)
    if found is None:
        raise Misunderstood(f"没有叫“{name[:20]}”的通知。可以退订的有：{'、'.join(choices())}。")
    return found
