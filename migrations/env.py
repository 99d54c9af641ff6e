"""Runs migrations on the database of the configuration, or on one that was handed over (tests, commands)."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from sqlalchemy import Connection

import config
import schema
from models import Base, Database, Vault
from models.base import Encrypted, Instant


def _render(kind: str, thing: Any, _context: Any) -> str | Literal[False]:
    """Write our own column types into new revisions by the names that the models use."""
    if kind != "type":
        return False
    if isinstance(thing, Instant | Encrypted):
        return f"{type(thing).__name__}()"
    if isinstance(thing, sa.String) and "mysql" in getattr(thing, "_variant_mapping", {}):
        return f"text({thing.length})"
    return False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite cannot alter a table: Alembic makes a new one and copies.
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=_render,
        include_object=schema.comparing(connection.dialect.name),
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    settings = config.load()
    database = Database(settings.database.url, Vault(settings.server.secret_key, *settings.server.former_secret_keys))
    with database.engine.begin() as own:
        _run(own)
