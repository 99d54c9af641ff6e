"""Two entries that are one person, made one, reversibly, and said in numbers before (F031). What becomes of each table
stands in merge_rules.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from errors import RuleBroken
from models import Attendance, Change, ChangeKind, Consultation, Merged, Outgoing, Person, SendState
from services import audit
from services.membership import changes, merge_rules
from services.membership.changes import Book, Step
from services.membership.merge_rules import Two

#: What is asked before a merge, and an answer that would do.
WHY = "为什么是同一个人", "核对过身份证，登记了两次"


def merge(session: Session, keep: Person, gone: Person, reason: str, at: datetime, *, by: int) -> Change:
    """Make two entries one: `keep` goes on, `gone` is found under it. Raises Misunderstood, RuleBroken."""
    why = audit.reason(reason, *WHY)
    book = _join(session, keep, gone, at)
    says = f"{gone.name}（编号 {gone.id}）并入{keep.name}（编号 {keep.id}），{len(book.steps)} 处记录随之转移"
    book.put(Merged, {"person_id": gone.id, "into_id": keep.id})
    audit.note(session, at, by, "people.merge", f"person:{keep.id}", f"{says}（{why}）")
    return book.close(ChangeKind.MERGED, keep.id, says, at, by=by, reason=why)


def _join(session: Session, keep: Person, gone: Person, at: datetime) -> Book:
    if keep.id == gone.id:
        raise RuleBroken("这是同一条登记，不用合并。")
    changes.lock(session, keep.id, gone.id)
    if session.scalar(sa.select(Merged.person_id).where(Merged.person_id.in_((keep.id, gone.id)))) is not None:
        raise RuleBroken("其中一条已经并入别人了，请刷新后再看。")
    book = Book(session)
    session.flush()
    merge_rules.follow(Two(book, keep.id, gone.id, at))
    phone, index = gone.phone, gone.phone_index
    book.change(Person.__table__, {"id": gone.id}, {"phone": None})
    # The digest stays: a table with the old number still means this person (services/tables/imports_people.py).
    session.execute(sa.update(Person).where(Person.id == gone.id).values(phone_index=index))
    if keep.phone is None and phone is not None:
        book.change(Person.__table__, {"id": keep.id}, {"phone": phone})
    return book


# --- beforehand ----------------------------------------------------------------------------------------------

#: What people want to know of before; everything else is counted together.
TOLD = {
    "affiliations": "支部关系", "posts": "任职", "attendances": "出席和请假", "outbox": "通知", "followers": "微信",
    "flows": "流动登记", "consultations": "承办的咨询", "accounts": "控制台账号",
}  # fmt: skip
OTHERS = "其他记录"
#: A value that stops something: what was to be sent is not, an account is closed.
STOPS: dict[str, tuple[str, str | None, str]] = {
    "outbox": ("state", SendState.CANCELLED.value, "不再发"),
    "accounts": ("closed_at", None, "停用"),
}
#: Columns by which a record is somebody's.
WHOSE = {name.partition(".")[2] for name in merge_rules.RULES} | {"recipient"}


@dataclass(slots=True)
class Foreseen:
    """What a merge will do to one kind of record: how many pass to whoever stays, how many become one with theirs, how
    many are stopped, and how that is called."""

    what: str
    moved: int = 0
    joined: int = 0
    stopped: int = 0
    stop: str = ""


def foresee(session: Session, keep: Person, gone: Person, at: datetime) -> list[Foreseen]:
    """What a merge would do, in numbers: it is done, counted and taken back, so that the numbers are the true ones.
    Raises RuleBroken."""
    with session.begin_nested() as trial:
        steps = _join(session, keep, gone, at).steps
        trial.rollback()
    session.expire_all()
    found = {name: Foreseen(what) for name, what in TOLD.items()}
    found[OTHERS] = Foreseen(OTHERS)
    for step in steps:
        if step.table != Person.__tablename__:
            _count(found.get(step.table, found[OTHERS]), step)
    return [each for each in found.values() if each.moved or each.joined or each.stopped]


def _count(seen: Foreseen, step: Step) -> None:
    after = step.after or {}
    column, value, stop = STOPS.get(step.table, ("", None, ""))
    if column in after and value in {None, after[column]}:
        seen.stopped, seen.stop = seen.stopped + 1, stop
    if step.after is None:
        seen.joined += 1
    elif not after.keys().isdisjoint(WHOSE):
        seen.moved += 1


def survivor(session: Session, person_id: int) -> int | None:
    """Under which number somebody who was merged is found now."""
    return session.scalar(sa.select(Merged.into_id).where(Merged.person_id == person_id))


def others(session: Session, person_id: int) -> list[Person]:
    """The entries that were merged into this one; by their numbers the audit still names them."""
    rows = sa.select(Person).join(Merged, Merged.person_id == Person.id).where(Merged.into_id == person_id)
    return list(session.scalars(rows.order_by(Person.id)))


@dataclass(frozen=True, slots=True)
class Weight:
    """How much hangs on an entry; what is shared is counted in both."""

    attendances: int
    notices: int
    cases: int
    shared: int


def weights(session: Session, one: int, other: int) -> dict[int, Weight]:
    """What hangs on two entries; `shared` is the gatherings at which both have a row: of those one will stay."""

    def count(column: sa.ColumnElement[int] | Any, person_id: int) -> int:
        return session.scalar(sa.select(sa.func.count()).where(column == person_id)) or 0

    first = sa.select(Attendance.gathering_id).where(Attendance.person_id == one)
    shared = sa.select(sa.func.count()).where(Attendance.person_id == other, Attendance.gathering_id.in_(first))
    many = session.scalar(shared) or 0
    return {
        each: Weight(
            count(Attendance.person_id, each),
            count(Outgoing.person_id, each),
            count(Consultation.lawyer_id, each),
            many,
        )
        for each in (one, other)
    }
