"""The servers other tests stand on: each starts, answers, keeps databases apart, dies with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

from tests import servers

ROOT = Path(__file__).resolve().parent.parent
Start = Callable[..., AbstractContextManager[servers.Url]]
DATABASES = [servers.postgres, servers.mariadb]
LONELY_PARENT = """
import time
from tests import servers
with servers.{name}(durable=False) as url:
    print(url.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=DATABASES, ids=lambda start: start.__name__)
def database(request: pytest.FixtureRequest) -> Start:
    start: Start = request.param
    return _here(start)


@cache
def _here(start: Start) -> Start:
    """The server's starter; where it is not installed the run goes on, but says so aloud."""
    try:
        with start(durable=False):
            return start
    except servers.Missing as missing:
        warnings.warn(str(missing), stacklevel=2)
        pytest.skip(str(missing))


def _select_one(url: str) -> object:
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        return connection.scalar(sa.text("SELECT 1"))


def test_a_database_server_starts_quickly_and_answers(database: Start) -> None:
    began = time.monotonic()
    with database(durable=False) as url:
        assert _select_one(url) == 1
        assert time.monotonic() - began < 20
    with pytest.raises(sa.exc.OperationalError):
        _select_one(url)


def test_production_settings_are_durable() -> None:
    with _here(servers.postgres)() as url, sa.create_engine(url).connect() as connection:
        assert connection.scalar(sa.text("SHOW fsync")) == "on"
        assert connection.scalar(sa.text("SHOW synchronous_commit")) == "on"
    with _here(servers.mariadb)() as url, sa.create_engine(url).connect() as connection:
        assert connection.scalar(sa.text("SELECT @@innodb_flush_log_at_trx_commit")) == 1


def test_fresh_databases_do_not_see_each_other(database: Start) -> None:
    with database(durable=False) as url:
        first, second = servers.fresh_database(url), servers.fresh_database(url)
        engine = sa.create_engine(first, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE words (word VARCHAR(20))"))
            connection.execute(sa.text("INSERT INTO words VALUES ('签到😀')"))
            assert connection.scalar(sa.text("SELECT word FROM words")) == "签到😀"
        assert sa.inspect(sa.create_engine(second, poolclass=sa.NullPool)).get_table_names() == []
        servers.drop_database(first)
        with pytest.raises(sa.exc.OperationalError):
            _select_one(first)


def test_a_database_can_be_copied_from_a_template() -> None:
    with _here(servers.postgres)(durable=False) as url:
        pattern = servers.fresh_database(url)
        with sa.create_engine(pattern, poolclass=sa.NullPool).begin() as connection:
            connection.execute(sa.text("CREATE TABLE words (word TEXT)"))
        copy = servers.fresh_database(url, template=pattern)
        assert sa.inspect(sa.create_engine(copy, poolclass=sa.NullPool)).get_table_names() == ["words"]


def test_valkey_answers() -> None:
    with _here(servers.valkey)() as url:
        client = redis.Redis.from_url(url)
        assert client.ping()
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        client.close()
    assert not Path(url.removeprefix("unix://")).parent.exists()


@pytest.mark.parametrize("name", ["postgres", "mariadb", "valkey"])
def test_a_server_dies_with_its_parent(name: str) -> None:
    _here(getattr(servers, name))
    parent = subprocess.Popen(
        [sys.executable, "-c", LONELY_PARENT.format(name=name)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    assert _lives(server)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 15
    while _lives(server):
        assert time.monotonic() < until, f"{name} outlived its parent"
        time.sleep(0.05)


def test_a_room_left_by_a_killed_parent_is_swept_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / f"{servers.ROOM_PREFIX}left"
    left.mkdir()
    (left / "lock").touch()
    os.utime(left / "lock", (0, 0))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(servers, "LONGEST_ROOM", 10_000)
    with servers._room() as room:
        assert room.parent == tmp_path
        assert not left.exists()


def test_a_missing_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_program", lambda name: None)
    with pytest.raises(servers.Missing, match="apt-get install mariadb-server"), servers.mariadb():
        pass


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
