"""outbox: what goes to many, held, resumed, ended and looked after by an operator (F104–F106, F111, F139)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session

import app
import clock
from commands import columns
from commands import parts as made
from commands.outbox_report import report
from errors import RuleBroken
from models import CampaignState, Channel, Outgoing, SendState
from services import switches
from services.sending import broadcasts, campaigns, fates, pace, quotas
from services.sending.campaigns import Standing
from services.sending.report_book import ORDER

COMMAND_LINE = "命令行"
#: So many of those that are through are shown beside the open ones.
LAST = 5


@click.group(short_help="待发的通知 · what is to be sent")
def outbox() -> None:
    """待发的通知：发到哪了；暂停、继续、撤销、重试；结果不明的；送达报告。

    What is to be sent: where it stands; pause, resume, cancel, retry; unknown fates; the delivery report.
    """


# --- looking -------------------------------------------------------------------------------------------------


@outbox.command("status", short_help="发到哪了 · where it stands")
@click.argument("campaign", required=False)
def status(campaign: str | None) -> None:
    """没写名称：能不能发送、额度、没发完和停着的每一次发送、最近几次。写了名称：只说那一次。

    Without a name: whether anything may leave, quotas, every open or halted campaign, and the last ones.
    """
    parts, at = made.parts(), clock.now()
    with parts.database.reading() as session:
        if campaign is not None:
            click.echo("\n".join(_one(session, parts, campaign, at)))
            return
        click.echo("\n".join(_house(session, parts, at)))
        known = [*campaigns.open_now(session), *campaigns.halted(session), *campaigns.latest(session, LAST)]
        for name in dict.fromkeys(row.name for row in known):
            click.echo("\n" + "\n".join(_one(session, parts, name, at)))
        if not known:
            click.echo("\n还没有发给多人的通知。")


def _one(session: Session, parts: app.Parts, name: str, at: datetime) -> list[str]:
    sending = parts.settings.sending
    standing = campaigns.standing(session, name, at, sending.per_second, quotas.daily(sending))
    figures = "，".join(f"{s.label} {standing.counted[s]}" for s in ORDER if standing.counted[s])
    return [
        f"{standing.name}　{_going(standing)}",
        f"  {standing.title}",
        f"  共 {standing.total} 人{f'：{figures}' if figures else ''}",
    ]


def _going(standing: Standing) -> str:
    if standing.state is not CampaignState.RUNNING:
        return standing.state.label + (f"：{standing.reason}" if standing.reason else "")
    if not standing.is_open:
        return "已完成"
    ends = standing.ends_at
    return f"{standing.state.label}，预计 {clock.say_moment(ends)} 发完" if ends else standing.state.label


def _house(session: Session, parts: app.Parts, at: datetime) -> list[str]:
    sending = parts.settings.sending
    switch, held = switches.no_send(session), pace.held_until(session, at)
    lines = [
        f"不发送模式：{switch.note}，什么也不会发出" if switch else "可以发送",
        f"发送进程：{fates.senders(session, at)} 个在值守",
        f"速度：每秒最多 {sending.per_second:g} 条" + (f"，暂停到 {clock.say_moment(held)}" if held else ""),
        "今天的额度：" + "，".join(_quota(session, channel, at, quotas.daily(sending)) for channel in Channel),
    ]
    rows = session.execute(sa.select(Outgoing.state, sa.func.count()).group_by(Outgoing.state)).all()
    counted: dict[SendState, int] = {row[0]: row[1] for row in rows}
    alone = _alone(session)
    figures = "，".join(f"{state.label} {counted[state]}" for state in ORDER if state in counted)
    lines.append(f"全部 {sum(counted.values())} 条{f'：{figures}' if figures else ''}")
    return [*lines, f"其中给个人的消息待发送 {alone} 条"] if alone else lines


def _quota(session: Session, channel: Channel, at: datetime, daily: dict[Channel, int]) -> str:
    left = quotas.left(session, "official", channel, at, daily)
    return f"{channel.label}{'不限' if left is None else f'剩 {left}/{daily.get(channel, 0)}'}"


def _alone(session: Session) -> int:
    waiting = Outgoing.state == SendState.WAITING, Outgoing.is_bulk.is_(False)
    return session.scalar(sa.select(sa.func.count()).select_from(Outgoing).where(*waiting)) or 0


# --- acting --------------------------------------------------------------------------------------------------


@outbox.command("pause", short_help="暂停 · pause")
@click.argument("campaign")
def pause_(campaign: str) -> None:
    """暂停一次发送：没发的都停着，已交给微信的照常记结果。

    Pause a campaign: nothing more of it leaves.
    """
    _move(campaign, campaigns.pause, CampaignState.PAUSED, "暂停")


@outbox.command("resume", short_help="继续 · resume")
@click.argument("campaign")
def resume(campaign: str) -> None:
    """继续暂停的、或因错误停下的发送。这期间已过时的不再发。

    Go on with a campaign that was paused, or stopped by the stop rule.
    """
    _move(campaign, campaigns.resume, CampaignState.RUNNING, "继续")


def _move(name: str, act: Callable[..., bool], to: CampaignState, word: str) -> None:
    """Do it once; said again it changes nothing and is no failure."""
    parts, at = made.parts(), clock.now()
    with parts.database.transaction() as session:
        has_changed = act(session, name, at, by=None, note=COMMAND_LINE)
        state = campaigns.get(session, name).state
        if not has_changed and state is not to:
            raise RuleBroken(f"“{name}”{state.label}，不能{word}。")
        says = f"已{word}。" if has_changed else f"本来就是“{state.label}”，没有改变。"
        click.echo("\n".join([says, *_one(session, parts, name, at)]))


@outbox.command("cancel", short_help="撤销 · cancel")
@click.argument("campaign")
@click.option("--yes", is_flag=True, help="不再询问 · do not ask")
def cancel(campaign: str, yes: bool) -> None:
    """撤销还没发出的；已发出的收不回。

    Give up what has not left; what has left cannot be taken back.
    """
    parts, at = made.parts(), clock.now()
    with parts.database.reading() as session:
        click.echo("\n".join(_one(session, parts, campaign, at)))
    if not yes:
        click.confirm("撤销以后不能恢复，确定撤销没发的？", abort=True)
    with parts.database.transaction() as session:
        stopped = broadcasts.cancel_campaign(session, campaign, at, by=None, note=COMMAND_LINE)
    click.echo(f"已撤销，{stopped} 人不再发送。")


@outbox.command("retry-failed", short_help="只重发没送到的 · retry only the failed")
@click.argument("campaign")
def retry_failed(campaign: str) -> None:
    """给被拒收、无法送达、过期的再发一次；没有绑定或已取关的、结果不明的不发。

    Try once more for those who did not get it, and for nobody else.
    """
    parts, at = made.parts(), clock.now()
    with parts.database.transaction() as session:
        again = campaigns.retry_failed(session, campaign, at, by=None, note=COMMAND_LINE)
        click.echo(f"给 {again} 人再发一次。" if again else "没有可以重试的。")
        click.echo("\n".join(_one(session, parts, campaign, at)))


@outbox.command("unknown", short_help="结果不明的 · unknown fates")
@click.argument("campaign", required=False)
@click.option("--arrived", type=int, multiple=True, metavar="ID", help="问过本人，收到了 · they have it")
@click.option("--resend", type=int, multiple=True, metavar="ID", help="问过本人，没收到，再发 · they have not")
def unknown(campaign: str | None, arrived: tuple[int, ...], resend: tuple[int, ...]) -> None:
    """列出发送时断了、不知发没发出的；问过本人以后用 --arrived 或 --resend 逐条了结。

    Messages that may have left when a sender was interrupted. They are never resent by themselves.
    """
    parts, at = made.parts(), clock.now()
    with parts.database.transaction() as session:
        for row_id in arrived:
            campaigns.resolve_unknown(session, row_id, at, arrived=True, by=None, note=COMMAND_LINE)
            click.echo(f"第 {row_id} 条：记为已收到。")
        for row_id in resend:
            campaigns.resolve_unknown(session, row_id, at, arrived=False, by=None, note=COMMAND_LINE)
            click.echo(f"第 {row_id} 条：再发一次。")
        if arrived or resend:
            return
        if campaign is not None:
            campaigns.get(session, campaign)
        rows = campaigns.unknown(session, campaign)
        if not rows:
            click.echo("没有结果不明的。")
            return
        click.echo("\n".join(columns.lines([("编号", "发送", "姓名", "微信", "自"), *map(_unknown, rows)])))


def _unknown(row: Outgoing) -> tuple[object, ...]:
    since = row.claimed_at or row.due_at
    name = row.person.name if row.person else "群众"
    return row.id, row.campaign, name, f"{(row.openid or '')[:6]}…", clock.say_moment(since)


outbox.add_command(report)
COMMANDS: list[click.Command] = [outbox]
