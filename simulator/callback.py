"""Pushes messages and events to the bot: signed, sealed, five seconds, three tries (§1.4–§1.7)."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from simulator.account import Account
from simulator.crypto import Envelope, signature
from simulator.markup import Bare, cdata, to_json, to_xml
from simulator.replies import FAULT_NOTICE, Verdict, judge, takes_no_reply
from simulator.world import World

Json = dict[str, Any]
TRIES = 3
CARRIERS = 16  # pushes under way at once that nobody waits for


@dataclass(slots=True)
class Try:
    """One delivery of a push. ``status`` 0 = no answer, ``error`` then says why in Chinese."""

    status: int = 0
    ms: float = 0.0
    body: str = ""
    error: str = ""
    lost: bool = False
    outcome: str = ""
    reason: str = ""
    text: str = ""


@dataclass(slots=True)
class Delivery:
    """What became of a push."""

    push: Json
    tries: list[Try] = field(default_factory=list)
    verdict: Verdict = field(default_factory=lambda: Verdict("fault"))

    @property
    def shown(self) -> str:
        """What the person reads: the reply, the fault notice, or nothing."""
        if self.verdict.outcome == "fault":
            return FAULT_NOTICE
        return self.verdict.text

    def as_json(self) -> Json:
        """For the control calls."""
        return {
            "reply": self.shown,
            "outcome": self.verdict.outcome,
            "reason": self.verdict.reason,
            "kind": self.verdict.kind,
            "data": self.verdict.data,
            "msg_id": str(self.push.get("MsgId", "")),
            "tries": [asdict(one) for one in self.tries],
        }


def signed_query(account: Account, openid: str, now: float, sealed: str = "", token: str | None = None) -> Json:
    """The query of a push, with a nonce of its own; ``token`` another than the account's for forgeries."""
    token = account.token if token is None else token
    stamp, nonce = str(int(now)), str(secrets.randbelow(2_000_000_000))
    query = {"signature": signature(token, stamp, nonce), "timestamp": stamp, "nonce": nonce}
    if openid:
        query["openid"] = openid
    if sealed:
        query["encrypt_type"] = "aes"
        query["msg_signature"] = signature(token, stamp, nonce, sealed)
    return query


def packed(account: Account, push: Mapping[str, Any]) -> tuple[bytes, str]:
    """The body in the account's mode and format, and what was sealed (empty in plain mode)."""
    write = to_json if account.format == "json" else to_xml
    clear = write(push)
    if account.mode == "plain":
        return clear, ""
    sealed = Envelope(account.encoding_aes_key, account.app_id).seal(clear)
    if account.format == "json":
        head = dict(push) if account.mode == "compatible" else {"ToUserName": push["ToUserName"]}
        return to_json({**head, "Encrypt": sealed}), sealed
    if account.mode == "compatible":
        return clear.removesuffix(b"</xml>") + f"<Encrypt>{cdata(sealed)}</Encrypt></xml>".encode(), sealed
    return to_xml({"ToUserName": push["ToUserName"], "Encrypt": sealed}), sealed


def headers(account: Account) -> dict[str, str]:
    """As WeChat's own (§1.4)."""
    kind = "application/json" if account.format == "json" else "text/xml"
    return {"Content-Type": kind, "User-Agent": "Mozilla/4.0"}


