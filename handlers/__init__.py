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


def router(context: Context) -> Router:
    """Every topic, in the order in which 帮助 lists them."""
    whole = Router()
    topics = [
        following.router(context),
        binding.router(context),
        gatherings.router(context),
        telling.router(context),
        mine.router(context),
        preferences.router(context),
        digest.router(context),
        consultations.router(context),
        stations.router(context),
        cases.router(context),
        broadcasts.router(context),
        broadcast_report.router(context),
        media.router(context),
        results.router(context),
        drill.router(context),
        scanning.router(context),
    ]
    whole.include(topics)
    whole.include([guide.router(whole, context)])
    return whole
