"""What every command starts from: the settings, the parts, a log that shows no secrets."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

import app
import config
import schema
from config import Settings

#: openids are personal data: the log shows enough to tell two apart (product.md P5).
_MASKED = frozenset({"openid", "to", "recipient"})
_SECRET = ("secret", "token", "access_token", "key")


def settings() -> Settings:
    return config.load()


def parts(*, must_be_current: bool = True) -> app.Parts:
    """The parts of this installation; by default only with a database that has the right tables."""
    made = app.make(settings())
    if must_be_current:
        schema.require(made.database)
    return made


def set_up_log(level: int = logging.INFO) -> None:
    """One line an event on stderr."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    # It says so each time a job is still busy when its next turn comes; that is how it is meant to be.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _mask,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
            if sys.stderr.isatty()
            else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _mask(_logger: Any, _method: str, event: Any) -> Any:
    for name, value in event.items():
        if name in _MASKED and isinstance(value, str):
            event[name] = value[:6] + "…"
        elif name.endswith(_SECRET) and isinstance(value, str):
            event[name] = "***"
    return event
