"""The audit stays: nothing changes or deletes a row, and the chain tells when somebody found a way."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from clock import parse_instant
from models import AuditEntry, AuditSeal, Switch
from services import audit
from services.custody import backups

AT = parse_instant("2026-11-27T09:00")


def write(database, count, act="test"):
    with database.transaction() as session:
        for n in range(count):
            audit.note(session, AT, None, act, f"x:{n}", f"第 {n} 条")


def seal(database):
    with database.transaction() as session:
        return audit.seal(session)


def report(database):
    with database.reading() as session:
        return audit.verify(session)


@pytest.mark.parametrize("act", ["UPDATE audit SET act = 'other'", "DELETE FROM audit"])
@pytest.mark.parametrize("table", ["audit", "audit_seals"])
def test_the_database_refuses_to_change_or_delete_a_row(database, act, table):
    write(database, 1)
    seal(database)
    statement = act.replace("audit", table).replace(
        "act = 'other'", "digest = 'x'" if table != "audit" else "act='x'"
    )
    with pytest.raises(DatabaseError, match="never changed"), database.transaction() as session:
        session.execute(sa.text(statement))
    assert report(database).is_whole


def test_entries_are_sealed_once_and_in_order(database):
    write(database, 3)
    assert [seal(database), seal(database)] == [3, 0]
    write(database, 2)
    assert report(database).unsealed == 2
    assert seal(database) == 2
    found = report(database)
    assert (found.sealed, found.unsealed, found.breaks) == (5, 0, [])


def test_an_entry_that_became_visible_late_is_sealed_after_the_younger(database):
    """A slow transaction has the smaller number and commits later."""
    with database.transaction() as session:
        session.add(AuditEntry(id=50, at=AT, person_id=None, act="young", subject="x"))
    seal(database)
    with database.transaction() as session:
        session.add(AuditEntry(id=40, at=AT, person_id=None, act="late", subject="x"))
    assert seal(database) == 1
    with database.reading() as session:
        order = session.scalars(sa.select(AuditSeal.entry_id).order_by(AuditSeal.position)).all()
    assert order == [50, 40]
    assert report(database).is_whole


def force(database, statement):
    """What somebody with the database in their hands can do."""
    with database.transaction() as session:
        session.add(Switch(name=audit.RESTORING, is_on=True, since=AT))
        session.flush()
        session.execute(sa.text(statement))
        session.execute(sa.delete(Switch).where(Switch.name == audit.RESTORING))


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE audit SET person_id = 7 WHERE id = 2", "审计记录 2 与封存时不同"),
        ("UPDATE audit SET details = x'00' WHERE id = 2", "审计记录 2 与封存时不同"),
        ("DELETE FROM audit_seals WHERE entry_id = 2", "第 2 环不见了"),
        ("UPDATE audit_seals SET digest = 'x' WHERE position = 2", "第 2 环"),
    ],
)
def test_what_was_altered_by_force_is_found(database, statement, says):
    write(database, 4)
    seal(database)
    force(database, statement)
    assert says in "".join(report(database).breaks)


def test_a_deleted_entry_is_found(database):
    write(database, 3)
    seal(database)
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        connection.rollback()
        raw.execute("PRAGMA foreign_keys=OFF")
        raw.execute("DROP TRIGGER audit_no_delete")
        raw.execute("DELETE FROM audit WHERE id = 2")
        connection.invalidate()
    assert "审计记录 2 被删除了" in "".join(report(database).breaks)


def test_a_restore_brings_the_chain_back_whole(database, tmp_path):
    write(database, 3)
    seal(database)
    before = report(database).last
    manifest = backups.write(database, tmp_path / "b.zip", "0003", AT)
    write(database, 2, "later")
    with database.engine.begin() as connection:
        backups.load(connection, tmp_path / "b.zip", manifest)
    assert report(database).last == before
    with pytest.raises(DatabaseError, match="never changed"), database.transaction() as session:
        session.execute(sa.text("DELETE FROM audit"))
