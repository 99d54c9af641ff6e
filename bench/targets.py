"""Who stands in the storm: two references as others would build them, and the assistant itself."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import yaml

from bench import stores
from bench.environments import REFERENCES, ROOT, programs_of
from bench.processes import Failed, free_port, run, running, tail
from bench.stores import Store
from bench.wire import Account, verification
from tests import servers

ACCOUNT = Account(
    "gh_0a1b2c3d4e5f", "wxf0a1b2c3d4e5f607", "localwechat", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)
IN_ENVIRONMENT = {
    "TOKEN": ACCOUNT.token,
    "APP_ID": ACCOUNT.app_id,
    "ENCODING_AES_KEY": ACCOUNT.encoding_aes_key,
    "PYTHONPATH": "",
}
PATH = "/wechat"
START_SECONDS = 40
LOAD_SECONDS = 300


class Unavailable(Exception):
    """The target could not be started; the text says why."""


@dataclass(frozen=True)
class Stand:
    """A target in place: where it listens, its processes, those it leans on, how to count what it stored."""

    port: int
    pid: int
    leans_on: list[int]
    rows: Callable[[], int]


@dataclass
class Target:
    key: str
    title: str
    start: Callable[[Store | None, int, Path], AbstractContextManager[Stand]]
    phrase: str = "签到成功"
    uses_database: bool = True


@contextmanager
def werobot(_: Store | None, __: int, room: Path) -> Iterator[Stand]:
    python, port = _programs("werobot") / "python", free_port()
    environment = {
        **IN_ENVIRONMENT,
        "PORT": str(port),
        "SERVER": "gunicorn",
    }
    memory = f"sqlite:///{room / 'werobot_session.sqlite3'}"
    with _listening([python, REFERENCES / "werobot_app.py"], room, environment, port) as pid:
        yield Stand(port, pid, [], lambda: stores.rows(memory, "WeRoBot"))


@contextmanager
def flask_wechatpy(store: Store | None, _: int, room: Path) -> Iterator[Stand]:
    assert store
    programs, port = _programs("flask_wechatpy"), free_port()
    workers, threads = tuning(store.name)
    with ExitStack() as stack:
        memory = stack.enter_context(servers.valkey())
        url = store.fresh(room)
        stack.callback(store.drop, url)
        environment = {**IN_ENVIRONMENT, "DATABASE_URL": url, "REDIS_URL": memory, "THREADS": str(threads)}
        source = REFERENCES / "flask_wechatpy_app.py"
        run([programs / "python", source], room, room / "log", environment, START_SECONDS)
        size = [
            "--workers",
            str(workers),
            "--blocking-threads",
            str(threads),
            "--no-ws",
            "--log-level",
            "warning",
        ]
        where = [
            "--interface",
            "wsgi",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--working-dir",
            str(REFERENCES),
        ]
        command: list[str | Path] = [programs / "granian", *where, *size, f"{source.stem}:app"]
        pid = stack.enter_context(_listening(command, room, environment, port))
        yield Stand(port, pid, [*store.pids, memory.pid], lambda: stores.rows(url, "attendances"))


def tuning(database: str) -> tuple[int, int]:
    """Workers and threads that served the reference best on two cores; BENCH_FLASK=2x4 tries others."""
    if chosen := os.environ.get("BENCH_FLASK"):
        workers, threads = chosen.split("x")
        return int(workers), int(threads)
    return (2, 1) if database == "sqlite" else (2, 2)


class Assistant:
    """Ours, filled with its own demo once for each database and copied from then on."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._patterns: dict[tuple[str, int], str] = {}
        self._kept = ExitStack()

    def close(self) -> None:
        self._kept.close()

    @contextmanager
    def start(self, store: Store | None, people: int, room: Path) -> Iterator[Stand]:
        assert store
        if not (ROOT / "app.py").exists():
            raise Unavailable("app.py does not exist yet")
        with ExitStack() as stack:
            url = self._filled(store, people, room)
            stack.callback(store.drop, url)
            port = free_port()
            environment = self._environment(store, url, room, port)
            pid = stack.enter_context(_listening(_app("web"), room, environment, port))
            before = stores.rows(url, "attendances")
            yield Stand(port, pid, store.pids, lambda: stores.rows(url, "attendances") - before)

    def _filled(self, store: Store, people: int, room: Path) -> str:
        if not store.can_copy:
            return self._fill(store, people, room)
        key = (store.name, people)
        if key not in self._patterns:
            home = Path(self._kept.enter_context(tempfile.TemporaryDirectory(prefix="bot-pattern-")))
            pattern = self._fill(store, people, home)
            self._kept.callback(store.drop, pattern)
            stores.settle(pattern)
            self._patterns[key] = pattern
        return store.fresh(room, self._patterns[key])

    def _fill(self, store: Store, people: int, room: Path) -> str:
        url = store.fresh(room)
        environment = self._environment(store, url, room, free_port())
        try:
            run(_app("migrate"), room, room / "log", environment, LOAD_SECONDS)
            run(
                _app("demo", "--people", str(people), "--open-now"),
                room,
                room / "log",
                environment,
                LOAD_SECONDS,
            )
        except Failed as failed:
            store.drop(url)
            raise Unavailable(str(failed)) from None
        return url

    def _environment(self, store: Store, url: str, room: Path, port: int) -> dict[str, str]:
        settings = {
            "server": {"base_url": f"http://127.0.0.1:{port}", "secret_key": "benchmark-" * 5},
            "wechat": {
                "app_id": ACCOUNT.app_id,
                "original_id": ACCOUNT.original_id,
                "token": ACCOUNT.token,
                "encoding_aes_key": ACCOUNT.encoding_aes_key,
                "mode": "safe",
                # Nobody listens there: a check-in must not need WeChat.
                "api_base_url": "http://127.0.0.1:9",
            },
        }
        config = room / "config.yaml"
        config.write_text(yaml.safe_dump(settings), "utf-8")
        # Two processes writing one SQLite file only get in each other's way.
        workers = self._workers if store.server else 1
        return {
            "BOT_CONFIG": str(config),
            "BOT_DATABASE__URL": url,
            "BOT_SERVER__PORT": str(port),
            "BOT_SERVER__WORKERS": str(workers),
        }


def _app(*arguments: str) -> list[str | Path]:
    return [sys.executable, ROOT / "app.py", *arguments]


def _programs(name: str) -> Path:
    try:
        return programs_of(name)
    except Failed as failed:
        raise Unavailable(str(failed)) from None


@contextmanager
def _listening(command: list[str | Path], room: Path, environment: dict[str, str], port: int) -> Iterator[int]:
    """Run a web server until it has answered WeChat's verification."""
    log = room / "log"
    with running(command, room, log, environment) as process:
        until = time.monotonic() + START_SECONDS
        while not _is_verified(port):
            if process.poll() is not None:
                raise Unavailable(f"ended at its start with status {process.returncode}{tail(log)}")
            if time.monotonic() > until:
                raise Unavailable(f"did not answer WeChat's verification in {START_SECONDS} s{tail(log)}")
            time.sleep(0.1)
        yield process.pid


def _is_verified(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", verification(ACCOUNT, PATH, "echo20261120"))
        response = connection.getresponse()
        return response.status == 200 and response.read() == b"echo20261120"
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def all_targets(assistant: Assistant) -> list[Target]:
    return [
        Target("werobot", "WeRoBot, as documented", werobot, uses_database=False),
        Target("flask_wechatpy", "Flask+wechatpy+Redis+ORM", flask_wechatpy),
        Target("ours", "法学会助手 (ours)", assistant.start),
    ]
