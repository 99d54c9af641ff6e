"""The account's menu as a list in the code, and as WeChat wants it (wechat-platform.md §4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_TOP, MAX_SUB = 3, 5
MAX_TOP_BYTES, MAX_SUB_BYTES, MAX_KEY_BYTES = 16, 60, 128


@dataclass(frozen=True, slots=True)
class Button:
    """One entry: `key` says a command, `under` opens a second level."""

    name: str
    key: str = ""
    under: tuple[Button, ...] = ()


def payload(buttons: Sequence[Button]) -> dict[str, Any]:
    """The body of menu/create. Raises ValueError when WeChat would refuse it."""
    if not 1 <= len(buttons) <= MAX_TOP:
        raise ValueError("a menu has one to three top buttons")
    return {"button": [_as_json(button, MAX_TOP_BYTES) for button in buttons]}


def keys(buttons: Sequence[Button]) -> list[str]:
    """Every key of a menu, in order."""
    return [k for button in buttons for k in ([button.key] if button.key else keys(button.under))]


def _as_json(button: Button, longest: int) -> dict[str, Any]:
    if len(button.name.encode()) > longest:
        raise ValueError(f"{button.name} is longer than {longest} bytes")
    if button.under:
        if len(button.under) > MAX_SUB:
            raise ValueError(f"{button.name} has more than {MAX_SUB} entries")
        return {"name": button.name, "sub_button": [_as_json(each, MAX_SUB_BYTES) for each in button.under]}
    if not button.key or len(button.key.encode()) > MAX_KEY_BYTES:
        raise ValueError(f"{button.name} needs a key of at most {MAX_KEY_BYTES} bytes")
    return {"type": "click", "name": button.name, "key": button.key}
