"""The client for tests and scripts: ``LocalWeChat(url).phone(openid).says("签到")``."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from simulator.cast import CAST, find
from simulator.errors import Refused

Json = dict[str, Any]
PATIENCE_SECONDS = 60.0
GLANCE_SECONDS = 0.02


class Unreachable(ConnectionError):
    """The local WeChat does not run at this address."""


class Clock:
    """The local WeChat's clock."""

    def __init__(self, wechat: "LocalWeChat") -> None:
        self._wechat = wechat

    def show(self) -> Json:
        """``now`` (Unix seconds), ``iso``, ``shift``, ``frozen``."""
        return self._wechat.get("clock")

    def now(self) -> float:
        """Unix seconds."""
        return float(self.show()["now"])

    def set(self, iso: str, *, freeze: bool = False) -> Json:
        """Go to a time; without a zone it is Beijing's."""
        return self._wechat.post("clock", set=iso, freeze=freeze)

    def advance(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> Json:
        """Let time pass at once."""
        return self._wechat.post("clock", advance=seconds + 60 * minutes + 3600 * hours + 86_400 * days)

    def real(self) -> Json:
        """Back to real time."""
        return self._wechat.post("clock", real=True)


class LocalWeChat:
    """A running local WeChat; safe to share between threads."""

    def __init__(self, url: str = "http://127.0.0.1:8001") -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._connections = threading.local()
        self.clock = Clock(self)

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """This thread's connection, and whether it is a fresh one."""
        lying: http.client.HTTPConnection | None = getattr(self._connections, "one", None)
        if lying is not None:
            return lying, False
        self._connections.one = made = http.client.HTTPConnection(self._host, self._port, timeout=PATIENCE_SECONDS)
        return made, True

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        connection, fresh = self._connection()
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (http.client.HTTPException, ConnectionError) as error:
            connection.close()
            self._connections.one = None
            if fresh:
                raise Unreachable(f"the local WeChat does not answer at {self.url}") from error
            return self._ask(method, path, body)  # the connection had lain idle and was closed
        if response.status != 200:
            raise Refused(answer.get("error", f"HTTP {response.status}"))
        return answer

    def _read(self, name: str, query: Json) -> Any:
        given = {key: value for key, value in query.items() if value is not None}
        return self._ask("GET", f"/_sim/{name}?{urlencode(given)}" if given else f"/_sim/{name}")

    def get(self, name: str, **query: Any) -> Json:
        """A control call that reads one thing."""
        answer: Json = self._read(name, query)
        return answer

    def rows(self, name: str, **query: Any) -> list[Json]:
        """A control call that reads a list."""
        answer: list[Json] = self._read(name, query)
        return answer

    def post(self, name: str, /, **body: Any) -> Json:
        """A control call that does something."""
        answer: Json = self._ask("POST", f"/_sim/{name}", json.dumps(body).encode())
        return answer

    def phone(self, openid: str, *, mini: bool = False) -> "Phone":
        """Somebody's phone, by openid or nickname."""
        return Phone(self, find(openid), mini)

    def cast(self) -> dict[str, "Phone"]:
        """The cast's phones by nickname."""
        return {person.nickname: self.phone(person.openid) for person in CAST}

    def settings(self, **changes: Any) -> Json:
        """Change settings (mode=…, account_type=…, verified=…, callback_url=…, quotas=…, mini={…}); shows all."""
        return self.post("settings", **changes)

    def reset(self) -> None:
        """As on the first day; settings and tokens stay."""
        self.post("reset")

    def inject(
        self,
        path: str = "*",
        code: int = -1,
        *,
        kind: str = "error",
        times: int | None = None,
        percent: float = 100,
        seed: int | None = None,
    ) -> Json:
        """A fault for ``times`` calls (None = for ever): error, http, hang, hang_after, drop, drop_after."""
        given: Json = {"path": path, "code": code, "kind": kind, "times": times, "percent": percent}
        return self.post("inject", **given | ({} if seed is None else {"seed": seed}))

    def heal(self) -> None:
        """Take all faults and delays away."""
        self.post("inject", clear=True)

    def latency(self, low: float, high: float | None = None, path: str = "*") -> Json:
        """Answer only after ``low`` to ``high`` seconds; 0 takes the delay away."""
        return self.post("latency", path=path, low=low, high=low if high is None else high)

    def deliveries(self, status: str, *, openid: str | None = None, percent: float | None = None) -> Json:
        """Template messages end with ``status`` for one person, or for a share of all sends."""
        given = {"openid": openid} if openid else {"percent": 100 if percent is None else percent}
        return self.post("delivery", status=status, **given)

    def expire_tokens(self, *, kill: bool = False) -> None:
        """Every token is too old (42001), or void (40001)."""
        self.post("tokens", kill=kill, expire=not kill)

    def sent(self, openid: str | None = None, path: str | None = None, limit: int = 1000) -> list[Json]:
        """The sends of all or one person, of all or one path, newest last; refused ones carry their errcode."""
        return self.rows("sent", openid=openid, path=path, limit=limit)

    def counts(self, path: str | None = None, errcode: int | str = 0) -> Json:
        """``people``, ``total``, ``most`` and ``counts`` by openid of the sends with this result."""
        return self.get("sent/counts", path=path, errcode=errcode)

    def calls(self, path: str) -> int:
        """How many times an API path was called, refused calls too."""
        return int(self.get("calls", path=path)[path])

    def callbacks(self, limit: int = 50) -> list[Json]:
        """What became of the latest pushes to the bot, newest last."""
        return self.rows("callbacks", limit=limit)

    def people(self) -> list[Json]:
        """Everybody with their windows and switches."""
        return self.rows("people")

    def menu(self) -> Json | None:
        """The menu the bot created."""
        menu: Json | None = self.get("menu")["menu"]
        return menu

    def qr_codes(self) -> list[Json]:
        """The QR codes the bot created, with their scenes."""
        return self.rows("qr-codes")

    def add_followers(self, openids: Iterable[str] | int, *, long_term: Iterable[str] = ()) -> int:
        """Many followers without an event: these openids, or so many made-up ones; they have consented to the
        ``long_term`` templates. Returns how many follow."""
        given: Json = {"count": openids} if isinstance(openids, int) else {"openids": list(openids)}
        return int(self.post("followers", **given, long_term=list(long_term))["following"])

    def settle(self) -> None:
        """Wait until delivery results and other pushes under way have reached the bot."""
        self.post("settle")

    def verify(self, **given: Any) -> Json:
        """The GET verification: ``ok``, ``status``, ``body``."""
        return self.post("verify", **given)

    def forge(self, kind: str, openid: str = "张伟", **given: Any) -> Json:
        """A forged request: the bot's ``status``, ``body``, and whether it was ``refused``."""
        return self.post("forge", kind=kind, openid=openid, **given)

    def login_code(self, openid: str, phone: str | None = None) -> Json:
        """What a mini program gets from wx.login (``code``) and a phone button (``phone_code``)."""
        return self.post("login", openid=openid, phone=phone)


@dataclass(slots=True)
class Phone:
    """One person's phone. What a person does returns what they then read ("" = nothing);
    ``last`` holds the details of the latest act."""

    wechat: LocalWeChat
    openid: str
    mini: bool = False
    last: Json | None = None

    def do(
        self, what: str, *, lose_replies: int = 0, repeat: int = 1, msg_id: str | None = None, **given: Any
    ) -> str:
        """Any act by name."""
        self.last = self.wechat.post(
            "act",
            openid=self.openid,
            mini=self.mini,
            do=what,
            lose=lose_replies,
            repeat=repeat,
            msg_id=msg_id,
            **{"with": given},
        )
        assert self.last is not None
        return str(self.last["reply"])

    def says(self, text: str, *, lose_replies: int = 0, repeat: int = 1, msg_id: str | int | None = None) -> str:
        """Write a text message."""
        given = None if msg_id is None else str(msg_id)
        return self.do("say", lose_replies=lose_replies, repeat=repeat, msg_id=given, text=text)

    def taps(self, text: str, id: str = "101") -> str:
        """Tap a menu link in a message."""
        return self.do("tap", text=text, id=id)

    def clicks(self, key: str, **how: Any) -> str:
        """Press a menu button."""
        return self.do("click", key=key, **how)

    def scans(self, scene: str, **how: Any) -> str:
        """Scan a QR code."""
        return self.do("scan", scene=scene, **how)

    def follows(self, scene: str = "", **how: Any) -> str:
        """Follow the account."""
        return self.do("follow", scene=scene, **how)

    def unfollows(self) -> str:
        """Leave."""
        return self.do("unfollow")

    def sends_voice(self, recognition: str | None = None, **how: Any) -> str:
        """Speak."""
        return self.do("voice", recognition=recognition, **how)

    def sends_image(self, **how: Any) -> str:
        """Send a picture."""
        return self.do("image", **how)

    def sends_video(self, **how: Any) -> str:
        """Send a video."""
        return self.do("video", **how)

    def sends_location(self, latitude: float, longitude: float, label: str = "", **how: Any) -> str:
        """Send a place."""
        return self.do("location", latitude=str(latitude), longitude=str(longitude), label=label, **how)

    def sends_link(self, title: str = "网页", url: str = "https://example.com/", **how: Any) -> str:
        """Share a page."""
        return self.do("link", title=title, url=url, **how)

    def sends(self, msg_type: str, **fields: Any) -> str:
        """A message of any kind with any fields."""
        return self.do("message", msg_type=msg_type, **fields)

    def event(self, name: str, **fields: Any) -> str:
        """Any event."""
        return self.do("event", name=name, **fields)

    def accepts(self, *template_ids: str) -> str:
        """Agree in the consent window: one more message for each template."""
        return self.do("popup", template_ids=list(template_ids), status="accept")

    def rejects(self, *template_ids: str) -> str:
        """Decline in the consent window."""
        return self.do("popup", template_ids=list(template_ids), status="reject")

    def switch(self, **flags: bool) -> Json:
        """blacklisted=…, refuses_messages=…, blocks_templates=…"""
        return self.wechat.post("person", openid=self.openid, mini=self.mini, **flags)

    def chat(self, after: int = 0) -> list[Json]:
        """The whole conversation: id, at, side, kind, text, data."""
        return self.wechat.rows("chat", openid=self.openid, after=after)

    def received(self, since: int = 0) -> list[Json]:
        """Pushed messages only (customer, template, mass …), behind the line with this id."""
        return [line for line in self.chat(since) if line.get("path")]

    def mark(self) -> int:
        """The id of the newest line, for ``received(since=…)``."""
        lines = self.chat()
        return int(lines[-1]["id"]) if lines else 0

    def wait_for(self, wanted: str | Callable[[Json], bool], timeout: float = 5.0, since: int = 0) -> Json:
        """The first line from the account that contains the text or satisfies the question; AssertionError if none."""
        until = time.monotonic() + timeout
        while True:
            for line in self.chat(since):
                found = wanted in line["text"] if isinstance(wanted, str) else wanted(line)
                if line["side"] != "person" and found:
                    return line
            if time.monotonic() >= until:
                raise AssertionError(f"{self.openid} got nothing like {wanted!r} within {timeout:g} s")
            time.sleep(GLANCE_SECONDS)
