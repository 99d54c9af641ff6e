"""A whole database in one file, checked, and back into any of the three kinds of database (F142).

The file is a zip: one JSON line a row, one file a table, and `manifest.json` with the schema's revision, counts
and digests. Encrypted columns stay encrypted; of the key there is only a fingerprint.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from clock import beijing
from errors import RuleBroken
from models import Base, Database, SendState, Vault
from models.base import Encrypted, Instant, text
from services import audit
from services.switches import NO_SEND
from services.tables import sheets

FORMAT = 1
MANIFEST = "manifest.json"
#: Who holds what right now, and WeChat's passing token: in a copy they would be wrong, and are made anew.
LEFT_OUT = frozenset({"leases", "credentials"})
#: Tables that a database has filled before anybody has used it.
SEEDED = frozenset({"day_exceptions", "paces", "data_keys"})
#: What triggers guard, in the order in which it can be emptied.
AUDIT = ("audit_seals", "audit")

#: How a column is written down, and the type it is read back into.
TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "bytes": sa.LargeBinary().with_variant(sa.dialects.mysql.MEDIUMBLOB(), "mysql", "mariadb"),
    "instant": Instant(),
    "date": sa.Date(),
    "bool": sa.Boolean(),
    "int": sa.BigInteger(),
    "float": sa.Double(),
    "text": text(255),
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself."""

    made_at: datetime
    revision: str
    database: str
    key_fingerprint: str
    #: Table → its columns' kinds, number of rows, SHA-256 of its lines.
    tables: dict[str, dict[str, Any]]

    @property
    def rows(self) -> int:
        return sum(int(table["rows"]) for table in self.tables.values())

    def fits(self, vault: Vault) -> bool:
        """Whether this installation's key opens what is encrypted in the backup."""
        return self.key_fingerprint in fingerprints(vault)


def fingerprint(vault: Vault) -> str:
    """Tells two secret keys apart and tells nothing else about them."""
    return fingerprints(vault)[0]


def fingerprints(vault: Vault) -> list[str]:
    """That of the present secret, then of those that were in use before it."""
    return [key[:16] for key in vault.signing_keys("key fingerprint")]


# --- writing -------------------------------------------------------------------------------------------------


def write(database: Database, path: Path, revision: str, at: datetime) -> Manifest:
    """Back up a database that is in use, as it stands at one instant, and check the file. Raises RuleBroken."""
    if path.exists() and not path.is_file():
        raise RuleBroken(f"{path} 不是文件；请换一个文件名。")
    if path.exists() and not zipfile.is_zipfile(path):
        raise RuleBroken(f"{path} 已存在，而且不是备份文件；请换一个文件名。")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            manifest = _write(database, archive, revision, at)
        check(unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise RuleBroken(f"写不了 {path}：{error.strerror}。") from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return manifest


def _write(database: Database, archive: zipfile.ZipFile, revision: str, at: datetime) -> Manifest:
    tables = {}
    with _snapshot(database) as connection, connection.begin():
        for table in Base.metadata.sorted_tables:
            if table.name in LEFT_OUT:
                continue
            kinds = {column.name: _kind(column.type) for column in table.columns}
            digest, count = hashlib.sha256(), 0
            with archive.open(f"{table.name}.jsonl", "w", force_zip64=True) as out:
                rows = connection.execute(
                    sa.select(_plain(table.name, kinds)).order_by(*map(sa.column, table.primary_key.columns.keys())),
                    execution_options={"yield_per": sheets.CHUNK},
                )
                for row in rows:
                    line = json.dumps([_written(value) for value in row], ensure_ascii=False).encode() + b"\n"
                    digest.update(line)
                    out.write(line)
                    count += 1
            tables[table.name] = {"columns": kinds, "rows": count, "sha256": digest.hexdigest()}
    manifest = Manifest(at, revision, database.url.get_backend_name(), fingerprint(database.vault), tables)
    archive.writestr(MANIFEST, json.dumps(_described(manifest), ensure_ascii=False, indent=1))
    return manifest


def _snapshot(database: Database) -> sa.Connection:
    """A connection whose transaction sees one instant, however long it takes, and holds nobody up."""
    if database.is_sqlite:
        return database.engine.connect().execution_options(reading=True)
    return database.engine.connect().execution_options(isolation_level="REPEATABLE READ")


def _kind(of: sa.types.TypeEngine[Any]) -> str:
    match of:
        case Encrypted() | sa.LargeBinary():
            return "bytes"
        case Instant():
            return "instant"
        case sa.Date():
            return "date"
        case sa.Boolean():
            return "bool"
        case sa.Integer():
            return "int"
        case sa.Double():
            return "float"
        case sa.String():
            return "text"
    raise TypeError(f"no way to back up a column of type {of!r}")


def _plain(name: str, kinds: dict[str, str]) -> sa.Table:
    """The table with plain types: nothing is decrypted, and words stay as they are stored."""
    return sa.Table(name, sa.MetaData(), *(sa.Column(column, TYPES[kind]) for column, kind in kinds.items()))


def _written(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, date) else value


def _described(manifest: Manifest) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "made_at": manifest.made_at.isoformat(),
        "revision": manifest.revision,
        "database": manifest.database,
        "key_fingerprint": manifest.key_fingerprint,
        "left_out": sorted(LEFT_OUT),
        "tables": manifest.tables,
    }


