"""rules: what the clock does by itself, why, whether it is switched on, and when it is next due."""

from __future__ import annotations

from datetime import datetime

import click

import clock
from commands import parts as made
from errors import NotFound, RuleBroken
from scheduler.clockwork import Rule
from services import switches

ALWAYS = "常开"


@click.group(short_help="定时规则 · rules of the clock")
def rules() -> None:
    """定时规则：有哪些、为什么、开着没有、下次什么时候；提醒可以开关。

    The rules of the clock: which there are, why, whether they are on, when they are next due. Reminders can be
    switched.
    """


@rules.command("list", short_help="列出 · list")
def list_() -> None:
    """列出每条规则的名称、状态、下次到期和理由。

    Each rule with its name, its state, when it is next due, and its reason.
    """
    parts = made.parts()
    at = clock.now()
    with parts.database.reading() as session:
        for rule in parts.clockwork().rules:
            state = ALWAYS
            if rule.is_on is not None:
                state = "开" if switches.is_rule_on(session, rule.name, usually=rule.is_on) else "关"
            click.echo(f"{rule.name:<15} {state}  下次 {_say(rule.next_due_at(session, at))}  {rule.says}")


@rules.command("on", short_help="打开 · switch on")
@click.argument("name")
def on(name: str) -> None:
    """打开一条规则。

    Switch a rule on.
    """
    _switch(name, on=True)


@rules.command("off", short_help="关闭 · switch off")
@click.argument("name")
def off(name: str) -> None:
    """关闭一条规则；关着的时候到期的，记为“已关闭”，不补办。

    Switch a rule off. What comes due meanwhile is noted as such and not made up for.
    """
    _switch(name, on=False)


def _switch(name: str, *, on: bool) -> None:
    parts = made.parts()
    rule = _switchable(parts.clockwork().rules, name)
    with parts.database.transaction() as session:
        switches.switch_rule(session, rule.name, clock.now(), on=on)
    click.echo(f"已{'打开' if on else '关闭'}：{rule.says}。")


def _switchable(known: list[Rule], name: str) -> Rule:
    """Raises NotFound, RuleBroken."""
    names = "、".join(rule.name for rule in known if rule.is_on is not None)
    rule = next((rule for rule in known if rule.name == name), None)
    if rule is None:
        raise NotFound(f"没有叫“{name}”的规则。可以开关的有：{names}。")
    if rule.is_on is None:
        raise RuleBroken(f"“{name}”（{rule.says}）不能关闭。可以开关的有：{names}。")
    return rule


def _say(due_at: datetime | None) -> str:
    return "（近期没有）" if due_at is None else f"{clock.beijing(due_at):%Y-%m-%d %H:%M}"


COMMANDS: list[click.Command] = [rules]
