"""backup, restore, sending, privacy: keeping what is there, and letting go of it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

import app
import clock
import schema
from commands import parts as made
from errors import ConfigurationError, RuleBroken
from services import audit, switches
from services.custody import backups, keys, privacy
from services.custody.backups import Manifest

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(short_help="备份 · back up")
@click.argument("file", type=FILE)
def backup(file: Path) -> None:
    """把整个数据库备份到一个文件并核对；运行中也可以备份，可恢复到任何一种数据库。

    加密的内容仍是加密的，要用现在的密钥（data/secret.key）才能读出：请另行保管它。

    Back the whole database up into one checked file, also while it is in use. The secret key is not in it.
    """
    parts = made.parts()
    at = clock.now()
    manifest = backups.write(parts.database, file, str(schema.head()), at)
    with parts.database.transaction() as session:
        audit.note(session, at, None, "backup", "database", f"{file} {manifest.rows} 行")
    size = file.stat().st_size / 1024 / 1024
    click.echo(f"已备份 {len(manifest.tables)} 张表、{manifest.rows} 行到 {file}（{size:.1f} MB），核对无误。")
    click.echo(
        f"加密内容要用现在的密钥（指纹 {manifest.key_fingerprint}）才能读出，请另行保管它："
        "配置里的 server.secret_key，没有写的在 data/secret.key。"
    )


@click.command(short_help="恢复 · restore")
@click.argument("file", type=FILE)
@click.option("--replace", is_flag=True, help="数据库里已有数据也覆盖 · overwrite what is there")
@click.option("--other-key", is_flag=True, help="密钥不符也恢复（加密内容将读不出）· although the key differs")
def restore(file: Path, replace: bool, other_key: bool) -> None:
    """从备份恢复。恢复以后是“不发送”模式：确认以前什么也不会发出。请先停止正在运行的程序。

    Restore a backup. The copy starts in no-send mode: nothing leaves before `sending allow`. Stop the bot first.
    """
    parts = made.parts(must_be_current=False)
    manifest = backups.check(file)
    _require_key(parts, manifest, other_key)
    if not schema.knows(manifest.revision):
        raise RuleBroken(f"备份来自更新的版本（{manifest.revision}），请先升级程序再恢复。")
    _make_room(parts, manifest, replace)
    at = clock.now()
    with parts.database.engine.begin() as connection:
        backups.load(connection, file, manifest)
        backups.stand_still(connection, manifest, at)
    schema.upgrade(parts.database)
    parts.database.vault.forget()
    with parts.database.transaction() as session:
        if not manifest.fits(parts.database.vault):
            keys.begin_anew(session, parts.database.vault, at)
    parts.database.vault.forget()
    with parts.database.transaction() as session:
        audit.note(session, at, None, "restore", "database", f"{file} {manifest.rows} 行")
        waiting = switches.backlog(session, at)
    made_at = f"{clock.beijing(manifest.made_at):%Y-%m-%d %H:%M}"
    click.echo(f"已从 {made_at} 的备份恢复 {len(manifest.tables)} 张表、{manifest.rows} 行。")
    click.echo(f"现在是不发送模式：待发 {waiting.waiting} 条都不会发出，直到运行 python app.py sending allow。")


def _require_key(parts: app.Parts, manifest: Manifest, other_key: bool) -> None:
    if manifest.fits(parts.database.vault):
        click.echo("密钥与备份相符。")
    elif other_key:
        click.echo("密钥与备份不符：加密的内容（手机号、咨询文字等）将读不出。")
    else:
        ours = backups.fingerprint(parts.database.vault)
        raise RuleBroken(
            f"现在的密钥（指纹 {ours}）与备份的（{manifest.key_fingerprint}）不符，加密内容会读不出：请先放回原来的 "
            "data/secret.key 或 server.secret_key；确实没有了，可加 --other-key 恢复其余内容。"
        )


def _make_room(parts: app.Parts, manifest: Manifest, replace: bool) -> None:
    """Bring the database to the backup's tables. Raises RuleBroken where somebody's data would be lost."""
    database = parts.database
    try:
        found = schema.current(database)
    except ConfigurationError:
        if not (replace and database.is_sqlite and Path(database.url.database or "").is_file()):
            raise
        _move_aside(parts)
        found = None
    if found is not None and not replace:
        with database.engine.connect().execution_options(reading=True) as connection:
            if not backups.is_empty(connection):
                raise RuleBroken("这个数据库里已有数据，没有恢复；换一个空的数据库，或加 --replace 覆盖。")
    if found != manifest.revision:
        if found is not None:
            schema.downgrade(database, "base")
        schema.upgrade(database, manifest.revision)


def _move_aside(parts: app.Parts) -> None:
    """A damaged file is kept, under another name: somebody may still get something out of it."""
    parts.database.close()
    path = Path(parts.database.url.database or "")
    kept = path.with_name(f"{path.name}.damaged-{clock.beijing(clock.now()):%Y%m%d%H%M%S}")
    path.rename(kept)
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    click.echo(f"损坏的数据库文件已改名为 {kept.name}。")


# --- sending -------------------------------------------------------------------------------------------------


@click.group(short_help="不发送模式 · no-send mode")
def sending() -> None:
    """不发送模式：恢复的备份、或您要它停时，什么也不发出。

    No-send mode: in a restored copy, or when you say so, nothing leaves.
    """


@sending.command("show", short_help="现在能不能发送 · may anything leave")
def show() -> None:
    """说明现在能不能发送，有多少待发。

    Whether anything may leave, and how much waits.
    """
    at = clock.now()
    with made.parts().database.reading() as session:
        switch, waiting = switches.no_send(session), switches.backlog(session, at)
    click.echo(f"不发送模式：{switch.note}。" if switch else "可以发送。")
    click.echo(_say_backlog(waiting))


@sending.command("stop", short_help="停止发送 · stop sending")
@click.option("--note", default="管理员停止发送", help="原因 · why")
def stop(note: str) -> None:
    """停止一切发送；待发的留着，直到 sending allow。

    Stop all sending; what waits stays.
    """
    parts = made.parts()
    with parts.database.transaction() as session:
        switches.stop_sending(session, note, clock.now())
    click.echo("已停止发送。运行 python app.py sending allow 恢复。")


@sending.command("allow", short_help="允许发送 · allow sending")
@click.option("--discard", is_flag=True, help="放弃现在待发的，只发以后的 · give up what waits now")
@click.option("--yes", is_flag=True, help="不再询问 · do not ask")
def allow(discard: bool, yes: bool) -> None:
    """结束不发送模式。先说明有多少条会发出、多少条已过时，请您确认。

    备份以后原来的系统可能已经发过这些通知；不确定时用 --discard，免得有人收到两次。

    End no-send mode, after saying what would leave. What waits may have been sent since the backup: --discard.
    """
    parts = made.parts()
    at = clock.now()
    with parts.database.reading() as session:
        switch, waiting = switches.no_send(session), switches.backlog(session, at)
    if switch is None:
        click.echo("现在可以发送，没有什么要改。")
        return
    click.echo(f"不发送模式：{switch.note}。\n{_say_backlog(waiting)}")
    asked = (
        f"放弃待发的 {waiting.waiting} 条，以后照常发送？"
        if discard
        else f"现在开始发送这 {waiting.would_leave} 条？"
    )
    if not yes:
        click.confirm(asked, abort=True)
    with parts.database.transaction() as session:
        gone = switches.allow_sending(session, at, discard=discard)
    click.echo(f"已允许发送，放弃 {gone} 条。" if discard else "已允许发送。")


def _say_backlog(waiting: switches.Backlog) -> str:
    return (
        f"待发 {waiting.waiting} 条，其中 {waiting.too_late} 条已过最晚时间、不会再发，{waiting.would_leave} 条会发出；"
        f"到期待办 {waiting.dues} 项。"
    )


# --- privacy -------------------------------------------------------------------------------------------------


@click.group("privacy", short_help="个人信息 · personal data")
def personal() -> None:
    """一个微信账号的个人信息：查阅、删除。

    Personal data of one WeChat account: show it, erase it.
    """


@personal.command("export", short_help="查阅 · show all")
@click.argument("openid")
def show_all(openid: str) -> None:
    """打印关于这个微信账号的全部内容（JSON，已解密）；这次查阅记入审计。

    Print everything held about an account as JSON, decrypted; the look is noted in the audit.
    """
    parts = made.parts()
    with parts.database.transaction() as session:
        told = privacy.export(session, openid, clock.now())
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))


@personal.command("erase", short_help="删除 · erase")
@click.argument("openid")
@click.option("--yes", is_flag=True, help="不再询问 · do not ask")
def erase(openid: str, yes: bool) -> None:
    """删除这个微信账号说过的话、收到的答复和身份，解除绑定；办理中的咨询先撤回；统计数字保留。

    党员名册、考勤是组织的记录，不在此列；审计记录不能删除。

    Erase what an account said, what it was told, and whose it is. Figures, the society's roll and the audit stay.
    """
    parts = made.parts()
    if not yes:
        click.confirm("删除以后不能恢复，确定删除？", abort=True)
    done = _erase(parts, openid, clock.now())
    if not any(done.values()):
        click.echo("没有可删除的内容（可能已经删除过）。")
        return
    click.echo(
        f"已删除消息 {done['messages']} 条、对话 {done['conversations']} 份、咨询文字 {done['consultations']} 件、"
        f"通知内容 {done['notices']} 条；账号已匿名。统计数字、名册和审计保留。"
    )


def _erase(parts: app.Parts, openid: str, at: datetime) -> dict[str, int]:
    with parts.database.transaction() as session:
        return privacy.erase(session, openid, at)


COMMANDS: list[click.Command] = [backup, restore, sending, personal]
