"""What handlers are handed besides the turn: settings, and the vault that reads what people type in secret."""

from __future__ import annotations

from dataclasses import dataclass

from config import Settings
from models import Vault


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    vault: Vault
