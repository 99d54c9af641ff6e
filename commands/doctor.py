"""doctor: says in plain Chinese what is right, what is wrong, and what to do about it."""

from __future__ import annotations

import click

import app
import clock
from commands import checks_here, checks_wechat
from commands import parts as made
from config import Settings
from errors import AssistantError, ConfigurationError
from services.findings import Finding, Findings, Mark, bad


@click.command(short_help="体检 · what is right and what is wrong")
@click.argument("part", required=False, type=click.Choice(["wechat"]), metavar="[wechat]")
def doctor(part: str | None) -> None:
    """逐项检查配置、密钥、数据库、Redis、微信和回调，说明哪里不对、怎么办；doctor wechat 只查微信。

    \b
    ✓ 正常   ! 请留意   ✗ 必须处理（此时退出码为 1）

    Look at the configuration, key, database, Redis, WeChat and callback; exit 1 when something is wrong.
    """
    try:
        settings = made.settings()
    except ConfigurationError as error:
        click.echo(str(bad(f"配置：{error}")))
        raise AssistantError("配置不能用，没有继续检查。") from None
    found = [finding for finding in _all(settings, part) if _shown(finding)]
    wrong = sum(finding.mark is Mark.BAD for finding in found)
    if wrong:
        raise AssistantError(f"有 {wrong} 处不对，见上面的 ✗。")
    click.echo("没有发现必须处理的问题。")


def _shown(finding: Finding) -> bool:
    click.echo(str(finding))
    return True


def _all(settings: Settings, part: str | None) -> Findings:
    parts = app.make(settings)
    try:
        if part is None:
            yield from checks_here.configuration(settings)
            yield from checks_here.secret_key(settings)
        yield from checks_here.database(parts)
        if part is None:
            yield from checks_here.redis_server(settings)
        yield from checks_wechat.account(parts)
        yield from checks_wechat.callback(settings, clock.now())
    finally:
        parts.database.close()


COMMANDS: list[click.Command] = [doctor]
