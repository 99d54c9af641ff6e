"""The door WeChat comes in by: mode, age, signature, decryption; then the desk; then the envelope back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qsl

import structlog
from a2wsgi.asgi_typing import HTTPScope, Receive, Send

import windows
from bot import markup, replies
from bot.crypto import Envelope, Refused, is_same, signature
from bot.desk import NOT_TAKEN, Desk
from bot.messages import Message
from bot.once import Busy, Delivery
from clock import Now
from metrics import Metrics
from windows import Rate, Windows

log = structlog.get_logger("webhook")

PLAIN, XML = "text/plain; charset=utf-8", "text/xml; charset=utf-8"

#: Callbacks are some hundred bytes; what is larger is not from WeChat.
MAX_BODY_BYTES = 64 * 1024
#: WeChat's retries end after 15 s; minutes are left for clocks that differ (F002).
MAX_AGE_SECONDS = 300
URGENT = "情况紧急请直接拨打 110。"

Mode = Literal["plain", "compatible", "safe"]
#: What stands behind the question mark of a callback's address.
Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Account:
    """What the door must know of one account. `app` tells the two apart inside: "official" or "mini"."""

    app: str
    app_id: str
    token: str
    mode: Mode
    encoding_aes_key: str = ""
    is_json: bool = False

    @property
    def takes_passive_replies(self) -> bool:
        """A mini program is answered by customer message only (wechat-platform.md §1.7)."""
        return self.app == "official"


class Door:
    """Checks one account's callbacks and turns them into deliveries."""

    def __init__(self, account: Account, now: Now) -> None:
        self._account = account
        self._now = now
        self._envelope = Envelope(account.encoding_aes_key, account.app_id) if account.encoding_aes_key else None

    def greet(self, query: Query) -> bytes:
        """The answer to WeChat's address check: the `echostr` as it came (§1.2). Raises Refused."""
        given, at, nonce = (query.get(name, "") for name in ("signature", "timestamp", "nonce"))
        self._check(given, self._account.token, at, nonce)
        return query.get("echostr", "").encode()

    def read(self, query: Query, body: bytes) -> Delivery:
        """A delivery out of a request. Raises Refused, naming the check that failed."""
        at, nonce = query.get("timestamp", ""), query.get("nonce", "")
        self._check_age(at)
        if self._account.mode == "plain":
            if query.get("encrypt_type", "raw") != "raw":
                raise Refused("mode", "收到加密消息，但 wechat.mode 是 plain；请与公众平台后台一致。")
            signed = query.get("signature", "")
            self._check(signed, self._account.token, at, nonce)
            fields = self._parse(body)
        else:
            signed = query.get("msg_signature", "")
            if query.get("encrypt_type") != "aes" or not signed:
                raise Refused("mode", f"收到未加密的消息，但 wechat.mode 是 {self._account.mode}。")
            encrypted = self._parse(body).get("Encrypt")
            if not isinstance(encrypted, str) or self._envelope is None:
                raise Refused("encrypt", "消息里没有 Encrypt。", 400)
            self._check(signed, self._account.token, at, nonce, encrypted)
            # In compatible mode plain fields stand beside Encrypt; nothing protects them, so they are not read.
            fields = self._parse(self._envelope.open(encrypted))
        message = Message.of(fields)
        return Delivery(message, signed, self._now(), self._account.app, message.key)

    def write(self, reply: str, message: Message, nonce: str) -> bytes:
        """The body of a passive reply, closed the way the message came."""
        at = int(self._now().timestamp())
        body = replies.as_xml(replies.fit(reply), message, at)
        if self._envelope is None or self._account.mode == "plain":
            return body
        return replies.seal(body, self._envelope, self._account.token, nonce, at)

    def _parse(self, body: bytes) -> markup.Fields:
        if body.lstrip()[:1] != b"{":
            return markup.read(body)
        if not self._account.is_json:
            raise Refused("format", "收到 JSON，但这个账号约定 XML。", 400)
        try:
            fields = json.loads(body)
            # Half a character (\ud800) is JSON, but no text: it could be neither stored nor answered.
            json.dumps(fields, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise Refused("json", "消息不是合格的 JSON。", 400) from None
        if not isinstance(fields, dict):
            raise Refused("json", "消息不是一组字段。", 400)
        return fields

    def _check(self, given: str, *parts: str) -> None:
        if not given or not is_same(given, signature(*parts)):
            raise Refused("signature", "签名不对：请核对 token，并确认中间没有代理改动请求。")

    def _check_age(self, at: str) -> None:
        if not (at.isascii() and at.isdigit() and len(at) <= 12):
            raise Refused("timestamp", "时间戳不对。")
        if abs(self._now().timestamp() - int(at)) > MAX_AGE_SECONDS:
            raise Refused("stale", "时间戳与本机时钟相差超过 5 分钟：请校准时钟，或这是重放。")


class Webhook:
    """The two requests WeChat makes to one account's address, as an ASGI application of its own.

    It stands before the pages (web/entrance.py): every callback of every kind passes here and nowhere else. Thousands
    may wait for their answers without a thread each (docs/decisions/0008).
    """

    def __init__(self, account: Account, desk: Desk, now: Now, metrics: Metrics, per_minute: int) -> None:
        self._account, self._desk, self._metrics = account, desk, metrics
        self._door = Door(account, now)
        self._rate, self._said = Rate("发消息", per_minute, timedelta(minutes=1)), Windows()

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        status, kind, body = await self._answer(scope, receive)
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append((b"allow", b"GET, POST"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: HTTPScope, receive: Receive) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        try:
            if scope["method"] == "POST":
                return await self._receive(query, await _body(receive))
            if scope["method"] == "GET":
                return 200, PLAIN, self._door.greet(query)
        except Refused as refused:
            peer = scope["client"][0] if scope.get("client") else None
            self._metrics.refused.labels(refused.check).inc()
            log.warning("callback.refused", check=refused.check, reason=str(refused), peer=peer)
            return refused.status, PLAIN, str(refused).encode()
        return 405, PLAIN, "只接受 GET 和 POST。".encode()

    async def _receive(self, query: Query, body: bytes) -> tuple[int, str, bytes]:
        delivery = self._door.read(query, body)
        reply: replies.Reply = self._too_fast(delivery)
        if reply is not None:
            self._metrics.messages.labels("too_fast").inc()
            return self._say(reply, delivery, query)
        try:
            reply = await self._desk.receive(delivery)
        except Busy as busy:
            log.error("callback.busy", reason=str(busy))
            self._metrics.messages.labels("not_taken").inc()
            reply = NOT_TAKEN if delivery.message.takes_reply else None
        return self._say(reply, delivery, query)

    def _too_fast(self, delivery: Delivery) -> replies.Reply:
        """What somebody reads whose phone sends without end (F138); nothing of it is stored. Events that WeChat sends by
        itself are none of theirs."""
        if not delivery.message.takes_reply:
            return None
        wait = self._said.wait(self._rate, delivery.message.openid, delivery.at)
        return f"{windows.say(self._rate, wait)}{URGENT}" if wait is not None else None

    def _say(self, reply: replies.Reply, delivery: Delivery, query: Query) -> tuple[int, str, bytes]:
        if reply is None or not self._account.takes_passive_replies:
            return 200, PLAIN, replies.SUCCESS
        return 200, XML, self._door.write(reply, delivery.message, query.get("nonce", ""))


async def _body(receive: Receive) -> bytes:
    """The raw bytes, never more than the limit. Raises Refused, also for somebody who leaves in the middle."""
    body, is_whole = b"", False
    while not is_whole:
        event = await receive()
        if event["type"] != "http.request":
            raise Refused("cut", "请求没有发完。", 400)
        body += event.get("body", b"")
        is_whole = not event.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            raise Refused("size", "消息超过 64 KB。", 413)
    return body
