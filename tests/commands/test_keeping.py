"""backup, restore, sending, privacy, as an operator types them."""

import json
import sqlite3
import time
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

import config
import demo
import schema
from bench.crew import Crew
from bench.wechat import TEMPLATE
from clock import parse_instant
from models import AuditEntry, Database, NoticeKind, Outgoing, SendState, Vault
from services import switches
from services.sending import outbox
from tests.conftest import SECRET

AT = parse_instant("2026-11-27T09:00")
LATE = parse_instant("2099-01-01T09:00")
LONG_AGO = parse_instant("2026-01-05T09:00")
WAITING, MANY = 500, 5_000
PATIENCE_SECONDS = 30.0


@pytest.fixture
def busy(database, request):
    """A database in which 500 people wait for a notice, or as many as the test says."""
    with database.transaction() as session:
        recipients = [outbox.Recipient(None, f"oTest{i:023d}") for i in range(getattr(request, "param", WAITING))]
        letter = outbox.Letter(
            NoticeKind.BROADCAST,
            "b:1",
            {"title": "通知", "words": "正文"},
            recipients,
            due_at=LONG_AGO,
            not_after=LATE,
        )
        outbox.queue(session, letter, AT)
    return database


@pytest.fixture
def elsewhere(tmp_path):
    return tmp_path / "elsewhere.db"


def opened(path):
    return Database(f"sqlite:///{path}", Vault(SECRET))


def waiting(database):
    with database.reading() as session:
        return switches.backlog(session, AT).waiting


@pytest.fixture
def copied(busy, elsewhere, tmp_path, typed, on_database):
    """The busy database, backed up and restored somewhere else."""
    file = tmp_path / "backup.zip"
    on_database(busy.url.database)
    assert typed("backup", file).code == 0
    on_database(elsewhere)
    said = typed("restore", file)
    assert said.code == 0
    copy = opened(elsewhere)
    yield copy
    copy.close()


@pytest.mark.parametrize("busy", [MANY], indirect=True)
def test_a_restored_copy_sends_nothing_until_it_is_allowed(copied, elsewhere, house, typed, on_database, tmp_path):
    """A real sender is started on the copy, as somebody would who wants to try a restore."""
    environment = {
        "BOT_CONFIG": str(config.ROOT / "config.example.yaml"),
        "BOT_DATABASE__URL": f"sqlite:///{elsewhere}",
        "BOT_SERVER__SECRET_KEY": SECRET,
        "BOT_WECHAT__API_BASE_URL": house.wechat.url,
    }
    called = house.wechat.calls(TEMPLATE)
    with Crew(("worker",), tmp_path, environment) as crew:
        wait_until(lambda: crew.log(0).exists() and "sending.stopped" in crew.log(0).read_text("utf-8"))
        assert waiting(copied) == MANY
        assert house.wechat.calls(TEMPLATE) == called
        on_database(elsewhere)
        said = typed("sending", "allow", "--yes")
        assert said.code == 0
        assert f"待发 {MANY} 条" in said.out
        wait_until(lambda: house.wechat.calls(TEMPLATE) > called)


def test_nor_does_its_clock_decide_anything(copied, house):
    parts = replace(house.parts, database=copied)
    assert parts.clockwork().tick(house.clock()) == []


def wait_until(is_so):
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.05)


def test_what_waits_can_be_given_up_so_that_nobody_hears_it_twice(copied, elsewhere, typed, on_database):
    on_database(elsewhere)
    assert f"放弃 {WAITING} 条" in typed("sending", "allow", "--discard", "--yes").out
    assert waiting(copied) == 0
    with copied.reading() as session:
        states = set(session.scalars(sa.select(Outgoing.state).where(Outgoing.campaign == "b:1")))
    assert states == {SendState.CANCELLED}


def test_sending_is_not_allowed_by_pressing_return(copied, elsewhere, typed, on_database, monkeypatch):
    import io
    import sys

    on_database(elsewhere)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert typed("sending", "allow").code == 1
    with copied.reading() as session:
        assert switches.no_send(session) is not None


def test_tick_does_not_pretend_to_have_worked(copied, elsewhere, typed, on_database):
    on_database(elsewhere)
    said = typed("tick", "--at", "2026-11-27T08:30")
    assert said.code == 1
    assert "不发送模式" in said.err


def test_the_front_page_says_why_nothing_leaves(copied, house):
    from web.status import look

    found = [check for check in look(house.settings, copied, AT) if check.name == "不发送模式"]
    assert len(found) == 1
    assert "的备份恢复" in found[0].says


def test_the_operator_can_stop_and_allow_by_hand(typed, database, on_database):
    on_database(database.url.database)
    typed("sending", "stop", "--note", "演练")
    assert "不发送模式：演练" in typed("sending", "show").out
    typed("sending", "allow", "--yes")
    assert "可以发送" in typed("sending", "show").out


