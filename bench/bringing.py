"""One table checked or applied in a process of its own, which tells what that cost it.

BENCH_URL=… python -m bench.bringing check|apply people.xlsx
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import sqlalchemy as sa

import clock
from bench.engine import SECRET
from bench.references.senders import cpu_seconds, megabytes
from models import Affiliation, Database, Vault
from services.tables import imports, table_files

#: Where the database is, for whoever measures.
URL = "BENCH_URL"


def measured(act: str, path: Path, url: str) -> dict[str, float]:
    """Through the same doors as the command line, with everything that is imported loaded before."""
    database = Database(url, Vault(SECRET))
    there = _affiliations(database)
    before, worked, began = megabytes("VmRSS"), cpu_seconds(), time.perf_counter()
    task = imports.Task(imports.Kind.PEOPLE, table_files.opened(path.read_bytes()), clock.now())
    held = 0.0
    with imports.Prepared() as prepared:
        with database.reading() as session:
            found = imports.check(session, task, prepared if act == "apply" else None)
        if act == "apply":
            asked = time.perf_counter()
            with database.transaction() as session:
                imports.apply(session, task, prepared, path.name)
            held = time.perf_counter() - asked
    seconds, cpu, peak = time.perf_counter() - began, cpu_seconds() - worked, megabytes("VmHWM")
    written = _affiliations(database) - there
    database.close()
    return {
        "rows": found.rows, "written": written, "problems": found.problem_count, "seconds": seconds,
        "held_seconds": held, "cpu_seconds": cpu, "peak_mb": peak, "grown_mb": peak - before,
    }  # fmt: skip


def _affiliations(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Affiliation)) or 0


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], Path(sys.argv[2]), os.environ[URL])))
