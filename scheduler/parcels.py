"""A claimed row with all that its call needs, away from the session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from models import Channel
from scheduler.letters import Text


@dataclass(frozen=True, slots=True)
class Parcel:
    """One row on its way out."""

    id: int
    openid: str
    text: Text
    channel: Channel
    rung: int
    attempts: int
    round: int
    is_bulk: bool
    not_after: datetime
    #: The clientmsgid of the mass message that carries it.
    batch: str | None = None
    #: When an earlier call of this template message may have left.
    may_have_left_at: datetime | None = None

    @property
    def once_id(self) -> str:
        """The client_msg_id: the same for every try of this row, another when a person asks for it anew; ≤32 bytes."""
        return f"{self.id}.{self.round}-{self.text.stamp}"
