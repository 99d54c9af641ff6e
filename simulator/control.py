"""The operator's calls under ``/_sim/``: let people act, look at what happened, change settings, inject faults."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from simulator.acts import Hand
from simulator.callback import Courier, Delivery
from simulator.cast import BY_OPENID, find, nickname
from simulator.clock import parse_instant
from simulator.errors import Refused
from simulator.forgeries import Forger, explain, forge, is_refused
from simulator.people import valid_openid
from simulator.render import line_as_json
from simulator.web_codes import login_code, phone_code
from simulator.world import World

Json = dict[str, Any]
PEOPLE_SHOWN = 50
PERSON_FLAGS = ("blacklisted", "refuses_messages", "blocks_templates")


class Control:
    """Every control call is a method of the same name, which takes what came and returns what to answer."""

    def __init__(self, world: World, courier: Courier) -> None:
        self._world, self._courier = world, courier

    def _hand(self, given: Json) -> Hand:
        name = given.get("openid") or ""
        if not valid_openid(find(name)):
            raise Refused(f"不知道 {name!r} 是谁；请用 openid 或演示人物的名字")
        return Hand(
            self._world,
            self._courier,
            name,
            mini=bool(given.get("mini")),
            msg_id=given.get("msg_id"),
            lose=int(given.get("lose") or 0),
            repeat=int(given.get("repeat") or 1),
        )

    async def act(self, given: Json) -> Json:
        """A person does something: ``do`` names it, ``with`` holds its arguments."""
        hand, name, arguments = self._hand(given), given.get("do"), given.get("with") or {}
        method = ACTS.get(str(name))
        if method is None:
            raise Refused(f"人能做的事：{'、'.join(ACTS)}")
        try:
            delivery: Delivery = await method(hand, **arguments)
        except TypeError as error:
            raise Refused(f"{name}: {error}") from error
        return delivery.as_json()

    async def verify(self, given: Json) -> Json:
        """Check the callback address as WeChat does when it is saved."""
        account = self._world.mini if given.get("mini") else self._world.official
        if given.get("mode"):
            account = account.with_changes({"mode": given["mode"]}, allow_remote=True)
        if not account.callback_url:
            raise Refused("没有设置机器人的回调地址")
        good, one = await self._courier.verify(account, wrong_token=bool(given.get("wrong_token")))
        return {"ok": good, "status": one.status, "ms": one.ms, "body": one.body, "error": one.error}

    async def forge(self, given: Json) -> Json:
        """A forged request of a ``kind``."""
        hand = self._hand({"openid": "张伟"} | given)
        forger = Forger(self._world, self._courier, hand.account, hand.openid, given.get("text") or "签到")
        kind = str(given.get("kind"))
        one = await forge(kind, forger)
        shown = {"status": one.status, "body": one.body, "ms": one.ms, "error": one.error}
        return shown | {"kind": kind, "meaning": explain(kind), "refused": is_refused(one)}

    async def settle(self, _: Json) -> Json:
        """Answer when every push under way has been carried."""
        await self._courier.settled()
        return {}

    def people(self, _: Json) -> list[Json]:
        """Everybody in the cast and whoever talked, with what the account may still send them."""
        now = self._world.now()
        rows: list[Json] = []
        for follower in self._world.people:
            person = BY_OPENID.get(follower.openid)
            if person is None and (len(rows) >= PEOPLE_SHOWN or not self._has_acted(follower.openid)):
                continue
            left, until = follower.reachable(now)
            rows.append(
                {
                    "openid": follower.openid,
                    "nickname": nickname(follower.openid),
                    "hint": person.hint if person else "",
                    "chips": list(person.chips) if person else ["帮助"],
                    "subscribed": follower.subscribed,
                    "messages_left": left,
                    "window_until": until or None,
                    "credits": follower.credits,
                    "long_term": sorted(follower.long_term),
                    "tags": follower.tags,
                }
                | {flag: getattr(follower, flag) for flag in PERSON_FLAGS}
            )
        return rows

    def _has_acted(self, openid: str) -> bool:
        """Whether this person did something, rather than only being written to."""
        lines = self._world.journal.chat(openid)
        return bool(lines) and lines[0].sent is None

    def person(self, given: Json) -> Json:
        """Set a person's switches: blacklisted, refuses_messages, blocks_templates."""
        follower = self._world.people_of(self._hand(given).account).meet(find(given["openid"]))
        for flag in PERSON_FLAGS:
            if flag in given:
                setattr(follower, flag, bool(given[flag]))
        return {flag: getattr(follower, flag) for flag in PERSON_FLAGS}

    def followers(self, given: Json) -> Json:
        """Add many followers silently: ``openids``, or ``count`` made-up ones; with lasting consent to ``long_term``
        templates."""
        people = self._world.mini_people if given.get("mini") else self._world.people
        openids = given.get("openids") or [f"oSimBulk{i:020d}" for i in range(int(given.get("count") or 0))]
        for openid in openids:
            follower = people.meet(openid)
            follower.subscribed = True
            follower.long_term.update(given.get("long_term") or ())
        return {"added": len(openids), "following": len(people.following())}

    def chat(self, given: Json) -> list[Json]:
        """A person's whole conversation; ``after``: only lines behind this id."""
        after = int(given.get("after") or 0)
        lines = self._world.journal.chat(find(given.get("openid") or ""))
        return [line_as_json(self._world, line) for line in lines if line.id > after]

    def sent(self, given: Json) -> list[Json]:
        """Every send, newest last: by ``openid``, ``path``, ``after`` (id), at most ``limit``."""
        openid, path, after = given.get("openid"), given.get("path"), int(given.get("after") or 0)
        entries = self._world.journal.to(find(openid)) if openid else self._world.journal.sent
        found = [one for one in entries if one.id > after and path in (None, "", one.path)]
        return [one.show() for one in found[-int(given.get("limit") or 1000) :]]

    def counts(self, given: Json) -> Json:
        """How many sends each person got: of one ``path``, with one ``errcode`` (0 unless told; ``any``)."""
        code = None if given.get("errcode") == "any" else int(given.get("errcode") or 0)
        counts = self._world.journal.counts(given.get("path"), code)
        most = max(counts.values(), default=0)
        return {"people": len(counts), "total": sum(counts.values()), "most": most, "counts": dict(counts)}

    def calls(self, given: Json) -> Json:
        """How many times the API paths were called, refused calls too."""
        path = given.get("path")
        return {path: self._world.calls.get(path, 0)} if path else dict(self._world.calls)

    def callbacks(self, given: Json) -> list[Json]:
        """What became of the latest pushes, newest last."""
        return list(self._world.callbacks)[-int(given.get("limit") or 50) :]

    def menu(self, _: Json) -> Json:
        """The menu as it is shown."""
        return {"menu": self._world.menu}

    def qr_codes(self, _: Json) -> list[Json]:
        """The QR codes that can be scanned."""
        now = self._world.now()
        return [code for code in self._world.qr_codes.values() if code["ends"] is None or code["ends"] > now]

    def templates(self, _: Json) -> list[Json]:
        """The private templates."""
        return [asdict(template) for template in self._world.templates.values()]

    def settings(self, given: Json) -> Json:
        """Show or change the settings; those of the mini program stand under ``mini``."""
        world, changes = self._world, dict(given)
        mini = changes.pop("mini", None)
        if "delivery_events" in changes:
            world.delivery_events = bool(changes.pop("delivery_events"))
        if "patience" in changes:
            world.patience = float(changes.pop("patience"))
        for path, limits in (changes.pop("quotas", None) or {}).items():
            world.quotas.limit(path, limits.get("daily"), limits.get("per_minute"))
        if changes:
            world.official = world.official.with_changes(changes, allow_remote=world.allow_remote)
        if mini:
            world.mini = world.mini.with_changes(mini, allow_remote=world.allow_remote)
        shown = asdict(world.official) | {"mini": asdict(world.mini), "delivery_events": world.delivery_events}
        shown["patience"] = world.patience
        return _without_secrets(shown)

    def clock(self, given: Json) -> Json:
        """Show the clock, or ``set`` it (ISO), ``advance`` it (seconds), ``freeze`` it, go back to ``real`` time."""
        clock = self._world.clock
        if given.get("real"):
            clock.real()
        if given.get("set") is not None:
            try:
                clock.set(parse_instant(str(given["set"])), freeze=bool(given.get("freeze")))
            except ValueError as error:
                raise Refused("时间写作 2026-11-13T08:30") from error
        elif given.get("freeze"):
            clock.set(clock.now(), freeze=True)
        if given.get("advance"):
            clock.advance(float(given["advance"]))
        if given:
            self._world.tell({"type": "clock", "clock": clock.show()})
        return clock.show()

    def inject(self, given: Json) -> Json:
        """Show the faults in force, or put one in force, or ``clear`` them all."""
        injections = self._world.injections
        if given.get("clear"):
            injections.clear()
        if "seed" in given:
            injections.seed(int(given["seed"]))
        if given.get("kind"):
            injections.add(
                given.get("path") or "*",
                given["kind"],
                int(given.get("code") or 0),
                None if given.get("times") is None else int(given["times"]),
                float(given.get("percent") or 100),
            )
        return injections.show()

    def latency(self, given: Json) -> Json:
        """Answer a ``path`` only after ``low`` to ``high`` seconds."""
        if given:
            low = float(given.get("low") or 0)
            self._world.injections.slow(given.get("path") or "*", low, float(given.get("high") or low))
        return self._world.injections.show()

    def delivery(self, given: Json) -> Json:
        """How template messages fare later: ``openid`` and ``status``, or ``percent`` and ``status``."""
        fate = self._world.delivery
        status = given.get("status") or fate.status
        if given.get("openid"):
            fate.by_openid[find(given["openid"])] = status
        elif "percent" in given:
            fate.percent, fate.status = float(given["percent"]), status
        return asdict(fate)

    def tokens(self, given: Json) -> Json:
        """Let all tokens be too old (``expire``: 42001) or void (``kill``: 40001)."""
        if given.get("expire") or given.get("kill"):
            self._world.tokens.expire(killed=bool(given.get("kill")))
        return {}

    def login(self, given: Json) -> Json:
        """What ``wx.login`` gives a mini program: a code for jscode2session; ``phone`` adds a phone-number code."""
        openid = find(given.get("openid") or "")
        answer = {"code": login_code(self._world, openid)}
        if given.get("phone"):
            answer["phone_code"] = phone_code(self._world, openid, str(given["phone"]))
        return answer

    def reset(self, _: Json) -> Json:
        """As on the first day; settings and tokens stay."""
        self._courier.forget()
        self._world.restart()
        self._world.journal.note({"reset": []})
        self._world.tell({"type": "reset"})
        return {}


