"""退订 and 恢复: what a person wants to be told, and what nobody can be spared (F115)."""

from __future__ import annotations

from functools import partial

from bot import words
from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Turn
from models import Topic
from services.sending import preferences
from services.sending.outbox import Recipient

ALL = frozenset({"全部", "所有", "all"})


def _allow_one(topic: Topic, turn: Turn) -> Reply:
    return _allow(turn, topic)


def _decline_one(topic: Topic, turn: Turn) -> Reply:
    return _decline(turn, topic)


topic = Router()


@topic.text("退订", "TD", "STOP", "不再接收", help="退订 — 选择不收哪类通知")
def stop(turn: Turn) -> Reply:
    said = words.key(turn.rest)
    if not said:
        return _standing(turn)
    wanted = [each for each in Topic if each.may_be_declined] if said in ALL else [preferences.named(said)]
    return _decline(turn, *wanted)


@topic.text("恢复")
def resume(turn: Turn) -> Reply:
    said = words.key(turn.rest)
    wanted = preferences.of(turn.session, _me(turn)) if not said or said in ALL else [preferences.named(said)]
    return _allow(turn, *wanted)


# Many leave no space between the word and the kind.
for each in Topic:
    topic.text(f"退订{each.label}")(partial(_decline_one, each))
    topic.text(f"恢复{each.label}")(partial(_allow_one, each))


def _me(turn: Turn) -> str:
    return Recipient(turn.person_id, turn.openid).key


def _decline(turn: Turn, *topics: Topic) -> Reply:
    for topic in topics:
        preferences.decline(turn.session, _me(turn), topic, turn.at)
    return f"已退订{_names(topics)}，以后不再发给您。想再收，回复 {tap('恢复')}。\n照常发送的：{preferences.EXEMPT}。"


def _allow(turn: Turn, *topics: Topic) -> Reply:
    if not topics:
        return f"您没有退订任何通知，不用恢复。看能退订什么：{tap('退订')}"
    for topic in topics:
        preferences.allow(turn.session, _me(turn), topic)
    return f"已恢复{_names(topics)}，以后照常发给您。"


def _standing(turn: Turn) -> Reply:
    """What may be declined and what has been, each to be tapped; and what everybody gets."""
    declined = preferences.of(turn.session, _me(turn))
    lines = ["可以不收的通知（点文字即可）："]
    for topic in Topic:
        if topic in declined:
            lines.append(f"· {topic.label}：已退订　{tap('恢复', f'恢复 {topic.label}')}")
        elif topic.may_be_declined:
            lines.append(f"· {topic.label}：照常接收　{tap('退订', f'退订 {topic.label}')}")
    return "\n".join([*lines, f"不能退订的：{preferences.EXEMPT}。"])


def _names(topics: tuple[Topic, ...]) -> str:
    return "、".join(f"“{topic.label}”" for topic in topics)
