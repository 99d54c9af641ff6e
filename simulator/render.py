"""Pushed messages as people see them on the phone."""

from typing import Any

from simulator.journal import Line, Sent
from simulator.world import World

Json = dict[str, Any]
NAMES = {
    "image": "[图片]",
    "voice": "[语音]",
    "video": "[视频]",
    "mpvideo": "[视频]",
    "music": "[音乐]",
    "mpnews": "[图文消息]",
    "mpnewsarticle": "[图文消息]",
    "wxcard": "[卡券]",
    "miniprogrampage": "[小程序]",
    "transfer_customer_service": "[转人工客服]",
    "images": "[图片]",
}


def line_as_json(world: World, line: Line) -> Json:
    """A chat line for clients and pages."""
    shown = {"id": line.id, "at": line.at, "side": line.side}
    shown |= {"kind": line.kind, "text": line.text, "data": line.data}
    if line.sent is not None:
        shown |= push_as_json(world, line.sent)
    return shown


def push_as_json(world: World, sent: Sent) -> Json:
    """Kind, text and data of a pushed message, and the path it came by."""
    body = sent.body() or {}
    kind, text, data = _template(world, body) if "template_id" in body else _message(body)
    return {"kind": kind, "text": text, "data": data, "path": sent.path, "msgid": str(sent.msgid or "")}


def _template(world: World, body: Json) -> tuple[str, str, Json]:
    template = world.templates.get(body["template_id"])
    values = body.get("data") or {}
    labels = template.fields if template else {key: key for key in values}
    rows = [[label, _value(values.get(key))] for key, label in labels.items()]
    title = template.title if template else str(body.get("title") or "模板消息")
    data = {
        "title": title,
        "template_id": body["template_id"],
        "rows": rows,
        "values": {key: _value(value) for key, value in values.items()},
        "url": body.get("url") or body.get("page") or "",
        "miniprogram": body.get("miniprogram"),
    }
    return "template", "\n".join([title, *(f"{label}：{value}" for label, value in rows)]), data


def _value(entry: Any) -> str:
    return str(entry.get("value", "")) if isinstance(entry, dict) else ""


def _message(body: Json) -> tuple[str, str, Json]:
    kind = str(body.get("msgtype", ""))
    content = body.get(kind) if isinstance(body.get(kind), dict) else {}
    assert isinstance(content, dict)
    return kind, text_of(kind, content), content


def text_of(kind: str, content: Json) -> str:
    """A message in plain words, for scripts and for the list of chats."""
    if kind == "text":
        return str(content.get("content", ""))
    if kind == "news":
        return "\n".join(str(one.get("title", "")) for one in content.get("articles", []))
    if kind == "msgmenu":
        choices = [str(one.get("content", "")) for one in content.get("list", [])]
        parts = [content.get("head_content", ""), *choices, content.get("tail_content", "")]
        return "\n".join(part for part in parts if part)
    if kind in ("miniprogrampage", "link") and content.get("title"):
        return f"{NAMES.get(kind, '[链接]')}{content['title']}"
    return NAMES.get(kind, f"[{kind}]")
