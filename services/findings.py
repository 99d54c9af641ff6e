"""One thing that was looked at: right, worth a note, or wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    GOOD = "✓"
    NOTE = "!"
    BAD = "✗"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `todo` is what to do about it."""

    mark: Mark
    says: str
    todo: str = ""

    def __str__(self) -> str:
        return f"{self.mark} {self.says}" + (f"\n    → {self.todo}" if self.todo else "")


Findings = Iterator[Finding]


def good(says: str) -> Finding:
    return Finding(Mark.GOOD, says)


def note(says: str, todo: str = "") -> Finding:
    return Finding(Mark.NOTE, says, todo)


def bad(says: str, todo: str = "") -> Finding:
    return Finding(Mark.BAD, says, todo)
