"""A MySQL or MariaDB server that lets nobody ordinary make triggers: the tables come all the same, and it is said (F137)."""

from __future__ import annotations

import logging
import warnings

import pytest
import sqlalchemy as sa

import schema
from clock import parse_instant
from models import AuditEntry, Database, Vault
from services import audit
from tests import servers
from tests.conftest import SECRET

pytestmark = pytest.mark.xdist_group("databases")
AT = parse_instant("2026-11-27T09:00")


@pytest.fixture(scope="module")
def server():
    try:
        with servers.mariadb(durable=False, binary_log=True) as url:
            yield sa.make_url(url)
    except servers.Missing as missing:
        warnings.warn(f"NOT TESTED ON MARIADB: {missing}", stacklevel=1)
        pytest.skip(str(missing))


def ordinary(server: sa.URL, rights: str, name: str) -> str:
    """A user who owns one database and nothing else."""
    engine = sa.create_engine(server)
    with engine.begin() as connection:
        for line in (
            f"CREATE DATABASE {name} CHARACTER SET utf8mb4",
            f"CREATE USER {name}@localhost IDENTIFIED BY 'x'",
            f"GRANT {rights} ON {name}.* TO {name}@localhost",
        ):
            connection.exec_driver_sql(line)
    engine.dispose()
    return str(server.set(username=name, password="x", database=name).render_as_string(hide_password=False))


@pytest.mark.parametrize(
    ("rights", "name"),
    [
        ("ALL PRIVILEGES", "logged"),
        ("SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES", "narrow"),
    ],
)
def test_without_the_right_to_triggers_the_tables_come_and_the_doctor_says_so(
    server, caplog, on_database, typed, rights, name
):
    url = ordinary(server, rights, name)
    database = Database(url, Vault(SECRET))
    with caplog.at_level(logging.WARNING, "alembic"):
        schema.upgrade(database)
    assert "审计只由摘要链看护" in caplog.text
    with database.transaction() as session:
        assert not audit.is_guarded(session)
        audit.note(session, AT, None, "backup", "x", "词")
    with database.transaction() as session:
        audit.seal(session)
    with database.transaction() as session:
        session.execute(sa.update(AuditEntry.__table__).values(subject="another"))
    with database.reading() as session:
        assert not audit.verify(session).is_whole, "the chain sees what the triggers could not prevent"
    on_database(url)
    said = typed("doctor").out
    assert "! 审计：数据库没有让我们建触发器" in said
    assert "还是不让建触发器" in typed("audit", "guard").err
    schema.downgrade(database, "base")
    database.close()


def test_once_the_server_allows_it_the_triggers_are_made_by_a_command(server, on_database, typed):
    url = ordinary(server, "ALL PRIVILEGES", "later")
    database = Database(url, Vault(SECRET))
    schema.upgrade(database)
    root = sa.create_engine(server)
    with root.begin() as connection:
        connection.exec_driver_sql("SET GLOBAL log_bin_trust_function_creators = ON")
    on_database(url)
    assert "触发器挡着" in typed("audit", "guard").out
    with database.transaction() as session:
        assert audit.is_guarded(session)
        audit.note(session, AT, None, "backup", "x")
    with pytest.raises(sa.exc.DBAPIError, match="never changed"), database.transaction() as session:
        session.execute(sa.delete(AuditEntry.__table__))
    with root.begin() as connection:
        connection.exec_driver_sql("SET GLOBAL log_bin_trust_function_creators = OFF")
    root.dispose()
    database.close()
