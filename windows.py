"""How often somebody may do something within a while. Counted in this process: several web processes count each for
themselves, which docs/operator-guide.zh-CN.md says. Instants are handed in, as everywhere; the libraries for this ask the
machine's clock."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

#: So many who are counted at a time; beyond it, those who have not come for longest are forgotten.
MOST_COUNTED = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many times within so long; `what` is what somebody is doing too often."""

    what: str
    times: int
    within: timedelta


class Windows:
    """Moving windows: what somebody did stays counted until it is `within` ago."""

    def __init__(self) -> None:
        self._done: dict[tuple[str, str], deque[datetime]] = {}
        self._lock = threading.Lock()

    def wait(self, rate: Rate, who: str, at: datetime) -> timedelta | None:
        """Count one more; None when it is within the rate, else how long until it would be. A refusal is not counted."""
        with self._lock:
            done = self._done.pop((rate.what, who), None) or deque()
            # Put back as the youngest, so that the oldest are those to be forgotten.
            self._done[rate.what, who] = done
            while len(self._done) > MOST_COUNTED:
                self._done.pop(next(iter(self._done)))
            while done and at - done[0] >= rate.within:
                done.popleft()
            if len(done) >= rate.times:
                return done[0] + rate.within - at
            done.append(at)
            return None


def say(rate: Rate, wait: timedelta) -> str:
    """One sentence for whoever has to wait."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    long = f"{seconds} 秒" if seconds < 120 else f"{math.ceil(seconds / 60)} 分钟"
    return f"{rate.what}太频繁了，请等 {long}再试。刚才这一次没有执行。"
