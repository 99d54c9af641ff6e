"""Tables that were sent at the desk are looked through and written here, off the request, by whichever process is there.

What costs time is done while one only reads, so that the one writer of SQLite is held no longer than the writing takes.
Whoever dies at it leaves a row that another takes over: what was prepared is gone with the process, what was half written
with its transaction.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from clock import Now, beijing_date
from errors import AssistantError, Misunderstood
from models import Database, Import, ImportState
from services import scope
from services.scope import Scope
from services.tables import import_runs, imports, table_files
from services.tables.imports import ChangedSince, Prepared, Task

log = structlog.get_logger("importing")

#: So many rows are done between two words about it.
SAY_EVERY = 2000


class Importing:
    """Looks for work whenever it is woken."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database, self._now = database, now

    def run(self) -> int:
        """Do all there is to do; returns how many tables were looked through or written."""
        with self._database.reading() as session:
            if not import_runs.is_waiting(session, self._now()):
                return 0
        with self._database.transaction() as session:
            import_runs.expire(session, self._now())
        done = 0
        while (row := self._claim()) is not None:
            self._work(row)
            done += 1
        return done

    def _claim(self) -> Import | None:
        with self._database.transaction() as session:
            return import_runs.claim(session, self._now())

    def _work(self, row: Import) -> None:
        try:
            if row.attempts > import_runs.MAX_ATTEMPTS:
                raise Misunderstood(
                    f"试了 {import_runs.MAX_ATTEMPTS} 次都没有做完，请告诉运维；文件已删除，什么也没有写入。"
                )
            if row.state is ImportState.APPLYING:
                self._apply(row)
            else:
                self._check(row)
        except AssistantError as error:
            with self._database.transaction() as session:
                import_runs.failed(session, row, str(error), self._now())
        except Exception:
            # A lost connection, two who write the same person: somebody tries again soon.
            log.exception("import.broken", id=row.id)
            with self._database.transaction() as session:
                import_runs.let_go(session, row.id, self._now())

    def _check(self, row: Import, says: str = "") -> None:
        with self._database.reading() as session:
            found = imports.check(session, self._task(session, row))
        with self._database.transaction() as session:
            import_runs.checked(session, row, found, says=says)

    def _apply(self, row: Import) -> None:
        """Only what was previewed: else the preview is made anew."""
        with imports.Prepared() as prepared:
            with self._database.reading() as session:
                task = self._task(session, row)
                found = imports.check(session, task, prepared)
            try:
                if found.digest != row.digest:
                    raise ChangedSince(imports.CHANGED_SINCE)
                with self._database.transaction() as session:
                    self._write(session, row, task, prepared)
            except ChangedSince as why:
                self._check(row, str(why))

    def _write(self, session: Session, row: Import, task: Task, prepared: Prepared) -> None:
        if self._scope(session, row, task.at) != task.scope:
            raise ChangedSince(imports.CHANGED_SINCE)
        imports.apply(session, task, prepared, row.name, row.applied_by)
        import_runs.applied(session, row, prepared.found, task.at)

    def _task(self, session: Session, row: Import) -> Task:
        at = self._now()
        file = table_files.opened(import_runs.content(session, row.id), row.sheet)
        progress = _Word(self._database, row.id, self._now, file.about)
        return Task(row.kind, file, at, self._scope(session, row, at), progress)

    def _scope(self, session: Session, row: Import, at: datetime) -> Scope:
        """What the posts of whoever asked open to them now."""
        return scope.of(session, row.applied_by or row.by_person_id, beijing_date(at))


class _Word:
    """Tells now and then how far one is, in transactions of its own."""

    def __init__(self, database: Database, import_id: int, now: Now, about: int) -> None:
        self._database, self._id, self._now, self._about = database, import_id, now, about
        self._said = 0

    def __call__(self, rows: int) -> None:
        if rows - self._said < SAY_EVERY:
            return
        self._said = rows
        at: datetime = self._now()
        with self._database.transaction() as session:
            import_runs.progress(session, self._id, rows, max(rows, self._about), at)
