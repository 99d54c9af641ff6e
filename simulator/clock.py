"""The local WeChat's own clock: windows, quotas and time stamps follow it, so days pass in a moment."""

import time
from datetime import datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")


class Clock:
    """Real time plus a shift in seconds; ``freeze`` holds it at one instant."""

    def __init__(self) -> None:
        self._shift = 0.0
        self._frozen: float | None = None

    def now(self) -> float:
        """Unix seconds as the local WeChat sees them."""
        return self._frozen if self._frozen is not None else time.time() + self._shift

    def set(self, instant: float, *, freeze: bool = False) -> None:
        """Go to an instant (Unix seconds), forwards or backwards."""
        self._frozen = instant if freeze else None
        self._shift = instant - time.time()

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._shift += seconds
        if self._frozen is not None:
            self._frozen += seconds

    def real(self) -> None:
        """Back to real time."""
        self._shift, self._frozen = 0.0, None

    def show(self) -> dict[str, object]:
        """Now, as people and as programs read it; ``shift`` in seconds."""
        now = self.now()
        return {
            "now": now,
            "iso": datetime.fromtimestamp(now, BEIJING).isoformat(timespec="seconds"),
            "shift": round(now - time.time(), 3),
            "frozen": self._frozen is not None,
        }


def parse_instant(text: str) -> float:
    """Unix seconds of an ISO time; one without a zone is Beijing time."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)).timestamp()


def day_of(instant: float) -> int:
    """Number of the Beijing day: daily quotas start anew at its midnight (§4)."""
    return int(instant + 8 * 3600) // 86400


def month_of(instant: float) -> str:
    """The Beijing month, for limits a month."""
    return datetime.fromtimestamp(instant, BEIJING).strftime("%Y-%m")
