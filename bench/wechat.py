"""The local WeChat as a process of its own, and its own record of who got what.

For measurements and drills: what a sender says of itself is compared with what WeChat saw.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Failed, free_port, running, tail
from simulator.account import Account
from simulator.phone import LocalWeChat, Unreachable

START_SECONDS = 30
ACCOUNT = Account()
TEMPLATE = "/cgi-bin/message/template/send"
CUSTOMER = "/cgi-bin/message/custom/send"
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Standing:
    """A local WeChat that runs."""

    wechat: LocalWeChat
    pid: int


@contextmanager
def standing(
    room: Path, followers: Iterable[str] | int, latency_seconds: float = 0.0, callback_url: str = ""
) -> Iterator[Standing]:
    """Run one until the block ends: with these followers, without quotas, calls that send as slow as told.

    With a `callback_url` it reports there what became of template messages. Raises Failed.
    """
    port, log = free_port(), room / "wechat.log"
    command: list[str | Path] = [sys.executable, "-m", "simulator", "--port", str(port)]
    with running(command, ROOT, log, {"PYTHONPATH": str(ROOT)}) as process:
        wechat = LocalWeChat(f"http://127.0.0.1:{port}")
        _wait_for(wechat, lambda: process.poll() is None, log)
        free = {"daily": None, "per_minute": None}
        wechat.settings(
            callback_url=callback_url,
            delivery_events=bool(callback_url),
            quotas={TEMPLATE: free, CUSTOMER: free},
        )
        wechat.add_followers(followers)
        for path in (TEMPLATE, CUSTOMER):
            wechat.latency(latency_seconds, path=path)
        yield Standing(wechat, process.pid)


@dataclass(frozen=True)
class Record:
    """How often each person really got something, by openid; what WeChat itself left out as a double is not in it."""

    times: Counter[str]

    @property
    def total(self) -> int:
        """Messages that people got."""
        return self.times.total()

    def more_than_once(self) -> list[str]:
        """Who was told twice."""
        return sorted(openid for openid, times in self.times.items() if times > 1)

    def missing(self, expected: Collection[str]) -> list[str]:
        """Who of these got nothing."""
        return sorted(set(expected) - self.times.keys())

    def unasked(self, expected: Collection[str]) -> list[str]:
        """Who got something without being one of these."""
        return sorted(self.times.keys() - set(expected))


def record(wechat: LocalWeChat, path: str | None = None) -> Record:
    """The messages that WeChat took, of one path or of all."""
    return Record(Counter(wechat.counts(path=path)["counts"]))


def _wait_for(wechat: LocalWeChat, is_alive: Callable[[], bool], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            wechat.settings()
        except Unreachable:
            if not is_alive() or time.monotonic() > until:
                raise Failed(f"the local WeChat did not start{tail(log)}") from None
            time.sleep(0.05)
        else:
            return
