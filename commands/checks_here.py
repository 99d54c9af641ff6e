"""What the doctor looks at on this machine: configuration, secret key, database, Redis."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import stat
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import redis
import sqlalchemy as sa
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

import app
import clock
import config
import schema
from config import Settings, WeChat
from errors import AssistantError, ConfigurationError
from models import AuditEntry, Database, KeyUse, Lease, Person, Vault
from services import audit, switches
from services.custody import keys
from services.findings import Finding, Findings, bad, good, note
from services.meetings import rhythm

PUBLIC = WeChat()  # the local WeChat's account, which everybody knows
BACKUP_AGE = timedelta(days=7)
FREE_BYTES = 1024**3
REDIS_SECONDS = 2


# --- configuration and key -----------------------------------------------------------------------------------


def configuration(settings: Settings) -> Findings:
    """Which file, and what in it does not go together."""
    own = Path(os.environ.get("BOT_CONFIG", config.ROOT / "config.yaml"))
    yield good(f"配置：{own}") if own.exists() else note("配置：用的是示例 config.example.yaml（连本地微信）")
    names = sorted(n for n in os.environ if n.startswith(config.ENVIRONMENT_PREFIX) and n != "BOT_CONFIG")
    if names:
        yield good(f"环境变量覆盖：{'、'.join(names)}")
    yield from account(settings)


def account(settings: Settings) -> Findings:
    """The official account's settings."""
    we, base = settings.wechat, urlsplit(settings.server.base_url)
    if we.is_local:
        yield good(f"连的是本地微信 {we.api_base_url}：演示与培训用，发不到真实的手机")
    else:
        for name in ("app_id", "app_secret", "token", "encoding_aes_key"):
            if getattr(we, name) == getattr(PUBLIC, name):
                yield bad(
                    f"wechat.{name} 是本地微信公开的那一个，却连着 {we.api_base_url}",
                    f"在公众平台查看后填入 wechat.{name}",
                )
        if base.hostname in {"127.0.0.1", "localhost", "::1"}:
            yield bad(
                f"server.base_url 是 {settings.server.base_url}，微信到不了",
                "填公网能访问的网址，例如 https://bot.example.cn",
            )
        elif base.scheme != "https":
            yield note("server.base_url 不是 https", "请在前面的代理上配好证书")
    if we.mode == "plain":
        yield note(
            "wechat.mode 是 plain：消息不加密，签名不含正文，挡不住伪造和篡改",
            "公众平台和这里都改为 safe（安全模式）",
        )
    else:
        yield good(f"wechat.mode：{we.mode}")
    if we.account_type == "subscription" or not we.verified:
        yield note("未认证或订阅号：模板消息、客服消息等多数接口不能用")
    if settings.mini_program.app_id and not settings.mini_program.encoding_aes_key:
        yield note("mini_program.encoding_aes_key 是空的：小程序的回调不加密", "公众平台和这里都改为安全模式")


def secret_key(settings: Settings) -> Findings:
    """The key is nobody else's to read."""
    path = config.ROOT / "data" / "secret.key"
    if not path.exists() or path.read_text("ascii").strip() != settings.server.secret_key:
        yield good("密钥：来自 server.secret_key，请确认另有保管")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        yield bad(f"密钥：{path} 的权限是 {mode:o}，别的用户也能读", f"chmod 600 {path}")
    else:
        yield good(f"密钥：{path}（权限 {mode:o}），请另存一份，丢了加密内容就读不出")


# --- database ------------------------------------------------------------------------------------------------


def database(parts: app.Parts) -> Findings:
    """Reachable, at the right revision, writable, readable with this key."""
    shown = parts.database.url.render_as_string(hide_password=True)
    try:
        found = schema.current(parts.database)
    except ConfigurationError as error:
        yield bad(f"数据库：{error}")
        return
    if found != schema.head():
        yield bad(f"数据库：{shown}，版本 {found or '空'}，应为 {schema.head()}", "python app.py migrate")
        return
    yield good(f"数据库：{shown}，版本 {found}")
    try:
        yield _write_test(parts.database)
        if parts.database.is_sqlite:
            yield from _sqlite(parts.database)
        yield from _contents(parts)
    except SQLAlchemyError as error:
        yield bad(f"数据库：{str(getattr(error, 'orig', error)).splitlines()[0]}", "看磁盘空间和文件权限")


