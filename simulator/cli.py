"""The command line: serve, or drive a server that runs."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from functools import update_wrapper
from pathlib import Path
from typing import Any

import click

from simulator.account import CALLBACK_URL, Account
from simulator.clock import BEIJING
from simulator.errors import Refused
from simulator.forgeries import KINDS, explain
from simulator.phone import LocalWeChat, Phone, Unreachable
from simulator.server import serving
from simulator.world import World

Json = dict[str, Any]
AS_JSON = click.option("--json", "as_json", is_flag=True, help="全部细节，JSON 格式 / every detail as JSON")
MINI = click.option("--mini", is_flag=True, help="小程序 / the mini program instead of the official account")
LOSE = click.option("--lose-reply", "lose_replies", default=0, metavar="N", help="前 N 次回复丢失 / lose N answers")
REPEAT = click.option("--retry", "repeat", default=1, metavar="N", help="共推送 N 次 / deliver N times in all")
PERSON = click.argument("openid")


class Commands(click.Group):
    """Serves when no command is named; ends with one sentence and exit code 1 when something did not work."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not any(one in self.commands or one == "--help" for one in args) and (args or ["-"])[0][0] == "-":
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as error:
            raise click.ClickException(str(error)) from error
        except Unreachable as error:
            raise click.ClickException(f"{error}（本地微信没有运行；先执行 python -m simulator）") from error


@click.group(cls=Commands, context_settings={"auto_envvar_prefix": "SIM"})
@click.option("--url", default="http://127.0.0.1:8001", show_default=True, help="本地微信的地址 / where it runs")
@click.pass_context
def main(context: click.Context, url: str) -> None:
    """本地微信：没有微信也能运行、演示和测试。不带命令时启动服务。

    The local WeChat. Without a command it serves on 127.0.0.1:8001; the commands drive a server that runs.
    People may be named by openid or nickname: say 张伟 签到
    """
    context.obj = LocalWeChat(url)


@main.command(context_settings={"auto_envvar_prefix": "SIM"})
@click.option("--host", default="127.0.0.1", show_default=True, help="监听地址 / address to bind")
@click.option("--port", default=8001, show_default=True, help="端口 / port")
@click.option("--callback-url", default=CALLBACK_URL, show_default=True, help="机器人的地址 / the bot's callback URL")
@click.option("--mini-callback-url", default="", help="小程序消息推送地址 / callback URL of the mini program")
@click.option("--mini-format", type=click.Choice(["xml", "json"]), default="xml", show_default=True)
@click.option("--mode", type=click.Choice(["plain", "compatible", "safe"]), default="safe", show_default=True)
@click.option("--account-type", type=click.Choice(["service", "subscription"]), default="service", show_default=True)
@click.option("--verified/--unverified", default=True, show_default=True, help="是否微信认证 / verified account")
@click.option("--app-id", default=Account().app_id, show_default=True)
@click.option("--app-secret", default=Account().app_secret, show_default=True)
@click.option("--original-id", default=Account().original_id, show_default=True)
@click.option("--token", default=Account().token, show_default=True)
@click.option("--encoding-aes-key", default=Account().encoding_aes_key, show_default=True)
@click.option(
    "--state", type=click.Path(path_type=Path, dir_okay=False), help="保存聊天和记录的文件 / keep state in a file"
)
@click.option(
    "--allow-remote", is_flag=True, help="允许非本机的回调地址和访问 / permit addresses beyond this machine"
)
def serve(
    host: str,
    port: int,
    mini_callback_url: str,
    mini_format: str,
    state: Path | None,
    allow_remote: bool,
    **settings: Any,
) -> None:
    """启动本地微信（默认命令） / run the server."""
    world = World(allow_remote=allow_remote)
    world.official = world.official.with_changes(settings, allow_remote=allow_remote)
    mini = {"callback_url": mini_callback_url, "format": mini_format}
    world.mini = world.mini.with_changes(mini, allow_remote=allow_remote)
    if not allow_remote and host not in ("127.0.0.1", "localhost", "::1"):
        raise Refused("--host 不是本机地址；确实需要时加 --allow-remote")
    try:
        asyncio.run(_serve(world, host, port, state))
    except OSError as error:
        raise Refused(f"无法监听 {host}:{port}，端口可能已被占用") from error


