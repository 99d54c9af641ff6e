"""Customer messages, within the windows (§4.5)."""

from collections.abc import Callable, Mapping
from typing import Any

from simulator.api.call import Call, Json, Route
from simulator.api.media import known_media
from simulator.errors import WeChatError
from simulator.people import Follower

TEXT_BYTES = 2048
MENU_ITEMS = 10
TYPING_SECONDS, CONTACT_SECONDS = 15, 30


def _text(_: Call, part: Json) -> None:
    content = part.get("content")
    if not isinstance(content, str) or not content:
        raise WeChatError(44004)
    if len(content.encode()) > TEXT_BYTES:
        raise WeChatError(45002)


def _media(call: Call, part: Json) -> None:
    known_media(call, part.get("media_id"))


def _video(call: Call, part: Json) -> None:
    known_media(call, part.get("media_id"))
    if part.get("thumb_media_id"):
        known_media(call, part["thumb_media_id"])


def _music(call: Call, part: Json) -> None:
    if not part.get("musicurl"):
        raise WeChatError(40035, "musicurl")
    known_media(call, part.get("thumb_media_id"))


def _news(_: Call, part: Json) -> None:
    articles = part.get("articles")
    if not isinstance(articles, list) or not articles:
        raise WeChatError(44003)
    if len(articles) > 1:
        raise WeChatError(45008)
    if not isinstance(articles[0], dict) or not articles[0].get("title"):
        raise WeChatError(45003)
    if len(str(articles[0].get("url", ""))) > 1024:
        raise WeChatError(45005)


def _msgmenu(_: Call, part: Json) -> None:
    choices = part.get("list")
    if not isinstance(choices, list) or not 1 <= len(choices) <= MENU_ITEMS:
        raise WeChatError(45098)
    for choice in choices:
        if not isinstance(choice, dict) or not choice.get("content") or "id" not in choice:
            raise WeChatError(40035, "msgmenu.list")
        if len(str(choice["content"]).encode()) > 256:
            raise WeChatError(45099)


def _named(name: str, code: int = 40035) -> Callable[[Call, Json], None]:
    def check(_: Call, part: Json) -> None:
        if not part.get(name):
            raise WeChatError(code, name)

    return check


def _mini_card(call: Call, part: Json) -> None:
    if part.get("appid", call.world.mini.app_id) != call.world.mini.app_id:
        raise WeChatError(40166)
    if not part.get("pagepath"):
        raise WeChatError(40035, "pagepath")
    known_media(call, part.get("thumb_media_id"))


CHECKS: dict[str, Callable[[Call, Json], None]] = {
    "text": _text,
    "image": _media,
    "voice": _media,
    "video": _video,
    "music": _music,
    "news": _news,
    "mpnews": _media,
    "mpnewsarticle": _named("article_id"),
    "msgmenu": _msgmenu,
    "wxcard": _named("card_id"),
    "miniprogrampage": _mini_card,
    "link": _named("url"),
}
MINI_KINDS = {"text", "image", "link", "miniprogrampage"}
OFFICIAL_KINDS = set(CHECKS) - {"link"}


def check_message(call: Call, kinds: Mapping[str, Callable[[Call, Json], None]]) -> None:
    """Refuse an unknown kind (40008) or a message that is not complete."""
    kind: Any = call.body.get("msgtype")
    if kind not in kinds:
        raise WeChatError(40008)
    kinds[kind](call, call.part(kind, 44004 if kind == "text" else 40035))


def _reader(call: Call) -> Follower:
    follower = call.people.addressee(call.body.get("touser"))
    if follower.refuses_messages:
        raise WeChatError(48002)
    return follower


def send(call: Call) -> Json:
    """One message to one person who wrote or acted a short while ago."""
    follower = _reader(call)
    kind = call.body.get("msgtype")
    if kind in CHECKS and kind not in (MINI_KINDS if call.account.is_mini else OFFICIAL_KINDS):
        raise WeChatError(48008)
    check_message(call, CHECKS)
    follower.spend(call.world.now())
    return {}


def typing(call: Call) -> Json:
    """Show or end 「对方正在输入」."""
    follower = _reader(call)
    now, command = call.world.now(), call.body.get("command")
    if command not in ("Typing", "CancelTyping"):
        raise WeChatError(45072)
    if now - follower.active_at > CONTACT_SECONDS:
        raise WeChatError(45080)
    if command == "Typing" and follower.typing_until > now:
        raise WeChatError(45081)
    follower.typing_until = now + TYPING_SECONDS if command == "Typing" else 0.0
    call.world.tell({"type": "typing", "openid": follower.openid, "on": command == "Typing"})
    return {}


ROUTES = [
    Route("POST", "/cgi-bin/message/custom/send", send, "customer", daily=500_000, records=True),
    Route("POST", "/cgi-bin/message/custom/typing", typing, "customer"),
    Route("POST", "/cgi-bin/message/custom/business/typing", typing, "customer"),
]
