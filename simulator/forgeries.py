"""Requests that WeChat would never send, to see that the bot refuses them."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from simulator.account import Account
from simulator.callback import Courier, Try, packed, signed_query
from simulator.crypto import Envelope
from simulator.errors import Refused
from simulator.markup import to_json, to_xml
from simulator.world import World

Json = dict[str, Any]
ANOTHER_TOKEN = "nottherighttoken"  # noqa: S105
LONG_AGO = 1_000_000_000  # September 2001
MEGABYTE = 1024 * 1024
BILLION_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (letter, b"&%c;" % (letter - 1) * 10) for letter in range(ord("b"), ord("k")))
    + b"]><xml><ToUserName>&j;</ToUserName><MsgType>text</MsgType><Content>&j;</Content></xml>"
)
EXTERNAL_ENTITY = (
    b'<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    b"<xml><ToUserName>&x;</ToUserName><MsgType>text</MsgType><Content>&x;</Content></xml>"
)


class Forger:
    """Makes one forged request after the model of a text message."""

    def __init__(self, world: World, courier: Courier, account: Account, openid: str, text: str) -> None:
        self._world, self._courier, self._account, self._openid = world, courier, account, openid
        self.push = courier.complete(account, {"MsgType": "text", "Content": text}, openid)

    async def _send(self, query: Json, body: bytes) -> Try:
        one, _, _ = await self._courier.request(self._account, query, body)
        return one

    def _query(self, sealed: str = "", now: float | None = None, token: str | None = None) -> Json:
        return signed_query(self._account, self._openid, now or self._world.now(), sealed, token)

    async def _signed(self, clear: bytes) -> Try:
        """Any body, signed (and sealed) as it should be."""
        if self._account.mode == "plain":
            return await self._send(self._query(), clear)
        sealed = Envelope(self._account.encoding_aes_key, self._account.app_id).seal(clear)
        return await self._send(self._query(sealed), _enveloped(self._account, sealed))

    async def flip(self) -> Try:
        """One byte of a signed body is another."""
        body, sealed = packed(self._account, self.push)
        place = body.index(sealed.encode()) + 40 if sealed else body.index(b"<Content>") + 19
        other = b"A" if body[place : place + 1] != b"A" else b"B"
        return await self._send(self._query(sealed), body[:place] + other + body[place + 1 :])

    async def flip_signature(self) -> Try:
        """One digit of the signatures is another."""
        body, sealed = packed(self._account, self.push)
        query = self._query(sealed)
        for name in ("signature", "msg_signature"):
            if name in query:
                query[name] = ("1" if query[name][0] == "0" else "0") + query[name][1:]
        return await self._send(query, body)

    async def old(self) -> Try:
        """Rightly signed, but dated 2001."""
        body, sealed = packed(self._account, self.push)
        return await self._send(self._query(sealed, now=LONG_AGO), body)

    async def future(self) -> Try:
        """Rightly signed, but dated a day ahead."""
        body, sealed = packed(self._account, self.push)
        return await self._send(self._query(sealed, now=self._world.now() + 86_400), body)

    async def replay(self) -> Try:
        """The last request once more, to the byte; one is sent first when there was none."""
        last = self._world.last_request
        if last is None or last["app_id"] != self._account.app_id:
            await self._send(*_swapped(packed(self._account, self.push), self._query))
            last = self._world.last_request
        assert last is not None
        return await self._send(last["query"], last["body"])

    async def token(self) -> Try:
        """Signed with another token."""
        body, sealed = packed(self._account, self.push)
        return await self._send(self._query(sealed, token=ANOTHER_TOKEN), body)

    async def key(self) -> Try:
        """Sealed with another key, rightly signed."""
        sealed = Envelope("B" * 43, self._account.app_id).seal(to_xml(self.push))
        return await self._send(self._query(sealed), _enveloped(self._account, sealed))

    async def app(self) -> Try:
        """Sealed for another AppID, rightly signed."""
        sealed = Envelope(self._account.encoding_aes_key, "wx0000000000000000").seal(to_xml(self.push))
        return await self._send(self._query(sealed), _enveloped(self._account, sealed))

    async def plain(self) -> Try:
        """A plain body with a plain signature, whatever the mode."""
        return await self._send(self._query(), to_xml(self.push))

    async def unsigned(self) -> Try:
        """No signature at all."""
        body, _ = packed(self._account, self.push)
        return await self._send({"openid": self._openid}, body)

    async def big(self) -> Try:
        """One megabyte."""
        return await self._signed(to_xml(self.push | {"Content": "大" * (MEGABYTE // 3)}))

    async def laughs(self) -> Try:
        """Entities that grow to gigabytes."""
        return await self._signed(BILLION_LAUGHS)

    async def outer_laughs(self) -> Try:
        """The same outside the envelope."""
        return await self._send(self._query("x"), BILLION_LAUGHS)

    async def entity(self) -> Try:
        """A document type that asks for a file."""
        return await self._signed(EXTERNAL_ENTITY)

    async def event(self) -> Try:
        """An event nobody has heard of."""
        fields = {"Event": "never_heard_of_event", "EventKey": "", "Strange": {"Deep": ["a", "b"]}}
        return await self._signed(to_xml(self._courier.complete(self._account, fields, self._openid)))

    async def type(self) -> Try:
        """A message type nobody has heard of."""
        return await self._signed(to_xml(self.push | {"MsgType": "hologram"}))

    async def garbage(self) -> Try:
        """Bytes, rightly signed as a plain request."""
        return await self._send(self._query(), secrets.token_bytes(512))

    async def sealed_garbage(self) -> Try:
        """A sealed and signed text that is no XML."""
        return await self._signed(b"\x00\xff not xml <<<")

    async def empty(self) -> Try:
        """No body."""
        return await self._send(self._query(), b"")

    async def inside(self) -> Try:
        """Text that tries to close its CDATA and add fields."""
        text = "]]></Content><ToUserName>x</ToUserName><![CDATA["
        return await self._signed(to_xml(self.push | {"Content": text}))

    async def control(self) -> Try:
        """Control characters, which phones do send and XML forbids."""
        return await self._signed(to_xml(self.push | {"Content": "签到\x1d\x00\x08"}))


def _enveloped(account: Account, sealed: str) -> bytes:
    write = to_json if account.format == "json" else to_xml
    return write({"ToUserName": account.original_id, "Encrypt": sealed})


def _swapped(pack: tuple[bytes, str], query: Callable[[str], Json]) -> tuple[Json, bytes]:
    body, sealed = pack
    return query(sealed), body


KINDS: dict[str, Callable[[Forger], Awaitable[Try]]] = {
    name.replace("_", "-"): method
    for name, method in vars(Forger).items()
    if callable(method) and not name.startswith("_")
}


async def forge(kind: str, forger: Forger) -> Try:
    """One forged request of a kind, and what the bot said."""
    if kind not in KINDS:
        raise Refused(f"伪造的种类：{'、'.join(KINDS)}")
    return await KINDS[kind](forger)


def explain(kind: str) -> str:
    """One sentence on a kind, signatures aside."""
    return (KINDS[kind].__doc__ or "").strip()


def is_refused(one: Try) -> bool:
    """Whether the bot refused it without trouble: an answer, and not one of its own faults."""
    return 400 <= one.status < 500
