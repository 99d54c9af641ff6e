"""What every table shares: names of constraints, instants, labelled words, encrypted text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase

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

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[datetime | None], object]:
        kept = {"postgresql": _with_zone, "sqlite": _as_text}.get(dialect.name, _without_zone)

        def write(value: datetime | None) -> object:
            if value is None:
                return None
            if value.tzinfo is None:
                raise TypeError("an instant without a zone must not reach the database")
            return kept(value.astimezone(UTC))

        return write

    def result_processor(self, dialect: sa.Dialect, _coltype: object) -> Callable[[Any], datetime | None]:
        read = datetime.fromisoformat if dialect.name == "sqlite" else _with_zone

        def instant(value: Any) -> datetime | None:
            if value is None:
                return None
            at = read(value)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)

        return instant


def _with_zone(at: datetime) -> datetime:
    return at


def _without_zone(at: datetime) -> datetime:
    return at.replace(tzinfo=None)


def _as_text(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(" ", "microseconds")


class Encrypted(sa.types.TypeDecorator[str]):
    """Text that is encrypted at rest; the vault comes with the engine, so there is no global key."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.MEDIUMBLOB())
        return dialect.type_descriptor(sa.LargeBinary())

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[str | None], bytes | None]:
        seal = vault_of(dialect).seal
        return lambda value: None if value is None else seal(value)

    def result_processor(self, dialect: sa.Dialect, _coltype: object) -> Callable[[bytes | None], str | None]:
        open_sealed = vault_of(dialect).open
        return lambda value: None if value is None else open_sealed(value)


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


def blob() -> sa.types.TypeEngine[bytes]:
    """Bytes, up to sixteen megabytes of them."""
    return sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


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
