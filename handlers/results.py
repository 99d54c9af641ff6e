"""What WeChat reports later about what we sent (wechat-platform.md §2.3)."""

from __future__ import annotations

import structlog

from bot.replies import Reply
from bot.router import Router
from bot.turn import Turn
from handlers.context import Context
from services import outbox

log = structlog.get_logger("results")


def router(context: Context) -> Router:  # noqa: ARG001 - every topic is made alike
    topic = Router()

    @topic.on("event:templatesendjobfinish")
    def template_finished(turn: Turn) -> Reply:
        msgid, status = (str(turn.message.fields.get(name, "")) for name in ("MsgID", "Status"))
        if not outbox.report_delivery(turn.session, turn.openid, msgid, status, turn.at):
            log.info("delivery.unknown_message", msgid=msgid, status=status)
        return None

    return topic