def _write_test(of: Database) -> Finding:
    with of.transaction() as session:
        session.add(Lease(name=f"doctor:{secrets.token_hex(4)}", holder="doctor", until=clock.now()))
        session.flush()
        session.rollback()
    return good("数据库：写入试验成功（已撤销）")


def _sqlite(of: Database) -> Findings:
    with of.engine.connect().execution_options(reading=True) as connection:
        mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
        state = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    yield (
        good("数据库：WAL 模式")
        if mode == "wal"
        else bad(f"数据库：journal_mode 是 {mode}，不是 WAL", "不要放在网络盘上")
    )
    if state == "ok":
        yield good(f"数据库：SQLite {sqlite3.sqlite_version} 完整性检查通过")
    else:
        yield bad(f"数据库：文件有损坏：{state}", "停止程序，python app.py restore 备份文件 --replace")
    free = shutil.disk_usage(Path(of.url.database or ".").absolute().parent).free
    if free < FREE_BYTES:
        yield bad(f"磁盘：只剩 {free // 1024**2} MB", "清理磁盘")
    else:
        yield good(f"磁盘：还有 {free / 1024**3:.0f} GB")


def _contents(parts: app.Parts) -> Findings:
    at = clock.now()
    with parts.database.reading() as session:
        try:
            session.scalars(sa.select(Person.phone).where(Person.phone.is_not(None)).limit(1)).first()
            yield good("密钥：能读出加密的内容")
            yield from _keys(session, parts.database.vault)
        except AssistantError as error:
            yield bad(f"密钥：{error}")
        yield _guard(session)
        switch = switches.no_send(session)
        if switch is not None:
            yield note(f"不发送模式：{switch.note}，什么也不会发出", "确认后运行 python app.py sending allow")
        last = session.scalar(sa.select(sa.func.max(AuditEntry.at)).where(AuditEntry.act == "backup"))
        yield _backup_age(last, at)
        for warning in rhythm.calendar(session, parts.settings.calendar).warnings(clock.beijing_date(at).year):
            yield note(f"日历：{warning}", "python app.py import holidays 文件.csv --apply")


def _keys(session: Session, vault: Vault) -> Findings:
    """How much stands under the key in use, how much under former ones, and which secret wraps them."""
    every = keys.every(session)
    counted = {mark: sum(columns.values()) for mark, columns in keys.counted(session).items()}
    current, left = vault.current_mark, keys.left(session, vault.current_mark)
    yield good(
        f"密钥：数据密钥 {sum(key.use is KeyUse.TEXTS for key in every)} 把，在用的 {current.hex()} 加密 "
        f"{counted.get(current.hex(), 0)} 行，以前的 {sum(counted.values()) - counted.get(current.hex(), 0)} 行"
    )
    if left:
        yield note(f"密钥：还有 {left} 行可以改用现在的密钥", "python app.py keys reseal")
    if not all(vault.is_wrapped_now(bytes.fromhex(key.wrapped)) for key in every):
        yield note("密钥：有数据密钥还用以前的 secret_key 包着", "python app.py keys rewrap")


def _guard(session: Session) -> Finding:
    if audit.is_guarded(session):
        return good("审计：触发器挡着，数据库不让改、不让删")
    return note(
        "审计：数据库没有让我们建触发器，只由摘要链看护",
        "请数据库管理员打开 log_bin_trust_function_creators，再运行 python app.py audit guard；平时定期 audit verify",
    )


def _backup_age(last: datetime | None, at: datetime) -> Finding:
    if last is None:
        return note("备份：还没有备份过", "python app.py backup 文件.zip，并放到另一台机器上")
    said = f"备份：最近一次 {clock.beijing(last):%Y-%m-%d %H:%M}"
    return (
        good(said)
        if at - last < BACKUP_AGE
        else note(f"{said}，超过 {BACKUP_AGE.days} 天", "python app.py backup 文件.zip")
    )


def redis_server(settings: Settings) -> Findings:
    """Redis, if there is to be one."""
    if not settings.redis.url:
        yield good("Redis：未配置，单机运行")
        return
    address = urlsplit(settings.redis.url)
    shown = f"{address.hostname or address.path}:{address.port or 6379}"
    try:
        server = redis.Redis.from_url(
            settings.redis.url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )  # fmt: skip
        server.ping()
        yield good(f"Redis：{shown} 有应答")
    except (redis.RedisError, ValueError, OSError) as error:
        yield bad(
            f"Redis：{shown} 没有应答（{type(error).__name__}）", "检查 redis.url 和 Redis 服务；留空则单机运行"
        )
