"""What becomes of a table that somebody sends at the desk: received, checked, written or dropped, and its file erased.

The row is the work: whoever holds it goes on with it, whoever dies with it is followed by another. Nothing here reads
the clock or a whole database; `scheduler/importing.py` does the work.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from errors import Misunderstood, NotFound, RuleBroken
from models import Import, ImportKind, ImportPart, ImportState, insert_all, insert_new
from models.base import vault_of
from services import audit
from services.scope import OUTSIDE, Scope
from services.tables import imports, table_files
from services.tables.imports import Findings
from services.tables.imports_kinds import Fate
from services.tables.sheets import Problem

MAX_BYTES = 16 * 1024 * 1024
#: A file that nobody has written by then is erased (least data).
KEPT = timedelta(hours=24)
#: Nobody works longer at one without a word.
HELD = timedelta(minutes=10)
MAX_ATTEMPTS = 3
TRY_AGAIN = timedelta(seconds=20)
_PART_BYTES = 256 * 1024
WAITING = (ImportState.UPLOADED, ImportState.APPLYING)
OPEN = (*WAITING, ImportState.CHECKED)


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it came in."""

    kind: ImportKind
    name: str
    sheet: str
    raw: bytes


def receive(session: Session, scope: Scope, sent: Sent, at: datetime) -> int:
    """Keep a file to be checked, and give the number of its row; the same file sent again meanwhile is the same row.

    Raises Misunderstood for what is no table, NotFound for a kind that is not theirs.
    """
    if sent.kind not in imports.kinds(scope):
        raise NotFound(OUTSIDE)
    if len(sent.raw) > MAX_BYTES:
        raise Misunderstood(f"文件超过 {MAX_BYTES >> 20} MB，请分开导入。")
    table_files.refuse(sent.raw)
    key = _open_key(session, scope, sent)
    row = {
        "kind": sent.kind, "name": _name(sent.name), "sheet": sent.sheet[:64], "size": len(sent.raw), "open_key": key,
        "state": ImportState.UPLOADED, "by_person_id": scope.person_id, "county_id": _county(scope), "uploaded_at": at,
        "digest": "", "says": "", **dict.fromkeys(("attempts", "done", "about"), 0), **_figures(None),
    }  # fmt: skip
    is_new = insert_new(session, Import, [row])
    number = session.scalars(sa.select(Import.id).where(Import.open_key == key)).one()
    if is_new:
        pieces = range(0, len(sent.raw), _PART_BYTES)
        for part, start in enumerate(pieces):
            content = base64.b64encode(sent.raw[start : start + _PART_BYTES]).decode()
            insert_all(session, ImportPart, [{"import_id": number, "number": part, "content": content}])
        audit.note(
            session, at, scope.person_id, "import.upload", f"import:{number}", f"{sent.kind.label} {row['name']}"
        )
    return number


def _open_key(session: Session, scope: Scope, sent: Sent) -> str:
    vault = vault_of(session.get_bind().dialect)
    whose = "city" if scope.is_city else ",".join(map(str, sorted(scope.county_ids)))
    return vault.index(f"import:{sent.kind}:{whose}:{sent.sheet}:{imports.digest_of(sent.raw)}")


def _name(said: str) -> str:
    """The file's own name, without the folders of somebody's computer."""
    name = re.sub(r"[\x00-\x1f\x7f]", "", said.replace("\\", "/").rpartition("/")[2]).strip()
    return name[-128:] or "没有名字"


def _county(scope: Scope) -> int | None:
    return None if scope.is_city else min(scope.county_ids, default=None)


def content(session: Session, import_id: int) -> bytes:
    """The file again. Raises Misunderstood once it is erased."""
    parts = sa.select(ImportPart.content).where(ImportPart.import_id == import_id).order_by(ImportPart.number)
    raw = b"".join(base64.b64decode(part) for part in session.scalars(parts))
    if not raw:
        raise Misunderstood("文件已经删除了，请重新上传。")
    return raw


# --- whoever works at them -----------------------------------------------------------------------------------


def claim(session: Session, at: datetime) -> Import | None:
    """The oldest that nobody holds, held from now on; compare-and-set, so that one of several gets it."""
    free = sa.or_(Import.held_until.is_(None), Import.held_until <= at)
    row = session.scalars(
        sa.select(Import).where(Import.state.in_(WAITING), free).order_by(Import.id).limit(1)
    ).one_or_none()
    if row is None:
        return None
    taken = sa.update(Import).where(Import.id == row.id, Import.state == row.state, free)
    held = session.execute(
        taken.values(held_until=at + HELD, attempts=Import.attempts + 1).execution_options(synchronize_session=False)
    )
    if held.rowcount != 1:  # type: ignore[attr-defined]
        return None
    session.refresh(row)
    return row


def is_waiting(session: Session, at: datetime) -> bool:
    """Whether there is work, or a file to be erased."""
    work = sa.and_(Import.state.in_(WAITING), sa.or_(Import.held_until.is_(None), Import.held_until <= at))
    old = sa.and_(Import.state == ImportState.CHECKED, Import.uploaded_at <= at - KEPT)
    return session.scalar(sa.select(Import.id).where(sa.or_(work, old)).limit(1)) is not None


def progress(session: Session, import_id: int, done: int, about: int, at: datetime) -> None:
    """So far one is; who says so, holds on."""
    _set(session, import_id, WAITING, done=done, about=about, held_until=at + HELD)


