"""Programs under measurement: tied to their parent's life, stopped with all they started, read from /proc."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.servers import die_with_parent, stop

TICKS = os.sysconf("SC_CLK_TCK")
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
STOP_SECONDS = 8


class Failed(Exception):
    """A program that ended badly or took too long; the text ends with what it said last."""


@contextmanager
def running(
    command: Sequence[str | Path], room: Path, log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=room,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            # A server told to stop takes its workers along; a killed one would leave them.
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
    try:
        yield process
    finally:
        stop(process, STOP_SECONDS)


def run(
    command: Sequence[str | Path], room: Path, log: Path, environment: Mapping[str, str], limit_seconds: float
) -> None:
    with running(command, room, log, environment) as process:
        try:
            status = process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{_words(command)}: still running after {limit_seconds:.0f} s{tail(log)}") from None
    if status:
        raise Failed(f"{_words(command)}: exit status {status}{tail(log)}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_seconds(pids: Iterable[int]) -> float:
    """What these processes and all below them have used, children already gone included."""
    ticks = 0
    for pid in _trees(pids):
        with suppress(OSError):
            fields = _stat(pid)
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS


def peak_megabytes(pids: Iterable[int]) -> float:
    """The sum of the largest resident sets; pages that forked workers share count in each."""
    kilobytes = 0
    for pid in _trees(pids):
        with suppress(OSError):
            found = PEAK.search(Path(f"/proc/{pid}/status").read_text())
            kilobytes += int(found[1]) if found else 0
    return kilobytes / 1024


def tail(log: Path, lines: int = 12) -> str:
    said = log.read_text("utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return "".join(f"\n    {line}" for line in said[-lines:])


def _trees(pids: Iterable[int]) -> set[int]:
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                children[int(_stat(int(entry.name))[1])].append(int(entry.name))
    found: set[int] = set()
    left = list(pids)
    while left:
        pid = left.pop()
        found.add(pid)
        left += children[pid]
    return found


def _stat(pid: int) -> list[str]:
    """The fields after the program's name, which may itself contain blanks and brackets."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()


def _words(command: Sequence[str | Path]) -> str:
    return " ".join(Path(part).name if isinstance(part, Path) else part for part in command)
