"""The templates as the office reads them: each notice and the ways it can go, what we write beside what WeChat has (F114)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from config import Template, WeChat
from models import Channel, NoticeKind, RegisteredTemplate
from services.sending import ladder

#: “主题：{{thing1.DATA}}”: what people read, and the field behind it.
_LINE = re.compile(r"^\s*(?P<label>.*?)[:：]?\s*\{\{\s*(?P<field>\w+)\.DATA\s*\}\}\s*$")


@dataclass(frozen=True, slots=True)
class Way:
    """One channel of a notice's ladder, in its order; whether our account can take it, and what is missing if not."""

    channel: Channel
    is_open: bool
    remark: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notice and the ways it can go, the first one first."""

    kind: NoticeKind
    ways: list[Way]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a template: what WeChat prints before it, what we write into it. Empty where one side has none."""

    name: str
    label: str
    ours: str


@dataclass(frozen=True, slots=True)
class Configured:
    """A template of the settings beside what WeChat has under its number."""

    place: str
    kind: str
    id: str
    registered: RegisteredTemplate | None
    fields: list[Field]


def kinds(wechat: WeChat) -> list[Kind]:
    """Every kind of notice."""
    account = ladder.official(wechat)
    return [Kind(kind, [_way(account, kind, channel) for channel in ladder.LADDERS[kind]]) for kind in NoticeKind]


def _way(account: ladder.Account, kind: NoticeKind, channel: Channel) -> Way:
    if channel not in account.rights:
        return Way(channel, False, "公众号没有这项权限")
    if channel in {Channel.CUSTOMER, Channel.MASS}:
        return Way(
            channel, True, "对方 48 小时内来过消息" if channel is Channel.CUSTOMER else "每人每月 4 条，最后才用"
        )
    template = account.template(channel, kind)
    if template is None:
        return Way(channel, False, "没有配置模板")
    borrowed = channel is Channel.TEMPLATE and kind.value not in account.templates
    return Way(channel, True, "借用“工作通知”的模板" if borrowed else template.id)


def configured(wechat: WeChat, registered: list[RegisteredTemplate]) -> list[Configured]:
    """Every template of the settings, field by field."""
    known = {row.id: row for row in registered}
    labels = {kind.value: kind.label for kind in NoticeKind}
    return [
        Configured(
            f"wechat.{block}.{name}", labels.get(name, name), of.id, known.get(of.id), _fields(of, known.get(of.id))
        )
        for block, templates in (("templates", wechat.templates), ("subscriptions", wechat.subscriptions))
        for name, of in templates.items()
    ]


def _fields(of: Template, row: RegisteredTemplate | None) -> list[Field]:
    theirs = _labels(row.content) if row else {}
    names = [*theirs, *(name for name in of.fields if name not in theirs)]
    return [Field(name, theirs.get(name, ""), of.fields.get(name, "")) for name in names]


def _labels(content: str) -> Mapping[str, str]:
    found = (_LINE.match(line) for line in content.splitlines())
    return {match["field"]: match["label"] for match in found if match}


def unused(wechat: WeChat, registered: list[RegisteredTemplate]) -> list[RegisteredTemplate]:
    """What WeChat has and the settings do not name."""
    named = {of.id for of in (*wechat.templates.values(), *wechat.subscriptions.values())}
    return [row for row in registered if row.id not in named]