def let_go(session: Session, import_id: int, at: datetime) -> None:
    """Whoever held it could not go on: it is free again in a moment."""
    _set(session, import_id, WAITING, held_until=at + TRY_AGAIN)


def checked(session: Session, row: Import, found: Findings, *, says: str = "") -> None:
    """The preview stands, with or without problems."""
    remarks = says or "；".join(found.remarks)
    _set(
        session, row.id, (row.state,), state=ImportState.CHECKED, held_until=None, attempts=0, done=found.rows,
        about=found.rows, digest=found.digest, says=remarks[:255], findings=_written(found), **_figures(found),
    )  # fmt: skip


def failed(session: Session, row: Import, says: str, at: datetime) -> None:
    """What was sent is no such table, or nobody can finish it."""
    _set(session, row.id, (row.state,), state=ImportState.FAILED, says=says[:255], **_finished(at))
    _erase(session, row.id)


def applied(session: Session, row: Import, found: Findings, at: datetime) -> None:
    """Written, in the same transaction as what was written. Raises RuleBroken when another was quicker."""
    values = _finished(at) | _figures(found)
    if not _set(session, row.id, (ImportState.APPLYING,), state=ImportState.APPLIED, done=found.rows, **values):
        raise RuleBroken("这张表已经由另一个进程写入了。")
    _erase(session, row.id)


def expire(session: Session, at: datetime) -> int:
    """Erase the files that nobody has written in a day; returns how many."""
    old = session.scalars(
        sa.select(Import.id).where(Import.state == ImportState.CHECKED, Import.uploaded_at <= at - KEPT)
    ).all()
    for number in old:
        says = f"{KEPT.total_seconds() / 3600:.0f} 小时没有写入，文件已删除；要用请重新上传。"
        _set(session, number, (ImportState.CHECKED,), state=ImportState.EXPIRED, says=says, **_finished(at))
        _erase(session, number)
    return len(old)


# --- whoever sent them ---------------------------------------------------------------------------------------


def ask_to_apply(session: Session, scope: Scope, row: Import, digest: str) -> None:
    """“Write it”, about the preview that was seen. Raises RuleBroken when it may not be written, or is being."""
    if row.problems:
        raise RuleBroken(f"还有 {row.problems} 处错误，改好以后重新上传。")
    if digest != row.digest:
        raise RuleBroken("这一页打开以后，预览又变了：请刷新再看一遍。")
    values = {"state": ImportState.APPLYING, "applied_by": scope.person_id, "done": 0, "says": ""}
    if not _set(session, row.id, (ImportState.CHECKED,), **values):
        raise RuleBroken(f"不用再点：这张表{row.state.label}。")


def drop(session: Session, scope: Scope, row: Import, at: datetime) -> None:
    """Away with the file. Raises RuleBroken when it is too late."""
    if not _set(session, row.id, (ImportState.CHECKED,), state=ImportState.DROPPED, says="", **_finished(at)):
        raise RuleBroken(f"放弃不了：这张表{row.state.label}。")
    _erase(session, row.id)
    audit.note(session, at, scope.person_id, "import.drop", f"import:{row.id}", row.name)


def listed(scope: Scope) -> sa.Select[Import]:
    """What was sent in somebody's scope, the newest first."""
    return sa.select(Import).options(joinedload(Import.by)).where(scope.imports).order_by(Import.id.desc())


@dataclass(frozen=True, slots=True)
class Preview:
    """The first changes and problems, as a page shows them."""

    changes: list[tuple[int, str, str, list[tuple[str, str, str]]]]
    problems: list[Problem]


def preview(row: Import) -> Preview:
    found = json.loads(row.findings or '{"changes": [], "problems": []}')
    changes = [
        (number, title, fate, [tuple(each) for each in rest]) for number, title, fate, rest in found["changes"]
    ]
    return Preview(changes, [Problem(*each) for each in found["problems"]])


def errors(session: Session, row: Import) -> bytes:
    """The wrong rows, to be mended and sent again. Raises Misunderstood once the file is erased."""
    return imports.errors(row.kind, content(session, row.id), row.sheet, preview(row).problems)


def _written(found: Findings) -> str:
    changes = [(each.row, each.title, each.fate.label, each.differences) for each in found.changes]
    problems = [(each.row, each.column, each.says, each.place) for each in found.problems]
    return json.dumps({"changes": changes, "problems": problems}, ensure_ascii=False)


def _figures(found: Findings | None) -> dict[str, int]:
    if found is None:
        return dict.fromkeys(("new", "changed", "unchanged", "wrong", "problems"), 0)
    return {
        "new": found.fates[Fate.NEW], "changed": found.fates[Fate.CHANGED], "unchanged": found.fates[Fate.UNCHANGED],
        "wrong": found.wrong_rows, "problems": found.problem_count,
    }  # fmt: skip


def _finished(at: datetime) -> dict[str, object]:
    return {"finished_at": at, "held_until": None, "open_key": None, "findings": None}


def _set(session: Session, import_id: int, states: tuple[ImportState, ...], **values: object) -> bool:
    """Change a row if it still is in one of these states."""
    change = sa.update(Import).where(Import.id == import_id, Import.state.in_(states)).values(values)
    done = session.execute(change.execution_options(synchronize_session=False))
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]


def _erase(session: Session, import_id: int) -> None:
    session.execute(sa.delete(ImportPart).where(ImportPart.import_id == import_id))
