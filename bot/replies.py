"""What goes back in the same breath: text or nothing (wechat-platform.md §3)."""

from __future__ import annotations

import json
from urllib.parse import quote

from bot.crypto import Envelope, signature
from bot.markup import cdata
from bot.messages import Message

#: A handler's answer; None means that nothing is to be said.
Reply = str | None

SUCCESS = b"success"
MAX_BYTES = 2048
CUT_MARK = "\n……（内容较长，未全部显示）"


def tap(words: str, send: str | None = None) -> str:
    """A link in a text that, when tapped, says `send` on the person's behalf (§3)."""
    said = quote(send or words, safe="")
    return f'<a href="weixin://bizmsgmenu?msgmenucontent={said}&msgmenuid=1">{words}</a>'


def fit(text: str) -> str:
    """Cut a text to what WeChat shows, on a character border and never inside a link."""
    if len(text.encode()) <= MAX_BYTES:
        return text
    room = MAX_BYTES - len(CUT_MARK.encode())
    kept = text.encode()[:room].decode(errors="ignore")
    opened = kept.rfind("<a ")
    if opened > kept.rfind("</a>"):
        kept = kept[:opened]
    return kept.rstrip() + CUT_MARK


def as_xml(text: str, message: Message, at: int) -> bytes:
    """The passive reply to a message: sender and receiver swapped."""
    return (
        f"<xml><ToUserName>{cdata(message.openid)}</ToUserName><FromUserName>{cdata(message.to)}</FromUserName>"
        f"<CreateTime>{at}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content>{cdata(text)}</Content></xml>"
    ).encode()


def seal(body: bytes, envelope: Envelope, token: str, nonce: str, at: int, *, as_json: bool = False) -> bytes:
    """The encrypted envelope around a reply (§1.6); `at` is our own clock in Unix seconds."""
    encrypted = envelope.close(body)
    signed = signature(token, str(at), nonce, encrypted)
    if as_json:
        return json.dumps({"Encrypt": encrypted, "MsgSignature": signed, "TimeStamp": at, "Nonce": nonce}).encode()
    return (
        f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt><MsgSignature><![CDATA[{signed}]]></MsgSignature>"
        f"<TimeStamp>{at}</TimeStamp><Nonce>{cdata(nonce)}</Nonce></xml>"
    ).encode()
