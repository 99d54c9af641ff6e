"""run, web, worker, scheduler: the same parts in one process or in several."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import click
import structlog
import uvicorn
from apscheduler.schedulers.background import BackgroundScheduler
from granian import Granian
from granian.constants import Interfaces
from sqlalchemy.exc import IntegrityError

import app
import schema
from commands import parts as made
from errors import ConfigurationError
from scheduler.bell import Bell
from scheduler.clockwork import Clockwork
from services import audit
from services.sending import fates
from web.entrance import Entrance

log = structlog.get_logger("serving")

#: Something to do every so many seconds.
Job = tuple[Callable[[], object], int]

TICK_SECONDS = 10
#: How often somebody looks whether there is anything to send, and rings.
SWEEP_SECONDS = 1
#: How often a sender looks by itself, whatever it hears: to show that it lives, and because bells can break.
LOOK_SECONDS = 3
RECOVER_SECONDS = 5
SEAL_SECONDS = 15
#: Somebody sits before the page and waits.
IMPORT_SECONDS = 1
DIE_WITH_PARENT = 1
MOST_CONNECTIONS = 2000
#: How long a server that is told to stop waits for those who are being answered.
STOP_SECONDS = 5


@click.command(short_help="全部在一个进程里运行 · everything in one process")
def run() -> None:
    """全部在一个进程里运行：网页、定时、发送。

    Everything in one process: the web server, the clock, the sender.
    """
    made.set_up_log()
    parts = made.parts(must_be_current=False)
    _require_free_port(parts.settings.server.host, parts.settings.server.port)
    if parts.database.is_sqlite:
        schema.upgrade(parts.database)
    schema.require(parts.database)
    desk = parts.desk()
    bell, delivery = parts.bell(), parts.delivery()
    bell.listen(delivery.run)
    jobs = [_ticking(parts.clockwork(), parts), _sweeping(parts, bell), (delivery.run, LOOK_SECONDS)]
    jobs += [(desk.recover, RECOVER_SECONDS), _sealing(parts), (parts.importing().run, IMPORT_SECONDS)]
    clock = _clock(parts, jobs)
    server = embedded(app.web(parts, desk), parts.settings.server.host, parts.settings.server.port)
    _on_stop(_leave)
    log.info("serving", address=f"http://{parts.settings.server.host}:{parts.settings.server.port}")
    try:
        server.run()
    finally:
        clock.shutdown(wait=False)
        bell.stop()
        delivery.stop()
        desk.stop()
        parts.database.close()


@click.command(short_help="只运行网页服务 · the web server only")
def web() -> None:
    """只运行网页服务（接收微信消息）；按 server.workers 起几个进程。

    The web server only, in `server.workers` processes.
    """
    made.set_up_log()
    parts = made.parts()
    server = parts.settings.server
    _require_free_port(server.host, server.port)
    parts.database.close()
    log.info("serving", address=f"http://{server.host}:{server.port}", processes=server.workers)
    Granian(
        "commands.serving:web_worker",
        address=server.host,
        port=server.port,
        interface=Interfaces.ASGINL,
        workers=server.workers,
        backlog=2048,
        factory=True,
        log_access=False,
        log_enabled=False,
        websockets=False,
    ).serve()


def web_worker() -> Entrance:
    """One process of `web`; it dies with the process that started it."""
    _die_with_parent()
    made.set_up_log()
    parts = made.parts()
    desk = parts.desk()
    _clock(parts, [(desk.recover, RECOVER_SECONDS)])
    application = app.web(parts, desk)
    _settle_down()
    return application


@click.command(short_help="只运行发送 · the sender only")
def worker() -> None:
    """只运行发送：把待发的消息发出去。

    The sender only: delivers the outbox.
    """
    made.set_up_log()
    parts = made.parts()
    bell, delivery = parts.bell(), parts.delivery()
    bell.listen(delivery.run)
    jobs: list[Job] = [(delivery.run, LOOK_SECONDS)]
    if not parts.settings.redis.url:
        # Nobody else's ring is heard here.
        jobs.append(_sweeping(parts, bell))

    def finish() -> None:
        bell.stop()
        delivery.stop()

    _until_stopped(_clock(parts, jobs), finish)


@click.command(short_help="只运行定时 · the clock only")
def scheduler() -> None:
    """只运行定时：决定到期的事项。可以起几个，同一时刻只有一个在做。

    The clock only. Several may run; one at a time decides.
    """
    made.set_up_log()
    parts = made.parts()
    bell = parts.bell()
    jobs = [_ticking(parts.clockwork(), parts), _sealing(parts), (parts.importing().run, IMPORT_SECONDS)]
    if parts.settings.redis.url:
        jobs.append(_sweeping(parts, bell))
    _until_stopped(_clock(parts, jobs), bell.stop)


def embedded(entrance: Entrance, host: str, port: int) -> uvicorn.Server:
    """A server inside this process (docs/decisions/0007): `run` serves until a signal, or until `should_exit`."""
    return uvicorn.Server(
        uvicorn.Config(
            entrance,
            host=host,
            port=port,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )


def _ticking(clockwork: Clockwork, parts: app.Parts) -> Job:
    def tick() -> None:
        decided = Counter((each.rule, each.state.value, each.note) for each in clockwork.tick(parts.now()))
        for (rule, state, note), rows in decided.items():
            log.info("due", rule=rule, rows=rows, state=state, note=note)

    return tick, TICK_SECONDS


def _sweeping(parts: app.Parts, bell: Bell) -> Job:
    """Rings for every sender that lives whenever SQL has something to send."""

    def sweep() -> None:
        at = parts.now()
        with parts.database.reading() as session:
            senders = fates.senders(session, at) if fates.is_work_waiting(session, at) else 0
        if senders:
            bell.ring(senders)

    return sweep, SWEEP_SECONDS


def _sealing(parts: app.Parts) -> Job:
    """The audit is sealed apart from what writes it, so that no message waits for a chain."""

    def seal() -> None:
        # Another process was quicker with the same entries: they are sealed.
        with suppress(IntegrityError), parts.database.transaction() as session:
            audit.seal(session)

    return seal, SEAL_SECONDS


def _clock(parts: app.Parts, jobs: list[Job]) -> BackgroundScheduler:
    """APScheduler only wakes us; a missed wake-up is made up by the next one (stack.md)."""
    clock = BackgroundScheduler(timezone="UTC")
    for job, seconds in jobs:
        clock.add_job(
            _guarded(job), "interval", seconds=seconds, max_instances=1, coalesce=True, misfire_grace_time=None,
            next_run_time=parts.now(),
        )  # fmt: skip
    clock.start()
    return clock


def _guarded(job: Callable[[], object]) -> Callable[[], None]:
    def guarded() -> None:
        try:
            job()
        except Exception:
            log.exception("job.failed", job=getattr(job, "__qualname__", str(job)))

    return guarded


def _until_stopped(clock: BackgroundScheduler, finish: Callable[[], None]) -> None:
    stopped = threading.Event()
    _on_stop(stopped.set)
    stopped.wait()
    clock.shutdown(wait=True)
    finish()


def _leave() -> None:
    """The server hands a signal on to us when it has ended its own work; before that, nobody is there to end."""
    raise SystemExit(0)


def _on_stop(stop: Callable[[], None]) -> None:
    def handle(_number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            # Whoever asks twice does not want to wait.
            signal.signal(each, signal.SIG_DFL)
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


def _require_free_port(host: str, port: int) -> None:
    """Raises ConfigurationError while there is still somebody to read it."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"不能在 {host}:{port} 上监听：{error.strerror}。另一个程序占着端口？"
                f"关掉它，或用 BOT_SERVER__PORT=8010 换一个。"
            ) from None


def _settle_down() -> None:
    """What is loaded stays: the collector need not look at it again with every few hundred messages."""
    gc.collect()
    gc.freeze()


def _die_with_parent() -> None:
    """A worker must not outlive a killed parent and keep its port (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() == 1:
            os._exit(1)


COMMANDS: list[click.Command] = [run, web, worker, scheduler]
