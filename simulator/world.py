"""Everything the local WeChat knows, in one place that every room is handed."""

import itertools
import json
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from simulator.account import MINI, TEMPLATES, Account, Template
from simulator.clock import Clock
from simulator.injection import Injections
from simulator.journal import Journal, Line, Sent
from simulator.people import Follower, People
from simulator.quotas import Quotas
from simulator.tokens import TokenOffice

Json = dict[str, Any]
CALLBACKS_REMEMBERED = 2000
RIDS_REMEMBERED = 2000
PATIENCE_SECONDS = 5.0  # how long WeChat waits for the bot (§1.7)


class Post(Protocol):
    """Takes a push that nobody waits for, such as a delivery result."""

    def __call__(self, account: Account, fields: Json, openid: str) -> None: ...


@dataclass(slots=True)
class Delivery:
    """How template messages fare (§2.3): by person, else ``percent`` of them fail with ``status``."""

    by_openid: dict[str, str] = field(default_factory=dict)
    percent: float = 0.0
    status: str = "failed: system failed"


@dataclass(slots=True)
class Code:
    """A code handed to a browser or mini program: once, five minutes."""

    openid: str
    app_id: str
    scope: str
    expires_at: float
    used: bool = False


@dataclass
class World:
    """The state of the local WeChat."""

    official: Account = field(default_factory=Account)
    mini: Account = MINI
    allow_remote: bool = False
    delivery_events: bool = True
    patience: float = PATIENCE_SECONDS
    clock: Clock = field(default_factory=Clock)
    watch: Callable[[Json], None] | None = None  # set while a page is open
    post: Post = lambda _account, _fields, _openid: None

    def __post_init__(self) -> None:
        # Ids go on from the real clock, so that a bot that outlives us never meets one twice.
        self.msg_ids = itertools.count(time.time_ns() // 1000 * 10)
        self.msgids = itertools.count(3_600_000_000_000_000_000 + time.time_ns() // 1000)
        self.job_ids = itertools.count(1_000_000_000 + int(time.time()) % 1_000_000_000)
        self.tokens = TokenOffice(self.clock)
        self.journal = Journal(self._announce)
        self.restart()

    def restart(self) -> None:
        """As on the first day, but settings and tokens stay."""
        self.clock.real()
        self.quotas = Quotas(self.clock)
        self.injections = Injections()
        self.delivery = Delivery()
        self.people = People(self.clock)
        self.people.restart(with_cast=True)
        self.mini_people = People(self.clock)
        self.templates: dict[str, Template] = {template.id: template for template in TEMPLATES}
        self.menu: Json | None = None
        self.qr_codes: dict[str, Json] = {}
        self.short_keys: dict[str, Json] = {}
        self.tags: dict[int, str] = {}
        self.media: dict[str, tuple[str, bytes, float]] = {}  # media_id → content type, bytes, uploaded at
        self.codes: dict[str, Code] = {}
        self.mass_jobs: dict[int, str] = {}
        self.mass_seen: dict[str, tuple[int, float]] = {}
        self.mass_to_all: dict[str, int] = {}
        self.client_msg_ids: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self.tickets: dict[str, tuple[str, float]] = {}
        self.rids: OrderedDict[str, Json] = OrderedDict()
        self.callbacks: deque[Json] = deque(maxlen=CALLBACKS_REMEMBERED)
        self.pushed: set[tuple[str, int, str, str]] = set()
        self.last_request: Json | None = None
        self.calls: dict[str, int] = {}
        self.journal.clear()

    def now(self) -> float:
        """Unix seconds on our own clock."""
        return self.clock.now()

    def account(self, app_id: object) -> Account | None:
        """The account with this AppID."""
        return next((one for one in (self.official, self.mini) if one.app_id == app_id), None)

    def people_of(self, account: Account) -> People:
        """Who may be written to from this account."""
        return self.mini_people if account.is_mini else self.people

    def rid(self) -> str:
        """A request id as it stands at the end of an errmsg (§0)."""
        return f"{int(self.now()):08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"

    def remember_rid(self, rid: str, seen: Json) -> None:
        """Keep a failed call for rid/get."""
        self.rids[rid] = seen
        if len(self.rids) > RIDS_REMEMBERED:
            self.rids.popitem(last=False)

    def line(self, openid: str, side: str, kind: str, text: str, data: Json | None = None) -> Line:
        """Something appears in a person's chat."""
        return self.journal.say(openid, Line(0, self.now(), side, kind, text, data))

    def sent(self, path: str, openids: tuple[str, ...], raw: bytes, *, code: int, msgid: int, status: str) -> None:
        """Note a send; those who receive it see it in their chats."""
        self._take(Sent(0, self.now(), path, openids, raw, code, msgid, status))

    def _take(self, entry: Sent) -> None:
        self.journal.record(entry)
        if entry.code == 0 and entry.status in ("", "success"):
            for openid in entry.openids:
                self.journal.say(openid, Line(0, entry.at, "account", "push", "", sent=entry))

    def _announce(self, openid: str, line: Line) -> None:
        if self.watch:
            from simulator.render import line_as_json

            self.tell({"type": "line", "openid": openid, "line": line_as_json(self, line)})

    def tell(self, news: Json) -> None:
        """Let every open page know."""
        if self.watch:
            self.watch(news)

    def follow(self, follower: Follower, scene: str) -> None:
        """The person follows the account."""
        follower.subscribed, follower.since, follower.scene = True, int(self.now()), scene
        self.journal.note({"follow": [follower.openid, follower.since, scene]})

    def unfollow(self, follower: Follower) -> None:
        """The person leaves: windows close, tags fall off."""
        follower.subscribed = False
        follower.windows.clear()
        follower.tags.clear()
        self.journal.note({"unfollow": [follower.openid]})

    def recall(self, path: Path) -> None:
        """Take up where an earlier run left off, and keep the file from now on."""
        for entry in self.journal.open(path):
            match entry:
                case {"follow": [openid, since, scene]}:
                    follower = self.people.meet(openid)
                    follower.subscribed, follower.since, follower.scene = True, since, scene
                case {"unfollow": [openid]}:
                    self.people.meet(openid).subscribed = False
                case {"line": [openid, at, side, kind, text, data]}:
                    self.people.meet(openid)
                    self.journal.say(openid, Line(0, at, side, kind, text, data))
                case {"sent": [at, call, openids, text, code, msgid, status]}:
                    self._take(Sent(0, at, call, tuple(openids), text.encode(), code, msgid, status))
                case {"reset": _}:
                    self.restart()


def dump(value: Any) -> bytes:
    """JSON as WeChat writes it: raw UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
