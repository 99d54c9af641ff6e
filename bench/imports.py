"""Bringing 63,130 people in (F030): a CSV file and a workbook checked and applied, into an empty and a filled roll.

Beside it what many would write: pandas or openpyxl and one ORM row at a time, which checks and encrypts nothing.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import schema
from bench import stores
from bench.bringing import URL
from bench.engine import SECRET
from bench.environments import REFERENCES, ROOT, programs_of
from bench.processes import Failed, cpu_seconds, run, tail
from bench.stores import Store
from bench.table import DATABASES, laid_out
from models import Branch, BranchKind, County, Database, Vault
from services.tables import csv_files, workbooks
from services.tables.sheets import Table
from tests import servers

PEOPLE, PART = 63_130, 10
BRANCHES, COUNTIES = 674, 12
#: For each row, before somebody gives up.
LIMIT_SECONDS = 600.0
#: A row of the whole table may cost so many times a row of a tenth of it, and no more.
FLAT = 1.5
COLUMNS = ("姓名", "手机号", "支部", "加入日期", "职务")
WIDTHS = (12, 16, 40, 14, 12)
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华"
FORMS, READERS = ("csv", "xlsx"), ("pandas", "openpyxl")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    databases: tuple[str, ...]
    people: int = PEOPLE


@dataclass(frozen=True)
class Run:
    """One table gone through by one process. `roll` is empty or filled, with as many other people."""

    who: str
    database: str
    form: str
    act: str
    roll: str
    people: int
    seconds: float
    #: How long the writing transaction lasted: on SQLite nobody else writes meanwhile.
    held_seconds: float
    cpu_seconds: float
    database_cpu_seconds: float
    peak_mb: float
    grown_mb: float
    #: Rows that are there and were not before.
    written: int

    @property
    def is_whole(self) -> bool:
        return self.written == (0 if self.act == "check" else self.people)


@dataclass
class Results:
    plan: Plan
    runs: list[Run] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Every row was written, by a check none, and a row of many costs what a row of few does."""
        ratios = [ratio for each in self.runs if (ratio := self.flatness(each)) is not None]
        return not self.unavailable and all(each.is_whole for each in self.runs) and max(ratios, default=0) < FLAT

    def flatness(self, run: Run) -> float | None:
        """What a row costs in processor time as part of the whole table, by what it costs as part of a tenth."""
        alike = ("who", "database", "form", "act", "roll")
        for small in self.runs:
            if small.people < run.people and all(getattr(small, name) == getattr(run, name) for name in alike):
                return (run.cpu_seconds / run.people) / (small.cpu_seconds / small.people)
        return None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def bring(plan: Plan, say: Say) -> Results:
    """Measure on each database, and the references beside it."""
    results = Results(plan)
    with tempfile.TemporaryDirectory(prefix="bot-imports-") as folder:
        room = Path(folder)
        for people in (plan.people // PART, plan.people):
            _write_tables(room, people)
        for reader in READERS:
            try:
                _keep(results, _reference(reader, plan.people, room), say)
            except (Failed, OSError) as reason:
                results.unavailable[reader] = str(reason)
        for name in plan.databases:
            try:
                _ours(name, plan, room, results, say)
            except (servers.Missing, servers.Broken, Failed) as reason:
                results.unavailable[name] = str(reason)
    return results


# --- the tables ----------------------------------------------------------------------------------------------


def _write_tables(room: Path, people: int) -> None:
    """The people of an empty roll, and as many others for the filled one."""
    for roll, first in (("empty", 0), ("filled", PEOPLE)):
        table = Table(COLUMNS, list(_rows(first, people)), frozenset({"手机号"}))
        with _path(room, roll, people, "csv").open("wb") as out:
            csv_files.write_to(out, table, "")
        with _path(room, roll, people, "xlsx").open("wb") as out:
            workbooks.write_to(out, [workbooks.table("人员", COLUMNS, WIDTHS, table.rows)], "")


def _path(room: Path, roll: str, people: int, form: str) -> Path:
    return room / f"{roll}-{people}.{form}"


def _rows(first: int, people: int) -> Iterator[tuple[str, ...]]:
    for number in range(first, first + people):
        rest, one = divmod(number, len(GIVEN))
        name = SURNAMES[rest % len(SURNAMES)] + GIVEN[one] + GIVEN[rest // len(SURNAMES) % len(GIVEN)]
        since = date(2000, 1, 1) + timedelta(days=number % 9000)
        yield name, f"199{number:08d}", _branch(number % BRANCHES), f"{since}", ""


def _branch(number: int) -> str:
    return f"第{number + 1}律师事务所流动党支部"


# --- ours ----------------------------------------------------------------------------------------------------


def _ours(name: str, plan: Plan, room: Path, results: Results, say: Say) -> None:
    with stores.running(name) as store:
        for form in FORMS:
            for people in (plan.people // PART, plan.people):
                with _branches(store, room) as url:
                    for roll in ("empty", "filled"):
                        for act in ("check", "apply"):
                            path = _path(room, roll, people, form)
                            run = _one(store, url, path, act, room)
                            _keep(results, Run("ours", name, form, act, roll, people, **run), say)


@contextmanager
def _branches(store: Store, room: Path) -> Iterator[str]:
    """A fresh database with the branches and nobody in them."""
    with ExitStack() as stack:
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=room)))
        url = store.fresh(own)
        stack.callback(store.drop, url)
        with closing(Database(url, Vault(SECRET))) as database:
            schema.upgrade(database)
            with database.transaction() as session:
                session.execute(sa.insert(County), [{"name": f"第{each}县"} for each in range(1, COUNTIES + 1)])
                counties = session.scalars(sa.select(County.id)).all()
                rows = [
                    {"name": _branch(each), "kind": BranchKind.FIRM, "county_id": counties[each % COUNTIES]}
                    for each in range(BRANCHES)
                ]
                session.execute(sa.insert(Branch), rows)
            database.refresh_statistics()
        yield url


