"""Branches as an office looks at them: lists, and one branch whole, with what it still lacks by name (F033)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import beijing_date
from models import (
    Affiliation,
    Attendance,
    Branch,
    BranchKind,
    Follower,
    Gathering,
    GatheringState,
    Person,
    Post,
    Presence,
    Role,
    Station,
)
from services.membership import people
from services.organisation import branch_history, stations
from services.scope import Scope

#: The Party constitution, article 30: a branch is set up where there are three full members or more.
FEWEST_MEMBERS = 3
#: Without this share of its members bound, notices do not reach a branch.
WELL_BOUND = 0.5
HELD, COMING = 8, 4
CITY_LEVEL = -1


def matching(
    scope: Scope, kind: BranchKind | None, county_id: int, words: str, on: date, *, without_secretary: bool = False
) -> sa.Select[Branch]:
    """Branches of the scope that lived on a day, by what they were then: county, kind, name. `county_id` may be
    CITY_LEVEL, 0 is every one."""
    then = branch_history.states(on)
    question = sa.select(Branch).options(joinedload(Branch.county)).where(scope.branches)
    question = question.join(then, then.c.branch_id == Branch.id)
    if kind is not None:
        question = question.where(then.c.kind == kind)
    if county_id == CITY_LEVEL:
        question = question.where(then.c.county_id.is_(None))
    elif county_id:
        question = question.where(then.c.county_id == county_id)
    if words:
        question = question.where(then.c.name.contains(words, autoescape=True))
    if without_secretary:
        has_one = sa.select(Post.branch_id).where(Post.role == Role.SECRETARY, *people.holds(Post, scope.on))
        question = question.where(Branch.id.not_in(has_one.where(Post.branch_id.is_not(None))))
    return question.order_by(then.c.county_id.is_not(None), then.c.county_id, then.c.kind, then.c.name)


def beside(session: Session, scope: Scope, branch: Branch) -> list[str]:
    """The names of living branches in the same county, which one might be merged into."""
    same = Branch.county_id == branch.county_id if branch.county_id else Branch.county_id.is_(None)
    names = sa.select(Branch.name).where(same, Branch.id != branch.id, branch_history.living(), scope.kept_branches)
    return list(session.scalars(names.order_by(Branch.kind, Branch.name)))


def of_stations(session: Session, scope: Scope) -> list[str]:
    """The names of living branches of stations that are theirs to change."""
    kind = Branch.kind == BranchKind.STATION
    names = sa.select(Branch.name).where(kind, branch_history.living(), scope.kept_branches)
    return list(session.scalars(names.order_by(Branch.name)))


def dissolved(scope: Scope, words: str) -> sa.Select[Branch]:
    """Branches of the scope that have ended, the latest first."""
    question = sa.select(Branch).options(joinedload(Branch.county)).where(scope.branches, ~branch_history.living())
    if words:
        question = question.where(Branch.name.contains(words, autoescape=True))
    return question.order_by(Branch.dissolved_on.desc(), Branch.name)


@dataclass(frozen=True, slots=True)
class Line:
    """A branch in a list."""

    branch: Branch
    secretaries: list[str]
    members: int
    #: What it was on the day of the list.
    then: branch_history.State


def called(session: Session, words: str, limit: int = 9) -> list[str]:
    """The full names of living branches that contain these words; the very name alone if there is one."""
    there = sa.select(Branch.name).where(branch_history.living()).order_by(Branch.id)
    found = there.where(Branch.name.contains(words, autoescape=True))
    if session.scalar(there.where(Branch.name == words)) is not None:
        return [words]
    return list(session.scalars(found.limit(limit)))


def lines(session: Session, rows: Sequence[Branch], on: date) -> list[Line]:
    """What some branches were on a day, their secretaries and numbers of members, with three statements."""
    then = branch_history.as_they_were(session, rows, on)
    ids = [row.id for row in rows]
    counts = dict(
        session.execute(
            sa.select(Affiliation.branch_id, sa.func.count(sa.distinct(Affiliation.person_id)))
            .where(Affiliation.branch_id.in_(ids), *people.holds(Affiliation, on))
            .group_by(Affiliation.branch_id)
        ).all()
    )
    names: dict[int | None, list[str]] = {}
    led = (
        sa.select(Post.branch_id, Person.name)
        .join(Person, Person.id == Post.person_id)
        .where(Post.branch_id.in_(ids), Post.role == Role.SECRETARY, *people.holds(Post, on))
        .order_by(Person.name)
    )
    for branch_id, name in session.execute(led):
        names.setdefault(branch_id, []).append(name)
    return [Line(row, names.get(row.id, []), counts.get(row.id, 0), then[row.id]) for row in rows]


@dataclass(frozen=True, slots=True)
class Held:
    """A gathering and how many were there: 人次, never a list by diligence."""

    gathering: Gathering
    present: int
    leave: int
    #: What the branch was called on that day, where it is called otherwise now.
    called_then: str = ""


def held(session: Session, rows: Sequence[Gathering]) -> list[Held]:
    """Attendance of some gatherings, and the names of their branches then, with two statements."""
    names = branch_history.names_on(session, [(row.branch_id, row.held_on) for row in rows])
    counts: dict[tuple[int, Presence], int] = {
        (gathering_id, presence): count
        for gathering_id, presence, count in session.execute(
            sa.select(Attendance.gathering_id, Attendance.presence, sa.func.count())
            .where(Attendance.gathering_id.in_([row.id for row in rows]))
            .group_by(Attendance.gathering_id, Attendance.presence)
        )
    }
    return [
        Held(
            row,
            counts.get((row.id, Presence.PRESENT), 0),
            counts.get((row.id, Presence.LEAVE), 0),
            names.get((row.branch_id, row.held_on), ""),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing a branch should have: there or not, and what to do about it."""

    name: str
    is_there: bool
    says: str


