"""How often a call may be made: a day and a minute (§4, 45009 and 45011)."""

from dataclasses import dataclass

from simulator.clock import Clock, day_of, month_of
from simulator.errors import WeChatError

CLEARS_A_MONTH = 10
CLEARS_OF_ONE_PATH_A_MONTH = 50


@dataclass(slots=True)
class Meter:
    """The limits of one path and what was used of them; None = no limit."""

    daily: int | None
    per_minute: int | None
    day: int = 0
    used: int = 0
    minute: int = 0
    used_in_minute: int = 0

    def use(self, now: float) -> None:
        """Count one call, or refuse it."""
        if self.per_minute is not None:
            if self.minute != int(now // 60):
                self.minute, self.used_in_minute = int(now // 60), 0
            if self.used_in_minute >= self.per_minute:
                raise WeChatError(45011)
            self.used_in_minute += 1
        today = day_of(now)
        if self.day != today:
            self.day, self.used = today, 0
        if self.daily is not None and self.used >= self.daily:
            raise WeChatError(45009)
        self.used += 1


class Quotas:
    """A meter per application and path."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._meters: dict[tuple[str, str], Meter] = {}
        self._limits: dict[str, tuple[int | None, int | None]] = {}
        self._clears: dict[tuple[str, str], int] = {}

    def use(self, app_id: str, path: str, daily: int | None, per_minute: int | None) -> None:
        """Count one call of a path whose usual limits are given."""
        meter = self._meters.get((app_id, path))
        if meter is None:
            meter = self._meters[app_id, path] = Meter(*self._limits.get(path, (daily, per_minute)))
        meter.use(self._clock.now())

    def limit(self, path: str, daily: int | None, per_minute: int | None) -> None:
        """Other limits for a path from now on."""
        self._limits[path] = (daily, per_minute)
        for (_, metered), meter in self._meters.items():
            if metered == path:
                meter.daily, meter.per_minute = daily, per_minute

    def usage(self, app_id: str, path: str, usual: tuple[int | None, int | None]) -> Meter:
        """How a path stands now."""
        meter = self._meters.get((app_id, path)) or Meter(*self._limits.get(path, usual))
        if meter.day != day_of(self._clock.now()):
            meter.used = 0
        return meter

    def clear(self, app_id: str, path: str | None = None) -> None:
        """Start counting anew; allowed ten times a month for all paths, fifty times for single ones."""
        month = month_of(self._clock.now())
        key, allowed = f"{app_id}*", CLEARS_A_MONTH
        if path is not None:
            key, allowed = app_id, CLEARS_OF_ONE_PATH_A_MONTH
        used = self._clears.get((key, month), 0)
        if used >= allowed:
            raise WeChatError(48006)
        self._clears[key, month] = used + 1
        for (owner, metered), meter in self._meters.items():
            if owner == app_id and path in (None, metered):
                meter.used = meter.used_in_minute = 0
