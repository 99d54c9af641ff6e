"""Checking in, asking leave, signing for others: one table of attendance and one rule for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from random import getrandbits
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import Misunderstood, NotFound, RuleBroken
from models import (
    Affiliation,
    Attendance,
    Branch,
    Gathering,
    GatheringState,
    Person,
    Presence,
    Purpose,
    Via,
    among,
    dialect_of,
    insert_new,
)
from services import audit
from services.membership import people

HISTORY = 8
#: The field of the notice's template that it stands in (wechat-platform.md §4.7).
LONGEST_TOPIC = 20


@dataclass(frozen=True, slots=True)
class Open:
    """A gathering somebody may check in to now."""

    gathering_id: int
    branch_id: int
    branch: str
    purpose: Purpose
    topic: str
    opens_at: datetime
    closes_at: datetime

    @property
    def title(self) -> str:
        return f"{self.purpose.label}“{self.topic}”" if self.topic else self.purpose.label


@dataclass(frozen=True, slots=True)
class WhoAndWhen:
    """A person at an instant: the question “what is open to them?”."""

    person_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class CheckIn:
    """One person's word that they are at a gathering."""

    gathering_id: int
    person_id: int
    at: datetime
    via: Via = Via.SELF
    by_person_id: int | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """What the table says after a check-in: whether it was new, and the first time and way it was made."""

    is_new: bool
    at: datetime
    via: Via
    presence: Presence


def open_for(session: Session, asked: list[WhoAndWhen]) -> list[list[Open]]:
    """For each question the gatherings open to that person at that instant; one statement for all (F067)."""
    first, last = min(q.at for q in asked), max(q.at for q in asked)
    window = {"first": first, "last": last, "on": beijing_date(last), "people": list({q.person_id for q in asked})}
    rows = session.connection().execute(_open(dialect_of(session)), window)
    found: dict[int, list[Open]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Open(*row[1:]))
    return [[o for o in found.get(q.person_id, []) if o.opens_at <= q.at < o.closes_at] for q in asked]


_BELONGS, _HELD, _MARKED = Affiliation.__table__.c, Gathering.__table__.c, Attendance.__table__.c


@cache
def _open(dialect: str) -> sa.Select[Any]:
    on = sa.bindparam("on", type_=sa.Date())
    return (
        sa.select(
            _BELONGS.person_id, _HELD.id, _HELD.branch_id, Branch.__table__.c.name, _HELD.purpose, _HELD.topic,
            _HELD.opens_at, _HELD.closes_at,
        )
        .select_from(Affiliation.__table__)
        .join(Gathering.__table__, _HELD.branch_id == _BELONGS.branch_id)
        .join(Branch.__table__, Branch.__table__.c.id == _BELONGS.branch_id)
        .where(
            _HELD.state == GatheringState.PLANNED,
            among(dialect, _BELONGS.person_id, "people"),
            _BELONGS.since_on <= on,
            sa.or_(_BELONGS.until_on.is_(None), _BELONGS.until_on > on),
            _HELD.opens_at <= sa.bindparam("last", type_=_HELD.opens_at.type),
            _HELD.closes_at > sa.bindparam("first", type_=_HELD.opens_at.type),
        )
        .order_by(_BELONGS.is_main.desc(), _HELD.opens_at, _HELD.id)
    )  # fmt: skip


@cache
def _marks(dialect: str) -> sa.Select[Any]:
    return sa.select(
        _MARKED.gathering_id, _MARKED.person_id, _MARKED.at, _MARKED.via, _MARKED.presence, _MARKED.receipt
    ).where(among(dialect, _MARKED.gathering_id, "gatherings"), among(dialect, _MARKED.person_id, "people"))


def check_in(session: Session, asked: list[CheckIn]) -> list[Mark]:
    """Mark people present, each once, whoever else is doing the same right now (F004, F074).

    The caller has found the gathering open. One statement when nobody among them was known, two otherwise;
    somebody who had asked leave and came after all is present.
    """
    rows = [_row(entry) for entry in asked]
    new = insert_new(session, Attendance, sorted(rows, key=lambda row: (row["gathering_id"], row["person_id"])))
    if new == len(rows):
        return [Mark(True, row["at"], row["via"], Presence.PRESENT) for row in rows]
    whom = {"gatherings": list({e.gathering_id for e in asked}), "people": list({e.person_id for e in asked})}
    marks = session.connection().execute(_marks(dialect_of(session)), whom)
    kept = {(row.gathering_id, row.person_id): row for row in marks}
    return [
        _mark(session, kept[entry.gathering_id, entry.person_id], row) for entry, row in zip(asked, rows, strict=True)
    ]


