"""Types a command as an operator does: the words in, the exit code, what was printed, the sentence on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import commands
from tests.conftest import SECRET


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Type = Callable[..., Said]


@pytest.fixture
def on_database(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Points the commands at a database, with the local WeChat nowhere."""

    def point(path: Any) -> None:
        monkeypatch.setenv("BOT_CONFIG", str(Path(commands.__file__).parent.parent / "config.example.yaml"))
        monkeypatch.setenv("BOT_DATABASE__URL", path if "://" in str(path) else f"sqlite:///{path}")
        monkeypatch.setenv("BOT_SERVER__SECRET_KEY", SECRET)
        monkeypatch.setenv("BOT_WECHAT__API_BASE_URL", "http://127.0.0.1:9")

    return point


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> Type:
    # A log set up here would go on writing to this test's stderr in the next one.
    monkeypatch.setattr("commands.parts.set_up_log", lambda *_: None)

    def run(*words: Any) -> Said:
        monkeypatch.setattr(sys, "argv", ["app.py", *map(str, words)])
        capfdbinary.readouterr()
        code = 0
        try:
            commands.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Said(code, out.decode(), err.decode())

    return run
