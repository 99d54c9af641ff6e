"""What handlers are handed besides the turn: settings, and the vault that reads what people type in secret."""

from __future__ import annotations

from dataclasses import dataclass

from config import Settings
from models import Vault
from services import ladder, quotas
from services.forecast import Means


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    vault: Vault

    @property
    def means(self) -> Means:
        """What the official account has to send with."""
        sending = self.settings.sending
        return Means(ladder.official(self.settings.wechat), quotas.daily(sending), sending)