ACTS: dict[str, Callable[..., Awaitable[Any]]] = {
    name: method for name, method in vars(Hand).items() if callable(method) and not name.startswith("_")
}
READS = {
    "people",
    "chat",
    "sent",
    "counts",
    "calls",
    "callbacks",
    "menu",
    "qr_codes",
    "templates",
    "settings",
    "clock",
    "inject",
    "latency",
    "delivery",
}
ASYNCHRONOUS = {"act", "verify", "forge", "settle"}
WRITES = {"person", "followers", "settings", "clock", "inject", "latency", "delivery", "tokens", "login", "reset"}


def _without_secrets(shown: Json) -> Json:
    hidden = {"app_secret", "encoding_aes_key", "token"}
    return {
        key: _without_secrets(value) if isinstance(value, dict) else value
        for key, value in shown.items()
        if key not in hidden
    }


async def operate(control: Control, method: str, path: str, query: Mapping[str, str], raw: bytes) -> Any:
    """One control call; ``sent/counts`` is read as ``counts``."""
    name = path.removeprefix("/_sim/").removeprefix("sent/").replace("-", "_")
    if method == "GET" and name in READS:
        return getattr(control, name)(dict(query) if name not in WRITES else {})
    if method != "POST" or name not in WRITES | ASYNCHRONOUS:
        raise Refused(f"没有这个控制接口：{method} {path}")
    try:
        given = json.loads(raw or b"{}")
    except ValueError as error:
        raise Refused("请求体不是 JSON") from error
    if not isinstance(given, dict):
        raise Refused("请求体不是 JSON 对象")
    try:
        result = getattr(control, name)(given)
        return await result if name in ASYNCHRONOUS else result
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"{name}: {error}") from error