async def _serve(world: World, host: str, port: int, state: Path | None) -> None:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ending.set)
    async with serving(world, host, port, state) as bound:
        click.echo(f"本地微信 · 演示：http://{host}:{bound}/  机器人：{world.official.callback_url}")
        await ending.wait()


def _show(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def acting(command: Callable[..., str]) -> click.Command:
    """A command in which a person does something: prints what they read; exit 1 at the fault notice."""

    def run(wechat: LocalWeChat, /, openid: str, as_json: bool, mini: bool, **given: Any) -> None:
        phone = wechat.phone(openid, mini=mini)
        count = given.pop("count", False)
        command(phone, **{name: value for name, value in given.items() if value is not None})
        _tell(phone.last or {}, as_json=as_json, count=count)

    decorated: Callable[..., Any] = click.pass_obj(update_wrapper(run, command))
    for decorate in (AS_JSON, MINI, REPEAT, LOSE, PERSON):
        decorated = decorate(decorated)
    return main.command(command.__name__.rstrip("_"))(decorated)


def _tell(last: Json, *, as_json: bool, count: bool) -> None:
    if as_json:
        _show(last)
    elif count:
        heard = [one["text"] for one in last["tries"] if one["status"]]
        click.echo(f"{len(last['tries'])} {len(set(heard))}")
    elif len(last["tries"]) > 1 and last["outcome"] != "fault":
        for one in last["tries"]:
            click.echo("（回复丢失）" if one["lost"] or not one["status"] else one["text"])
    else:
        click.echo(last["reply"])
    if last.get("outcome") == "fault":
        click.echo(last["reason"], err=True)
        sys.exit(1)


@acting
@click.argument("text")
@click.option("--msg-id", help="用这个 MsgId / use this MsgId")
@click.option("--count", is_flag=True, help="只打印推送次数和不同回复数 / print tries and different replies")
def say(phone: Phone, text: str, **how: Any) -> str:
    """发文字消息 / write a text message."""
    return phone.says(text, **how)


@acting
@click.argument("text")
@click.option("--id", default="101", show_default=True, help="菜单编号 / bizmsgmenuid")
def tap(phone: Phone, text: str, id: str, **how: Any) -> str:
    """点消息里的菜单链接 / tap a menu link in a message."""
    return phone.do("tap", text=text, id=id, **how)


@acting
@click.argument("key")
def click_(phone: Phone, key: str, **how: Any) -> str:
    """点公众号菜单 / press a menu button."""
    return phone.clicks(key, **how)


@acting
@click.argument("scene")
def scan(phone: Phone, scene: str, **how: Any) -> str:
    """扫带参数的二维码 / scan a QR code with a scene."""
    return phone.scans(scene, **how)


@acting
@click.option("--scene", default="", help="二维码场景 / scene of the QR code")
def follow(phone: Phone, scene: str, **how: Any) -> str:
    """关注公众号 / follow the account."""
    return phone.follows(scene, **how)


@acting
def unfollow(phone: Phone, **how: Any) -> str:
    """取消关注 / unfollow."""
    return phone.do("unfollow", **how)


@acting
@click.option("--recognition", help="语音识别的文字 / recognised text")
def voice(phone: Phone, recognition: str | None = None, **how: Any) -> str:
    """发语音 / send a voice message."""
    return phone.sends_voice(recognition, **how)


@acting
def image(phone: Phone, **how: Any) -> str:
    """发图片 / send a picture."""
    return phone.sends_image(**how)


@acting
def video(phone: Phone, **how: Any) -> str:
    """发视频 / send a video."""
    return phone.sends_video(**how)


@acting
@click.argument("place", metavar="LAT,LNG")
@click.option("--label", default="", help="地点名称 / name of the place")
def location(phone: Phone, place: str, label: str, **how: Any) -> str:
    """发位置 / send a place."""
    latitude, _, longitude = place.partition(",")
    return phone.do("location", latitude=latitude, longitude=longitude, label=label, **how)


@acting
@click.option("--title", default="网页", show_default=True)
@click.option("--link-url", default="https://example.com/", show_default=True)
def link(phone: Phone, title: str, link_url: str, **how: Any) -> str:
    """分享网页 / share a page."""
    return phone.sends_link(title, link_url, **how)


@acting
@click.argument("name")
@click.argument("fields", nargs=-1, metavar="[K=V]...")
def event(phone: Phone, name: str, fields: tuple[str, ...], **how: Any) -> str:
    """任意事件 / any event, such as: event 张伟 VIEW EventKey=https://example.com."""
    return phone.event(name, **_pairs(fields), **how)


def _pairs(fields: tuple[str, ...]) -> dict[str, str]:
    if not all("=" in one for one in fields):
        raise click.BadParameter("fields look like NAME=VALUE")
    return dict(one.split("=", 1) for one in fields)


@acting
@click.argument("template")
@click.argument("answer", type=click.Choice(["accept", "reject"]))
def popup(phone: Phone, template: str, answer: str, **how: Any) -> str:
    """回答订阅弹窗 / answer the consent window of a template."""
    return phone.do("popup", template_ids=[template], status=answer, **how)


@main.command()
@click.option("--mode", type=click.Choice(["aes", "plain"]), help="加密方式 / mode; the echo is plain in both")
@MINI
@AS_JSON
@click.pass_obj
def verify(wechat: LocalWeChat, mode: str | None, mini: bool, as_json: bool) -> None:
    """验证回调地址 / check the callback URL as WeChat does."""
    given = {"mode": {"aes": "safe", "plain": "plain"}[mode]} if mode else {}
    result = wechat.verify(mini=mini, **given)
    if as_json:
        _show(result)
    else:
        click.echo(
            "ok" if result["ok"] else f"failed: HTTP {result['status']} {result['error'] or result['body'][:200]}"
        )
    sys.exit(0 if result["ok"] else 1)


@main.command(
    help="伪造请求 / a forged request: its kinds are\n\n\b\n" + "\n".join(f"{k:16} {explain(k)}" for k in KINDS)
)
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("openid", default="张伟")
@click.option("--text", default="签到", show_default=True)
@MINI
@AS_JSON
@click.pass_obj
def forge(wechat: LocalWeChat, kind: str, openid: str, text: str, mini: bool, as_json: bool) -> None:
    """Prints the bot's status and body."""
    result = wechat.forge(kind, openid, text=text, mini=mini)
    if as_json:
        _show(result)
    else:
        click.echo(f"{result['status']} {result['body'] or result['error']}".strip())
    sys.exit(0 if result["status"] else 1)


@main.command()
@PERSON
@AS_JSON
@click.pass_obj
def chat(wechat: LocalWeChat, openid: str, as_json: bool) -> None:
    """整个聊天记录 / the whole conversation, pushed messages too."""
    lines = wechat.phone(openid).chat()
    if as_json:
        _show(lines)
        return
    for line in lines:
        who = {"person": "我", "account": "公众号", "notice": "—"}[line["side"]]
        click.echo(f"[{_hour(line['at'])}] {who}：{line['text']}")


def _hour(at: float) -> str:
    return datetime.fromtimestamp(at, BEIJING).strftime("%m-%d %H:%M:%S")


@main.command()
@click.option("--openid", help="只看此人 / only to this person")
@click.option("--path", help="只看此接口 / only this API path")
@click.option("--count", is_flag=True, help="只打印人数、条数、单人最多 / print people, sends, most per person")
@AS_JSON
@click.pass_obj
def sent(wechat: LocalWeChat, openid: str | None, path: str | None, count: bool, as_json: bool) -> None:
    """机器人发出的消息 / what the bot sent."""
    if count:
        counts = wechat.counts(path)
        click.echo(f"{counts['people']} {counts['total']} {counts['most']}")
        return
    entries = wechat.sent(openid, path)
    if as_json:
        _show(entries)
        return
    for one in entries:
        body = json.dumps(one["body"], ensure_ascii=False)
        click.echo(f"[{_hour(one['at'])}] {one['errcode']} {one['path']} {one['openid']} {body}")


@main.command()
@AS_JSON
@click.pass_obj
def people(wechat: LocalWeChat, as_json: bool) -> None:
    """演示人物 / who is there."""
    rows = wechat.people()
    if as_json:
        _show(rows)
        return
    for row in rows:
        follows = "" if row["subscribed"] else "（已取消关注）"
        click.echo(f"{row['nickname']}  {row['openid']}  {row['hint']}{follows}")


@main.command()
@click.argument("path", default="*")
@click.option("--code", default=-1, show_default=True, help="错误码或 HTTP 状态 / errcode, or status for http")
@click.option(
    "--kind",
    type=click.Choice(["error", "http", "hang", "hang_after", "drop", "drop_after"]),
    default="error",
    show_default=True,
)
@click.option("--times", type=int, help="几次；不写则一直 / how many calls; for ever unless told")
@click.option("--percent", default=100.0, show_default=True)
@click.option("--seed", type=int)
@click.option("--clear", is_flag=True, help="取消全部故障和延迟 / no faults, no delays")
@click.pass_obj
def inject(wechat: LocalWeChat, /, path: str, clear: bool, **how: Any) -> None:
    """让接口出故障 / let API calls fail."""
    if clear:
        wechat.heal()
    else:
        _show(wechat.inject(path, **how))


@main.command()
@click.argument("low", type=float)
@click.argument("high", type=float, required=False)
@click.option("--path", default="*", show_default=True)
@click.pass_obj
def latency(wechat: LocalWeChat, low: float, high: float | None, path: str) -> None:
    """让接口变慢（秒） / answer only after so many seconds; 0 ends it."""
    _show(wechat.latency(low, high, path))


@main.command()
@click.argument("action", type=click.Choice(["show", "set", "advance", "real"]), default="show")
@click.argument("value", required=False)
@click.pass_obj
def clock(wechat: LocalWeChat, action: str, value: str | None) -> None:
    """本地微信的时钟 / show, set 2026-11-13T08:30, advance 48h, real."""
    if action in ("set", "advance") and not value:
        raise click.BadParameter(f"{action} needs a value")
    given: Json = {"set": value} if action == "set" else {"real": True} if action == "real" else {}
    if action == "advance":
        given = {"advance": _seconds(str(value))}
    click.echo(wechat.post("clock", **given)["iso"])


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    try:
        return float(text[:-1]) * units[text[-1]] if text[-1] in units else float(text)
    except ValueError as error:
        raise click.BadParameter("a length of time looks like 90, 90s, 15m, 48h or 7d") from error


@main.command()
@click.argument("changes", nargs=-1, metavar="[NAME=VALUE]...")
@click.pass_obj
def settings(wechat: LocalWeChat, changes: tuple[str, ...]) -> None:
    """查看或修改设置 / show or change settings, such as: settings mode=plain verified=false."""
    words: Json = {"true": True, "false": False}
    _show(wechat.settings(**{name: words.get(value, value) for name, value in _pairs(changes).items()}))


@main.command()
@click.pass_obj
def menu(wechat: LocalWeChat) -> None:
    """公众号菜单 / the menu the bot created."""
    _show(wechat.menu())


@main.command()
@click.option("--limit", default=10, show_default=True)
@click.pass_obj
def callbacks(wechat: LocalWeChat, limit: int) -> None:
    """最近的推送结果 / what became of the latest pushes."""
    _show(wechat.callbacks(limit))


@main.command()
@click.argument("path")
@click.pass_obj
def calls(wechat: LocalWeChat, path: str) -> None:
    """某接口被调用的次数 / how often an API path was called."""
    click.echo(wechat.calls(path))


@main.command()
@click.pass_obj
def reset(wechat: LocalWeChat) -> None:
    """清空聊天和记录 / forget all chats and sends; settings stay."""
    wechat.reset()
