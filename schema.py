"""Brings a database to the tables this version needs, and back (Alembic underneath)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DatabaseError

import config
from errors import ConfigurationError
from models import Database
from models.people import ONLY_WHERE, has_partial_indexes


def _alembic() -> Config:
    return Config(str(config.ROOT / "alembic.ini"))


#: What SQLite says, and what that means to an operator.
SQLITE_SAYS = {
    "not a database": "数据库文件 {} 已损坏或不是 SQLite 文件；请用 python app.py restore 从备份恢复。",
    "malformed": "数据库文件 {} 已损坏（可能没有复制完整）；请用 python app.py restore 从备份恢复。",
    "unable to open": "打不开数据库文件 {}：请检查 database.url，它所在的文件夹要存在并可写。",
    "readonly": "数据库文件 {} 不能写：请检查它和所在文件夹的权限。",
    "locked": "另一个程序正在写数据库 {}，等了一会儿还没有写完；请稍后再试。",
}


def head() -> str | None:
    """The revision this version of the code needs."""
    return ScriptDirectory.from_config(_alembic()).get_current_head()


def knows(revision: str) -> bool:
    """Whether this version of the code has heard of a revision; a backup may come from a newer one."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}


def current(database: Database) -> str | None:
    """The revision a database is at; None for an empty one. Raises ConfigurationError when it cannot be read."""
    try:
        with database.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except DatabaseError as error:
        raise ConfigurationError(_unreadable(database, error)) from None


def upgrade(database: Database, revision: str = "head") -> None:
    """Raises ConfigurationError with one sentence."""
    current(database)
    _require_known(revision)
    settings = _alembic()
    with database.engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, revision)


def downgrade(database: Database, revision: str) -> None:
    """Go back to an older revision; what only newer tables hold is lost. Raises ConfigurationError with one sentence."""
    if revision == "head":
        raise ConfigurationError("要退回哪个版本？例如：python app.py migrate --down --to 0009（--to base 退到空）。")
    current(database)
    _require_known(revision)
    settings = _alembic()
    with database.engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.downgrade(settings, revision)


def _require_known(revision: str) -> None:
    if revision not in {"head", "base"} and not knows(revision):
        raise ConfigurationError(f"没有 {revision} 这个数据库版本；最新的是 {head()}。")


def comparing(dialect: str) -> Callable[..., bool]:
    """Which parts of the models Alembic compares with a database: not an index that it cannot have (models/people.py)."""

    def includes(thing: Any, _name: str | None, _kind: str, _is_reflected: bool, _other: Any) -> bool:
        return ONLY_WHERE not in thing.info or has_partial_indexes(dialect)

    return includes


def require(database: Database) -> None:
    """Raises ConfigurationError unless the database is at `head`, Unreadable unless our secret opens its keys."""
    found = current(database)
    if found != head():
        state = "还没有建表" if found is None else f"是旧版本（{found}）"
        raise ConfigurationError(f"数据库{state}，请先运行：python app.py migrate")
    database.vault.require_openable()


def _unreadable(database: Database, error: DatabaseError) -> str:
    where = database.url.render_as_string(hide_password=True)
    if database.is_sqlite:
        for words, says in SQLITE_SAYS.items():
            if words in str(error):
                return says.format(database.url.database)
    return f"连不上数据库 {where}：{type(error.orig).__name__}。请检查 database.url 和数据库服务。"
