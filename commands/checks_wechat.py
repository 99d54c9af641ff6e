"""What the doctor asks WeChat, and what it asks our own callback in WeChat's place (pitfall 19)."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import requests
from sqlalchemy.exc import SQLAlchemyError

import app
import clock
from bot import menu as menus
from bot import replies
from bot.client import CallFailed, Client, clock_of, stable_token
from bot.crypto import Envelope, signature
from bot.tokens import TokenUnavailable
from config import Settings, WeChat
from errors import ConfigurationError
from handlers.menu import MENU
from models import RegisteredTemplate
from scheduler import template_checks
from services.findings import Finding, Findings, bad, good, note
from services.sending import templates as registry

#: A callback whose time differs by more than five minutes is refused (bot/webhook.py); warn long before.
SKEW_WARNS = timedelta(seconds=60)
CALLBACK_SECONDS = 5


# --- WeChat --------------------------------------------------------------------------------------------------


def account(parts: app.Parts) -> Findings:
    """The account's calls: token, address, templates, menu."""
    we = parts.settings.wechat
    try:
        stable_token(we.api_base_url, we.app_id, we.app_secret, we.timeout_seconds)
        yield good("微信：取到 access_token，AppID 与 AppSecret 相符")
    except TokenUnavailable as error:
        is_down = we.is_local and "连不上" in str(error)
        yield bad(f"微信：{error}", "本地微信没有运行？python -m simulator" if is_down else "")
        return
    yield from _skew(we)
    client = parts.clients["official"]
    try:
        yield good(f"微信：接口可用，回调来自 {len(client.callback_addresses())} 个地址段")
        yield from _templates(client, we)
        yield from menu(client.menu())
    except (CallFailed, TokenUnavailable) as error:
        yield bad(f"微信：{error}")
    except (SQLAlchemyError, ConfigurationError):
        yield note("微信：数据库不能用，没有检查模板和菜单")


def _skew(we: WeChat) -> Findings:
    theirs = clock_of(we.api_base_url, we.timeout_seconds)
    if theirs is None:
        return
    skew = abs(clock.now() - theirs)
    seconds = int(skew.total_seconds())
    if skew > SKEW_WARNS:
        yield bad(f"时钟：与微信相差 {seconds} 秒，超过 5 分钟的回调会被拒收", "校准本机时钟（NTP）")
    else:
        yield good(f"时钟：与微信相差 {seconds} 秒")


def _templates(client: Client, we: WeChat) -> Findings:
    """As they are now, whatever the registry remembers."""
    subscriptions = client.subscription_templates() if we.subscriptions else []
    there = registry.read(client.templates(), subscriptions)
    rows = [RegisteredTemplate(id=template_id, **values) for template_id, values in there.items()]
    yield from template_checks.check(we, rows)


def menu(published: dict[str, object] | None) -> Findings:
    """The menu that people see, against the one that stands in the code."""
    if published is None:
        yield note("菜单：还没有发布", "python app.py menu publish")
    elif _menu_words(published.get("button")) != _menu_words(menus.payload(MENU)["button"]):
        yield note("菜单：已发布的与这个版本的不同", "python app.py menu publish")
    else:
        yield good("菜单：已发布，与这个版本一致")


def _menu_words(buttons: object) -> list[object]:
    if not isinstance(buttons, list):
        return []
    return [(b.get("name"), b.get("key") or "", _menu_words(b.get("sub_button") or [])) for b in buttons]


# --- the callback --------------------------------------------------------------------------------------------


def callback(settings: Settings, at: datetime) -> Findings:
    """What WeChat would do: verify the address, then send a signed message; ours is too empty to be stored."""
    url = settings.server.base_url.rstrip("/") + "/wechat"
    we, echo, nonce, now = settings.wechat, secrets.token_hex(8), secrets.token_hex(5), str(int(at.timestamp()))
    asked = {"timestamp": now, "nonce": nonce, "signature": signature(we.token, now, nonce)}
    try:
        greeting = requests.get(url, {**asked, "echostr": echo}, timeout=CALLBACK_SECONDS, allow_redirects=False)
        body, more = _message(we, now, nonce)
        answer = requests.post(url, body, params={**asked, **more}, timeout=CALLBACK_SECONDS, allow_redirects=False)
    except requests.ConnectionError:
        yield bad(f"回调：连不上 {url}", "机器人没有运行？python app.py run；或 server.base_url 填错、防火墙拦住")
    except requests.Timeout:
        yield bad(f"回调：{url} 在 {CALLBACK_SECONDS} 秒内没有回答", "微信只等 5 秒；看机器人是否卡住")
    except requests.RequestException as error:
        yield bad(f"回调：{url} 不能访问（{type(error).__name__}）", "检查 server.base_url")
    else:
        yield _judged_greeting(url, greeting, echo)
        yield _judged_message(we, answer)


def _message(we: WeChat, now: str, nonce: str) -> tuple[bytes, dict[str, str]]:
    """A message without a sender, signed and closed as the mode wants it."""
    empty = b"<xml><ToUserName>doctor</ToUserName></xml>"
    if we.mode == "plain":
        return empty, {}
    sealed = Envelope(we.encoding_aes_key, we.app_id).close(empty)
    more = {"encrypt_type": "aes", "msg_signature": signature(we.token, now, nonce, sealed)}
    return f"<xml><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>".encode(), more


def _judged_greeting(url: str, answer: requests.Response, echo: str) -> Finding:
    if answer.status_code == 200 and answer.text == echo:
        return good(f"回调：{url} 通过地址验证")
    if answer.status_code == 403:
        return bad(
            f"回调：地址验证被拒：{answer.text[:100]}",
            "运行中的机器人用的 wechat.token 与这里的不同？改配置后要重新启动",
        )
    if answer.status_code in {404, 405, 301, 302, 307, 308}:
        return bad(f"回调：{url} 返回 {answer.status_code}，那里没有机器人", "检查 server.base_url 和代理的转发路径")
    return bad(f"回调：{url} 返回 {answer.status_code}，内容不是验证串", "这个地址可能是别的程序，或代理改动了内容")


def _judged_message(we: WeChat, answer: requests.Response) -> Finding:
    # The last check of all is the one an empty message fails; whoever gets there passed the others.
    if answer.status_code == 400 and "FromUserName" in answer.text:
        way = "签名" if we.mode == "plain" else "签名和解密"
        return good(f"回调：{we.mode} 模式的消息通过{way}检查（试验消息没有存下）")
    if answer.status_code in {400, 403}:
        return bad(
            f"回调：试验消息被拒：{answer.text[:100]}", "运行中的机器人与这里的 wechat 配置不同？改配置后要重新启动"
        )
    if answer.content == replies.SUCCESS:
        return bad("回调：机器人接受了没有发信人的消息", "这个地址可能不是本程序")
    return bad(f"回调：试验消息得到 {answer.status_code}", "看机器人的日志")