def test_a_used_database_is_not_overwritten_by_accident(database, tmp_path, typed, on_database):
    on_database(database.url.database)
    file = tmp_path / "backup.zip"
    typed("backup", file)
    with database.transaction() as session:
        session.execute(sa.update(demo.loading.Branch).where(demo.loading.Branch.id == 1).values(name="改名的支部"))
    refused = typed("restore", file)
    assert refused.code == 1
    assert "--replace" in refused.err
    with database.reading() as session:
        assert session.get(demo.loading.Branch, 1).name == "改名的支部"
    assert typed("restore", file, "--replace").code == 0
    with database.reading() as session:
        assert session.get(demo.loading.Branch, 1).name != "改名的支部"


def test_a_database_that_was_only_migrated_counts_as_empty(database, elsewhere, tmp_path, typed, on_database):
    file = tmp_path / "backup.zip"
    on_database(database.url.database)
    typed("backup", file)
    on_database(elsewhere)
    assert typed("migrate").code == 0
    assert typed("restore", file).code == 0


def test_a_damaged_database_is_put_aside(database, elsewhere, tmp_path, typed, on_database):
    file = tmp_path / "backup.zip"
    on_database(database.url.database)
    typed("backup", file)
    elsewhere.write_bytes(b"this is not a database, it only looks like one in the list of files" * 100)
    on_database(elsewhere)
    refused = typed("restore", file)
    assert refused.code == 1
    assert "已损坏" in refused.err
    assert typed("restore", file, "--replace").code == 0
    assert [path.name for path in tmp_path.glob("elsewhere.db.damaged-*")]


def test_another_key_is_said_before_anything_is_written(
    database, elsewhere, tmp_path, typed, on_database, monkeypatch
):
    file = tmp_path / "backup.zip"
    on_database(database.url.database)
    typed("backup", file)
    on_database(elsewhere)
    monkeypatch.setenv("BOT_SERVER__SECRET_KEY", "another secret, also forty characters long")
    refused = typed("restore", file)
    assert refused.code == 1
    assert "密钥" in refused.err
    assert not elsewhere.exists()
    assert "读不出" in typed("restore", file, "--other-key").out


def test_a_backup_is_private_and_holds_no_key(database, tmp_path, typed, on_database):
    file = tmp_path / "backup.zip"
    on_database(database.url.database)
    said = typed("backup", file)
    assert "核对无误" in said.out
    assert file.stat().st_mode & 0o077 == 0
    assert SECRET.encode() not in file.read_bytes()


def test_backup_and_restore_are_in_the_audit(copied):
    with copied.reading() as session:
        acts = list(session.scalars(sa.select(AuditEntry.act).where(AuditEntry.subject == "database")))
    assert acts == ["restore"]


def test_no_such_backup_is_one_sentence(elsewhere, typed, on_database, tmp_path):
    on_database(elsewhere)
    assert typed("restore", tmp_path / "nothing.zip").err.startswith("错误：读不了")
    junk = tmp_path / "junk.zip"
    junk.write_bytes(b"junk")
    assert "不是完整的备份文件" in typed("restore", junk).err
    assert not elsewhere.exists()


# --- privacy -------------------------------------------------------------------------------------------------

WANG_FANG = demo.cast.openid_of("WangFang")


def test_privacy_is_shown_and_erased_from_the_command_line(house, wang_fang, typed, on_database):
    wang_fang.says("咨询")
    on_database(house.database.url.database)
    shown = typed("privacy", "export", WANG_FANG)
    assert shown.code == 0
    told = json.loads(shown.out)
    assert told["openid"] == WANG_FANG
    assert "咨询" in told["messages"][0]["body"]
    assert typed("privacy", "erase", WANG_FANG, "--yes").code == 0
    assert "没有可删除的内容" in typed("privacy", "erase", WANG_FANG, "--yes").out
    assert typed("privacy", "export", WANG_FANG).code == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("migrate", "--to", "foo"), "没有 foo 这个数据库版本"),
        (("migrate", "--down", "--to", "foo"), "没有 foo 这个数据库版本"),
        (("migrate", "--down"), "要退回哪个版本"),
        (("backup", "/dev/full"), "/dev/full 不是文件"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(database, typed, on_database, words, says):
    on_database(database.url.database)
    said = typed(*words)
    assert (said.code, says in said.err, said.err.count("\n")) == (1, True, 1)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("database is locked", "另一个程序正在写"),
        ("attempt to write a readonly database", "不能写"),
        ("database disk image is malformed", "没有复制完整"),
    ],
)
def test_what_sqlite_says_is_said_in_words(database, error, says):
    told = OperationalError("SELECT 1", {}, sqlite3.OperationalError(error))
    assert says in schema._unreadable(database, told)
