"""A virtual environment for each reference, built once from its pinned list under build/bench/."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from bench.processes import run

ROOT = Path(__file__).resolve().parent.parent
REFERENCES = Path(__file__).resolve().parent / "references"
INSTALL_SECONDS = 600


def programs_of(name: str) -> Path:
    """The bin directory of the reference's environment, built now unless it is there, made from this list."""
    home = ROOT / "build" / "bench" / name
    wanted = f"{sys.version}\n" + (REFERENCES / f"{name}.txt").read_text("utf-8")
    built = home / "built-from.txt"
    if built.exists() and built.read_text("utf-8") == wanted:
        return home / "bin"
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    log = home.parent / f"{name}.log"
    log.unlink(missing_ok=True)
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    run([Path(sys.executable), "-m", "venv", home], home.parent, log, environment, INSTALL_SECONDS)
    install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        "--requirement",
    ]
    command: list[str | Path] = [home / "bin" / "python", *install, REFERENCES / f"{name}.txt"]
    run(command, home.parent, log, environment, INSTALL_SECONDS)
    built.write_text(wanted, "utf-8")
    return home / "bin"
