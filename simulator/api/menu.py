"""The menu at the bottom of the chat (§4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from simulator.api.call import Call, Json, Route
from simulator.errors import WeChatError

KEYED = {
    "click",
    "scancode_push",
    "scancode_waitmsg",
    "pic_sysphoto",
    "pic_photo_or_album",
    "pic_weixin",
    "location_select",
}
STATIC = {"media_id": "media_id", "view_limited": "media_id", "article_id": "article_id"}
STATIC["article_view_limited"] = "article_id"
KEY_BYTES, URL_BYTES = 128, 1024


@dataclass(frozen=True, slots=True)
class Level:
    """The codes and the name length (bytes) of a menu level; WeChat numbers them apart."""

    kind: int
    name: int
    key: int
    url: int
    name_bytes: int


TOP = Level(40017, 40018, 40019, 40020, 16)
SUB = Level(40024, 40025, 40026, 40027, 60)


def _size(value: object) -> int:
    return len(value.encode()) if isinstance(value, str) else 0


def _check(button: Any, level: Level) -> None:
    if not isinstance(button, dict):
        raise WeChatError(level.kind)
    if not 1 <= _size(button.get("name")) <= level.name_bytes:
        raise WeChatError(level.name)
    if button.get("sub_button"):
        if level is SUB:
            raise WeChatError(40022)
        _check_all(button["sub_button"], SUB, 5, 40023)
        return
    kind = button.get("type")
    if kind in KEYED:
        if not 1 <= _size(button.get("key")) <= KEY_BYTES:
            raise WeChatError(level.key)
    elif kind in ("view", "miniprogram"):
        _check_link(button, level)
    elif kind not in STATIC or not button.get(STATIC[kind]):
        raise WeChatError(level.kind)


def _check_link(button: Json, level: Level) -> None:
    url = button.get("url")
    if not 1 <= _size(url) <= URL_BYTES:
        raise WeChatError(level.url)
    if urlsplit(str(url)).scheme not in ("http", "https"):
        raise WeChatError(40055)
    if button["type"] == "miniprogram":
        if not str(button.get("appid", "")).startswith("wx"):
            raise WeChatError(40166)
        if not button.get("pagepath"):
            raise WeChatError(level.key, "pagepath")


def _check_all(buttons: Any, level: Level, most: int, code: int) -> None:
    if not isinstance(buttons, Sequence) or isinstance(buttons, str) or not 1 <= len(buttons) <= most:
        raise WeChatError(code)
    for button in buttons:
        _check(button, level)


def create(call: Call) -> Json:
    """Replace the whole menu."""
    _check_all(call.body.get("button"), TOP, 3, 40016)
    for button in _flat(call.body["button"]):
        if button.get("type") == "miniprogram" and button["appid"] != call.world.mini.app_id:
            raise WeChatError(45064)
    call.world.menu = {"button": call.body["button"], "menuid": 430_000_001}
    call.world.tell({"type": "menu", "menu": call.world.menu})
    return {}


def _flat(buttons: Sequence[Json]) -> list[Json]:
    return [one for top in buttons for one in (top.get("sub_button") or [top])]


def get(call: Call) -> Json:
    """The menu as it was made, with ``sub_button`` everywhere."""
    if call.world.menu is None:
        raise WeChatError(46003)
    buttons = [{"sub_button": [], **button} for button in call.world.menu["button"]]
    return {"menu": {"button": buttons, "menuid": call.world.menu["menuid"]}}


def delete(call: Call) -> Json:
    """No menu any more."""
    call.world.menu = None
    call.world.tell({"type": "menu", "menu": None})
    return {}


def current(call: Call) -> Json:
    """Whatever is shown now, in the other spelling."""
    if call.world.menu is None:
        return {"is_menu_open": 0}
    buttons = []
    for button in call.world.menu["button"]:
        shown = dict(button)
        if button.get("sub_button"):
            shown["sub_button"] = {"list": button["sub_button"]}
        buttons.append(shown)
    return {"is_menu_open": 1, "selfmenu_info": {"button": buttons}}


ROUTES = [
    Route("POST", "/cgi-bin/menu/create", create, "menu", daily=1000),
    Route("GET", "/cgi-bin/menu/get", get, "menu", daily=10_000),
    Route("GET", "/cgi-bin/menu/delete", delete, "menu", daily=1000),
    Route("GET", "/cgi-bin/get_current_selfmenu_info", current, "menu", daily=10_000),
]