def _row(entry: CheckIn) -> dict[str, Any]:
    return {
        "gathering_id": entry.gathering_id, "person_id": entry.person_id, "presence": Presence.PRESENT,
        "via": entry.via, "at": entry.at, "receipt": getrandbits(62), "by_person_id": entry.by_person_id,
        "reason": None,
    }  # fmt: skip


def _mark(session: Session, kept: Any, row: dict[str, Any]) -> Mark:
    if kept.receipt == row["receipt"]:
        return Mark(True, row["at"], row["via"], Presence.PRESENT)
    if kept.presence is Presence.PRESENT:
        return Mark(False, kept.at, kept.via, kept.presence)
    changed = session.execute(
        sa.update(Attendance)
        .where(
            Attendance.gathering_id == kept.gathering_id,
            Attendance.person_id == kept.person_id,
            Attendance.presence != Presence.PRESENT,
        )
        .values(
            presence=Presence.PRESENT, via=row["via"], at=row["at"], by_person_id=row["by_person_id"], reason=None
        )
    )
    return Mark(changed.rowcount == 1, row["at"], row["via"], Presence.PRESENT)  # type: ignore[attr-defined]


def next_for(session: Session, person_id: int, at: datetime) -> Gathering | None:
    """The next gathering of a person's branches that is not over at `at`."""
    return session.scalar(
        sa.select(Gathering)
        .options(sa.orm.joinedload(Gathering.branch))
        .join(Affiliation, Affiliation.branch_id == Gathering.branch_id)
        .where(
            Affiliation.person_id == person_id,
            *people.holds(Affiliation, beijing_date(at)),
            Gathering.state == GatheringState.PLANNED,
            Gathering.closes_at > at,
        )
        .order_by(Gathering.opens_at, Affiliation.is_main.desc(), Gathering.id)
        .limit(1)
    )


def get(session: Session, gathering_id: int) -> Gathering:
    """With its branch. Raises NotFound."""
    gathering = session.get(Gathering, gathering_id, options=[sa.orm.joinedload(Gathering.branch)])
    if gathering is None:
        raise NotFound("没有这次活动。")
    return gathering


def by_ids(session: Session, ids: Iterable[int]) -> dict[int, Gathering]:
    """These gatherings with their branches."""
    rows = session.scalars(
        sa.select(Gathering).options(sa.orm.joinedload(Gathering.branch)).where(Gathering.id.in_(list(ids)))
    )
    return {row.id: row for row in rows}


def attended(session: Session, ids: Iterable[int]) -> set[int]:
    """Those of these gatherings to which somebody came."""
    came = Attendance.gathering_id.in_(list(ids)), Attendance.presence == Presence.PRESENT
    return set(session.scalars(sa.select(Attendance.gathering_id).where(*came).distinct()))


def history(session: Session, person_id: int, limit: int = HISTORY) -> list[Attendance]:
    """A person's own last records; nobody else's list is ever made this way (F079)."""
    return list(
        session.scalars(
            sa.select(Attendance)
            .options(sa.orm.joinedload(Attendance.gathering).joinedload(Gathering.branch))
            .where(Attendance.person_id == person_id)
            .order_by(Attendance.at.desc())
            .limit(limit)
        )
    )


# --- what a secretary sees and does --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Roll:
    """A gathering and where each person of the branch stands, by name, never by activity (F079)."""

    gathering: Gathering
    present: list[Person]
    on_leave: list[Person]
    asked_leave: list[Person]
    not_yet: list[Person]
    proxied: frozenset[int]

    @property
    def size(self) -> int:
        return len(self.present) + len(self.on_leave) + len(self.asked_leave) + len(self.not_yet)


def roll(session: Session, gathering_id: int) -> Roll:
    """The list of one gathering."""
    gathering = get(session, gathering_id)
    members = people.members_of(session, gathering.branch_id, gathering.held_on)
    rows = session.scalars(sa.select(Attendance).where(Attendance.gathering_id == gathering_id)).all()
    known = {row.person_id: row for row in rows}
    missing = [i for i in known if i not in {m.id for m in members}]
    # Somebody who has left the branch since was there all the same.
    everyone = members + list(session.scalars(sa.select(Person).where(Person.id.in_(missing))))

    def standing(presence: Presence | None) -> list[Person]:
        return [p for p in everyone if (known[p.id].presence if p.id in known else None) is presence]

    return Roll(
        gathering,
        standing(Presence.PRESENT),
        standing(Presence.LEAVE),
        standing(Presence.LEAVE_ASKED),
        standing(None),
        frozenset(i for i, row in known.items() if row.via is Via.PROXY),
    )


