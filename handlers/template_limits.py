"""How many characters of a text the configured template shows: said when it is written, not when WeChat refuses (F114)."""

from __future__ import annotations

from dataclasses import dataclass

from bot import fields
from config import Template


@dataclass(frozen=True, slots=True)
class Room:
    """Where a text goes, and how many characters of it are shown there."""

    place: str
    characters: int


def room(template: Template | None, word: str, most: int) -> Room:
    """The narrowest field that `{word}` is written into; `most` at any rate."""
    mark = f"{{{word}}}"
    rooms = [Room("这里", most)]
    for name, text in template.fields.items() if template else ():
        rule = fields.RULES.get(fields.kind(name))
        if mark in text and rule is not None:
            rooms.append(Room("微信模板", min(most, rule[0] - len(text.replace(mark, "")))))
    return min(reversed(rooms), key=lambda each: each.characters)


def shortened(template: Template | None, body: str) -> str:
    """What those read who did not write to us within 48 hours: the template cuts a long text. Empty if it fits."""
    space = room(template, "words", len(body))
    if space.characters >= len(body):
        return ""
    return f"{space.place}只显示正文前 {space.characters - 1} 个字。\n"
