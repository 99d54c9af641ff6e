"""What WeChat reports later about what we sent (wechat-platform.md §2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import structlog

from bot.replies import Reply
from bot.router import Router
from bot.turn import Turn
from services.sending import consents, fates

log = structlog.get_logger("results")


topic = Router()


@topic.on("event:templatesendjobfinish")
def template_finished(turn: Turn) -> Reply:
    msgid, status = (str(turn.message.fields.get(name, "")) for name in ("MsgID", "Status"))
    if not fates.report_delivery(turn.session, turn.openid, msgid, status, turn.at):
        log.info("delivery.unknown_message", msgid=msgid, status=status)
    return None


@topic.on("event:masssendjobfinish")
def mass_finished(turn: Turn) -> Reply:
    msgid, status = (str(turn.message.fields.get(name, "")) for name in ("MsgID", "Status"))
    if not fates.report_mass(turn.session, msgid, status, turn.at):
        log.info("delivery.unknown_mass_message", msgid=msgid, status=status)
    return None


@topic.on("event:subscribe_msg_popup_event", "event:subscribe_msg_change_event")
def consent(turn: Turn) -> Reply:
    for item in _items(turn.message.fields):
        said, template = str(item.get("SubscribeStatusString", "")), str(item.get("TemplateId", ""))
        if said == "accept":
            consents.accept(turn.session, turn.openid, template, turn.at)
        elif turn.message.event == "subscribe_msg_change_event":
            consents.refuse(turn.session, turn.openid, template, turn.at)
    return None


@topic.on("event:subscribe_msg_sent_event")
def notification_sent(turn: Turn) -> Reply:
    for item in _items(turn.message.fields):
        status = "success" if str(item.get("ErrorCode", "")) == "0" else str(item.get("ErrorStatus", ""))
        fates.report_delivery(turn.session, turn.openid, str(item.get("MsgID", "")), status, turn.at)
    return None


def _items(fields: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The entries of a subscription event: XML nests and repeats them, JSON has one or a list (§1.8)."""
    for name in ("SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent"):
        nested = fields.get(name)
        if isinstance(nested, Mapping):
            fields = nested
    found = fields.get("List", [])
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, Mapping):
            yield item
