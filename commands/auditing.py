"""audit: whether anything was taken out of the audit or altered in it."""

from __future__ import annotations

import click

from commands import parts as made
from errors import RuleBroken
from services import audit


@click.group("audit", short_help="审计 · the audit")
def group() -> None:
    """审计记录。

    The audit.
    """


@group.command(short_help="核对摘要链 · check the chain of digests")
def verify() -> None:
    """核对审计的摘要链：有没有被删、被改。最后的摘要请抄在别处，下次可以对照。

    Check the chain of digests: was anything deleted or altered? Keep the last digest elsewhere, to compare.
    """
    database = made.parts().database
    while True:
        with database.transaction() as session:
            if not audit.seal(session, everything=True):
                break
    with database.reading() as session:
        report = audit.verify(session)
    for said in report.breaks:
        click.echo(said)
    if not report.is_whole:
        raise RuleBroken("审计记录被改动过，经过见上。请保护现场，并与备份对照。")
    click.echo(f"审计记录 {report.sealed} 条，环环相扣，没有被删改。\n最后一环的摘要：{report.last}")


@group.command(short_help="补建触发器 · make the triggers")
def guard() -> None:
    """MySQL/MariaDB 建表时不让建触发器的，权限改好以后用它补上，数据库就会挡住对审计记录的改动和删除。

    Make the triggers that guard the audit, where the server did not allow them when the tables were made.
    """
    database = made.parts().database
    with database.reading() as session:
        is_guarded = audit.is_guarded(session)
    if not is_guarded:
        with database.engine.begin() as connection:
            audit.guard(connection)
    click.echo("审计记录有触发器挡着，数据库不让改、不让删。")


COMMANDS: list[click.Command] = [group]
