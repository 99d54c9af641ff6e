"""The life of a branch: founded, changed, merged, dissolved, restored; each act dated, with a reason (F034).

An act takes effect on the day it is entered. What branches were on earlier days is in `branch_history`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import Misunderstood, RuleBroken
from models import Branch, BranchAct, BranchChange, BranchKind, County
from services import audit
from services.fields import Fields, clean
from services.organisation import branch_ending, branch_history
from services.scope import Scope

LONGEST_NAME, LONGEST_ROOM = 64, 128
ACTS = {
    BranchAct.FOUNDED: "branch.found", BranchAct.CHANGED: "branch.change", BranchAct.MERGED: "branch.merge",
    BranchAct.DISSOLVED: "branch.dissolve", BranchAct.RESTORED: "branch.restore",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Details:
    """What somebody wants a branch to be."""

    name: str
    kind: BranchKind
    county_id: int | None
    room: str

    @property
    def state(self) -> tuple[str, BranchKind, int | None]:
        return self.name, self.kind, self.county_id


def read(
    session: Session, said: Mapping[str, str], scope: Scope, branch: Branch | None
) -> tuple[Details | None, str, Fields]:
    """A form: what the branch shall be, why, and what is wrong with either."""
    form = Fields(said)
    name = form.title("name", "支部全名", LONGEST_NAME)
    room = form.line("room", "活动室", LONGEST_ROOM, needed=False)
    kind = form.chosen("kind", "类别", BranchKind)
    county_id = form.place(session, scope)
    if name and "name" not in form.wrong:
        taken = session.scalar(sa.select(Branch).where(Branch.name == name))
        if taken is not None and (branch is None or taken.id != branch.id):
            form.wrong["name"] = _taken(taken)
    why = form.reason("reason", "原因", "市委批复成立")
    if form.wrong or kind is None:
        return None, why, form
    return Details(name, kind, county_id, room), why, form


def _taken(branch: Branch) -> str:
    if branch.is_living:
        return "已有同名的支部，请换一个名称。"
    return f"同名的支部在 {branch.dissolved_on} 撤销了；请恢复它，或换一个名称。"


def found(session: Session, to: Details, reason: str, at: datetime, *, by: int) -> Branch:
    """A new branch from today on. Raises RuleBroken when its name was taken a moment ago."""
    branch = Branch(name=to.name, kind=to.kind, county_id=to.county_id, room=to.room)
    session.add(branch)
    _flush_name(session)
    _record(session, branch, BranchAct.FOUNDED, reason, at, by, was_living=False)
    audit.note(session, at, by, "branch.found", _subject(branch), f"{to.name}（{to.kind.label}）；原因：{reason}")
    return branch


def change(session: Session, branch: Branch, to: Details, reason: str, at: datetime, *, by: int) -> str:
    """Another name, kind, county or room; gives what changed, in words. Raises Misunderstood, RuleBroken."""
    _must_live(branch)
    counties = {row.id: row.name for row in session.execute(sa.select(County.id, County.name))}
    said = branch_history.difference((branch.name, branch.kind, branch.county_id), to.state, dict(counties))
    room = f"活动室：{branch.room or '未登记'} → {to.room or '未登记'}" if branch.room != to.room else ""
    if not said and not room:
        raise Misunderstood("没有改动任何一项。")
    if said:
        _record(session, branch, BranchAct.CHANGED, reason, at, by, was_living=True)
    branch.name, branch.kind, branch.county_id, branch.room = to.name, to.kind, to.county_id, to.room
    _flush_name(session)
    both = "；".join(filter(None, (said, room)))
    audit.note(session, at, by, "branch.change", _subject(branch), f"{both}；原因：{reason}")
    return both


def target(session: Session, scope: Scope, branch: Branch, said: str) -> Branch:
    """The branch that somebody wants to merge into, by its whole name. Raises Misunderstood."""
    name = clean(said)
    found = session.scalar(sa.select(Branch).where(Branch.name == name, branch_history.living(), scope.kept_branches))
    if found is None:
        raise Misunderstood("没有这个支部，或它不在您的管理范围内；请从列表里选，或写全名。")
    if found.id == branch.id:
        raise Misunderstood("不能并入自己，请选另一个支部。")
    return found


def end(session: Session, branch: Branch, into: Branch | None, reason: str, at: datetime, *, by: int) -> None:
    """Merge a branch into another, or dissolve it. Raises RuleBroken when it has ended already."""
    on = beijing_date(at)
    both = (branch, into) if into is not None else (branch,)
    _lock(session, *both)
    for each in both:
        _must_live(each)
    planned = branch_ending.plan(session, branch, into, at)
    act = BranchAct.MERGED if into is not None else BranchAct.DISSOLVED
    row = _record(session, branch, act, reason, at, by, was_living=True)
    row.into_id = into.id if into is not None else None
    branch.dissolved_on = on
    row.moved = branch_ending.carry_out(session, planned, on)
    where = f"并入 {into.name}（branch:{into.id}）" if into is not None else "撤销"
    posts = f"职务转入 {planned.posts_moved} 个、结束 {planned.posts_ended} 个"
    numbers = f"{planned.people} 人，{posts}，取消活动 {len(planned.gatherings)} 场"
    audit.note(session, at, by, ACTS[act], _subject(branch), f"{branch.name} {where}；{numbers}；原因：{reason}")


def restore(session: Session, branch: Branch, reason: str, at: datetime, *, by: int) -> branch_ending.Return:
    """Undo the end of a branch; what has changed since stays. Raises RuleBroken when that contradicts."""
    on = beijing_date(at)
    _lock(session, branch)
    planned = branch_ending.plan_return(session, branch, at)
    if planned.refused:
        raise RuleBroken(planned.refused)
    ended_on = branch.dissolved_on
    _record(session, branch, BranchAct.RESTORED, reason, at, by, was_living=False)
    branch.dissolved_on = None
    branch_ending.bring_back(session, branch, planned, on)
    numbers = f"{planned.people} 人回来，{planned.left} 人之后另有变动、不动"
    said = f"{branch.name} 撤销于 {ended_on} → 恢复；{numbers}；原因：{reason}"
    audit.note(session, at, by, "branch.restore", _subject(branch), said)
    return planned


def _must_live(branch: Branch) -> None:
    if not branch.is_living:
        raise RuleBroken(f"“{branch.name}”已在 {branch.dissolved_on} 撤销，只能查看或恢复。")


def _lock(session: Session, *branches: Branch) -> None:
    """Of two who end or restore a branch at once, the second sees what the first has done."""
    for branch in sorted(branches, key=lambda each: each.id):
        session.refresh(branch, ["dissolved_on"], with_for_update=True)


def _record(
    session: Session, branch: Branch, act: BranchAct, reason: str, at: datetime, by: int, *, was_living: bool
) -> BranchChange:
    """What it was until today. Raises RuleBroken when the clock stands before the last change."""
    on, last = beijing_date(at), branch_history.last(session, branch.id)
    if last is not None and last.done_on > on:
        raise RuleBroken(f"上一次变更记在 {last.done_on}，晚于今天；请先检查系统时间。")
    row = BranchChange(
        branch_id=branch.id, act=act, done_on=on, done_at=at, by_person_id=by, reason=reason, was_living=was_living,
        old_name=branch.name, old_kind=branch.kind, old_county_id=branch.county_id,
    )  # fmt: skip
    session.add(row)
    return row


def _flush_name(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise RuleBroken("这个名称刚才被别的支部用了，请换一个名称。") from None


def _subject(branch: Branch) -> str:
    return f"branch:{branch.id}"
