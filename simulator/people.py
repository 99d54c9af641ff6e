"""Followers as WeChat knows them: following or not, windows, consents, tags."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulator.cast import CAST
from simulator.clock import Clock, month_of
from simulator.errors import Refused, WeChatError

HOUR = 3600.0
MESSAGE_WINDOW = (5, 48 * HOUR)  # §4.5: five messages within 48 hours of a message,
ACTION_WINDOW = (3, 60.0)  # three within a minute of a click, follow or scan,
ENTER_WINDOW = (2, 60.0)  # two within a minute of opening a mini program's service chat.
MASS_A_MONTH = 4
_OPENID = re.compile(r"o[A-Za-z0-9_-]{27}")


@dataclass(slots=True)
class Follower:
    """One person towards one account."""

    openid: str
    subscribed: bool = True
    since: int = 0
    scene: str = ""
    remark: str = ""
    tags: list[int] = field(default_factory=list)
    blacklisted: bool = False
    refuses_messages: bool = False
    blocks_templates: bool = False
    windows: dict[str, list[float]] = field(default_factory=dict)  # kind → [messages left, open until]
    credits: dict[str, int] = field(default_factory=dict)
    long_term: set[str] = field(default_factory=set)
    mass: tuple[str, int] = ("", 0)
    active_at: float = 0.0
    typing_until: float = 0.0

    def open_window(self, kind: str, window: tuple[int, float], now: float) -> None:
        """The person did something: the account may write so often, for so long."""
        self.windows[kind] = [window[0], now + window[1]]
        self.active_at = now

    def spend(self, now: float) -> None:
        """Use one message of the window that closes first; 45015 none is open, 45047 all used up."""
        still_open = sorted((one for one in self.windows.values() if one[1] > now), key=lambda one: one[1])
        if not still_open:
            raise WeChatError(45015)
        usable = [window for window in still_open if window[0] > 0]
        if not usable:
            raise WeChatError(45047)
        usable[0][0] -= 1

    def reachable(self, now: float) -> tuple[int, float]:
        """Customer messages left, and until when (Unix seconds)."""
        usable = [window for window in self.windows.values() if window[1] > now and window[0] > 0]
        return int(sum(window[0] for window in usable)), max((window[1] for window in usable), default=0.0)

    def take_mass(self, now: float) -> bool:
        """Whether this month's four mass messages leave room for one more; it is counted."""
        month = month_of(now)
        count = self.mass[1] if self.mass[0] == month else 0
        if count >= MASS_A_MONTH:
            return False
        self.mass = (month, count + 1)
        return True

    def spend_consent(self, template_id: str, *, long_term: bool) -> None:
        """One-time consents are used up one by one; a long-term one stays. 43101 without."""
        if long_term:
            if template_id not in self.long_term:
                raise WeChatError(43101)
            return
        if self.credits.get(template_id, 0) < 1:
            raise WeChatError(43101)
        self.credits[template_id] -= 1


def valid_openid(openid: object) -> bool:
    """28 characters with an ``o`` in front (§0)."""
    return isinstance(openid, str) and _OPENID.fullmatch(openid) is not None


class People:
    """Everybody who ever followed one account, in the order of their coming."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: dict[str, Follower] = {}

    def __iter__(self) -> Iterator[Follower]:
        return iter(self._all.values())

    def get(self, openid: object) -> Follower | None:
        """The follower, or None for a stranger."""
        return self._all.get(openid) if isinstance(openid, str) else None

    def meet(self, openid: str) -> Follower:
        """The person; someone never seen is taken to have followed before we began to watch."""
        follower = self._all.get(openid)
        if follower is None:
            if not valid_openid(openid):
                raise Refused(f"openid 是以 o 开头的 28 个字符，不是 {openid}")
            follower = self._all[openid] = Follower(openid, since=int(self._clock.now()))
        return follower

    def present(self, openid: str) -> Follower:
        """The person, who must be following to write to the account."""
        follower = self.meet(openid)
        if not follower.subscribed:
            raise Refused("此人已取消关注，要先重新关注")
        return follower

    def addressee(self, openid: object) -> Follower:
        """Who a send goes to: 40003 stranger, 43004 not following, 43019 blacklisted."""
        follower = self._all.get(openid) if isinstance(openid, str) else None
        if follower is None:
            raise WeChatError(40003)
        if not follower.subscribed:
            raise WeChatError(43004)
        if follower.blacklisted:
            raise WeChatError(43019)
        return follower

    def following(self) -> list[str]:
        """The openids of all who follow."""
        return [one.openid for one in self._all.values() if one.subscribed]

    def restart(self, *, with_cast: bool) -> None:
        """Only the cast is there, all of them following."""
        self._all.clear()
        if with_cast:
            for person in CAST:
                self.meet(person.openid)
