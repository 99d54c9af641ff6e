"""登录确认: somebody scanned the code of the console's login page; the phone asks whether it was they (F136)."""

from __future__ import annotations

from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Turn
from clock import say_time
from errors import RuleBroken
from services.entry import scans

HOW = "请用微信“扫一扫”，扫电脑上控制台登录页的码。"
NOT_I = "不是我"


topic = Router()


@topic.text("扫码登录", scene=scans.SCENE)
def scanned(turn: Turn) -> Reply:
    if turn.message.kind != "event" or not turn.rest:
        return HOW
    try:
        row = scans.scanned(turn.session, turn.openid, turn.rest, turn.at)
    except RuleBroken as refused:
        return str(refused)
    where = f"{_browser(row.browser)}，{row.address}，{say_time(row.made_at)}"
    return (
        f"有人要在电脑上登录控制台（{where}）。是您本人吗？\n"
        f"是：{tap('确认登录')}\n不是：{tap(NOT_I)}\n别人发来的码、电话里让您扫的码，都请点“{NOT_I}”。"
    )


@topic.text("确认登录")
def confirm(turn: Turn) -> Reply:
    scans.decide(turn.session, turn.openid, turn.at, accept=True)
    return "已确认，电脑上马上登录。"


@topic.text(NOT_I, "取消登录")
def refuse(turn: Turn) -> Reply:
    scans.decide(turn.session, turn.openid, turn.at, accept=False)
    return "已取消，那台电脑登录不了。这件事已经记下；若不是您扫的，请告诉市法学会办公室。"


def _browser(agent: str) -> str:
    """As its owner knows it."""
    names = {"Edg/": "Edge", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
    return next((name for mark, name in names.items() if mark in agent), "浏览器")
