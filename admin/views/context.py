"""What the pages are handed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from clock import Now
from config import Settings
from models import Database, RegisteredTemplate
from services.findings import Finding
from services.sending import ladder, quotas
from services.sending.forecast import Means


@dataclass(frozen=True, slots=True)
class Reason:
    """An automatic rule, by name, and why it is there (P4)."""

    name: str
    says: str
    #: How it stands while nobody has switched it; None for what is always on.
    usually: bool | None = None


class Room(Protocol):
    """Where a text goes, and how many characters of it are shown there."""

    @property
    def place(self) -> str: ...

    @property
    def characters(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Wording:
    """What WeChat's template shows of a title (of at most so many characters) and of the words."""

    room: Callable[[int], Room]
    shortened: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Console:
    """The parts that the console needs."""

    settings: Settings
    database: Database
    now: Now
    wording: Wording
    #: Holds the configured templates against those that WeChat has.
    check_templates: Callable[[list[RegisteredTemplate]], Iterator[Finding]]
    rules: tuple[Reason, ...] = ()
    #: Asks WeChat for a code that scans as a scene, good for so many seconds: the address to draw. None where the
    #: account cannot make any. Raises AssistantError.
    scan_code: Callable[[str, int], str] | None = None

    @property
    def means(self) -> Means:
        """What the official account has to send with."""
        sending = self.settings.sending
        return Means(ladder.official(self.settings.wechat), quotas.daily(sending), sending)
