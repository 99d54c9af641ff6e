"""What branches were on any day: their names, kinds and counties then, and whether they lived (F034).

Acts take effect on the day they are entered, so that a report of an earlier day never changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, joinedload

from errors import RuleBroken
from models import Branch, BranchAct, BranchChange, BranchKind, County, Person

#: What a place without a county is called.
CITY = "市本级"


def living() -> sa.ColumnElement[bool]:
    """Branches that are there now: what lists show, what may be chosen, what is planned and told."""
    return Branch.dissolved_on.is_(None)


def gone(name: str, on: date | None) -> str:
    """Why nobody is entered for a branch any more, in words."""
    return f"{name}已在 {on} 撤销，不再登记人员。"


def refuse_gone(session: Session, branch: Branch, field: str = "branch") -> None:
    """Nobody is entered for a branch that has ended, whatever day is typed; who ends it just now goes first. Raises
    RuleBroken about a field."""
    # Shared: those who enter somebody do not wait for each other, only for whoever ends it.
    session.refresh(branch, ["dissolved_on"], with_for_update={"read": True})
    if branch.dissolved_on is not None:
        error = RuleBroken(gone(branch.name, branch.dissolved_on))
        error.about = field
        raise error


def states(on: date) -> sa.Subquery:
    """Every branch as it was on a day: `branch_id`, `name`, `kind`, `county_id`; only those that lived."""
    later = aliased(BranchChange, name="first_later")
    question = (
        sa.select(
            Branch.id.label("branch_id"),
            sa.case((later.id.is_(None), Branch.name), else_=later.old_name).label("name"),
            sa.case((later.id.is_(None), Branch.kind), else_=later.old_kind).label("kind"),
            sa.case((later.id.is_(None), Branch.county_id), else_=later.old_county_id).label("county_id"),
        )
        .select_from(Branch)
        .outerjoin(later, _is_first(later, on))
        .where(sa.case((later.id.is_(None), Branch.dissolved_on.is_(None)), else_=later.was_living))
    )
    return question.subquery("branches_then")


def _is_first(later: Any, on: date) -> sa.ColumnElement[bool]:
    """The earliest change after a day: what it keeps is what the branch was on that day."""
    other = aliased(BranchChange)
    first = (
        sa.select(sa.func.min(other.id))
        .where(other.branch_id == Branch.id, other.done_on > on)
        .correlate(Branch)
        .scalar_subquery()
    )
    is_first: sa.ColumnElement[bool] = later.id == first
    return is_first


def names_on(session: Session, asked: Iterable[tuple[int, date]]) -> dict[tuple[int, date], str]:
    """What branches were called on days, for those that are called otherwise now."""
    wanted = set(asked)
    changes: dict[int, list[BranchChange]] = {}
    rows = sa.select(BranchChange).where(BranchChange.branch_id.in_({branch_id for branch_id, _ in wanted}))
    for change in session.scalars(rows.order_by(BranchChange.id)):
        changes.setdefault(change.branch_id, []).append(change)
    found = {}
    for branch_id, on in wanted:
        later = next((change for change in changes.get(branch_id, []) if change.done_on > on), None)
        if later is not None:
            found[branch_id, on] = later.old_name
    return found


@dataclass(frozen=True, slots=True)
class State:
    """What a branch was on a day."""

    name: str
    kind: BranchKind
    county: str


def as_they_were(session: Session, rows: Iterable[Branch], on: date) -> dict[int, State]:
    """What branches were on a day, dissolved or not; by id."""
    branches = list(rows)
    later: dict[int, BranchChange] = {}
    changes = sa.select(BranchChange).where(
        BranchChange.branch_id.in_([branch.id for branch in branches]), BranchChange.done_on > on
    )
    for change in session.scalars(changes.order_by(BranchChange.id.desc())):
        later[change.branch_id] = change
    counties = {row.id: row.name for row in session.execute(sa.select(County.id, County.name))}
    found = {}
    for branch in branches:
        first = later.get(branch.id)
        name, kind, county_id = (
            (first.old_name, first.old_kind, first.old_county_id)
            if first is not None
            else (branch.name, branch.kind, branch.county_id)
        )
        found[branch.id] = State(name, kind, counties[county_id] if county_id else CITY)
    return found


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a branch's history, in words."""

    on: date
    act: BranchAct
    says: str
    reason: str
    by: str


def events(session: Session, branch: Branch) -> list[Event]:
    """The life of a branch, the latest first; what was merged into it too."""
    changes = list(
        session.scalars(
            sa.select(BranchChange)
            .where(sa.or_(BranchChange.branch_id == branch.id, BranchChange.into_id == branch.id))
            .order_by(BranchChange.id)
        )
    )
    people = _names(session, Person, {change.by_person_id for change in changes})
    counties = _names(session, County, {c.old_county_id for c in changes} | {branch.county_id})
    branches = _names(session, Branch, {c.into_id for c in changes} | {c.branch_id for c in changes})
    own = [change for change in changes if change.branch_id == branch.id]
    after: dict[int, tuple[str, BranchKind, int | None]] = {}
    state = branch.name, branch.kind, branch.county_id
    for change in reversed(own):
        after[change.id] = state
        state = change.old_name, change.old_kind, change.old_county_id
    return [
        Event(
            change.done_on,
            change.act,
            _says(change, after.get(change.id), counties, branches),
            change.reason,
            people.get(change.by_person_id, "系统"),
        )
        for change in reversed(changes)
    ]


def _says(
    change: BranchChange,
    after: tuple[str, BranchKind, int | None] | None,
    counties: dict[int | None, str],
    branches: dict[int | None, str],
) -> str:
    if after is None:
        return f"“{branches.get(change.branch_id, change.old_name)}”并入本支部"
    if change.act is BranchAct.MERGED:
        return f"并入“{branches.get(change.into_id, '')}”"
    if change.act is not BranchAct.CHANGED:
        return change.act.label
    return difference((change.old_name, change.old_kind, change.old_county_id), after, counties)


def difference(
    old: tuple[str, BranchKind, int | None], new: tuple[str, BranchKind, int | None], counties: dict[int | None, str]
) -> str:
    """名称：甲 → 乙；类别：…"""
    parts = []
    if old[0] != new[0]:
        parts.append(f"名称：{old[0]} → {new[0]}")
    if old[1] is not new[1]:
        parts.append(f"类别：{old[1].label} → {new[1].label}")
    if old[2] != new[2]:
        parts.append(f"所在地：{counties.get(old[2], CITY)} → {counties.get(new[2], CITY)}")
    return "；".join(parts)


def _names(session: Session, of: type[Any], ids: set[int | None]) -> dict[int | None, str]:
    rows = session.execute(sa.select(of.id, of.name).where(of.id.in_(ids - {None})))
    return {row[0]: row[1] for row in rows}


def last(session: Session, branch_id: int) -> BranchChange | None:
    """What happened to a branch last."""
    question = sa.select(BranchChange).where(BranchChange.branch_id == branch_id)
    return session.scalar(question.order_by(BranchChange.id.desc()).limit(1))


def end_of(session: Session, branch: Branch) -> tuple[BranchChange, Branch | None] | None:
    """How a dissolved branch ended, and the branch it was merged into."""
    change = last(session, branch.id) if not branch.is_living else None
    if change is None:
        return None
    into = session.get(Branch, change.into_id, options=[joinedload(Branch.county)]) if change.into_id else None
    return change, into
