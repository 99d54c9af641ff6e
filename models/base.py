"""What every table shares: names of constraints, instants, labelled words, encrypted text, transactions."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Self

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from models.vault import Vault


class Labelled(StrEnum):
    """A word of the domain that stands once, with its Chinese: `KIND = "stored", "显示"`."""

    label: str

    def __new__(cls, value: str, label: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware UTC instant. SQLite and MariaDB have no zone to store, so it is taken off and put back here."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("an instant without a zone must not reach the database")
        at = value.astimezone(UTC)
        return at if dialect.name == "postgresql" else at.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Encrypted(sa.types.TypeDecorator[str]):
    """Text that is encrypted at rest; the vault comes with the engine, so there is no global key."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.MEDIUMBLOB())
        return dialect.type_descriptor(sa.LargeBinary())

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> bytes | None:
        return None if value is None else vault_of(dialect).seal(value)

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else vault_of(dialect).open(value)


def vault_of(dialect: sa.Dialect) -> Vault:
    """The vault that `Database` gave to its engine."""
    vault = getattr(dialect, "vault", None)
    if not isinstance(vault, Vault):
        raise TypeError("this engine was not made by models.Database")
    return vault


def text(length: int) -> sa.types.TypeEngine[str]:
    """A string column. MariaDB compares without case by default, and openids differ by case only."""
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )


def word(kind: type[Labelled]) -> sa.Enum:
    """A column that holds one labelled word, as its stored value, checked by the database."""
    return sa.Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=32,
        name=f"{kind.__name__.lower()}_is_known",
        values_callable=lambda words: [w.value for w in words],
    )


class Base(DeclarativeBase):
    """Every table of the product."""

    __table__: ClassVar[sa.Table]

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: Instant(), str: text(64), int: sa.Integer()}


BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class Database:
    """One engine and its transactions. Handed to the edges; services only ever see a session."""

    def __init__(self, url: str, vault: Vault, pool_size: int = 24) -> None:
        self.url = sa.make_url(url)
        options: dict[str, Any] = {"pool_pre_ping": self.url.get_backend_name() != "sqlite"}
        if not self.is_sqlite:
            options |= {"pool_size": pool_size, "max_overflow": 8, "pool_timeout": 4}
        self.engine = sa.create_engine(self.url, **options)
        self.engine.dialect.vault = vault  # type: ignore[attr-defined]
        self.vault = vault
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        # SQLite has one writer. Waiting for it here is fair; its own waiting is a lottery of short sleeps.
        self._one_writer = threading.RLock() if self.is_sqlite else None
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        if self.url.get_backend_name() in {"mysql", "mariadb"}:
            sa.event.listen(self.engine, "connect", _prepare_mariadb)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose work is kept whole when the block ends, or dropped whole when it raises."""
        with self._one_writer or nullcontext(), self._sessions() as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for questions only; it never waits for a writer."""
        with self._sessions() as session:
            session.connection(execution_options={"reading": True})
            yield session
            # What was read stays readable: a rollback would empty every row that is still held.
            session.expunge_all()
            session.rollback()

    def refresh_statistics(self) -> None:
        """Let the database count its rows after many were added at once; until then it plans for empty tables."""
        names = ", ".join(Base.metadata.tables)
        is_mysql = self.url.get_backend_name() in {"mysql", "mariadb"}
        with self.transaction() as session:
            session.execute(sa.text(f"ANALYZE TABLE {names}" if is_mysql else "ANALYZE"))

    def close(self) -> None:
        """Give every connection back to the server."""
        self.engine.dispose()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself: we say BEGIN IMMEDIATE (see _begin_sqlite).
    connection.isolation_level = None
    cursor = connection.cursor()
    for line in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {line}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that starts as a reader and then writes can fail at once with "database is locked".
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _prepare_mariadb(connection: Any, _record: object) -> None:
    # Its default, REPEATABLE READ, would hide rows that other processes have just finished.
    cursor = connection.cursor()
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    cursor.execute("SET SESSION time_zone = '+00:00'")
    cursor.close()


Rows = Sequence[Mapping[str, Any]]
#: From so many rows on it is worth looking which columns are the same for all.
MANY = 100


def insert_new(session: Session, model: type[Base], rows: Rows) -> None:
    """Insert the rows whose keys are not there yet; the others are left as they are, without an error."""
    _insert(session, model, rows, leave_known=True)


def insert_all(session: Session, model: type[Base], rows: Rows) -> None:
    """Insert the rows. Raises IntegrityError when one of their keys is there already."""
    _insert(session, model, rows, leave_known=False)


