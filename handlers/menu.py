"""The account's menu: read from top to bottom, published by `python app.py menu publish`."""

from __future__ import annotations

from bot.menu import Button

MENU = (
    Button(
        "党员服务",
        under=(
            Button("签到", "CHECK_IN"),
            Button("请假", "LEAVE"),
            Button("我的", "MINE"),
            Button("绑定", "BIND"),
        ),
    ),
    Button(
        "法律咨询",
        under=(
            Button("我要咨询", "CONSULT"),
            Button("查询进展", "CASES"),
            Button("附近服务站", "STATIONS"),
        ),
    ),
    Button("帮助", "HELP"),
)
