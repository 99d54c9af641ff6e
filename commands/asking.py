"""calendar, commands, tick: what the calendar says, what can be said in the chat, what the clock would do."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

import app
import clock
from commands import parts as made
from errors import ConfigurationError, RuleBroken
from models import Notice, Outgoing, SendState
from scheduler.clockwork import Decision
from services import switches
from services.meetings import rhythm
from services.meetings.calendar_text import render, render_activity
from services.sending import ladder, reach
from services.sending.ladder import Account, Footing

#: A `tick` that is not now may only send to this very machine (product.md §3).
IS_NOW = timedelta(minutes=1)


@click.command(short_help="学习日与活动日 · study days and activity days")
@click.argument("period", metavar="YEAR[-MONTH]")
@click.option("--activity", is_flag=True, help="只看活动日，两种读法并列 · activity days in both readings")
def calendar(period: str, activity: bool) -> None:
    """打印一年或一个月的学习日、活动日，并说明每个日子的由来。

    Print a year (2026) or a month (2026-11) with the reason for each day.
    """
    year, month = _period(period)
    parts = made.parts()
    with parts.database.reading() as session:
        of = rhythm.calendar(session, parts.settings.calendar)
    click.echo(render_activity(of, year) if activity else render(of, year, month))


def _period(text: str) -> tuple[int, int | None]:
    try:
        day = datetime.strptime(text, "%Y-%m" if "-" in text else "%Y")  # noqa: DTZ007 - a month has no zone
    except ValueError:
        raise click.UsageError(f"{text} 看不懂，应为 2026 或 2026-11。") from None
    if not 1950 <= day.year <= 2100:
        raise click.UsageError("年份应在 1950 到 2100 之间。")
    return day.year, day.month if "-" in text else None


@click.command(short_help="聊天里能说什么 · what can be said in the chat")
def commands() -> None:
    """打印聊天里的全部命令：先是“帮助”里的，再是不在“帮助”里的。

    Print every chat command: those that 帮助 lists, then those that other replies lead to.
    """
    parts = made.parts(must_be_current=False)
    for route in parts.router.help():
        number = f"{route.number}" if route.number is not None else ""
        aliases = "、".join(route.words[1:])
        more = "；".join(x for x in (aliases and f"也可说：{aliases}", route.menu and f"菜单：{route.menu}") if x)
        group = f"【{route.group}】" if route.group else ""
        click.echo(f"{number:>2} {group}{route.help}{f'（{more}）' if more else ''}")
    click.echo("\n不在“帮助”里、由别的答复带出来的：")
    for route in parts.router.routes:
        if not route.help:
            click.echo(f"   {'、'.join(route.words)}")


@click.command(short_help="按某一刻办理到期事项 · decide what is due at an instant")
@click.option("--at", "instant", required=True, metavar="ISO", help="例如 2026-11-27T08:30，不带时区即北京时间")
@click.option("--dry-run", is_flag=True, help="只打印会发给谁、为什么 · print only")
def tick(instant: str, dry_run: bool) -> None:
    """办理在那一刻到期的全部事项并发送，然后退出。

    Decide and do everything due at that instant, then exit. A time that is not now sends only to a
    loopback address.
    """
    try:
        at = clock.parse_instant(instant)
    except ValueError:
        raise click.UsageError(f"{instant} 看不懂，应为 2026-11-27T08:30 这样的时刻。") from None
    if not 2000 <= at.year <= 2100:
        raise click.UsageError("年份应在 2000 到 2100 之间。")
    made.set_up_log()
    parts = made.parts()
    if dry_run:
        _rehearse(parts, at)
        return
    if abs(at - clock.now()) > IS_NOW and not parts.settings.wechat.is_local:
        raise ConfigurationError(
            f"{instant} 不是现在，而 wechat.api_base_url 指向真实的微信；为免误发，没有执行。可加 --dry-run 查看。"
        )
    with parts.database.reading() as session:
        if switches.no_send(session) is not None:
            raise RuleBroken(
                "现在是不发送模式，没有执行；请先运行 python app.py sending allow，或加 --dry-run 查看。"
            )
    decisions = parts.clockwork().tick(at, alone=False)
    _print_decisions(parts, decisions)
    delivery = parts.delivery(only_queued_at=at)
    sent = delivery.run_until_empty()
    delivery.stop()
    click.echo(f"发送 {sent} 条。")
    with parts.database.reading() as session:
        _print_fates(session, decisions, at)


def _rehearse(parts: app.Parts, at: datetime) -> None:
    """Everything as it would be, in a transaction that is rolled back."""
    accounts = parts.accounts()
    with parts.database.transaction() as session:
        decisions = parts.clockwork().rehearse(session, at)
        _print_decisions(parts, decisions)
        notices = session.scalars(sa.select(Notice).where(Notice.queued_at == at).order_by(Notice.id)).all()
        for notice in notices:
            _print_notice(session, notice, accounts[notice.app], at)
        people = session.scalar(
            sa.select(sa.func.count()).select_from(Outgoing).join(Notice).where(Notice.queued_at == at)
        )
        click.echo(f"演习：共 {len(notices)} 条通知，{people} 人；什么也没有发出，什么也没有改动。")
        session.rollback()


def _print_decisions(parts: app.Parts, decisions: list[Decision]) -> None:
    says = {rule.name: rule.says for rule in parts.clockwork().rules}
    for rule in dict.fromkeys(decision.rule for decision in decisions):
        of_rule = [d for d in decisions if d.rule == rule]
        click.echo(f"{says.get(rule, rule)}：{len(of_rule)} 项")
        for decision in of_rule[:3]:
            due = f"{clock.beijing(decision.due_at):%Y-%m-%d %H:%M}"
            click.echo(f"  {due} {decision.subject} {decision.state.label} {decision.note}")
        if len(of_rule) > 3:
            click.echo(f"  ……等 {len(of_rule)} 项")
    if not decisions:
        click.echo("这一刻没有到期的事项。")


def _print_notice(session: Session, notice: Notice, account: Account, at: datetime) -> None:
    rows = session.scalars(
        sa.select(Outgoing)
        .options(joinedload(Outgoing.person))
        .where(Outgoing.notice_id == notice.id)
        .order_by(Outgoing.id)
    ).all()
    windows = reach.windows(session, [row.openid for row in rows if row.openid], at)
    click.echo(f"\n{notice.kind.label}（{notice.why}）")
    click.echo(f"  {json.loads(notice.facts).get('text', '')}")
    by_way: dict[str, list[str]] = {}
    for row in rows:
        name = row.person.name if row.person else "群众"
        footing = Footing(windows.get(row.openid or ""), has_consent=False)
        way = ladder.choose(account, notice.kind, footing, at)
        label = row.reason or (way.channel.label if way.channel else way.reason)
        by_way.setdefault(label, []).append(name)
    for label, names in by_way.items():
        click.echo(f"  {label} {len(names)} 人：{'、'.join(names)}")


def _print_fates(session: Session, decisions: list[Decision], at: datetime) -> None:
    if not decisions:
        return
    rows = session.execute(
        sa.select(Outgoing.state, sa.func.count()).join(Notice).where(Notice.queued_at == at).group_by(Outgoing.state)
    ).all()
    total = sum(row[1] for row in rows)
    parts = "，".join(f"{SendState(row[0]).label} {row[1]}" for row in rows)
    click.echo(f"结果：共 {total} 人，{parts}。" if total else "没有要发给任何人的通知。")


COMMANDS: list[click.Command] = [calendar, commands, tick]
