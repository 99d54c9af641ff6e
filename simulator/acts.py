"""What people do on their phones, each turned into the push of §2."""

import secrets
from dataclasses import dataclass
from typing import Any

from simulator.account import Account
from simulator.callback import Courier, Delivery
from simulator.cast import find
from simulator.errors import Refused
from simulator.markup import Bare
from simulator.people import ACTION_WINDOW, ENTER_WINDOW, MESSAGE_WINDOW, Follower
from simulator.world import World

Json = dict[str, Any]
OPENING_CLICKS = {"CLICK", "scancode_push", "scancode_waitmsg"}
AMR = b"#!AMR\n" + bytes(64)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060"
    "000000050001a5f645400000000049454e44ae426082"
)


@dataclass(slots=True)
class Hand:
    """A person's hand on the phone: every method is one thing done, and returns what became of it."""

    world: World
    courier: Courier
    name: str
    mini: bool = False
    msg_id: str | None = None
    lose: int = 0
    repeat: int = 1

    @property
    def account(self) -> Account:
        """The account this person deals with."""
        return self.world.mini if self.mini else self.world.official

    @property
    def openid(self) -> str:
        """Whose hand it is."""
        return find(self.name)

    def _follower(self) -> Follower:
        return self.world.people_of(self.account).present(self.openid)

    async def _push(self, fields: Json, shown: str = "", kind: str = "", data: Json | None = None) -> Delivery:
        """Show what the person did, push it, show what came back."""
        if not self.account.callback_url:
            raise Refused("没有设置机器人的回调地址")
        if shown:
            self.world.line(self.openid, "notice" if kind == "act" else "person", kind or "text", shown, data)
        delivery = await self.courier.push(
            self.account, fields, self.openid, msg_id=self.msg_id, lose=self.lose, repeat=self.repeat
        )
        verdict = delivery.verdict
        if verdict.outcome == "reply" and verdict.kind != "transfer_customer_service":
            self.world.line(self.openid, "account", verdict.kind, verdict.text, verdict.data)
        elif verdict.outcome == "fault":
            self.world.line(self.openid, "notice", "fault", delivery.shown)
        return delivery

    async def _message(self, fields: Json, shown: str, data: Json | None = None) -> Delivery:
        follower = self._follower()
        follower.open_window("message", MESSAGE_WINDOW, self.world.now())
        return await self._push(fields, shown, fields["MsgType"], data)

    async def say(self, text: str) -> Delivery:
        """A text message."""
        if not text:
            raise Refused("没有内容")
        return await self._message({"MsgType": "text", "Content": text}, text)

    async def tap(self, text: str, id: str = "101") -> Delivery:
        """A tap on a menu link in a message: its text is sent, with ``bizmsgmenuid``."""
        return await self._message({"MsgType": "text", "Content": text, "bizmsgmenuid": Bare(id)}, text)

    def _keep(self, content_type: str, data: bytes) -> str:
        media_id = secrets.token_urlsafe(48)
        self.world.media[media_id] = (content_type, data, self.world.now())
        return media_id

    async def image(self) -> Delivery:
        """A picture."""
        media_id = self._keep("image/png", PNG)
        url = f"http://mmbiz.qpic.cn/mmbiz_png/{media_id[:32]}/0"
        return await self._message({"MsgType": "image", "PicUrl": url, "MediaId": media_id}, "[图片]")

    async def voice(self, recognition: str | None = None) -> Delivery:
        """A voice message; WeChat stopped recognising speech in 2023 (§2.1)."""
        media_id = self._keep("audio/amr", AMR)
        fields = {"MsgType": "voice", "MediaId": media_id, "Format": "amr", "MediaId16K": f"{media_id}_16k"}
        if recognition is not None:
            fields["Recognition"] = recognition
        return await self._message(fields, f"[语音] {recognition or ''}".strip())

    async def video(self) -> Delivery:
        """A video."""
        thumb, media_id = self._keep("image/png", PNG), self._keep("video/mp4", b"\0")
        return await self._message({"MsgType": "video", "MediaId": media_id, "ThumbMediaId": thumb}, "[视频]")

    async def location(self, latitude: str, longitude: str, label: str = "") -> Delivery:
        """A place: X is the latitude."""
        try:
            inside = abs(float(latitude)) <= 90 and abs(float(longitude)) <= 180
        except ValueError:
            inside = False
        if not inside:
            raise Refused("位置写作 纬度,经度，例如 30.45,114.87")
        place = {"Location_X": Bare(latitude), "Location_Y": Bare(longitude), "Scale": 15, "Label": label}
        data = {"latitude": latitude, "longitude": longitude, "label": label}
        shown = f"[位置] {label or f'{latitude},{longitude}'}"
        return await self._message({"MsgType": "location"} | place, shown, data)

    async def link(self, title: str, url: str, description: str = "") -> Delivery:
        """A shared page."""
        fields = {"MsgType": "link", "Title": title, "Description": description, "Url": url}
        return await self._message(fields, f"[链接] {title}", {"title": title, "url": url})

    async def message(self, msg_type: str, **fields: Any) -> Delivery:
        """A message of any kind, with the fields given."""
        return await self._message({"MsgType": msg_type} | fields, f"[{msg_type}]")

    async def click(self, key: str) -> Delivery:
        """A menu button of kind click."""
        return await self.event("CLICK", EventKey=key)

    async def event(self, name: str, **fields: Any) -> Delivery:
        """Any event, with the fields given; a click opens the one-minute window."""
        follower = self.world.people_of(self.account).meet(self.openid)
        if name in OPENING_CLICKS:
            follower.open_window("action", ACTION_WINDOW, self.world.now())
        if name == "user_enter_tempsession":
            follower.open_window("action", ENTER_WINDOW, self.world.now())
        key = str(fields.get("EventKey", ""))
        shown = f"{_spoken(name)}：{_label(self.world.menu, key) or key}".removesuffix("：")
        return await self._push({"Event": name} | fields, shown, "act")

    def _ticket(self, scene: str) -> str:
        now = self.world.now()
        for ticket, code in self.world.qr_codes.items():
            if code["scene"] == scene and (code["ends"] is None or code["ends"] > now):
                return ticket
        return "gQ" + secrets.token_urlsafe(48)

    async def scan(self, scene: str) -> Delivery:
        """A QR code with a scene: SCAN from a follower, else a follow with qrscene_."""
        follower = self.world.people.meet(self.openid)
        if not follower.subscribed:
            return await self.follow(scene)
        follower.open_window("action", ACTION_WINDOW, self.world.now())
        fields = {"Event": "SCAN", "EventKey": scene, "Ticket": self._ticket(scene)}
        return await self._push(fields, f"扫描二维码：{scene}", "act")

    async def follow(self, scene: str = "") -> Delivery:
        """The person follows the account, perhaps by a QR code."""
        follower = self.world.people.meet(self.openid)
        self.world.follow(follower, scene)
        follower.open_window("action", ACTION_WINDOW, self.world.now())
        fields: Json = {"Event": "subscribe", "EventKey": f"qrscene_{scene}" if scene else ""}
        if scene:
            fields["Ticket"] = self._ticket(scene)
        return await self._push(fields, f"关注了公众号（扫码：{scene}）" if scene else "关注了公众号", "act")

    async def unfollow(self) -> Delivery:
        """The person leaves."""
        self.world.unfollow(self._follower())
        return await self._push({"Event": "unsubscribe", "EventKey": ""}, "取消了关注", "act")

    async def popup(self, template_ids: list[str], status: str = "accept", scene: int = 1) -> Delivery:
        """The consent window: each accept is one more message, or a lasting one for a long-term template."""
        if status not in ("accept", "reject", "ban"):
            raise Refused("订阅弹窗的回答是 accept 或 reject")
        follower = self.world.people_of(self.account).meet(self.openid)
        for template_id in template_ids:
            template = self.world.templates.get(template_id)
            if template is None:
                raise Refused(f"没有这个模板：{template_id}")
            if template.type == 3:
                (follower.long_term.add if status == "accept" else follower.long_term.discard)(template_id)
            elif status == "accept":
                follower.credits[template_id] = follower.credits.get(template_id, 0) + 1
        answer = {"SubscribeStatusString": status, "PopupScene": scene}
        rows = [{"TemplateId": one} | answer for one in template_ids]
        fields = {"Event": "subscribe_msg_popup_event", "SubscribeMsgPopupEvent": {"List": rows}}
        spoken = "同意" if status == "accept" else "拒绝"
        return await self._push(fields, f"{spoken}订阅：{'、'.join(template_ids)}", "act")

    async def refuse(self, template_id: str) -> Delivery:
        """The person switches a subscription off in the settings."""
        follower = self.world.people_of(self.account).meet(self.openid)
        follower.credits.pop(template_id, None)
        follower.long_term.discard(template_id)
        rows = [{"TemplateId": template_id, "SubscribeStatusString": "reject"}]
        fields = {"Event": "subscribe_msg_change_event", "SubscribeMsgChangeEvent": {"List": rows}}
        return await self._push(fields, f"关闭订阅：{template_id}", "act")


def _spoken(event: str) -> str:
    known = {"CLICK": "点击菜单", "VIEW": "打开网页", "view_miniprogram": "打开小程序"}
    return known.get(event, f"事件 {event}")


def _label(menu: Json | None, key: str) -> str:
    """What the menu calls the button with this key or address."""
    for top in (menu or {}).get("button", []):
        for button in top.get("sub_button") or [top]:
            if key and key in (button.get("key"), button.get("url"), button.get("pagepath")):
                return str(button["name"])
    return ""
