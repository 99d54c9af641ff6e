"""What is handed to the fan-out client, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from errors import AssistantError


class Outcome(Enum):
    """What can be said of one call. Only NEVER_LEFT is certain not to have reached the host."""

    ANSWERED = "answered"  # HTTP 200 with a JSON object, whatever its errcode
    STATUS = "status"  # another HTTP status: somebody answered, perhaps not WeChat
    NEVER_LEFT = "never_left"  # not a byte of it was written
    MAY_HAVE_LEFT = "may_have_left"  # written, and then silence, a cut, or an answer that is none


class Overfull(AssistantError):
    """More calls wait than may; the caller comes back when some are answered."""


@dataclass(frozen=True, slots=True)
class Call:
    """One POST: a path without its query, a JSON body, and whatever the caller knows it by."""

    path: str
    body: bytes
    tag: Any = None


@dataclass(slots=True)
class Answer:
    """What became of a call. `token` is the one it went out with: the one to replace when WeChat refuses it."""

    call: Call
    outcome: Outcome
    status: int | None = None
    result: dict[str, Any] = field(default_factory=dict)
    detail: str = ""
    token: str = field(default="", repr=False)
