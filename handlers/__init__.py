"""What people say and what we answer: the table of contents. One topic a file; the guide comes last."""

from __future__ import annotations

from bot.router import Router
from handlers import (
    binding,
    broadcast_report,
    broadcasts,
    cases,
    consultations,
    digest,
    drill,
    elections,
    following,
    gatherings,
    guide,
    media,
    mine,
    preferences,
    results,
    scanning,
    stations,
    telling,
)
from handlers.context import Context

#: Every topic, in the order in which 帮助 lists them.
TOPICS = (
    following, binding, gatherings, telling, elections, mine, preferences, digest, consultations, stations, cases, broadcasts,
    broadcast_report, media, results, scanning, guide,
)  # fmt: skip


def router(context: Context) -> Router:
    """All that people may say to us, and what is said last to everything else."""
    whole = Router(context)
    whole.include([each.topic for each in TOPICS])
    if context.settings.wechat.is_local:
        whole.include([drill.topic])
    return whole
