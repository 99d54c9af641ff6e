"""accounts: the first account of the console, and help for whoever cannot get in."""

from __future__ import annotations

import click

import clock
from commands import parts as made
from errors import RuleBroken
from models import Role
from services.entry import accounts, logins, second_factor
from services.membership import posts

FIRST = "第一个密码（只显示这一次，首次登录必须改）：{password}"


@click.group("accounts", short_help="控制台账号 · accounts of the console")
def group() -> None:
    """控制台账号：新建、列出、重置、结束登录。

    Accounts of the console: add, list, reset, end sessions.
    """


@group.command(short_help="新建 · add")
@click.argument("name")
@click.option("--person", "said", required=True, help="姓名或人员编号 · a name or a number of the roll")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role if role.opens_the_desk]),
    help="同时任命（office、county_office、secretary、lawyer、auditor） · appoint as well",
)
@click.option("--place", default="", help="任职的县（市）区、支部或服务站全名 · county, branch or station")
@click.option("--new", is_flag=True, help="名册里还没有这个人，一并登记 · the roll does not know them yet")
def add(name: str, said: str, role: str | None, place: str, new: bool) -> None:
    """新建一个账号，打印第一个密码（只打印一次）。

    账号能看什么随本人的任职；没有任职的人进去什么也看不到，可用 --role 和 --place 一并任命。

    Add an account and print its first password, once. What it opens follows from its person's posts.
    """
    at = clock.now()
    with made.parts().database.transaction() as session:
        person = accounts.new_person(session, said, at) if new else accounts.person_called(session, said)
        if role is not None:
            posts.appoint(session, person.id, Role(role), place, at)
        account, password = accounts.add(session, name, person.id, at, by=None)
    click.echo(f"账号 {account.name}（{person.name}）已建好。")
    click.echo(FIRST.format(password=password))


@group.command("list", short_help="列出 · list")
def list_all() -> None:
    """列出账号、任职、状态、正在登录的地方数。

    Every account with its posts, its state, and where it is logged in.
    """
    at = clock.now()
    with made.parts().database.reading() as session:
        lines = accounts.lines(session, session.scalars(accounts.matching(session)).all(), at)
    for line in lines:
        mark = "，演示" if line.account.is_demo else ""
        roles = "、".join(line.roles) or "没有任职"
        click.echo(f"{line.account.name}\t{line.account.person.name}\t{roles}\t{line.says(at)}{mark}")
    if not lines:
        click.echo("还没有账号。新建：python app.py accounts add 登录名 --person 姓名")


@group.command(short_help="重置 · reset")
@click.argument("name")
def reset(name: str) -> None:
    """重置密码和第二道验证，解除锁定和停用，结束全部登录；打印新的第一个密码。

    A new first password; the second factor is set up anew, every session ends.
    """
    with made.parts().database.transaction() as session:
        password = accounts.reset(session, accounts.get(session, name), clock.now(), by=None)
    click.echo(FIRST.format(password=password))


@group.command("end-sessions", short_help="结束登录 · end sessions")
@click.argument("name")
def end_sessions(name: str) -> None:
    """结束这个账号在各处的登录。

    End every session of an account.
    """
    with made.parts().database.transaction() as session:
        count = logins.end_sessions(session, accounts.get(session, name), clock.now(), by=None)
    click.echo(f"已结束 {count} 处登录。")


@group.command(short_help="演示账号现在的验证码 · the current code of a demonstration account")
@click.argument("name")
def code(name: str) -> None:
    """打印演示账号现在的六位验证码。真实账号的验证码只在本人手机上，这里拿不到。

    The current code of a demonstration account; a real one's is on its owner's phone only.
    """
    with made.parts().database.reading() as session:
        account = accounts.get(session, name)
        if not account.is_demo:
            raise RuleBroken(f"{name} 不是演示账号：验证码只在本人手机上。手机丢了请重置：accounts reset {name}")
        click.echo(second_factor.code_at(account, clock.now()))


COMMANDS: list[click.Command] = [group]
