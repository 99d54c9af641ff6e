"""Who may import whom (docs/architecture.md); a line in the wrong room fails here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LEAVES = {"clock", "errors", "config", "metrics", "windows"}
MAY_IMPORT = {
    "models": LEAVES,
    # The once-only promise is kept by tables, so WeChat's side has some of its own (docs/decisions/0001).
    "bot": LEAVES | {"models"},
    "services": LEAVES | {"models"},
    "handlers": LEAVES | {"models", "bot", "services"},
    "scheduler": LEAVES | {"models", "bot", "services"},
    "web": LEAVES | {"models", "bot", "services"},
    "api": LEAVES | {"models", "services"},
    "admin": LEAVES | {"models", "services"},
    "demo": LEAVES | {"models", "services"},
    "simulator": set(),
}
OURS = set(MAY_IMPORT) | LEAVES | {"app", "schema", "commands", "migrations", "tests", "bench"}


def imports(path: Path) -> set[str]:
    """The rooms of ours that a file imports from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found & OURS


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_a_layer_imports_only_what_lies_below(package):
    for path in (ROOT / package).rglob("*.py"):
        assert imports(path) <= MAY_IMPORT[package] | {package}, path


def test_only_the_bot_knows_the_sdk():
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] in {"bot", "tests", "bench", ".venv", "build"}:
            continue
        assert "wechatpy" not in path.read_text("utf-8"), path


def test_only_the_clock_asks_for_the_time():
    """`datetime.now` stands in clock.py; the local WeChat and the benchmarks have clocks of their own."""
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0]
        if room in {"clock.py", "simulator", "bench", "tests", ".venv", "build"}:
            continue
        text = path.read_text("utf-8")
        assert "datetime.now(" not in text, path
        assert "time.time()" not in text, path
        assert "utcnow" not in text, path
