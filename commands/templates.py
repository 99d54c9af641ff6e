"""templates: the account's message templates, read from WeChat, listed, and held against the configuration (F114)."""

from __future__ import annotations

import click

import clock
from bot.client import CallFailed
from bot.tokens import TokenUnavailable
from commands import parts as made
from errors import AssistantError, NotFound
from scheduler import template_checks
from services.findings import Mark
from services.sending import templates as registry

NEVER = "还没有读过公众号的模板，请先运行 python app.py templates sync。"


@click.group(short_help="模板 · message templates")
def templates() -> None:
    """公众号的消息模板：从微信读来、列出、与配置核对。

    The account's message templates: read from WeChat, listed, and held against the configuration.
    """


@templates.command("sync", short_help="从微信读来 · read from WeChat")
def sync() -> None:
    """把公众号现有的模板（模板消息、订阅通知）读进登记表；微信那边没有了的随之移除。

    Read the account's templates into the registry; what is gone at WeChat goes here too.
    """
    parts = made.parts()
    client = parts.clients["official"]
    try:
        private = client.templates()
        subscriptions = client.subscription_templates()
    except (CallFailed, TokenUnavailable) as error:
        raise AssistantError(f"没有读到模板，登记表没有改动：{error}") from None
    with parts.database.transaction() as session:
        changes = registry.sync(session, registry.read(private, subscriptions), clock.now())
    for word, names in (("新增", changes.new), ("有变化", changes.changed), ("已移除", changes.gone)):
        for name in names:
            click.echo(f"{word}：{name}")
    click.echo(f"登记了 {changes.total} 个模板。")


@templates.command("list", short_help="列出 · list them")
def listed() -> None:
    """列出登记的模板：编号、类别、字段和示例。

    The templates as they were last read: id, kind, fields, sample.
    """
    with made.parts().database.reading() as session:
        rows = registry.registered(session)
    if not rows:
        raise NotFound(NEVER)
    for row in rows:
        click.echo(f"{row.id}　{row.title}　{row.kind.label}　{clock.say_moment(row.synced_at)} 读到")
        for line in row.content.splitlines():
            click.echo(f"    {line}")
        for line in row.example.splitlines():
            click.echo(f"    例：{line}")


@templates.command("check", short_help="与配置核对 · against the configuration")
def check() -> None:
    """逐个核对 wechat.templates 和 wechat.subscriptions：编号、字段、试填的内容；有一处不对，退出码为 1。

    Hold the configuration against the registry: ids, fields, and a sample of each notice. Exit 1 on any finding.
    """
    parts = made.parts()
    with parts.database.reading() as session:
        rows = registry.registered(session)
    if not rows:
        raise NotFound(NEVER)
    found = list(template_checks.check(parts.settings.wechat, rows))
    click.echo("\n".join(map(str, found)))
    wrong = sum(finding.mark is Mark.BAD for finding in found)
    if wrong:
        raise AssistantError(f"模板有 {wrong} 处不对，见上面的 ✗。")


COMMANDS: list[click.Command] = [templates]
