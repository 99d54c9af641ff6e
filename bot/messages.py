"""What WeChat delivers: one shape for messages and events, XML and JSON (wechat-platform.md §1.8, §2)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from bot.crypto import Refused
from bot.markup import Fields

# What a follower does that lets the account write back for 48 hours: any message of their own (§4.5).
EVENT = "event"
SCENE_PREFIX = "qrscene_"

#: Events to which WeChat accepts no passive reply (§3, last paragraph).
SILENT_EVENTS = frozenset(
    {
        "unsubscribe", "view", "view_miniprogram", "location", "templatesendjobfinish", "masssendjobfinish",
        "publishjobfinish", "freepublishjobfinish", "kf_create_session", "kf_close_session", "kf_switch_session",
        "subscribe_msg_popup_event", "subscribe_msg_change_event", "subscribe_msg_sent_event",
        "user_info_modified", "user_authorization_revoke", "user_authorization_cancellation", "wxa_media_check",
        "qualification_verify_success", "qualification_verify_fail", "naming_verify_success",
        "naming_verify_fail", "annual_renew", "verify_expired",
    }
)  # fmt: skip


# Made once: json.dumps makes an encoder for every call that does not want its defaults.
_as_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Message:
    """One message or event. `event` is in lower case, because WeChat's own spelling varies (§2)."""

    to: str
    openid: str
    kind: str
    event: str
    event_key: str
    content: str
    created_at: int
    fields: Fields = field(repr=False)

    @classmethod
    def of(cls, fields: Fields) -> Message:
        """Read the common head. Raises Refused when there is no sender or kind to speak of."""

        def word(name: str) -> str:
            value = fields.get(name)
            return value if isinstance(value, str) else "" if isinstance(value, dict | list | None) else str(value)

        if word("InfoType") and not word("MsgType"):
            # What the platform says to a third-party platform: it has no sender but the account itself.
            fields = {**fields, "FromUserName": word("AppId"), "MsgType": EVENT, "Event": word("InfoType")}
        openid, kind = word("FromUserName"), word("MsgType").lower()
        if not kind or not openid or len(openid) > 64:
            raise Refused("fields", "消息缺少 FromUserName 或 MsgType。", 400)
        created = word("CreateTime")
        return cls(
            to=word("ToUserName"),
            openid=openid,
            kind=kind,
            event=word("Event").lower()[:40] if kind == EVENT else "",
            event_key=word("EventKey"),
            content=word("Content") if kind == "text" else word("Recognition").strip(),
            created_at=int(created) if created.isascii() and created.isdigit() else 0,
            fields=fields,
        )

    @property
    def label(self) -> str:
        """`text`, `event:subscribe` — for the log, the inbox and the router."""
        return f"event:{self.event}" if self.kind == EVENT else self.kind[:40]

    @property
    def key(self) -> str:
        """What makes a retry the same message: sender and MsgId; events carry none, so sender, time, name,
        key and whatever the event is about stand in for it (§1.7, F005). Never the text (pitfall 5)."""
        msg_id = self.fields.get("MsgId")
        if msg_id and self.kind != EVENT:
            parts = [self.openid, str(msg_id)]
        else:
            about = {k: v for k, v in self.fields.items() if k in {"Ticket", "MsgID"} or isinstance(v, dict | list)}
            parts = [self.openid, str(self.created_at), self.kind, self.event, self.event_key]
            parts.append(json.dumps(about, sort_keys=True))
            if self.kind != EVENT:
                parts.append(self.content)
        return hashlib.blake2b("\x1f".join([self.to, *parts]).encode(), digest_size=16).hexdigest()

    @property
    def scene(self) -> str:
        """The code of a scanned QR: bare for followers, behind one `qrscene_` for new ones (§2.2)."""
        if self.event == "scan":
            return self.event_key
        if self.event == "subscribe" and self.event_key.startswith(SCENE_PREFIX):
            return self.event_key[len(SCENE_PREFIX) :]
        return ""

    @property
    def takes_reply(self) -> bool:
        return self.event not in SILENT_EVENTS

    def as_json(self) -> str:
        return _as_json(self.fields)

    @classmethod
    def from_json(cls, text: str) -> Message:
        return cls.of(json.loads(text))
