"""Asking leave from a gathering, and the secretary's word on it (F072). Counted apart from absence."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date, say_date, say_moment
from errors import RuleBroken
from models import Attendance, Gathering, NoticeKind, Person, Presence, Role, Via
from services import audit
from services.meetings import gatherings
from services.membership import people
from services.sending import outbox

#: A leave that was asked may still be granted this long after the day.
STAYS_OPEN = timedelta(days=30)


def may_ask(session: Session, person_id: int, gathering: Gathering, at: datetime) -> None:
    """Raises RuleBroken when it is too late for a leave, or somebody has come or has asked already."""
    if gathering.closes_at <= at:
        raise RuleBroken("这次活动已经结束，不能再请假；如有情况请直接告诉支部书记。")
    kept = session.get(Attendance, (gathering.id, person_id))
    if kept is not None:
        if kept.presence is Presence.PRESENT:
            raise RuleBroken(f"您已于 {say_moment(kept.at)} 签到，不需要请假。")
        raise RuleBroken(f"这次已经请过假了，状态：{kept.presence.label}。")


def ask(session: Session, person_id: int, gathering_id: int, reason: str, at: datetime) -> Attendance:
    """Ask leave from a gathering that is not over; the secretary is told (F072). Raises RuleBroken."""
    gathering = gatherings.get(session, gathering_id)
    may_ask(session, person_id, gathering, at)
    row = Attendance(
        gathering_id=gathering_id, person_id=person_id, presence=Presence.LEAVE_ASKED, via=Via.SELF, at=at,
        receipt=secrets.randbits(62), reason=reason,
    )  # fmt: skip
    session.add(row)
    session.flush()
    name = people.get(session, person_id).name
    secretaries = people.holders(session, Role.SECRETARY, beijing_date(at), branch_id=gathering.branch_id)
    day = say_date(gathering.held_on)
    facts = {
        "title": "有人请假",
        # A template may be seen over somebody's shoulder: the reason stands in the chat only.
        "words": f"{name} 请假（{gathering.held_on:%m-%d}）",
        "text": f"{name} 请假：{day} {gathering.purpose.label}，原因：{reason}。\n回复“准假 {name}”或“不准 {name}”。",
    }
    campaign = f"leave:{gathering_id}:{person_id}:{at:%Y%m%d%H%M%S}"
    outbox.tell(session, NoticeKind.LEAVE, campaign, facts, [s for s in secretaries if s != person_id], at)
    return row


def decide(session: Session, gathering_id: int, person_id: int, *, grant: bool, at: datetime, by: int) -> None:
    """The secretary's yes or no to a leave. Raises RuleBroken when there is none waiting."""
    where = (
        Attendance.gathering_id == gathering_id,
        Attendance.person_id == person_id,
        Attendance.presence == Presence.LEAVE_ASKED,
    )
    if grant:
        changed = session.execute(
            sa.update(Attendance).where(*where).values(presence=Presence.LEAVE, by_person_id=by)
        )
    else:
        changed = session.execute(sa.delete(Attendance).where(*where))
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise RuleBroken("没有等待批准的请假。")
    audit.note(
        session, at, by, "leave.granted" if grant else "leave.refused", f"gathering:{gathering_id}", str(person_id)
    )
    words = "书记已准假。" if grant else "书记没有准假，请按时参加，或与书记联系。"
    campaign = f"leave-decided:{gathering_id}:{person_id}:{at:%Y%m%d%H%M%S}"
    outbox.tell(session, NoticeKind.LEAVE, campaign, {"title": "请假结果", "text": words}, [person_id], at)


def waiting(session: Session, branch_id: int, at: datetime) -> list[tuple[Gathering, Person]]:
    """Whose leave from a gathering of the branch, past or coming, waits for the secretary's word."""
    rows = session.execute(
        sa.select(Gathering, Person)
        .join(Attendance, Attendance.gathering_id == Gathering.id)
        .join(Person, Person.id == Attendance.person_id)
        .where(
            Gathering.branch_id == branch_id,
            Gathering.held_on >= beijing_date(at) - STAYS_OPEN,
            Attendance.presence == Presence.LEAVE_ASKED,
        )
        .order_by(Gathering.opens_at, Person.id)
    )
    return [(gathering, person) for gathering, person in rows]