def current_of(session: Session, branch_id: int, at: datetime) -> Gathering | None:
    """The branch's gathering of today, or else the last one before."""
    return session.scalar(
        sa.select(Gathering)
        .options(sa.orm.joinedload(Gathering.branch))
        .where(
            Gathering.branch_id == branch_id,
            Gathering.state == GatheringState.PLANNED,
            Gathering.held_on <= beijing_date(at),
        )
        .order_by(Gathering.held_on.desc(), (Gathering.closes_at > at).desc(), Gathering.opens_at.desc())
        .limit(1)
    )


def next_of_branch(session: Session, branch_id: int, at: datetime) -> Gathering | None:
    """The branch's next gathering that has not begun."""
    return session.scalar(
        sa.select(Gathering)
        .options(sa.orm.joinedload(Gathering.branch))
        .where(Gathering.branch_id == branch_id, Gathering.state == GatheringState.PLANNED, Gathering.opens_at > at)
        .order_by(Gathering.opens_at)
        .limit(1)
    )


def sign_for(
    session: Session, gathering: Gathering, person_ids: Iterable[int], at: datetime, *, by: int
) -> list[Mark]:
    """A secretary signs for members without a phone, on the day itself; marked as such (F071). Raises RuleBroken."""
    if beijing_date(at) != gathering.held_on or at < gathering.opens_at:
        raise RuleBroken(f"只能在活动当天、开始签到以后代签；这次活动是 {gathering.held_on:%m-%d}。")
    entries = [CheckIn(gathering.id, person_id, at, Via.PROXY, by) for person_id in person_ids]
    marks = check_in(session, entries)
    for entry, mark in zip(entries, marks, strict=True):
        if mark.is_new:
            audit.note(session, at, by, "attendance.proxy", f"gathering:{gathering.id}", str(entry.person_id))
    return marks


def marked(session: Session, gathering_id: int, person_ids: Iterable[int]) -> set[int]:
    """Who of these has a mark at a gathering, present or on leave."""
    rows = sa.select(Attendance.person_id).where(Attendance.gathering_id == gathering_id)
    return set(session.scalars(rows.where(Attendance.person_id.in_(list(person_ids)))))


def undo(session: Session, gathering_id: int, person_id: int, reason: str, at: datetime, *, by: int) -> None:
    """Take back a mark that was wrong, with a reason; the audit keeps what it was (F074). Raises RuleBroken."""
    kept = session.get(Attendance, (gathering_id, person_id))
    if kept is None:
        raise RuleBroken("这位同志这次没有签到记录。")
    was = f"{person_id} {kept.presence.label} {kept.via.label} {kept.at.isoformat()}：{reason}"
    session.delete(kept)
    audit.note(session, at, by, "attendance.undo", f"gathering:{gathering_id}", was)


def reschedule(
    session: Session,
    gathering: Gathering,
    on: date,
    opens_at: datetime,
    closes_at: datetime,
    why: str,
    at: datetime,
    *,
    by: int,
) -> None:
    """A branch holds one week's gathering on another day, with a reason (F042). Raises RuleBroken."""
    may_move(gathering, on, opens_at, at)
    audit.note(session, at, by, "gathering.move", f"gathering:{gathering.id}", f"{gathering.held_on} → {on}：{why}")
    gathering.held_on, gathering.opens_at, gathering.closes_at = on, opens_at, closes_at
    gathering.why, gathering.moved_by = f"支部改期：{why}"[:128], by


def may_move(gathering: Gathering, on: date, opens_at: datetime, at: datetime) -> None:
    """Raises RuleBroken when the gathering cannot be held on that day instead."""
    if gathering.opens_at <= at:
        raise RuleBroken("这次活动已经开始签到，不能再改期。")
    if opens_at <= at:
        raise RuleBroken("新的日子要在今天之后。")
    if abs((on - gathering.period_on).days) > 6:
        raise RuleBroken("只能在同一周前后六天之内改期。")


def set_topic(session: Session, gathering: Gathering, topic: str, at: datetime, *, by: int) -> None:
    """What a gathering is about, as its notice will say. Raises RuleBroken once it has begun, Misunderstood when the
    notice has no room for it."""
    if gathering.opens_at <= at:
        raise RuleBroken("这次活动已经开始签到，不能再改主题。")
    if len(topic) > LONGEST_TOPIC:
        raise Misunderstood(f"主题有 {len(topic)} 个字，通知里最多显示 {LONGEST_TOPIC} 个字，请缩短。")
    audit.note(session, at, by, "gathering.topic", f"gathering:{gathering.id}", f"{gathering.topic} → {topic}")
    gathering.topic = topic