# --- checking ------------------------------------------------------------------------------------------------


def check(path: Path) -> Manifest:
    """Read a backup from end to end: every count, every digest, every row. Raises RuleBroken."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive)
            for name, table in manifest.tables.items():
                _check_table(archive, name, table)
            return manifest
    except OSError as error:
        raise RuleBroken(f"读不了 {path}：{error.strerror}。") from None
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError):
        raise RuleBroken(f"{path} 不是完整的备份文件，不能用来恢复。") from None


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    said = json.loads(archive.read(MANIFEST))
    if said["format"] != FORMAT:
        raise RuleBroken(f"备份的格式是 {said['format']}，这个版本只认识 {FORMAT}；请用更新的版本恢复。")
    return Manifest(
        datetime.fromisoformat(said["made_at"]), said["revision"], said["database"], said["key_fingerprint"],
        said["tables"],
    )  # fmt: skip


def _check_table(archive: zipfile.ZipFile, name: str, table: dict[str, Any]) -> None:
    digest, count = hashlib.sha256(), 0
    with archive.open(f"{name}.jsonl") as lines:
        for line in lines:
            digest.update(line)
            _read(line, table["columns"])
            count += 1
    if count != table["rows"] or digest.hexdigest() != table["sha256"]:
        raise RuleBroken(
            f"备份里的表 {name} 与清单不符（应有 {table['rows']} 行，实有 {count} 行或内容被改），不能恢复。"
        )


def _read(line: bytes, kinds: dict[str, str]) -> dict[str, Any]:
    values = json.loads(line)
    return {name: _value(kind, value) for (name, kind), value in zip(kinds.items(), values, strict=True)}


def _value(kind: str, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case "bytes":
            return base64.b64decode(value, validate=True)
        case "instant":
            return datetime.fromisoformat(value)
        case "date":
            return date.fromisoformat(value)
    return value


# --- reading back --------------------------------------------------------------------------------------------


def is_empty(connection: sa.Connection) -> bool:
    """Whether nobody has used this database yet."""
    return not any(
        connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first()
        for table in Base.metadata.sorted_tables
        if table.name not in SEEDED and sa.inspect(connection).has_table(table.name)
    )


def load(connection: sa.Connection, path: Path, manifest: Manifest) -> None:
    """Replace every row by the backup's, in the caller's transaction; the tables are at the backup's revision."""
    names = [table.name for table in Base.metadata.sorted_tables]
    inspector = sa.inspect(connection)
    with audit.opened_for_restore(connection):
        for name in AUDIT:
            if inspector.has_table(name):
                connection.execute(sa.delete(sa.table(name)))
    for name in reversed(names):
        if inspector.has_table(name) and name not in AUDIT:
            connection.execute(sa.delete(sa.table(name)))
    with zipfile.ZipFile(path) as archive:
        for name in sorted(manifest.tables, key=lambda n: names.index(n) if n in names else len(names)):
            kinds = manifest.tables[name]["columns"]
            with archive.open(f"{name}.jsonl") as lines:
                for chunk in sheets.chunks(_read(line, kinds) for line in lines):
                    connection.execute(sa.insert(_plain(name, kinds)), chunk)
    if connection.dialect.name == "postgresql":
        _continue_numbers(connection)


def _continue_numbers(connection: sa.Connection) -> None:
    """PostgreSQL gives out numbers from a counter that does not see inserted ones."""
    for table in Base.metadata.sorted_tables:
        if "id" in table.primary_key.columns and sa.inspect(connection).has_table(table.name):
            last = connection.scalar(sa.select(sa.func.max(table.c.id)))
            if last is not None:
                counter = sa.func.pg_get_serial_sequence(table.name, "id")
                connection.execute(sa.select(sa.func.setval(counter, last)))


def stand_still(connection: sa.Connection, manifest: Manifest, at: datetime) -> None:
    """A restored copy sends nothing until somebody says so (pitfall 7), in the transaction that loads it.

    What was being sent when the backup was made may have left: nobody knows, so it is never sent again.
    """
    switches, rows = Base.metadata.tables["switches"], Base.metadata.tables["outbox"]
    note = f"由 {beijing(manifest.made_at):%Y-%m-%d %H:%M} 的备份恢复"
    connection.execute(sa.delete(switches).where(switches.c.name == NO_SEND))
    connection.execute(sa.insert(switches).values(name=NO_SEND, is_on=True, since=at, note=note))
    connection.execute(
        sa.update(rows)
        .where(rows.c.state == SendState.CLAIMED)
        .values(state=SendState.UNKNOWN, settled_at=at, reason="备份时正在发送，不知是否已经发出；不会自动重发")
    )
