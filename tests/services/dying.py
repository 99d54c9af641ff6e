"""A process that works at the tables that were sent, says where it has come to, and waits there to be killed.

python -m tests.services.dying DATABASE preparing|pouring
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from clock import parse_instant
from models import Database, Vault
from scheduler.importing import Importing
from services.tables.imports_people import People
from tests.conftest import SECRET

AT = "2026-11-27T09:00"
#: What it is in the middle of: its second batch.
ACTS = {"preparing": "ready", "pouring": "write"}


def main(url: str, where: str) -> None:
    act, batches = ACTS[where], 0
    usual = getattr(People, act)

    def halt(self: People, given: Any) -> Any:
        nonlocal batches
        done, batches = usual(self, given), batches + 1
        if batches == 2:
            print(where, flush=True)
            signal.pause()
        return done

    setattr(People, act, halt)
    Importing(Database(url, Vault(SECRET)), lambda: parse_instant(AT)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
