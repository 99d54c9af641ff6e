"""Following, leaving, coming back, scanning (F015)."""

from __future__ import annotations

from bot.replies import Reply
from bot.router import Router
from bot.turn import Talking, Turn
from handlers import wording
from services.membership import binding

topic = Router()


@topic.on("event:subscribe")
def subscribe(turn: Turn) -> Talking:
    came_back = binding.follow(turn.session, turn.openid, turn.at, turn.message.scene)
    welcome = wording.welcome(came_back=came_back)
    scanned = yield from turn.router.scan(turn, turn.message.scene)
    return f"{welcome}\n\n{scanned}" if scanned else welcome


@topic.on("event:unsubscribe")
def unsubscribe(turn: Turn) -> Reply:
    binding.unfollow(turn.session, turn.openid, turn.at)
    return None


@topic.on("event:scan")
def scan(turn: Turn) -> Talking:
    answer = yield from turn.router.scan(turn, turn.message.scene)
    return answer or "这个二维码没有对应的事项，可能已经停用。回复“帮助”看看能办什么。"
