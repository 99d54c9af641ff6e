"""The words of a notice as one channel carries them: the body of a call, made once for all who get the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot import fields
from bot.replies import fit
from clock import beijing
from config import Template
from models import Channel, NoticeKind, Topic

PATHS = {
    Channel.SUBSCRIPTION: "/cgi-bin/message/subscribe/bizsend",
    Channel.TEMPLATE: "/cgi-bin/message/template/send",
    Channel.CUSTOMER: "/cgi-bin/message/custom/send",
    Channel.MASS: "/cgi-bin/message/mass/send",
}
SIGNED = "法学会助手"
#: WeChat takes no \\u escapes (40033). Made once: every message passes here.
_as_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Text:
    """One notice with its facts, away from the session."""

    id: int
    kind: NoticeKind
    app: str
    campaign: str
    facts: Mapping[str, str]
    queued_at: datetime
    topic: Topic
    #: What tells this text's messages from those of any other database that had the same row numbers.
    stamp: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stamp", f"{self.queued_at:%m%d%H%M%S%f}")


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice in one channel's form; `problem` says why WeChat would refuse it."""

    path: str
    rest: bytes = b""
    problem: str = ""

    def to_one(self, openid: str, once_id: str = "") -> bytes:
        """The call's body for one person; within ten minutes the same `once_id` reaches them once (§4.6)."""
        once = b'"client_msg_id":%s,' % _quoted(once_id) if once_id else b""
        return b'{"touser":%s,%s%s' % (_quoted(openid), once, self.rest)

    def to_list(self, openids: Sequence[str], once_id: str) -> bytes:
        """The body of one mass message to 2–10,000 people; the same `once_id` is one message (§4.9)."""
        people = json.dumps(list(openids)).encode()
        return b'{"touser":%s,"clientmsgid":%s,%s' % (people, _quoted(once_id), self.rest)


def write(text: Text, channel: Channel, template: Template | None, at: datetime) -> Letter:
    """A notice as this channel carries it; `template` for the channels that have one."""
    if template is None:
        words = text.facts.get("text") or text.facts.get("title", "")
        return Letter(PATHS[channel], _rest({"msgtype": "text", "text": {"content": fit(words)}}))
    data = rendered(template, filled(text.facts, at))
    problems = [p for name, value in data.items() if (p := fields.problem(name, value))]
    if problems:
        return Letter(PATHS[channel], problem="模板内容不合要求：" + "；".join(problems))
    values = {name: {"value": value} for name, value in data.items()}
    return Letter(PATHS[channel], _rest({"template_id": template.id, "data": values}))


def filled(facts: Mapping[str, str], at: datetime) -> dict[str, str]:
    """The facts, with what the plain work notice asks for and a short word to one person does not carry."""
    local = beijing(at)
    return {
        "words": facts.get("text", ""),
        "sender": SIGNED,
        "time": f"{local:%Y年%-m月%-d日 %H:%M}",
        **facts,
    }


def rendered(template: Template, facts: Mapping[str, str]) -> dict[str, str]:
    """A template's fields, filled and fitted; a placeholder that nothing fills stays empty and is refused."""
    known = _Facts(facts)
    return {name: fields.fitted(name, text.format_map(known)) for name, text in template.fields.items()}


class _Facts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


def _quoted(text: str) -> bytes:
    return _as_json(text).encode()


def _rest(body: Mapping[str, object]) -> bytes:
    """What all bodies share, without the opening brace."""
    return _as_json(body).encode()[1:]