@dataclass(frozen=True, slots=True)
class Profile:
    branch: Branch
    secretaries: list[Person]
    members: int
    bound: int
    station: Station | None
    held: list[Held]
    coming: list[Gathering]
    items: list[Item]

    @property
    def missing(self) -> list[Item]:
        return [item for item in self.items if not item.is_there]


def profile(session: Session, branch: Branch, at: datetime) -> Profile:
    """All about one branch."""
    on = beijing_date(at)
    secretaries = list(
        session.scalars(
            sa.select(Person)
            .join(Post, Post.person_id == Person.id)
            .where(Post.branch_id == branch.id, Post.role == Role.SECRETARY, *people.holds(Post, on))
            .order_by(Person.name)
        )
    )
    belongs = sa.select(Affiliation.person_id).where(
        Affiliation.branch_id == branch.id, *people.holds(Affiliation, on)
    )
    members = session.scalar(sa.select(sa.func.count(sa.distinct(belongs.subquery().c.person_id)))) or 0
    led, is_member = {person.id for person in secretaries}, Follower.person_id.in_(belongs)
    reached = session.execute(
        sa.select(Follower.person_id, is_member).where(
            sa.or_(is_member, Follower.person_id.in_(led)), Follower.is_subscribed
        )
    ).all()
    followers = {person_id for person_id, belongs_here in reached if belongs_here}
    is_secretary_bound = any(person_id in led for person_id, _belongs in reached)
    station = session.scalar(sa.select(Station).where(Station.branch_id == branch.id).order_by(Station.id).limit(1))
    past, coming = _gatherings(session, branch.id, at)
    items = [
        Item("支部书记", bool(secretaries), "名册里没有书记，请登记任职。"),
        Item("书记绑定微信", is_secretary_bound, "书记收不到提醒，也不能在聊天里办事；请他发“绑定”。"),
        Item(f"{FEWEST_MEMBERS} 名以上党员", members >= FEWEST_MEMBERS, "党章第三十条；人数不足的请核对名册或合并。"),
        Item("半数党员绑定微信", bool(members) and len(followers) / members >= WELL_BOUND, "通知到不了人；书记可发邀请码。"),
        Item("活动室", bool(branch.room), "党员活动室（八有第一项）没有登记；可与会议室、道德讲堂、党员书屋合用。"),
        Item("已排好今后的活动", bool(coming), "调度停着，或这个支部是刚建的；排期每天自动做。"),
    ]  # fmt: skip
    if branch.kind is BranchKind.STATION:
        is_complete = station is not None and bool(station.address and stations.week(station.hours))
        items.append(Item("服务站地址和开放时间", is_complete, "群众查不到服务站；请补全地址和能读懂的开放时间。"))
    return Profile(branch, secretaries, members, len(followers), station, held(session, past), coming, items)


def _gatherings(session: Session, branch_id: int, at: datetime) -> tuple[list[Gathering], list[Gathering]]:
    planned = sa.select(Gathering).where(Gathering.branch_id == branch_id, Gathering.state == GatheringState.PLANNED)
    past = planned.where(Gathering.opens_at <= at).order_by(Gathering.opens_at.desc()).limit(HELD)
    coming = planned.where(Gathering.opens_at > at).order_by(Gathering.opens_at).limit(COMING)
    return list(session.scalars(past)), list(session.scalars(coming))
