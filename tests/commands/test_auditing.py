"""`audit verify`, as an operator types it."""

from __future__ import annotations

import shutil

import pytest
import sqlalchemy as sa

from clock import parse_instant
from models import Database, Switch, Vault
from services import audit
from tests.conftest import SECRET

AT = parse_instant("2026-11-27T09:00")


@pytest.fixture
def noted(stage, tmp_path, on_database):
    path = tmp_path / "bot.db"
    shutil.copyfile(stage, path)
    on_database(path)
    database = Database(f"sqlite:///{path}", Vault(SECRET))
    with database.transaction() as session:
        for n in range(3):
            audit.note(session, AT, None, "test", f"x:{n}")
    yield database
    database.close()


def test_a_whole_chain_says_how_many_and_its_last_digest(noted, typed):
    said = typed("audit", "verify")
    assert said.code == 0
    assert "环环相扣" in said.out
    with noted.reading() as session:
        assert audit.verify(session).last in said.out


def test_a_broken_chain_names_the_entry_and_exits_with_one(noted, typed):
    typed("audit", "verify")
    with noted.transaction() as session:
        session.add(Switch(name=audit.RESTORING, is_on=True, since=AT))
        session.flush()
        session.execute(sa.text("UPDATE audit SET subject = 'other' WHERE id = 2"))
        session.execute(sa.delete(Switch))
    said = typed("audit", "verify")
    assert said.code == 1
    assert "审计记录 2 与封存时不同" in said.out
    assert "被改动过" in said.err
