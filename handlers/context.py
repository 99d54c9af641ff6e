"""What handlers are handed besides the turn: settings, and the vault that reads what people type in secret."""

from __future__ import annotations

from dataclasses import dataclass

from bot.turn import Turn
from config import Settings
from models import Vault
from services.sending import ladder, quotas
from services.sending.forecast import Means


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    vault: Vault

    @property
    def means(self) -> Means:
        """What the official account has to send with."""
        sending = self.settings.sending
        return Means(ladder.official(self.settings.wechat), quotas.daily(sending), sending)


def house(turn: Turn) -> Context:
    """The context that this turn is answered in."""
    context: Context = turn.router.house
    return context
