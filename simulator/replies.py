"""Judges the bot's answer to a push as WeChat does (§1.6, §1.7, §3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.account import Account
from simulator.crypto import BadEnvelope, Envelope, same, signature
from simulator.markup import BadMarkup, items, parse
from simulator.render import text_of

Json = dict[str, Any]
Known = Callable[[str], bool]
FAULT_NOTICE = "该公众号提供的服务出现故障，请稍后再试"
TEXT_BYTES = 2048
ARTICLES = 8
ONE_ARTICLE_ONLY = {"text", "image", "voice", "video", "news", "location", "shortvideo", "link"}
NEVER_ANSWERED = {"unsubscribe", "view", "location", "view_miniprogram"}
NEVER_ANSWERED_ENDINGS = ("jobfinish", "_session", "_verify_success", "_verify_fail", "_msg_sent_event")
NEVER_ANSWERED_STARTS = ("kf_", "user_authorization_", "user_info_", "naming_", "annual_", "verify_")


class BadReply(ValueError):
    """The answer is not one WeChat would show."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an answer: reply, silent, fault, or ignored (the event takes none)."""

    outcome: str
    reason: str = ""
    kind: str = ""
    text: str = ""
    data: Json = field(default_factory=dict)


def takes_no_reply(push: Mapping[str, Any]) -> bool:
    """Events without a chat context: whatever is answered is not shown (§3)."""
    if push.get("MsgType") != "event":
        return False
    event = str(push.get("Event", "")).lower()
    return (
        event in NEVER_ANSWERED or event.endswith(NEVER_ANSWERED_ENDINGS) or event.startswith(NEVER_ANSWERED_STARTS)
    )


def judge(
    account: Account,
    push: Mapping[str, Any],
    status: int,
    content_type: str,
    body: bytes,
    known_media: Known,
) -> Verdict:
    """The verdict on one answer that came in time."""
    deaf = takes_no_reply(push)
    if status != 200:
        return Verdict("ignored" if deaf else "fault", f"HTTP {status}")
    if body in (b"", b"success"):
        return Verdict("silent")
    if deaf:
        return Verdict("ignored", "这种事件不接受回复")
    try:
        if "json" in content_type and account.format != "json":
            raise BadReply("Content-Type 是 JSON，应为 text/xml 或 application/xml")
        reply = _opened(account, body)
        return _read(account, push, reply, known_media)
    except (BadReply, BadMarkup, BadEnvelope) as error:
        return Verdict("fault", str(error))


def _opened(account: Account, body: bytes) -> Json:
    reply = parse(body)
    sealed = reply.get("Encrypt")
    if sealed is None:
        if account.mode == "safe":
            raise BadReply("安全模式下回复没有加密")
        return reply
    if account.mode == "plain":
        raise BadReply("明文模式下回复却加了密")
    for name in ("MsgSignature", "TimeStamp", "Nonce"):
        if not isinstance(reply.get(name), str) or not reply[name]:
            raise BadReply(f"加密信封里缺少 {name}")
    expected = signature(account.token, reply["TimeStamp"], reply["Nonce"], str(sealed))
    if not same(expected, reply["MsgSignature"]):
        raise BadReply("MsgSignature 不对")
    return parse(Envelope(account.encoding_aes_key, account.app_id).open(str(sealed)))


def _read(account: Account, push: Mapping[str, Any], reply: Json, known_media: Known) -> Verdict:
    if reply.get("ToUserName") != push["FromUserName"]:
        raise BadReply("ToUserName 不是发消息的人")
    if reply.get("FromUserName") != push["ToUserName"]:
        raise BadReply("FromUserName 不是公众号的原始ID")
    if not str(reply.get("CreateTime", "")).strip().isdigit():
        raise BadReply("CreateTime 不是整数秒")
    kind = str(reply.get("MsgType", "")).strip()
    if account.is_mini and kind != "transfer_customer_service":
        raise BadReply("小程序不能被动回复")
    reader = READERS.get(kind)
    if reader is None:
        raise BadReply(f"不认识的 MsgType：{kind}")
    data = reader(push, reply)
    for media_id in _media_in(data):
        if not known_media(media_id):
            raise BadReply("MediaId 不存在")
    return Verdict("reply", "", kind, text_of(kind, data), data)


def _media_in(data: Json) -> list[str]:
    return [str(data[name]) for name in ("media_id", "thumb_media_id") if data.get(name)]


def _text(_: Mapping[str, Any], reply: Json) -> Json:
    content = reply.get("Content")
    if not isinstance(content, str) or not content.strip():
        raise BadReply("Content 是空的")
    if len(content.encode()) > TEXT_BYTES:
        raise BadReply(f"Content 有 {len(content.encode())} 字节，最多 {TEXT_BYTES}")
    return {"content": content}


def _inside(reply: Json, name: str, required: str) -> Json:
    part = reply.get(name)
    if not isinstance(part, dict) or not part.get(required):
        raise BadReply(f"缺少 {required}")
    return part


def _image(_: Mapping[str, Any], reply: Json) -> Json:
    return {"media_id": _inside(reply, "Image", "MediaId")["MediaId"]}


def _voice(_: Mapping[str, Any], reply: Json) -> Json:
    return {"media_id": _inside(reply, "Voice", "MediaId")["MediaId"]}


def _video(_: Mapping[str, Any], reply: Json) -> Json:
    part = _inside(reply, "Video", "MediaId")
    title, description = part.get("Title", ""), part.get("Description", "")
    return {"media_id": part["MediaId"], "title": title, "description": description}


def _music(_: Mapping[str, Any], reply: Json) -> Json:
    part = _inside(reply, "Music", "ThumbMediaId")
    title, url = part.get("Title", ""), part.get("MusicUrl", "")
    return {"thumb_media_id": part["ThumbMediaId"], "title": title, "musicurl": url}


def _news(push: Mapping[str, Any], reply: Json) -> Json:
    articles = reply.get("Articles")
    found = items(articles.get("item")) if isinstance(articles, dict) else []
    most = 1 if push.get("MsgType") in ONE_ARTICLE_ONLY else ARTICLES
    if not 1 <= len(found) <= most:
        raise BadReply(f"有 {len(found)} 条图文，这里最多 {most} 条")
    if str(reply.get("ArticleCount", "")).strip() != str(len(found)):
        raise BadReply("ArticleCount 与图文条数不符")
    names = ("Title", "Description", "PicUrl", "Url")
    shown = [{name.lower(): str(one.get(name, "")) for name in names} for one in found]
    if not all(one["title"] for one in shown):
        raise BadReply("图文缺少 Title")
    return {"articles": shown}


def _transfer(push: Mapping[str, Any], _: Json) -> Json:
    if push.get("MsgType") == "event":
        raise BadReply("transfer_customer_service 只能回复消息，不能回复事件")
    return {}


READERS: dict[str, Callable[[Mapping[str, Any], Json], Json]] = {
    "text": _text,
    "image": _image,
    "voice": _voice,
    "video": _video,
    "music": _music,
    "news": _news,
    "transfer_customer_service": _transfer,
}
