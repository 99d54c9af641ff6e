"""keys: the keys under which personal words stand; a new one from time to time."""

from __future__ import annotations

import time
from collections import Counter

import click

import app
import clock
from commands import parts as made
from errors import RuleBroken
from models import DataKey, KeyUse
from models.vault import REFRESH_SECONDS
from services import audit
from services.custody import keys

#: Whoever runs beside us seals with the former key for so long at most; then the rest is sealed anew.
WAIT_SECONDS = REFRESH_SECONDS + 5
#: Looked through so often before we say that somebody does not let go of the former key.
MOST_PASSES = 20


LOST = "是另一个 server.secret_key 的；找回它，写进 server.former_secret_keys"


@click.group("keys", short_help="加密密钥 · the keys of what is encrypted")
def group() -> None:
    """手机号、咨询文字等加密用的密钥：看状态、轮换、换包装。

    数据密钥随机生成，存在数据库里，用 server.secret_key 包着。

    The data keys, which stand in the database wrapped by server.secret_key: look, rotate, rewrap.
    """


@group.command("list", short_help="每把密钥加密着多少内容 · how much stands under each key")
def show() -> None:
    """每把密钥：什么时候生成、是否在用、加密着多少行。

    Every key: since when, whether in use, how many rows stand under it.
    """
    parts = made.parts()
    with parts.database.reading() as session:
        every, counted = keys.every(session), keys.counted(session)
        left = keys.left(session, parts.database.vault.current_mark)
    newest = {key.use: key.id for key in every}
    for key in every:
        rows = sum(counted.get(key.mark, {}).values())
        click.echo(_line(parts, key, rows, is_current=newest[key.use] == key.id))
    for mark in sorted(set(counted) - {key.mark for key in every}):
        click.echo(f"{mark}  不认识的密钥  {sum(counted[mark].values())} 行读不出")
    if left:
        click.echo(f"还有 {left} 行用以前的密钥：python app.py keys reseal")


def _line(parts: app.Parts, key: DataKey, rows: int, *, is_current: bool) -> str:
    vault, kept = parts.database.vault, bytes.fromhex(key.wrapped)
    if not vault.unwraps(kept):
        return f"{key.mark}  {key.use.label}  {clock.beijing(key.made_at):%Y-%m-%d %H:%M}  读不出：{LOST}  {rows} 行"
    state = "在用" if is_current else "只用来读"
    what = f"{rows} 行" if key.use is KeyUse.TEXTS else "手机号、邀请码、备用码的查找"
    wrapped = "" if vault.is_wrapped_now(kept) else "  用的是以前的 secret_key"
    return f"{key.mark}  {key.use.label}  {clock.beijing(key.made_at):%Y-%m-%d %H:%M}  {state}  {what}{wrapped}"


@group.command(short_help="换一把新密钥，全部重新加密 · a new key, everything sealed anew")
def rotate() -> None:
    """生成一把新的数据密钥，从现在起用它加密，再把以前的内容分批重新加密。不用停机；中断了运行 keys reseal 接着做。

    审计记录只增不改，说明仍用当时的密钥；查找用的密钥不变。

    Make a new data key, seal with it from now on, and everything that is there anew, in batches. No need to stop.
    The audit is never rewritten: what it says stays under the key of its day.
    """
    parts = made.parts()
    with parts.database.transaction() as session:
        unfinished = keys.left(session, parts.database.vault.current_mark)
        key = None if unfinished else keys.rotate(session, parts.database.vault, clock.now())
    parts.database.vault.forget()
    if key is None:
        click.echo(f"上一次轮换还有 {unfinished} 行没有做完，先接着做；这次不生成新密钥。")
    else:
        click.echo(f"新密钥 {key.mark} 已生成，现在起用它加密。")
    _reseal(parts)


@group.command(short_help="接着重新加密 · go on sealing anew")
def reseal() -> None:
    """把还在用以前的密钥的内容，用现在的密钥重新加密；可以随时中断、再来。

    Seal what is under a former key anew; may be stopped and begun again at any time.
    """
    _reseal(made.parts())


def _reseal(parts: app.Parts) -> None:
    """Until nothing is left; Ctrl-C says how to go on."""
    try:
        _passes(parts)
    except KeyboardInterrupt:
        raise RuleBroken("停在半路，没有丢什么；接着做：python app.py keys reseal") from None


def _passes(parts: app.Parts) -> None:
    """Pass after pass, until those who run beside us have heard of the key and nothing is left."""
    total: Counter[str] = Counter()
    for passed in range(MOST_PASSES):
        rows, unreadable = _pass(parts, total)
        with parts.database.reading() as session:
            left = keys.left(session, parts.database.vault.current_mark) - unreadable
        if passed and not rows and left <= 0:
            break
        if not passed:
            click.echo(f"再等 {WAIT_SECONDS:.0f} 秒：正在运行的程序要过一会儿才改用新密钥。")
        time.sleep(WAIT_SECONDS)
    else:
        raise RuleBroken(
            f"还有 {left} 行用以前的密钥，一直有程序在用它写。请看有没有旧版本的程序还在运行，再运行 keys reseal。"
        )
    with parts.database.transaction() as session:
        audit.note(session, clock.now(), None, "key.resealed", "keys", f"{sum(total.values())} 行")
    click.echo(f"重新加密 {sum(total.values())} 行，没有剩下的。审计记录仍用当时的密钥。")
    if unreadable:
        raise RuleBroken(f"有 {unreadable} 行用现有的密钥读不出，没有动它们；看 python app.py keys list。")


def _pass(parts: app.Parts, total: Counter[str]) -> tuple[int, int]:
    rows = unreadable = 0
    for done in keys.reseal(parts.database):
        if done.column not in total:
            click.echo(f"{done.column} …")
        total[done.column] += done.rows
        rows, unreadable = rows + done.rows, unreadable + done.unreadable
    return rows, unreadable


@group.command(short_help="换了 secret_key 以后 · after a change of secret_key")
def rewrap() -> None:
    """用现在的 server.secret_key 重新包好每把数据密钥；原来的要先写在 server.former_secret_keys 里。内容不动，很快。

    原来的 secret_key 若已泄露，做完请再运行 keys rotate。

    Wrap every data key by the present server.secret_key; the one before stands in server.former_secret_keys.
    """
    parts = made.parts()
    with parts.database.transaction() as session:
        count = keys.rewrap(session, parts.database.vault, clock.now())
    click.echo(
        f"已用现在的 secret_key 重新包好 {count} 把密钥；server.former_secret_keys 可以清空了，备份请重新做一次。"
    )


COMMANDS: list[click.Command] = [group]