def _one(store: Store, url: str, path: Path, act: str, room: Path) -> dict[str, Any]:
    before = cpu_seconds(store.pids)
    command: list[str | Path] = [sys.executable, "-m", "bench.bringing", act, path]
    figures = _figures(command, room, {"PYTHONPATH": str(ROOT), URL: url})
    if figures.pop("problems"):
        raise Failed(f"{path.name}: the table is not clean")
    figures.pop("rows")
    return figures | {"database_cpu_seconds": cpu_seconds(store.pids) - before}


def _reference(reader: str, people: int, room: Path) -> Run:
    path, target = _path(room, "empty", people, "xlsx"), room / f"{reader}.db"
    command: list[str | Path] = [programs_of("imports") / "python", REFERENCES / "importer.py", reader, path, target]
    figures = _figures(command, room, {"PYTHONPATH": str(ROOT)})
    written = figures.pop("rows")
    return Run(
        reader,
        "sqlite",
        "xlsx",
        "apply",
        "empty",
        people,
        written=written,
        held_seconds=0.0,
        database_cpu_seconds=0.0,
        **figures,
    )


def _figures(command: Sequence[str | Path], room: Path, environment: dict[str, str]) -> dict[str, Any]:
    """What a process says of itself. Raises Failed."""
    log = room / "process.log"
    log.unlink(missing_ok=True)
    run(command, room, log, environment, LIMIT_SECONDS)
    try:
        said: dict[str, Any] = json.loads(log.read_text("utf-8").splitlines()[-1])
    except (ValueError, IndexError):
        raise Failed(f"the process did not report{tail(log)}") from None
    return said


def _keep(results: Results, run: Run, say: Say) -> None:
    results.runs.append(run)
    say(
        f"  {run.who} {run.database} {run.form} {run.act} {run.roll} {run.people:,}: "
        f"{run.seconds:.1f} s, writer held {run.held_seconds:.1f} s, {run.cpu_seconds:.1f} CPU s, {run.peak_mb:.0f} MB, "
        f"{run.written:,} written"
    )


# --- as people read it ---------------------------------------------------------------------------------------

HEADINGS = (
    ("", ""),
    ("file", "文件"),
    ("roll", "名册"),
    ("act", "动作"),
    ("s", "秒"),
    ("writer held, s", "占住写入"),
    ("CPU s", "CPU秒"),
    ("database's", "数据库的"),
    ("peak MB", "内存峰值"),
    ("grown MB", "其中增长"),
    ("written", "写入行数"),
    ("flatness", "每行比十分之一"),
)
ROLLS, ACTS = {"empty": "empty 空", "filled": "filled 满"}, {"check": "check 检查", "apply": "apply 写入"}


def lines(results: Results) -> list[str]:
    """The table and what must be said with it."""
    plan = results.plan
    whole = sorted((each for each in results.runs if each.people == plan.people), key=lambda each: each.who != "ours")
    wrong = [each for each in results.runs if not each.is_whole]
    return [
        "Imports 导入",
        f"{plan.people:,} people, each reading in a process of its own · filled: as many others are there already · "
        f"flatness: CPU for a row by that of a table of {plan.people // PART:,}, less than {FLAT}",
        "",
        *laid_out([*zip(*HEADINGS, strict=True), *(_row(results, each) for each in whole)]),
        *(f"{name}: could not be measured 未能测量: {reason}" for name, reason in results.unavailable.items()),
        *(f"{each.who} {each.database} {each.form}: {each.written:,} rows were written 行数不对" for each in wrong),
    ]


def _row(results: Results, run: Run) -> tuple[str, ...]:
    ratio = results.flatness(run)
    title = DATABASES[run.database] if run.who == "ours" else f"{run.who} + ORM, {DATABASES[run.database]}"
    return (
        title, run.form, ROLLS[run.roll], ACTS[run.act], f"{run.seconds:.1f}",
        f"{run.held_seconds:.1f}" if run.held_seconds else "–", f"{run.cpu_seconds:.1f}",
        f"{run.database_cpu_seconds:.1f}" if run.database_cpu_seconds else "–", f"{run.peak_mb:.0f}",
        f"{run.grown_mb:.0f}", f"{run.written:,}", f"{ratio:.2f}" if ratio else "–",
    )  # fmt: skip
