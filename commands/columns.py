"""Aligned columns on a terminal, where a Chinese character takes two."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def lines(rows: Sequence[Sequence[object]]) -> list[str]:
    """The first column to the left, the others, being figures, to the right."""
    shown = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(_padded(cell, size, to_left=i == 0) for i, (cell, size) in enumerate(zip(row, widths, strict=True)))
        for row in shown
    ]


def width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(text: str, size: int, *, to_left: bool) -> str:
    space = " " * (size - width(text))
    return text + space if to_left else space + text
