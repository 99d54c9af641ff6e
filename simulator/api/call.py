"""One call to WeChat, and the route it takes."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.account import Account
from simulator.errors import WeChatError
from simulator.people import People
from simulator.world import World

Json = dict[str, Any]
NOBODY = Account()  # stands in until the token says who calls
# A backslash that is not itself escaped, then u and four hex digits (§4: WeChat refuses such bodies).
_ESCAPED = re.compile(rb"(?<!\\)(?:\\\\)*\\u[0-9a-fA-F]{4}")


@dataclass(slots=True)
class Upload:
    """A file in a multipart body."""

    filename: str
    content_type: str
    data: bytes


@dataclass(slots=True)
class Raw:
    """An answer that is not JSON, such as a picture; ``location`` makes it a redirect."""

    content_type: str = "text/plain"
    data: bytes = b""
    status: int = 200
    location: str = ""


@dataclass(slots=True)
class Call:
    """What came in. ``account`` is the token's; ``msgid``, ``openids``, ``status`` go to the journal."""

    world: World
    method: str
    path: str
    query: Mapping[str, str]
    raw: bytes
    upload: Upload | None = None
    account: Account = NOBODY
    openids: tuple[str, ...] | None = None
    msgid: int = 0
    status: str = ""
    _body: Json | None = None

    @property
    def people(self) -> People:
        """The people of the account that calls."""
        return self.world.people_of(self.account)

    @property
    def body(self) -> Json:
        """The JSON body: 44002 empty, 47002 or (menu) 40033 with ``\\u`` escapes, 47001 not JSON."""
        if self._body is None:
            self._body = self._read()
        return self._body

    def _read(self) -> Json:
        if not self.raw:
            raise WeChatError(44002)
        if b"\\u" in self.raw and _ESCAPED.search(self.raw):
            raise WeChatError(40033 if "/menu/" in self.path else 47002)
        try:
            body = json.loads(self.raw.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise WeChatError(47001) from error
        if not isinstance(body, dict):
            raise WeChatError(47001)
        return body

    def text(self, name: str, code: int = 40035, default: str | None = None) -> str:
        """A string of the body; missing or of another kind is refused with ``code``."""
        value = self.body.get(name, default)
        if not isinstance(value, str):
            raise WeChatError(code, name)
        return value

    def part(self, name: str, code: int = 40035) -> Json:
        """An object inside the body."""
        value = self.body.get(name)
        if not isinstance(value, dict):
            raise WeChatError(code, name)
        return value

    def number(self, name: str, default: int | None = None, code: int = 40035) -> int:
        """A whole number of the body; WeChat takes it as text too."""
        value = self.body.get(name, default)
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise WeChatError(code, name)
        return value


Handler = Callable[[Call], Json | Raw]


@dataclass(frozen=True, slots=True)
class Route:
    """A call WeChat offers: ``needs`` a capability of §6 (empty = no token), daily and per-minute limits."""

    method: str
    path: str
    handler: Handler
    needs: str = ""
    daily: int | None = None
    per_minute: int | None = None
    records: bool = False
