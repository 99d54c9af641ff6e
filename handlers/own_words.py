"""What somebody typed behind a command, unchanged; and long texts cut into pages that WeChat shows."""

from __future__ import annotations

import re

from bot import words
from bot.replies import MAX_BYTES, tap
from bot.turn import Turn

#: “（第 1/2 页，下一页）” with its link.
ROOM_FOR_PAGER = 150

_MARKS = (r"[\s:：,，]+", r"(?<=[^\x00-\x7f])[^\w\s]*(?=[A-Za-z0-9Ａ-Ｚａ-ｚ０-９])")


def behind(turn: Turn) -> str:
    """`turn.rest` with the line breaks and the punctuation that its author chose."""
    for mark in _MARKS:
        parts = re.split(mark, turn.message.content.strip(), maxsplit=1)
        if len(parts) == 2 and words.tidy(parts[1]) == turn.rest:
            return parts[1].strip()
    return turn.rest


def page(body: str, footer: str, wanted: str, again: str) -> str:
    """One page of a long text; `again` is the command that, with a number behind it, shows the others."""
    pages = _cut(body, MAX_BYTES - len(footer.encode()) - ROOM_FOR_PAGER)
    number = min(max(int(wanted), 1), len(pages)) if wanted.isdecimal() and len(wanted) < 4 else 1
    lines = [pages[number - 1]]
    if len(pages) > 1:
        following = number % len(pages) + 1
        word = "下一页" if following > number else "第一页"
        lines.append(f"（第 {number}/{len(pages)} 页，{tap(word, f'{again} {following}')}）")
    return "\n".join([*lines, footer] if footer else lines)


def _cut(text: str, room: int) -> list[str]:
    """Pieces of at most `room` bytes, between lines where possible, never inside a character."""
    pieces, rest = [], text
    while len(rest.encode()) > room:
        piece = rest.encode()[:room].decode(errors="ignore")
        head, line_break, _ = piece.rpartition("\n")
        piece = head if line_break and len(head) > len(piece) // 2 else piece
        pieces.append(piece)
        rest = rest[len(piece) :].lstrip("\n")
    return [*pieces, rest]
