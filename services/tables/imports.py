"""Tables brought in from outside: first said what they would change, written only without a single error (F030).

A file is gone through some hundred rows at a time, and nothing is kept but numbers, the first problems and the first
changes. Whoever means to write it keeps aside what each batch would write and with what it was compared; writing, in a
transaction of its own, asks the database the same again and then only pours (docs/decisions/0018).
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import Misunderstood, NotFound, RuleBroken
from models import ImportKind, Role
from models.many import roomy
from services import audit
from services.scope import OUTSIDE, Scope
from services.tables import sheets, table_files, workbooks
from services.tables.imports_kinds import Change, Column, Fate, Ground, Importer
from services.tables.imports_ledgers import Holidays, Publicity
from services.tables.imports_people import People
from services.tables.imports_places import Branches, Stations
from services.tables.sheets import MARK, Problem, Row, TableFile
from services.tables.spool import Spool

Kind = ImportKind
MAX_PROBLEMS = 500
SHOWN_CHANGES = 50
CHANGED_SINCE = "预览以后，名册又变了（或换了人来写入）：请再看一遍，再写入。"

COLUMNS: dict[Kind, tuple[Column, ...]] = {
    Kind.PEOPLE: People.columns,
    Kind.BRANCHES: Branches.columns,
    Kind.STATIONS: Stations.columns,
    Kind.HOLIDAYS: Holidays.columns,
    Kind.PUBLICITY: Publicity.columns,
}
#: What a county office may bring in, for its own county.
OF_COUNTIES = frozenset({Kind.PEOPLE, Kind.BRANCHES, Kind.STATIONS})


def kinds(scope: Scope | None) -> list[Kind]:
    """What somebody may bring in; the command line anything."""
    if scope is None or scope.holds(Role.OFFICE):
        return list(Kind)
    return [kind for kind in Kind if kind in OF_COUNTIES and scope.holds(Role.COUNTY_OFFICE)]


@dataclass(frozen=True, slots=True)
class Task:
    """A file to be brought in; without a scope for the whole city. `progress` hears how many rows are done."""

    kind: Kind
    file: TableFile
    at: datetime
    scope: Scope | None = None
    progress: Callable[[int], None] = lambda _rows: None


@dataclass(slots=True)
class Findings:
    """What a file would do. `digest` stands for every change in it: the same digest, the same changes."""

    remarks: tuple[str, ...]
    rows: int = 0
    fates: Counter[Fate] = field(default_factory=Counter)
    #: The first of them, from top to bottom.
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    wrong_rows: int = 0
    changes: list[Change] = field(default_factory=list)
    digest: str = ""

    @property
    def counts(self) -> str:
        return "，".join(f"{fate.label} {self.fates[fate]}" for fate in Fate)

    @property
    def is_known(self) -> bool:
        """Whether everything in it is there already."""
        return self.fates[Fate.UNCHANGED] == self.rows


class Prepared:
    """A table between its comparing and its writing: by which keys the database was asked, what is to be written, and
    `mark`, which stands for all that the database answered."""

    def __init__(self) -> None:
        self.keys, self.writings = Spool(), Spool()
        self.found, self.mark = Findings(()), ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.keys.close()
        self.writings.close()


class ChangedSince(RuleBroken):
    """What would be written is no longer what was compared."""


def check(session: Session, task: Task, prepared: Prepared | None = None) -> Findings:
    """Compare a file with what is there; what `apply` needs is put into `prepared`. Writes nothing. Raises Misunderstood
    for what is no such table."""
    if task.kind not in kinds(task.scope):
        raise NotFound(OUTSIDE)
    needed = [column.name for column in COLUMNS[task.kind] if column.is_needed]
    others = [column.name for column in COLUMNS[task.kind] if not column.is_needed]
    reading, ground = sheets.read(task.file, needed, others), Ground(session)
    importer, found, digest = _importer(ground, task), Findings(reading.remarks), hashlib.sha256()
    for rows in sheets.chunks(reading.rows()):
        keys, changes = importer.compare(rows)
        _note(found, rows, changes)
        for change in changes:
            digest.update(repr((change.row, change.fate.value, change.differences)).encode())
        if prepared is not None and not found.problem_count:
            prepared.keys.put(keys)
            prepared.writings.put(importer.ready(changes))
        task.progress(found.rows)
    if not found.rows:
        raise Misunderstood("表头下面没有数据。")
    found.digest = digest.hexdigest()
    if prepared is not None:
        prepared.found, prepared.mark = found, ground.mark
    return found


def apply(session: Session, task: Task, prepared: Prepared, name: str, by: int | None = None) -> None:
    """Write what was prepared, in the caller's transaction, if what it was compared with is as it was. Raises Misunderstood
    when anything is wrong with it, ChangedSince; nothing was written then."""
    found = prepared.found
    if found.problem_count:
        raise Misunderstood(f"有 {found.problem_count} 处错误，什么也没有写入；改正后再导入。")
    ground = Ground(session, holds=True)
    importer = _importer(ground, task)
    for keys in prepared.keys:
        importer.known(keys)
    if ground.mark != prepared.mark:
        raise ChangedSince(CHANGED_SINCE)
    with roomy(session):
        _pour(session, importer, prepared)
    audit.note(session, task.at, by, f"import.{task.kind}", f"file:{name}", found.counts)


def _pour(session: Session, importer: Importer, prepared: Prepared) -> None:
    counted = 1
    for batch, ready in enumerate(prepared.writings, 1):
        importer.write(ready)
        if batch == counted:
            _count(session)
            counted *= 4


def _count(session: Session) -> None:
    """Let PostgreSQL see how many rows there are by now: within this transaction nobody else tells it, and plans made for
    empty tables would read 63,130 rows for each one that is added."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.text("ANALYZE people, affiliations, posts, branches, stations"))


