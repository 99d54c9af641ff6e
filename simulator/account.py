"""The accounts that live here: the official account, the mini program, and their templates."""

import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from simulator.errors import Refused

Mode = Literal["plain", "compatible", "safe"]
OFFICIAL_APP_ID = "wxf0a1b2c3d4e5f607"
MINI_APP_ID = "wxa1b2c3d4e5f60718"
CALLBACK_URL = "http://127.0.0.1:8000/wechat"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
CHOICES = {
    "mode": ("plain", "compatible", "safe"),
    "account_type": ("service", "subscription"),
    "format": ("xml", "json"),
}


@dataclass(frozen=True, slots=True)
class Account:
    """What an account's page in mp.weixin.qq.com would say; ``callback_url`` empty = no push."""

    app_id: str = OFFICIAL_APP_ID
    app_secret: str = "0123456789abcdef0123456789abcdef"  # noqa: S105  # known to everybody on purpose
    original_id: str = "gh_0a1b2c3d4e5f"
    token: str = "localwechat"  # noqa: S105
    encoding_aes_key: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    mode: str = "safe"
    account_type: str = "service"
    verified: bool = True
    callback_url: str = CALLBACK_URL
    format: str = "xml"
    is_mini: bool = False

    def with_changes(self, changes: dict[str, Any], *, allow_remote: bool = False) -> "Account":
        """The account with other settings, each of them checked."""
        known = asdict(self)
        for name, value in changes.items():
            if name not in known or name == "is_mini":
                raise Refused(f"没有这个设置：{name}")
            if name in CHOICES and value not in CHOICES[name]:
                raise Refused(f"{name} 只能是 {'、'.join(CHOICES[name])}")
            if not isinstance(value, type(known[name])):
                raise Refused(f"{name} 的类型应为 {type(known[name]).__name__}")
        if not allow_remote and not is_loopback(changes.get("callback_url", "")):
            raise Refused("callback_url 不是本机地址；确实需要时加 --allow-remote")
        if not re.fullmatch(r"[A-Za-z0-9+/]{43}", changes.get("encoding_aes_key", "A" * 43)):
            raise Refused("encoding_aes_key 应为 43 个字母和数字")
        return replace(self, **changes)


def is_loopback(url: str) -> bool:
    """Whether a callback address stays on this machine (an empty one does)."""
    return not url or (urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname in LOOPBACK)


MINI = Account(
    app_id=MINI_APP_ID,
    app_secret="fedcba9876543210fedcba9876543210",  # noqa: S106
    original_id="gh_5f4e3d2c1b0a",
    token="localmini",  # noqa: S106
    encoding_aes_key="GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba",
    callback_url="",
    is_mini=True,
)


@dataclass(frozen=True, slots=True)
class Template:
    """A private template: typed key → label (§4.6, §4.7). Type 2 is one-time, 3 long-term."""

    id: str
    title: str
    fields: dict[str, str]
    type: int = 2
    examples: dict[str, str] = field(default_factory=dict)
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """The text in which a client finds the key names."""
        return "\n".join(f"{label}:{{{{{key}.DATA}}}}" for key, label in self.fields.items())

    @property
    def example(self) -> str:
        """The sample that WeChat shows next to the content."""
        return "\n".join(f"{label}:{self.examples.get(key, '')}" for key, label in self.fields.items())


TEMPLATES = (
    Template(
        "SIM-study-day-notice",
        "党员学习日通知",
        {"thing1": "学习主题", "time2": "时间", "thing3": "党支部", "thing4": "提示"},
        examples={
            "thing1": "学习党章",
            "time2": "2026年11月13日 08:30",
            "thing3": "机关党支部",
            "thing4": "回复签到",
        },
    ),
    Template(
        "SIM-notice",
        "工作通知",
        {"thing1": "标题", "thing2": "内容", "thing3": "发布单位", "time4": "时间"},
        type=3,
        examples={
            "thing1": "会议通知",
            "thing2": "周五开会",
            "thing3": "市法学会",
            "time4": "2026年11月13日 09:00",
        },
    ),
    Template(
        "SIM-consultation-update",
        "咨询进展",
        {"character_string1": "编号", "phrase2": "状态", "thing3": "说明", "time4": "时间"},
        examples={
            "character_string1": "C20261113-001",
            "phrase2": "已回复",
            "thing3": "请查看",
            "time4": "2026年11月13日 10:00",
        },
    ),
    Template(
        "SIM-consultation-assigned",
        "新咨询待处理",
        {"character_string1": "编号", "thing2": "事项", "thing3": "地区", "time4": "时间"},
        examples={
            "character_string1": "C20261113-001",
            "thing2": "劳动争议",
            "thing3": "市区",
            "time4": "2026年11月13日 10:00",
        },
    ),
)

# Templates that api_add_template and addtemplate can fetch from WeChat's library, by short id or tid.
LIBRARY = {
    "TM00015": Template("", "订单通知", {"character_string1": "订单号", "thing2": "商品", "time3": "时间"}),
    "401": Template("", "活动通知", {"thing1": "名称", "time2": "时间", "thing3": "地点", "phrase4": "状态"}),
    "99": Template("", "审核结果", {"phrase1": "结果", "thing2": "说明", "time3": "时间"}),
}

# §6, columns: unverified subscription, verified subscription, unverified service, verified service.
_ALL, _VERIFIED, _SERVICE, _MENU = "1111", "0101", "0001", "0111"
MATRIX = {
    "basic": _ALL,
    "customer": _VERIFIED,
    "mass": _VERIFIED,
    "mass_openid": _SERVICE,
    "template": _SERVICE,
    "subscribe": _SERVICE,
    "one_time": _VERIFIED,
    "users": _VERIFIED,
    "oauth": _SERVICE,
    "qrcode": _SERVICE,
    "shorten": _SERVICE,
    "menu": _MENU,
    "media": _VERIFIED,
    "ticket": _ALL,
}
MINI_MAY = {"basic", "customer", "media", "newtmpl", "mini"}


def may(account: Account, needs: str) -> bool:
    """Whether this kind of account has the capability (§6); without it WeChat answers 48001."""
    if account.is_mini:
        return needs in MINI_MAY
    if needs == "newtmpl":
        needs = "subscribe"
    column = 2 * (account.account_type == "service") + account.verified
    return needs in MATRIX and MATRIX[needs][column] == "1"
