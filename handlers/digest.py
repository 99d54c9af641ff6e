"""汇总: the whole words of what the last digest named by title (F046)."""

from __future__ import annotations

from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Turn
from handlers.own_words import page
from services.sending import digests
from services.sending.outbox import Recipient

topic = Router()


@topic.text("汇总", "周汇总", "一周汇总")
def last(turn: Turn) -> Reply:
    texts = digests.last_of(turn.session, Recipient(turn.person_id, turn.openid), turn.at)
    if not texts:
        return f"最近两周没有给您的汇总。不想收哪类通知：{tap('退订')}"
    return page("\n\n".join(texts), "", turn.rest, "汇总")
