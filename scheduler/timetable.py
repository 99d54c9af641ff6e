"""What the clock does by itself: one line a job, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import at_beijing, beijing_date, say_date, say_time, say_window
from config import Settings
from models import Due, DueState, Gathering, GatheringState, NoticeKind, Purpose, insert_new
from scheduler import digest, reminders, terms
from scheduler.clockwork import Asked, Rule
from services.custody import retention
from services.meetings import gatherings, rhythm
from services.membership import people
from services.sending import outbox, watch
from services.sending.outbox import Letter, Recipient

Ask = Callable[[Session, datetime], Iterable[Asked]]
Act = Callable[[Session, list[Due], datetime], list[str]]

#: Rows for a day are made from this long before it, so that a reschedule or a restart finds them.
LOOK_AHEAD = timedelta(days=2)
LOOK_BACK = timedelta(days=2)
PLAN_AT = time(0, 10)
UPKEEP_AT = time(3, 30)
#: What is over its term goes in bites, so that messages are written in between.
UPKEEP_AGAIN = timedelta(minutes=1)
WATCH_EVERY = timedelta(minutes=10)


def rules(settings: Settings) -> list[Rule]:
    """The timetable, from top to bottom."""
    return [
        Rule("plan", "每天把今后几周的学习日、活动日排好", _daily(PLAN_AT), _plan(settings)),
        Rule(
            "study_day",
            "每周五学习日（第二周为活动日）当天早上通知（工作报告）",
            _study_days(settings),
            _notify(settings),
        ),
        Rule("watch", "每十分钟看一遍发送是否正常，不正常就告诉办公室", _often(WATCH_EVERY), _watch(settings)),
        *reminders.rules(settings.sending),
        terms.rule(),
        digest.rule(settings),
        Rule("upkeep", "每天清理到期的记录（最少数据）", _daily(UPKEEP_AT), _upkeep(settings)),
    ]


def _daily(wall: time) -> Ask:
    def ask(_session: Session, at: datetime) -> Iterable[Asked]:
        due = at_beijing(beijing_date(at), wall)
        yield Asked("all", due, due + timedelta(hours=24))

    return ask


def _often(every: timedelta) -> Ask:
    """Once in each span of the clock; what was missed while we were down is not made up."""

    def ask(_session: Session, at: datetime) -> Iterable[Asked]:
        due = at - (at - datetime.fromtimestamp(0, at.tzinfo)) % every
        yield Asked("all", due, due + every)

    return ask


def _watch(settings: Settings) -> Act:
    def act(session: Session, dues: list[Due], at: datetime) -> list[str]:
        found = watch.tell(session, settings, at)
        return [f"{found} 处不正常" if found else "正常" for _ in dues]

    return act


def _plan(settings: Settings) -> Act:
    def act(session: Session, dues: list[Due], at: datetime) -> list[str]:
        made = rhythm.plan(session, rhythm.calendar(session, settings.calendar), settings.study_day, at)
        return [f"新排 {made} 场" for _ in dues]

    return act


def _study_days(settings: Settings) -> Ask:
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


def _notify(settings: Settings) -> Act:
    def act(session: Session, dues: list[Due], at: datetime) -> list[str]:
        held = gatherings.by_ids(session, [int(due.subject.removeprefix("gathering:")) for due in dues])
        members = people.ids_by_branch(session, {g.branch_id: g.held_on for g in held.values()})
        everybody = outbox.accounts_of(session, [i for ids in members.values() for i in ids])
        accounts: dict[int | None, list[Recipient]] = {}
        for recipient in everybody:
            accounts.setdefault(recipient.person_id, []).append(recipient)
        letters, notes = [], []
        for due in dues:
            gathering = held[int(due.subject.removeprefix("gathering:"))]
            if gathering.state is not GatheringState.PLANNED:
                notes.append("活动已取消，不通知")
            elif at_beijing(gathering.held_on, settings.study_day.notice_at) != due.due_at:
                notes.append("已改期，按新的日子通知")
            else:
                ids = members.get(gathering.branch_id, [])
                letters.append(_letter(gathering, due, [r for i in ids for r in accounts[i]]))
                notes.append(f"通知 {len(ids)} 人")
        outbox.queue_all(session, letters, at)
        return notes

    return act


def _letter(gathering: Gathering, due: Due, recipients: list[Recipient]) -> Letter:
    return Letter(
        NoticeKind.STUDY_DAY,
        # One campaign a day: whoever is in two branches gets one notice (F039, pitfall 8).
        f"study_day:{gathering.held_on}",
        study_day_facts(gathering),
        recipients,
        due_at=due.due_at,
        not_after=due.not_after,
        why=gathering.why or "每周五为党员学习日（工作报告 L12）",
    )


def study_day_facts(gathering: Gathering) -> dict[str, str]:
    """What the notice of one gathering says."""
    when = say_window(gathering.opens_at, gathering.closes_at)
    day = say_date(gathering.held_on)
    return {
        "topic": gathering.topic or gathering.purpose.label,
        "branch": gathering.branch.name,
        "time": f"{gathering.held_on:%Y年%-m月%-d日} {say_time(gathering.opens_at)}",
        "hint": "参加后请回复“签到”",
        "text": f"{gathering.purpose.label}：{day} {when}，{gathering.branch.name}。参加后请回复“签到”，不能来请回复“请假”。",
    }


def _upkeep(settings: Settings) -> Act:
    def act(session: Session, dues: list[Due], at: datetime) -> list[str]:
        done = retention.sweep(session, settings.privacy, at)
        if done.is_more:
            _ask_again(session, "upkeep", at + UPKEEP_AGAIN)
        return [done.says for _ in dues]

    return act


def _ask_again(session: Session, rule: str, due_at: datetime) -> None:
    """Another turn for a rule that did not come to its end; it is decided like any other."""
    row = {"rule": rule, "subject": "all", "due_at": due_at, "not_after": due_at + timedelta(hours=24)}
    insert_new(session, Due, [row | {"state": DueState.WAITING, "decided_at": None, "note": ""}])
