"""The conditions an audience is made of: each turns its value into a question about people (F102)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from errors import Misunderstood
from models import (
    Affiliation,
    Attendance,
    Branch,
    BranchKind,
    Consultation,
    County,
    Follower,
    Gathering,
    GatheringState,
    Matter,
    Post,
    Presence,
    Role,
)
from services.membership import people

SHORT_KINDS = {
    BranchKind.RESEARCH: "行业研究会",
    BranchKind.STATION: "法律服务站流动",
    BranchKind.FIRM: "律师事务所流动",
    BranchKind.ASSOCIATION: "团体会员流动",
}
SHORT_ROLES = {
    Role.SECRETARY: "书记",
    Role.DEPUTY: "副书记",
    Role.COMMITTEE: "支部委员",
    Role.LAWYER: "值班律师",
    Role.COUNTY_OFFICE: "县办公室",
    Role.OFFICE: "市办公室",
    Role.AUDITOR: "监督员",
}

People = sa.Select[Any]
Word = TypeVar("Word")


@dataclass(frozen=True, slots=True)
class Context:
    """What a term needs to become a question."""

    session: Session
    on: date


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. `ask` gives the ids of the people whom it fits; `hint` is how it is written."""

    hint: str
    ask: Callable[[Context, str], People]
    takes_value: bool = True


def members(context: Context, *where: sa.ColumnElement[bool]) -> People:
    return sa.select(Affiliation.person_id).where(*people.holds(Affiliation, context.on), *where).distinct()


def in_branches(context: Context, *where: sa.ColumnElement[bool]) -> People:
    return members(context, Affiliation.branch_id.in_(sa.select(Branch.id).where(*where)))


def _everybody(context: Context, _value: str) -> People:
    return members(context)


def _county(context: Context, value: str) -> People:
    if value == "市本级":
        return in_branches(context, Branch.county_id.is_(None))
    county_id = context.session.scalar(sa.select(County.id).where(County.name == value))
    if county_id is None:
        names = context.session.scalars(sa.select(County.name).order_by(County.id))
        raise Misunderstood(f"没有“{value}”这个县（市）区。可以写：{'、'.join(names)}、市本级。")
    return in_branches(context, Branch.county_id == county_id)


def _kind(context: Context, value: str) -> People:
    kind = one_of(value, SHORT_KINDS, "支部类型")
    return in_branches(context, Branch.kind == kind)


def _branch(context: Context, value: str) -> People:
    of = sa.select(Branch.id, Branch.dissolved_on).where(Branch.name == value)
    branch_id, dissolved_on = context.session.execute(of).one_or_none() or (None, None)
    if dissolved_on is not None:
        raise Misunderstood(f"“{value}”已在 {dissolved_on} 撤销，没有人可发。")
    if branch_id is None:
        raise Misunderstood(f"没有叫“{value}”的支部。请写支部的全名。")
    return members(context, Affiliation.branch_id == branch_id)


def _role(context: Context, value: str) -> People:
    role = one_of(value, SHORT_ROLES, "职务")
    return sa.select(Post.person_id).where(Post.role == role, *people.holds(Post, context.on)).distinct()


def _present(_context: Context, value: str) -> People:
    held = sa.select(Gathering.id).where(Gathering.held_on == _day(value))
    came = Attendance.gathering_id.in_(held), Attendance.presence == Presence.PRESENT
    return sa.select(Attendance.person_id).where(*came).distinct()


def _absent(context: Context, value: str) -> People:
    """Members of branches that gathered that day who did not check in and have no leave."""
    held = sa.select(Gathering.branch_id).where(
        Gathering.held_on == _day(value), Gathering.state == GatheringState.PLANNED
    )
    known = sa.select(Attendance.person_id).where(
        Attendance.gathering_id.in_(sa.select(Gathering.id).where(Gathering.held_on == _day(value))),
        Attendance.presence.in_((Presence.PRESENT, Presence.LEAVE)),
    )
    return members(context, Affiliation.branch_id.in_(held), Affiliation.person_id.not_in(known))


def _no_record(context: Context, value: str) -> People:
    """Members of branches whose gathering that day has nobody on its list."""
    unheard = sa.select(Gathering.branch_id).where(
        Gathering.held_on == _day(value),
        Gathering.state == GatheringState.PLANNED,
        ~sa.exists().where(Attendance.gathering_id == Gathering.id),
    )
    return members(context, Affiliation.branch_id.in_(unheard))


def _consulted(_context: Context, value: str) -> People:
    matter = one_of(value, {matter: matter.label for matter in Matter}, "咨询事项")
    return (
        sa.select(Follower.person_id)
        .join(Consultation, Consultation.openid == Follower.openid)
        .where(Consultation.matter == matter, Follower.person_id.is_not(None))
        .distinct()
    )


TERMS: dict[str, Term] = {
    "全体": Term("全体", _everybody, takes_value=False),
    "县": Term("县:金水区", _county),
    "类型": Term("类型:律师事务所流动", _kind),
    "支部": Term("支部:支部全名", _branch),
    "职务": Term("职务:书记", _role),
    "已签到": Term("已签到:2026-11-20", _present),
    "未签到": Term("未签到:2026-11-20", _absent),
    "缺记录": Term("缺记录:2026-11-20", _no_record),
    "咨询过": Term("咨询过:劳动工伤", _consulted),
}


def one_of(value: str, words: dict[Word, str], what: str) -> Word:
    found = [word for word, label in words.items() if value == label]
    if not found:
        raise Misunderstood(f"没有“{value}”这种{what}。可以写：{'、'.join(words.values())}。")
    return found[0]


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Misunderstood(f"“{value}”不是日期，请写成 2026-11-20 这样。") from None
