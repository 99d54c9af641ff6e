"""Many calls to one host at once, each sent once: the part of sending that has to be fast (docs/decisions/0009)."""

from bot.fanout.calls import Answer, Call, Outcome, Overfull
from bot.fanout.fanout import Fanout

__all__ = ["Answer", "Call", "Fanout", "Outcome", "Overfull"]
