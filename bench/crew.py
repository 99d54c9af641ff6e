"""The processes of one installation: started as operators start them, killed as the kernel kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType

import clock
from bench.environments import ROOT
from bench.processes import running, tail


class Crew:
    """One process for each of these `commands` of app.py ("worker", "worker", "scheduler"), all on the same settings.

    Used by one thread: the processes die with the thread that started them.
    """

    def __init__(self, commands: Sequence[str], room: Path, environment: Mapping[str, str]) -> None:
        self.commands = commands
        self._room = room
        self._environment = {"PYTHONPATH": str(ROOT), **environment}
        self._held = [ExitStack() for _ in commands]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        #: From when on somebody could take over from each killed process, by its id: from its death when another of
        #: its kind lived, else from the next start of one.
        self.heirs_since: dict[int, datetime] = {}
        self._without_heirs: list[int] = []

    def __enter__(self) -> Crew:
        for place in range(len(self.commands)):
            self.start(place)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for stack in self._held:
            stack.close()

    def start(self, place: int) -> None:
        """Start the process of this place, for the first time or after a kill."""
        command: list[str | Path] = [sys.executable, ROOT / "app.py", self.commands[place]]
        entered = running(command, self._room, self.log(place), self._environment)
        self._processes[place] = self._held[place].enter_context(entered)
        for pid in self._without_heirs:
            self.heirs_since[pid] = clock.now()
        self._without_heirs.clear()

    def kill(self, place: int) -> None:
        """kill -9."""
        process = self._processes.pop(place)
        os.kill(process.pid, signal.SIGKILL)
        self.heirs_since[process.pid] = clock.now()
        if not self.alive(self.commands[place]):
            self._without_heirs += self.heirs_since
        self._held[place].close()

    def alive(self, command: str) -> list[int]:
        """The places where this command runs."""
        return [place for place in self._processes if self.commands[place] == command]

    def fallen(self) -> list[str]:
        """Processes that ended without being killed, with what they said last; none is allowed to."""
        ended = [place for place, process in self._processes.items() if process.poll() is not None]
        return [f"{self.commands[place]} ended by itself{tail(self.log(place))}" for place in ended]

    def log(self, place: int) -> Path:
        """What the process of this place says."""
        return self._room / f"{self.commands[place]}-{place}.log"
