"""migrate, demo, menu: tables, demo data, the account's menu."""

from __future__ import annotations

from pathlib import Path

import click

import clock
import demo as demo_data
import schema
from bot import menu as menus
from bot.client import CallFailed
from bot.tokens import TokenUnavailable
from commands import parts as made
from handlers.menu import MENU
from services.meetings import rhythm
from services.tables import imports, table_files

#: The figures of 2017 as the work report gives them (L22).
LEDGER = Path(demo_data.__file__).with_name("publicity_2017.csv")


@click.command(short_help="建表、升级或退回 · bring the tables up to date")
@click.option("--to", "revision", default="head", help="版本号，默认最新 · a revision, head by default")
@click.option("--down", is_flag=True, help="退回到 --to 指定的版本 · go back")
def migrate(revision: str, down: bool) -> None:
    """让数据库的表与本版本一致。

    Bring the database's tables to this version, or back.
    """
    parts = made.parts(must_be_current=False)
    if down:
        schema.downgrade(parts.database, revision)
    else:
        schema.upgrade(parts.database, revision)
        if revision == "head":
            with parts.database.transaction() as session:
                rhythm.seed_holidays(session)
    click.echo(f"数据库版本：{schema.current(parts.database) or '空'}")


@click.command(short_help="装入演示数据 · load the demo data")
@click.option("--people", type=click.IntRange(0), default=0, help="保证有这么多已绑定的党员 · so many bound members")
@click.option(
    "--open-now", is_flag=True, help="每个支部现在就有一场可签到的活动 · a gathering open now in every branch"
)
def demo(people: int, open_now: bool) -> None:
    """装入虚构的演示数据：674 个支部、12 个县（市）区、人员和服务站；可重复运行。

    Load the fictional demo data; running it again changes nothing.
    """
    at = clock.now()
    parts = made.parts(must_be_current=False)
    schema.upgrade(parts.database)
    summary = demo_data.load(parts.database, at=at)
    with parts.database.transaction() as session:
        rhythm.seed_holidays(session)
        calendar = rhythm.calendar(session, parts.settings.calendar)
        made_rows = rhythm.plan(session, calendar, parts.settings.study_day, at)
        ledger = imports.Task(imports.Kind.PUBLICITY, table_files.opened(LEDGER.read_bytes()), at)
        with imports.Prepared() as prepared:
            if not imports.check(session, ledger, prepared).is_known:
                imports.apply(session, ledger, prepared, LEDGER.name)
    click.echo(
        f"演示数据（全部虚构）：{summary.counties} 个县（市）区，{sum(summary.branches.values())} 个支部，"
        f"{summary.stations} 个服务站，{summary.people} 人；新排活动 {made_rows} 场。"
    )
    if people:
        added = demo_data.load_members(parts.database, people, at=at)
        click.echo(f"另加已绑定党员 {added} 人。")
    opened = demo_data.open_now(parts.database, at=at) if open_now else demo_data.open_today(parts.database, at=at)
    marks = demo_data.write_history(parts.database, calendar, at=at)
    click.echo(f"演示往事：出席和请假 {marks} 人次。")
    logins = demo_data.open_accounts(parts.database, at=at)
    parts.database.refresh_statistics()
    click.echo(f"可签到的演示活动：新开 {opened} 场。控制台演示账号：{'、'.join(logins)}。")


@click.group(short_help="公众号菜单 · the account's menu")
def menu() -> None:
    """公众号菜单。

    The account's menu.
    """


@menu.command("publish", short_help="发布到微信 · publish")
def publish() -> None:
    """把代码里的菜单发布到微信。

    Publish the menu that stands in the code.
    """
    parts = made.parts()
    try:
        parts.clients["official"].publish_menu(menus.payload(MENU))
    except (CallFailed, TokenUnavailable) as error:
        raise click.ClickException(str(error)) from None
    click.echo("菜单已发布：" + "、".join(button.name for button in MENU))


COMMANDS: list[click.Command] = [migrate, demo, menu]
