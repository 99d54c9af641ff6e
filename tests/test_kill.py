"""kill -9 in the middle of a storm: what was acknowledged is there, nothing is done twice. Broadcasts: test_drill.py."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import clock
import config
import demo
import schema
from models import Answer, Attendance, Database, InboxMessage, Vault
from simulator import testing
from tests.conftest import SECRET

MEMBERS = 400
PATIENCE_SECONDS = 90.0
DONE = ("签到成功", "您已于")
START_SECONDS = 40.0


class Bot:
    """`python app.py run` (or another command) as operators start it, killed as the kernel kills."""

    def __init__(self, folder: Path, wechat_url: str, command: str = "run") -> None:
        self._folder, self._command = folder, command
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_url = f"sqlite:///{folder / 'bot.db'}"
        self._environment = {
            **os.environ,
            "BOT_CONFIG": str(config.ROOT / "config.example.yaml"),
            "BOT_DATABASE__URL": self.database_url,
            "BOT_SERVER__SECRET_KEY": SECRET,
            "BOT_SERVER__PORT": str(self.port),
            "BOT_WECHAT__API_BASE_URL": wechat_url,
            "BOT_SENDING__PER_SECOND": "200",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self._folder / "log").open("ab")
        command = [sys.executable, str(config.ROOT / "app.py"), self._command]
        self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, cwd=config.ROOT)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/healthz", timeout=1):
                return
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.05)
        raise AssertionError("the bot did not start")

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of which every member may check in now, in real time."""
    path = tmp_path_factory.mktemp("kill") / "bot.db"
    database = Database(f"sqlite:///{path}", Vault(SECRET))
    schema.upgrade(database)
    at = clock.now()
    demo.load(database, at=at, people_per_branch=3)
    demo.load_members(database, 6000 + MEMBERS, at=at)
    demo.open_now(database, at=at)
    database.refresh_statistics()
    database.close()
    return path


@pytest.fixture
def bot(furnished: Path, tmp_path: Path) -> Iterator[tuple[Bot, Any, Database]]:
    target = tmp_path / "bot.db"
    target.write_bytes(furnished.read_bytes())
    with testing.running() as wechat:
        bot = Bot(tmp_path, wechat.url)
        wechat.settings(callback_url=f"{bot.url}/wechat")
        database = Database(bot.database_url, Vault(SECRET))
        bot.start()
        yield bot, wechat, database
        bot.kill()
        database.close()


def openid(number: int) -> str:
    return f"oDemo{number:023d}"


def test_a_storm_is_killed_and_nothing_acknowledged_is_lost_or_done_twice(bot):
    process, wechat, database = bot
    people = [openid(6000 + n) for n in range(1, MEMBERS + 1)]

    def check_in(who: str) -> str:
        """Say it, and say it again while the bot is down, as people do."""
        until = time.monotonic() + PATIENCE_SECONDS
        reply = ""
        while time.monotonic() < until:
            reply = wechat.phone(who).says("签到")
            if reply.startswith(DONE):
                return reply
            time.sleep(0.3)
        return reply

    with ThreadPoolExecutor(24) as pool:
        replies = {who: pool.submit(check_in, who) for who in people}
        for share in (0.15, 0.4, 0.65):
            _wait_until(lambda share=share: _count(database, Attendance) >= MEMBERS * share)
            process.kill()
            process.start()
        said = {who: reply.result() for who, reply in replies.items()}
    assert all(reply.startswith(DONE) for reply in said.values()), Counter(reply[:12] for reply in said.values())
    with database.reading() as session:
        rows = session.execute(
            sa.text("SELECT f.openid FROM attendances a JOIN followers f ON f.person_id = a.person_id")
        )
        present = [row[0] for row in rows if row[0] in set(people)]
    assert Counter(present) == Counter(people), "each is present, each once"


def test_what_was_stored_but_not_answered_is_finished_after_the_restart(bot):
    """Killed in the handler: the message is in the inbox, its answer is made after the restart, once, and pushed."""
    process, wechat, database = bot
    phone = wechat.phone(openid(6001))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(phone.says, "演练慢 3")
        _wait_until(lambda: _count(database, InboxMessage) == 1)
        process.kill()
        # WeChat finds nobody, tries three times and gives up; then the bot comes back.
        slow.result()
    # Long ago for the bot: the tries are over.
    with database.transaction() as session:
        session.execute(sa.update(InboxMessage).values(received_at=clock.now() - timedelta(minutes=1)))
    process.start()
    line = phone.wait_for("现在办好了", timeout=30)
    assert line["path"].endswith("custom/send")
    assert _count(database, Answer) == 1


def _count(database: Database, table: Any) -> int:
    with database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def _wait_until(is_so: Any) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


def test_attendance_is_unique_in_the_database(bot):
    _process, _wechat, database = bot
    with database.reading() as session:
        keys = sa.inspect(session.connection()).get_pk_constraint(Attendance.__tablename__)
    assert set(keys["constrained_columns"]) == {"gathering_id", "person_id"}