def _insert(session: Session, model: type[Base], rows: Rows, *, leave_known: bool) -> None:
    """One statement for any number of rows: it is the whole cost of the path of every message."""
    if not rows:
        return
    first, dialect = rows[0], dialect_of(session)
    alike = _alike(rows) if dialect == "postgresql" and len(rows) >= MANY else frozenset()
    statement = _insertion(dialect, model, tuple(first), leave_known, alike)
    if isinstance(statement, postgresql.Insert):
        values = {name: first[name] if name in alike else [row[name] for row in rows] for name in first}
        session.connection().execute(statement, values)
    else:
        session.connection().execute(statement, rows)


def _alike(rows: Rows) -> frozenset[str]:
    """The columns that have the same value in all these rows."""
    first = rows[0]
    return frozenset(name for name in first if all(row[name] == first[name] for row in rows))


@cache
def _insertion(
    dialect: str, model: type[Base], names: tuple[str, ...], leave_known: bool, alike: frozenset[str]
) -> sa.Insert:
    table = model.__table__
    if dialect == "postgresql":
        # Columns as arrays: the statement never changes, so that it is prepared once for every number of rows.
        kinds = {name: table.c[name].type for name in names}
        columns = [
            sa.bindparam(name, type_=kind).cast(kind).label(name)
            if name in alike
            else sa.func.unnest(sa.bindparam(name, type_=postgresql.ARRAY(kind))).label(name)
            for name, kind in kinds.items()
        ]
        many = postgresql.insert(table).from_select(names, sa.select(*columns), include_defaults=False)
        return many.on_conflict_do_nothing() if leave_known else many
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing() if leave_known else sa.insert(table)
    return sa.insert(table).prefix_with("IGNORE") if leave_known else sa.insert(table)


def among(dialect: str, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """`column` is one of the parameter's values; on PostgreSQL they are one array, so that the statement and its
    plan stay the same however many there are. Statements with it are made once and kept."""
    if dialect == "postgresql":
        return column == sa.any_(sa.bindparam(name, type_=postgresql.ARRAY(column.type)))
    return column.in_(sa.bindparam(name, expanding=True))


def dialect_of(session: Session) -> str:
    """postgresql, sqlite or mysql."""
    return session.get_bind().dialect.name


def update_each(session: Session, model: type[Base], rows: Rows, *, only_if: Mapping[str, Any]) -> int:
    """Give each row, named by its `id`, values of its own, where it still is as `only_if` says: compare-and-set
    for thousands of rows. What is the same for all is bound once. Returns how many rows were changed."""
    if not rows:
        return 0
    first, table, kind = rows[0], model.__table__, dialect_of(session)
    alike = _alike(rows) - {"id"}
    names = [name for name in first if name != "id" and name not in alike]
    change = sa.update(table).where(*(table.c[name] == value for name, value in only_if.items()))
    change = change.values({name: first[name] for name in alike})
    values: Any = {}
    if not names:
        change = change.where(among(kind, table.c.id, "ids"))
        values = {"ids": [row["id"] for row in rows]}
    elif kind == "sqlite":
        # Prepared once and run for each row inside the library: as fast there as anything.
        change = change.where(table.c.id == sa.bindparam("new_id"))
        change = change.values({name: sa.bindparam(f"new_{name}") for name in names})
        values = [{f"new_{name}": row[name] for name in ("id", *names)} for row in rows]
    else:
        new, values = _as_table(kind, table, ["id", *names], rows)
        change = change.where(table.c.id == new.c.id).values({name: new.c[name] for name in names})
    return int(session.connection().execute(change, values).rowcount)


def _as_table(
    kind: str, table: sa.Table, names: Sequence[str], rows: Rows
) -> tuple[sa.Subquery, dict[str, Sequence[Any]]]:
    """Rows of ours as something to join with: arrays on PostgreSQL, a union of rows on MariaDB."""
    if kind == "postgresql":
        arrays = [sa.bindparam(f"new_{name}", type_=postgresql.ARRAY(table.c[name].type)) for name in names]
        columns = [sa.func.unnest(array).label(name) for array, name in zip(arrays, names, strict=True)]
        return sa.select(*columns).subquery("new"), {f"new_{n}": [row[n] for row in rows] for n in names}
    first, *rest = [
        sa.select(*(sa.bindparam(f"new_{n}_{i}", row[n], type_=table.c[n].type).label(n) for n in names))
        for i, row in enumerate(rows)
    ]
    return (first.union_all(*rest) if rest else first).subquery("new"), {}
