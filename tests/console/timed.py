"""`make bench`: how long each console page takes with the demonstration and its past, beside a page with nothing on it."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from tests.conftest import Clock
from tests.console import addresses
from tests.console.conftest import Office, Visitor
from tests.console.shots import furnished

TIMES = 7
SHOWN = 12
#: What the issue asks of a page on the demonstration.
MOST_MS = 100.0
EMPTY = "/console/nothing"


@dataclass(frozen=True, slots=True)
class Timed:
    """One page: medians of `TIMES` openings, in milliseconds; how many statements; how large."""

    name: str
    wall: float
    cpu: float
    statements: int
    kilobytes: float


def timed(office: Office, visitor: Visitor, name: str, path: str) -> Timed:
    """Open a page again and again, after once for its templates."""
    statements: list[str] = []

    def hear(_connection: object, _cursor: object, text: str, *_rest: object) -> None:
        statements.append(text)

    size = len(visitor.open(path).data)
    walls, processors = [], []
    sa.event.listen(office.database.engine, "before_cursor_execute", hear)
    for _ in range(TIMES):
        wall, cpu = time.perf_counter(), time.process_time()
        visitor.open(path)
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - cpu)
    sa.event.remove(office.database.engine, "before_cursor_execute", hear)
    wall, cpu = (1000 * statistics.median(each) for each in (walls, processors))
    return Timed(name, wall, cpu, len(statements) // TIMES, size / 1024)


def main() -> int:
    """Exit status 1 if a page took longer than it may."""
    with tempfile.TemporaryDirectory() as folder:
        office = furnished(f"sqlite:///{Path(folder) / 'timed.db'}", Clock())
        pages, visitor = addresses.of(office), office.visitor("office")
        empty = timed(office, visitor, "nothing", EMPTY)
        found = [timed(office, visitor, name.removeprefix("console."), path) for name, path in pages.items()]
        office.database.close()
    found.sort(key=lambda page: -page.wall)
    out = sys.stdout.write
    out(f"Console pages 控制台页面：{len(found)}，演示数据，各开 {TIMES} 次取中位数\n")
    out(f"{'page':24}{'ms':>8}{'CPU ms':>8}{'× empty':>9}{'statements':>12}{'KB':>7}\n")
    for page in [*found[:SHOWN], empty]:
        ratio = page.wall / empty.wall
        out(f"{page.name:24}{page.wall:8.1f}{page.cpu:8.1f}{ratio:8.1f}×{page.statements:12}{page.kilobytes:7.0f}\n")
    late = [page.name for page in found if page.wall > MOST_MS]
    out(
        f"中位数 {statistics.median(page.wall for page in found):.1f} ms；超过 {MOST_MS:.0f} ms：{'、'.join(late) or '没有'}\n"
    )
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
