"""Faults on demand: errors, delays, silence and broken connections, per path."""

import random
from dataclasses import asdict, dataclass
from typing import Any

from simulator.errors import Refused

KINDS = ("error", "http", "hang", "hang_after", "drop", "drop_after")


@dataclass(slots=True)
class Injection:
    """One fault: ``left`` calls long (None = for ever), for ``percent`` of the calls.

    error: errcode ``code``; http: status ``code``; hang: no answer, the call not done
    (hang_after: done); drop: the connection breaks, the call not done (drop_after: done).
    """

    path: str
    kind: str
    code: int
    left: int | None
    percent: float


class Injections:
    """All faults in force; ``*`` as the path means every call."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """No faults, no delay."""
        self.faults: list[Injection] = []
        self.latencies: dict[str, tuple[float, float]] = {}
        self._random = random.Random(0)  # noqa: S311

    def seed(self, seed: int) -> None:
        """Let percentages and ranges fall the same way every time."""
        self._random.seed(seed)

    def add(self, path: str, kind: str, code: int, times: int | None, percent: float) -> None:
        """Put a fault in force behind those that are there already."""
        if kind not in KINDS:
            raise Refused(f"故障种类只能是 {'、'.join(KINDS)}")
        if times is not None and times < 1:
            raise Refused("次数至少是 1")
        if not 0 < percent <= 100:
            raise Refused("百分比要大于 0，最多 100")
        if kind == "http" and not 200 <= code <= 599:
            raise Refused("HTTP 状态在 200 到 599 之间")
        self.faults.append(Injection(path, kind, code, times, percent))

    def slow(self, path: str, low: float, high: float) -> None:
        """Answer only after so many seconds; 0 to 0 takes the delay away."""
        if not 0 <= low <= high:
            raise Refused("延迟写作较小的秒数到较大的秒数")
        self.latencies.pop(path, None)
        if high:
            self.latencies[path] = (low, high)

    def delay(self, path: str) -> float:
        """Seconds to wait before this call."""
        if not self.latencies:
            return 0.0
        found = self.latencies.get(path) or self.latencies.get("*")
        if not found:
            return 0.0
        low, high = found
        return low if low == high else self._random.uniform(low, high)

    def strike(self, path: str) -> Injection | None:
        """The fault that hits this call, if any; it is used up by one."""
        for fault in self.faults:
            if fault.path not in (path, "*"):
                continue
            if fault.percent < 100 and self._random.random() * 100 >= fault.percent:
                continue
            if fault.left is not None:
                fault.left -= 1
                if fault.left <= 0:
                    self.faults.remove(fault)
            return fault
        return None

    def show(self) -> dict[str, Any]:
        """What is in force."""
        return {"faults": [asdict(fault) for fault in self.faults], "latency": self.latencies}
