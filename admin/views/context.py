"""What the pages are handed."""

from __future__ import annotations

from dataclasses import dataclass

from clock import Now
from config import Settings
from models import Database


@dataclass(frozen=True, slots=True)
class Reason:
    """An automatic rule, by name, and why it is there (P4)."""

    name: str
    says: str


@dataclass(frozen=True, slots=True)
class Console:
    """The parts that the console needs."""

    settings: Settings
    database: Database
    now: Now
    rules: tuple[Reason, ...] = ()
