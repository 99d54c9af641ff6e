"""Some weeks that have been: who was there, what citizens asked, which notices arrived. All of it invented.

Written once, behind the present day; nothing of it is ever sent.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import at_beijing, beijing_date
from demo import elections, roll
from models import (
    Affiliation,
    Attendance,
    Branch,
    CaseNumber,
    CaseState,
    CaseStep,
    Consultation,
    Database,
    Gathering,
    GatheringState,
    Matter,
    NoticeKind,
    Outgoing,
    Post,
    Presence,
    Role,
    SendState,
    Station,
    Step,
    Urgency,
    Via,
    Wish,
    insert_new,
)
from services.meetings.calendar import Calendar
from services.sending import outbox
from services.sending.outbox import Letter

WEEKS = 8
NOTICES = 3
COMES, ON_LEAVE = 0.74, 0.07
CASES = 140
CITIZEN = "oDemoCitizen"
CHUNK = 5000
OPENS, CLOSES, NOTICE_AT = time(8, 30), time(20, 0), time(8, 30)
WORDS = {
    Matter.LABOUR: "（演示）公司拖欠三个月工资，怎样要回来？",
    Matter.FAMILY: "（演示）离婚后孩子的抚养费怎么算？",
    Matter.NEIGHBOURS: "（演示）楼上漏水，物业不管，怎么办？",
    Matter.CONTRACT: "（演示）借条没写还款日期，什么时候可以起诉？",
    Matter.FUNDRAISING: "（演示）投的理财平台取不出钱，到哪里报案？",
    Matter.ACCIDENT: "（演示）对方全责不肯赔，下一步怎么走？",
    Matter.OTHER: "（演示）想给父亲立一份遗嘱，需要什么手续？",
}


def write_history(database: Database, calendar: Calendar, *, at: datetime, seed: int = 674) -> int:
    """Write it unless it is there. Gives how many marks of attendance were written."""
    with database.transaction() as session:
        if session.scalar(sa.select(Consultation.id).where(Consultation.openid.startswith(CITIZEN)).limit(1)):
            return 0
        rng, today = Random(seed), beijing_date(at)
        days = [
            (day.held_on, day.nominal_on, day.kind, day.why)
            for day in calendar.planned(today - timedelta(weeks=WEEKS), today - timedelta(days=1))
            if day.held_on is not None and day.held_on < today
        ]
        marks = _attend(session, rng, days)
        _notify(session, rng, [held_on for held_on, *_ in days][-NOTICES:])
        _ask(session, rng, today)
        roll.write(session, at)
        elections.write(session, at, today)
        return marks


def _attend(session: Session, rng: Random, days: list[tuple[date, date, Any, str]]) -> int:
    members: dict[int, list[int]] = {}
    for branch_id, person_id in session.execute(sa.select(Affiliation.branch_id, Affiliation.person_id)):
        members.setdefault(branch_id, []).append(person_id)
    rows = [
        {
            "branch_id": branch_id, "purpose": kind, "period_on": nominal_on, "held_on": held_on,
            "opens_at": at_beijing(held_on, OPENS), "closes_at": at_beijing(held_on, CLOSES), "topic": "",
            "state": GatheringState.PLANNED, "why": why[:128], "moved_by": None,
        }
        for held_on, nominal_on, kind, why in days
        for branch_id in session.scalars(sa.select(Branch.id).order_by(Branch.id))
    ]  # fmt: skip
    for start in range(0, len(rows), CHUNK):
        insert_new(session, Gathering, rows[start : start + CHUNK])
    held = session.execute(
        sa.select(Gathering.id, Gathering.branch_id, Gathering.opens_at)
        .where(Gathering.held_on.in_([held_on for held_on, *_ in days]))
        .order_by(Gathering.id)
    ).all()
    marks = [
        mark
        for gathering_id, branch_id, opens_at in held
        for person_id in members.get(branch_id, [])
        if (mark := _mark(rng, gathering_id, person_id, opens_at))
    ]
    for start in range(0, len(marks), CHUNK):
        insert_new(session, Attendance, marks[start : start + CHUNK])
    return len(marks)


def _mark(rng: Random, gathering_id: int, person_id: int, opens_at: datetime) -> dict[str, Any] | None:
    luck = rng.random()
    if luck >= COMES + ON_LEAVE:
        return None
    return {
        "gathering_id": gathering_id, "person_id": person_id, "via": Via.SELF, "receipt": rng.getrandbits(62),
        "presence": Presence.PRESENT if luck < COMES else Presence.LEAVE, "by_person_id": None, "reason": None,
        "at": opens_at + timedelta(minutes=rng.randint(0, 90)),
    }  # fmt: skip


def _notify(session: Session, rng: Random, days: list[date]) -> None:
    """The notices of some Fridays, with their fates; settled in this very transaction, so that no sender sees them."""
    everybody = outbox.accounts_of(session, session.scalars(sa.select(Affiliation.person_id).distinct()))
    for on in days:
        at = at_beijing(on, NOTICE_AT)
        facts = {"topic": "党员学习日", "text": "（演示）学习日通知"}
        letter = Letter(
            NoticeKind.STUDY_DAY, f"study_day:{on}", facts, everybody, at, at + timedelta(hours=2), "演示"
        )
        outbox.queue(session, letter, at)
        waiting = session.scalars(
            sa.select(Outgoing.id).where(Outgoing.campaign == letter.campaign, Outgoing.state == SendState.WAITING)
        ).all()
        rng.shuffle(waiting := list(waiting))
        refused, unknown = waiting[: len(waiting) // 60], waiting[len(waiting) // 60 : len(waiting) // 60 + 2]
        fates = (
            (SendState.REFUSED, "对方设置了拒收", refused),
            (SendState.UNKNOWN, "发送时程序中断，不知是否已经发出；不会自动重发", unknown),
            (SendState.DELIVERED, None, None),
        )
        for state, reason, ids in fates:
            these = Outgoing.id.in_(ids) if ids is not None else Outgoing.state == SendState.WAITING
            session.execute(
                sa.update(Outgoing)
                .where(Outgoing.campaign == letter.campaign, these)
                .values(state=state, reason=reason, settled_at=at + timedelta(minutes=3))
                .execution_options(synchronize_session=False)
            )


def _ask(session: Session, rng: Random, today: date) -> None:
    """Questions of the last weeks; those before the last three days are over."""
    lawyers: dict[int, list[tuple[int, int]]] = {}
    duty = (
        sa.select(Station.county_id, Station.id, Post.person_id)
        .join(Station, Station.id == Post.station_id)
        .where(Post.role == Role.LAWYER)
        .order_by(Post.id)
    )
    for county_id, station_id, person_id in session.execute(duty):
        lawyers.setdefault(county_id, []).append((station_id, person_id))
    numbers: dict[str, int] = {}
    for number in range(CASES):
        on = today - timedelta(days=1 + int((CASES - number - 1) * WEEKS * 7 / CASES))
        county_id = rng.choice(sorted(lawyers))
        asked_at = at_beijing(on, time(rng.randint(8, 20), rng.randint(0, 59)))
        day = f"{on:%y%m%d}"
        numbers[day] = numbers.get(day, 0) + 1
        case = _case(rng, f"ZX{day}-{numbers[day]:04d}", county_id, rng.choice(lawyers[county_id]), asked_at, today)
        session.add(case)
        session.flush()
        session.add_all(_steps(case))
    insert_new(session, CaseNumber, [{"day": day, "last": last} for day, last in numbers.items()])


def _case(
    rng: Random, number: str, county_id: int, duty: tuple[int, int], asked_at: datetime, today: date
) -> Consultation:
    matter = rng.choice([*Matter, Matter.LABOUR, Matter.LABOUR, Matter.CONTRACT, Matter.FAMILY])
    age = (today - beijing_date(asked_at)).days
    state = rng.choice([CaseState.WAITING, CaseState.TAKEN, CaseState.ANSWERED]) if age <= 3 else CaseState.CLOSED
    if age > 3 and rng.random() < 0.1:
        state = CaseState.WITHDRAWN
    has_lawyer = state in {CaseState.TAKEN, CaseState.ANSWERED, CaseState.CLOSED}
    is_answered = state in {CaseState.ANSWERED, CaseState.CLOSED}
    return Consultation(
        number=number, openid=f"{CITIZEN}{rng.getrandbits(60):016x}", county_id=county_id, matter=matter,
        urgency=rng.choice(list(Urgency)), wish=rng.choice(list(Wish)), is_dangerous=rng.random() < 0.03, state=state,
        station_id=duty[0], lawyer_id=duty[1] if has_lawyer else None, asked_at=asked_at,
        taken_at=asked_at + timedelta(minutes=rng.randint(5, 200)) if has_lawyer else None,
        answered_at=asked_at + timedelta(hours=rng.randint(4, 20)) if is_answered else None,
        closed_at=asked_at + timedelta(hours=30) if state in {CaseState.CLOSED, CaseState.WITHDRAWN} else None,
        rating=rng.choice([5, 5, 5, 4, 4, 3, None]) if state is CaseState.CLOSED else None,
    )  # fmt: skip


def _steps(case: Consultation) -> list[CaseStep]:
    told = [
        (Step.ASKED, case.asked_at, None, WORDS[case.matter]),
        (Step.TAKEN, case.taken_at, case.lawyer_id, None),
        (Step.ANSWERED, case.answered_at, case.lawyer_id, "（演示）先收集证据，再到所在县（市）区的服务站当面谈。"),
        (Step.WITHDRAWN if case.state is CaseState.WITHDRAWN else Step.CLOSED, case.closed_at, case.lawyer_id, None),
    ]
    return [
        CaseStep(consultation_id=case.id, step=step, by_person_id=by, words=words, at=at)
        for step, at, by, words in told
        if at is not None
    ]
