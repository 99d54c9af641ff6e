"""What the clock does by itself: one line a job, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import at_beijing, beijing_date, say_date, say_time
from config import Settings
from models import Due, Gathering, GatheringState, NoticeKind, Purpose
from scheduler.clockwork import Asked, Rule
from services import outbox, people, retention, rhythm

#: Rows for a day are made from this long before it, so that a reschedule or a restart finds them.
LOOK_AHEAD = timedelta(days=2)
LOOK_BACK = timedelta(days=2)
PLAN_AT = time(0, 10)
UPKEEP_AT = time(3, 30)


def rules(settings: Settings) -> list[Rule]:
    """The timetable, from top to bottom."""
    return [
        Rule("plan", "每天把今后几周的学习日、活动日排好", _daily(PLAN_AT), _plan(settings)),
        Rule(
            "study_day",
            "每周五学习日（第二周为活动日）当天早上通知（工作报告 L12）",
            _study_days(settings),
            _notify(settings),
        ),
        Rule("upkeep", "每天清理到期的记录（最少数据）", _daily(UPKEEP_AT), _upkeep),
    ]


def _daily(wall: time):  # type: ignore[no-untyped-def]
    def ask(_session: Session, at: datetime) -> Iterable[Asked]:
        due = at_beijing(beijing_date(at), wall)
        yield Asked("all", due, due + timedelta(hours=24))

    return ask


def _plan(settings: Settings):  # type: ignore[no-untyped-def]
    def act(session: Session, _due: Due, at: datetime) -> str:
        calendar = rhythm.calendar(session, settings.calendar)
        made = rhythm.plan(session, calendar, settings.study_day, at)
        return f"新排 {made} 场"

    return act


def _study_days(settings: Settings):  # type: ignore[no-untyped-def]
    def ask(session: Session, at: datetime) -> Iterable[Asked]:
        today = beijing_date(at)
        rows = session.execute(
            sa.select(Gathering.id, Gathering.held_on).where(
                Gathering.held_on.between(today - LOOK_BACK, today + LOOK_AHEAD),
                Gathering.state == GatheringState.PLANNED,
                Gathering.purpose.in_((Purpose.STUDY_DAY, Purpose.ACTIVITY_DAY)),
            )
        )
        useful = timedelta(minutes=settings.sending.not_after_minutes)
        for gathering_id, held_on in rows:
            due = at_beijing(held_on, settings.study_day.notice_at)
            yield Asked(f"gathering:{gathering_id}", due, due + useful)

    return ask


def _notify(settings: Settings):  # type: ignore[no-untyped-def]
    def act(session: Session, due: Due, at: datetime) -> str:
        gathering = session.get_one(
            Gathering, int(due.subject.removeprefix("gathering:")), options=[joinedload(Gathering.branch)]
        )
        if gathering.state is not GatheringState.PLANNED:
            return "活动已取消，不通知"
        if at_beijing(gathering.held_on, settings.study_day.notice_at) != due.due_at:
            return "已改期，按新的日子通知"
        members = people.members_of(session, gathering.branch_id, gathering.held_on)
        recipients = outbox.accounts_of(session, [member.id for member in members])
        outbox.queue(
            session,
            NoticeKind.STUDY_DAY,
            # One campaign a day: whoever is in two branches gets one notice (F039, pitfall 8).
            f"study_day:{gathering.held_on}",
            study_day_facts(gathering),
            recipients,
            at=at,
            due_at=due.due_at,
            not_after=due.not_after,
            why=f"每周五为党员学习日（工作报告 L12）；{gathering.why}"[:128],
        )
        return f"通知 {len({r.key for r in recipients})} 人"

    return act


def study_day_facts(gathering: Gathering) -> dict[str, str]:
    """What the notice of one gathering says."""
    when = f"{say_time(gathering.opens_at)}–{say_time(gathering.closes_at)}"
    day = say_date(gathering.held_on)
    topic = gathering.topic or gathering.purpose.label
    return {
        "topic": topic,
        "branch": gathering.branch.name,
        "time": f"{gathering.held_on:%Y年%-m月%-d日} {say_time(gathering.opens_at)}",
        "hint": "参加后请回复“签到”",
        "text": f"{gathering.purpose.label}：{day} {when}，{gathering.branch.name}。参加后请回复“签到”，不能来请回复“请假”。",
    }


def _upkeep(session: Session, _due: Due, at: datetime) -> str:
    return retention.sweep(session, at)