class Courier:
    """Carries pushes to the bot over connections that stay open."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._later: asyncio.Queue[tuple[Account, Json, str]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open for business; from now on the world's own pushes come here."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30, force_close=False)
        self._session = aiohttp.ClientSession(
            connector=connector, auto_decompress=False, skip_auto_headers=("Accept", "Accept-Encoding")
        )
        self._world.post = self.post
        self._tasks = [asyncio.create_task(self._carry()) for _ in range(CARRIERS)]

    async def stop(self) -> None:
        """Leave what is still to be carried."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def post(self, account: Account, fields: Json, openid: str) -> None:
        """Carry a push soon; nobody waits for it."""
        if account.callback_url:
            self._later.put_nowait((account, fields, openid))

    async def settled(self) -> None:
        """Wait until nothing is left to be carried."""
        await self._later.join()

    def forget(self) -> None:
        """Drop what was not yet carried."""
        while not self._later.empty():
            self._later.get_nowait()
            self._later.task_done()

    async def _carry(self) -> None:
        while True:
            account, fields, openid = await self._later.get()
            try:
                await self.push(account, fields, openid)
            finally:
                self._later.task_done()

    def complete(self, account: Account, fields: Json, openid: str, msg_id: str | None = None) -> Json:
        """The push with its head. An event's second is moved on if the same one was pushed in it:
        fingers are slower than tests, and receivers tell events apart by it (§1.7)."""
        now = int(self._world.now())
        event = str(fields.get("Event", ""))
        if event and "MsgID" not in fields:  # job events are told apart by their MsgID
            key = str(fields.get("EventKey") or "")
            while (openid, now, event, key) in self._world.pushed:
                now += 1
            self._world.pushed.add((openid, now, event, key))
        head = {
            "ToUserName": account.original_id,
            "FromUserName": openid,
            "CreateTime": now,
            "MsgType": "event" if event else fields["MsgType"],
        }
        push = head | {name: value for name, value in fields.items() if name != "MsgType"}
        if not event:
            push["MsgId"] = _number_or_text(msg_id) if msg_id else next(self._world.msg_ids)
        return push

    async def push(
        self,
        account: Account,
        fields: Json,
        openid: str,
        *,
        msg_id: str | None = None,
        lose: int = 0,
        repeat: int = 1,
    ) -> Delivery:
        """Deliver until there is an answer, three times at most. ``lose``: so many answers never arrive;
        ``repeat``: deliver so often although there was an answer."""
        delivery = Delivery(self.complete(account, fields, openid, msg_id))
        heard: Verdict | None = None
        for number in range(max(TRIES, repeat)):
            one, verdict = await self._attempt(account, delivery.push, openid)
            delivery.tries.append(one)
            one.lost = number < lose
            if verdict is None or one.lost:
                continue
            heard = heard or verdict
            if number + 1 >= repeat:
                break
        delivery.verdict = heard or _unheard(delivery)
        self._note(delivery, openid)
        return delivery

    async def _attempt(self, account: Account, push: Json, openid: str) -> tuple[Try, Verdict | None]:
        body, sealed = packed(account, push)
        query = signed_query(account, openid, self._world.now(), sealed)
        one, content_type, answer = await self.request(account, query, body)
        if not one.status:
            return one, None
        verdict = judge(account, push, one.status, content_type, answer, self._world.media.__contains__)
        one.outcome, one.reason, one.text = verdict.outcome, verdict.reason, verdict.text
        return one, verdict

    def _note(self, delivery: Delivery, openid: str) -> None:
        last = delivery.tries[-1]
        event = delivery.push.get("Event")
        seen = {
            "at": self._world.now(),
            "openid": openid,
            "kind": f"event:{event}" if event else delivery.push["MsgType"],
            "msg_id": str(delivery.push.get("MsgId", "")),
            "tries": len(delivery.tries),
            "status": last.status,
            "ms": last.ms,
            "error": last.error,
            "outcome": delivery.verdict.outcome,
            "reason": delivery.verdict.reason,
            "body": last.body[:500],
        }
        self._world.callbacks.append(seen)
        self._world.tell({"type": "callback", "callback": seen})

    async def request(self, account: Account, query: Json, body: bytes) -> tuple[Try, str, bytes]:
        """One POST to the bot."""
        self._world.last_request = {"query": query, "body": body, "app_id": account.app_id}
        return await self._fetch("POST", account, query, body)

    async def _fetch(self, method: str, account: Account, query: Json, body: bytes) -> tuple[Try, str, bytes]:
        url, one, started = addressed(account.callback_url, query), Try(), time.perf_counter()
        content_type, answer = "", b""
        try:
            async with asyncio.timeout(self._world.patience):
                async with self._session.request(
                    method, url, data=body, headers=headers(account), allow_redirects=False
                ) as response:
                    answer = await response.read()
                    one.status, content_type = response.status, response.headers.get("Content-Type", "")
        except TimeoutError:
            one.error = f"机器人没有应答（{self._world.patience:g} 秒内没有回复）"
        except aiohttp.ClientConnectorError:
            one.error = f"机器人没有应答（连接被拒绝）：{account.callback_url}"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            one.error = f"机器人没有应答（{type(error).__name__}）"
        one.ms = round((time.perf_counter() - started) * 1000, 1)
        one.body = answer[:4096].decode("utf-8", "replace")
        return one, content_type, answer

    async def verify(self, account: Account, *, wrong_token: bool = False) -> tuple[bool, Try]:
        """The GET with which WeChat checks a callback address: only the bare echostr will do (§1.2)."""
        echo = str(secrets.randbelow(9 * 10**18) + 10**18)
        query = signed_query(account, "", self._world.now(), token="wrong" if wrong_token else None)
        one, _, answer = await self._fetch("GET", account, query | {"echostr": echo}, b"")
        return one.status == 200 and answer == echo.encode(), one


def addressed(url: str, query: Json) -> URL:
    """The callback address with more parameters, which its own query may precede."""
    return URL(f"{url}{'&' if '?' in url else '?'}{urlencode(query)}", encoded=True)


def _number_or_text(msg_id: str) -> int | Bare:
    return int(msg_id) if msg_id.isdigit() else Bare(msg_id)


def _unheard(delivery: Delivery) -> Verdict:
    """No try brought an answer."""
    reason = delivery.tries[-1].error or "每次回复都丢失了"
    return Verdict("ignored" if takes_no_reply(delivery.push) else "fault", reason)
