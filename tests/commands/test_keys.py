"""`keys`, as an operator types it."""

from __future__ import annotations

import shutil

import pytest
import sqlalchemy as sa

from clock import parse_instant
from models import Database, Person, Vault
from services.custody import keys
from tests.conftest import SECRET

AT = parse_instant("2026-11-27T09:00")
NEW_SECRET = "another secret for tests, also forty long"


@pytest.fixture
def database(stage, tmp_path, on_database, monkeypatch):
    path = tmp_path / "bot.db"
    shutil.copyfile(stage, path)
    on_database(path)
    # Nobody runs beside us.
    monkeypatch.setattr("commands.keys.WAIT_SECONDS", 0)
    opened = Database(f"sqlite:///{path}", Vault(SECRET))
    yield opened
    opened.close()


def test_a_rotation_seals_everything_anew_and_says_so(database, typed):
    before = typed("keys", "list")
    assert "在用" in before.out
    assert "只用来读" not in before.out
    said = typed("keys", "rotate")
    assert said.code == 0, said.err
    assert "没有剩下的" in said.out
    assert "people.phone …" in said.out
    after = typed("keys", "list").out
    assert "只用来读" in after
    assert "还有" not in after
    assert "以前的" in typed("doctor").out


def test_an_unfinished_rotation_is_finished_before_another_key_is_made(database, typed):
    with database.transaction() as session:
        keys.rotate(session, database.vault, AT)
    assert "接着做；这次不生成新密钥" in typed("keys", "rotate").out
    with database.reading() as session:
        assert len(keys.every(session)) == 3


def test_the_secret_is_exchanged_and_the_former_one_can_go(database, typed, monkeypatch):
    monkeypatch.setenv("BOT_SERVER__SECRET_KEY", NEW_SECRET)
    wrong = typed("keys", "list")
    assert wrong.code == 1
    assert "恢复原来的 server.secret_key" in wrong.err
    assert wrong.err.count("\n") == 1
    monkeypatch.setenv("BOT_SERVER__FORMER_SECRET_KEYS", f'["{SECRET}"]')
    assert "用的是以前的 secret_key" in typed("keys", "list").out
    assert "keys rewrap" in typed("doctor").out
    assert "重新包好 2 把" in typed("keys", "rewrap").out
    monkeypatch.delenv("BOT_SERVER__FORMER_SECRET_KEYS")
    assert "以前的 secret_key" not in typed("keys", "list").out
    with Database(str(database.url), Vault(NEW_SECRET)).reading() as session:
        assert session.scalar(sa.select(Person.phone).where(Person.phone.is_not(None)).limit(1))


def test_keys_of_a_secret_that_is_lost_are_named_and_nothing_is_advised_in_a_circle(database, typed, monkeypatch):
    """As after a restore with --other-key: the old words cannot be read, the new ones can."""
    monkeypatch.setenv("BOT_SERVER__SECRET_KEY", NEW_SECRET)
    fresh = Database(str(database.url), Vault(NEW_SECRET))
    with fresh.transaction() as session:
        keys.begin_anew(session, fresh.vault, AT)
    fresh.close()
    listed = typed("keys", "list")
    assert listed.code == 0, listed.err
    assert listed.out.count("读不出：是另一个 server.secret_key 的") == 2
    assert "keys reseal" not in listed.out
    assert "上一次轮换" not in typed("keys", "rotate").out


def test_whoever_stops_it_half_way_reads_how_to_go_on(database, typed, monkeypatch):
    def stopped(_parts, _total):
        raise KeyboardInterrupt

    monkeypatch.setattr("commands.keys._pass", stopped)
    said = typed("keys", "rotate")
    assert (said.code, "停在半路，没有丢什么；接着做：python app.py keys reseal" in said.err) == (1, True)
