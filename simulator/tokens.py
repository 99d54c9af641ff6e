"""Access tokens of both kinds, isolated from one another (§4.1)."""

import re
import secrets
from collections import deque
from dataclasses import dataclass

from simulator.clock import Clock, day_of
from simulator.errors import WeChatError

LIFE_SECONDS = 7200
OVERLAP_SECONDS = 300  # An old token works this much longer beside its successor.
FORCE_A_DAY = 20
FORCE_APART_SECONDS = 30
REMEMBERED = 4096


@dataclass(slots=True)
class Token:
    """A token with its application and its end (Unix seconds); a killed one was never merely too old."""

    text: str
    app_id: str
    expires_at: float
    killed: bool = False


class TokenOffice:
    """Issues tokens and knows which are still good."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, Token] = {}
        self._order: deque[str] = deque()
        self._newest: dict[tuple[str, str], Token] = {}
        self._forced: dict[str, tuple[int, int, float]] = {}

    def _issue(self, app_id: str, kind: str) -> Token:
        token = Token(f"{secrets.randbelow(90) + 10}_{secrets.token_urlsafe(96)}", app_id, self._clock.now())
        token.expires_at += LIFE_SECONDS
        self._known[token.text] = self._newest[app_id, kind] = token
        self._order.append(token.text)
        if len(self._order) > REMEMBERED:
            del self._known[self._order.popleft()]
        return token

    def _outlive(self, old: Token | None) -> None:
        if old is not None:
            old.expires_at = min(old.expires_at, self._clock.now() + OVERLAP_SECONDS)

    def classic(self, app_id: str) -> tuple[str, int]:
        """A new token and its seconds; the previous classic one stays good for five minutes."""
        self._outlive(self._newest.get((app_id, "classic")))
        return self._issue(app_id, "classic").text, LIFE_SECONDS

    def stable(self, app_id: str, *, force: bool = False) -> tuple[str, int]:
        """The same token while over five minutes are left, else (or by force) a new one."""
        now = self._clock.now()
        token = self._newest.get((app_id, "stable"))
        if token is not None and force and self._may_force(app_id, now):
            token.killed = True
            token = None
        if token is None or token.killed or token.expires_at - now <= OVERLAP_SECONDS:
            self._outlive(token)
            token = self._issue(app_id, "stable")
        return token.text, int(token.expires_at - now)

    def _may_force(self, app_id: str, now: float) -> bool:
        """Within 30 seconds nothing is refreshed; more than 20 times a day is refused."""
        today, count, last = self._forced.get(app_id, (day_of(now), 0, float("-inf")))
        if now - last < FORCE_APART_SECONDS:
            return False
        if today != day_of(now):
            count = 0
        if count >= FORCE_A_DAY:
            raise WeChatError(45009)
        self._forced[app_id] = (day_of(now), count + 1, now)
        return True

    def check(self, text: str) -> str:
        """The application behind a token, or 40014 (no token), 40001 (not current), 42001 (too old)."""
        token = self._known.get(text)
        if token is None:
            shaped = re.fullmatch(r"[A-Za-z0-9_-]{20,512}", text) is not None
            raise WeChatError(40001 if shaped else 40014)
        if token.killed:
            raise WeChatError(40001)
        if token.expires_at <= self._clock.now():
            raise WeChatError(42001)
        return token.app_id

    def expire(self, *, killed: bool = False) -> None:
        """Let every token be too old (42001), or void (40001): for drills."""
        for token in self._known.values():
            token.killed = killed or token.killed
            token.expires_at = min(token.expires_at, self._clock.now())