def _importer(ground: Ground, task: Task) -> Importer:
    # Who audits as well reads the whole city and writes in the county only.
    scope = task.scope and replace(task.scope, roles=task.scope.roles - {Role.AUDITOR})
    match task.kind:
        case Kind.PEOPLE:
            return People(ground, scope, beijing_date(task.at))
        case Kind.BRANCHES:
            return Branches(ground, scope, task.at)
        case Kind.STATIONS:
            return Stations(ground, scope)
        case Kind.HOLIDAYS:
            return Holidays(ground)
        case Kind.PUBLICITY:
            return Publicity(ground)


def _note(found: Findings, rows: list[Row], changes: list[Change]) -> None:
    found.rows += len(rows)
    for row in rows:
        found.problem_count += len(row.problems)
        found.wrong_rows += bool(row.problems)
        found.problems += row.problems[: MAX_PROBLEMS - len(found.problems)]
    for change in changes:
        found.fates[change.fate] += 1
        if change.differences and len(found.changes) < SHOWN_CHANGES:
            found.changes.append(change)


# --- what is handed out for it -------------------------------------------------------------------------------


def template(kind: Kind) -> bytes:
    """A workbook to be filled in: headings, an example that nobody means, and how each column is filled in."""
    columns = COLUMNS[kind]
    widths = tuple(max(12, min(40, 2 * len(column.example) + 2)) for column in columns)
    example = tuple(f"{MARK} 例：{c.example}" if c is columns[0] else c.example for c in columns)
    notes = [(c.name, "必填" if c.is_needed else "可空", c.example, c.note) for c in columns]
    rows = (
        workbooks.Row(tuple(c.name for c in columns), workbooks.Look.HEADING),
        workbooks.Row(example, workbooks.Look.EXAMPLE),
    )
    form = workbooks.Sheet(kind.label, widths, rows, is_form=True)
    return workbooks.write(
        [form, workbooks.table("填写说明", ("列", "必填", "例子", "说明"), (14, 8, 36, 60), notes)], ""
    )


def errors(kind: Kind, raw: bytes, sheet: str, problems: list[Problem]) -> bytes:
    """The wrong rows as a workbook to be mended and brought in again, with what is wrong beside each."""
    wrong: dict[int, list[Problem]] = {}
    for problem in problems:
        wrong.setdefault(problem.row, []).append(problem)
    names = [column.name for column in COLUMNS[kind]]
    needed = [column.name for column in COLUMNS[kind] if column.is_needed]
    reading = sheets.read(table_files.opened(raw, sheet), needed, names)

    def rows() -> list[tuple[str, ...]]:
        return [
            (*(row.cells.get(name, "") for name in names), "；".join(map(str, wrong[row.number])))
            for row in reading.rows() if row.number in wrong
        ]  # fmt: skip

    widths = (*(16 for _ in names), 80)
    return workbooks.write([workbooks.table("要改的行", (*names, "哪里不对"), widths, rows())], "")


def digest_of(raw: bytes) -> str:
    """What tells one file from another."""
    return hashlib.file_digest(io.BytesIO(raw), "sha256").hexdigest()
