"""The ladder of reminders around a gathering (F043): three days before, a day, two hours, and after closing.

To burden nobody (P1), members get only the notice of the study day: the ladder speaks to the branch secretary, and
only where there is something to do. Each step is a rule that an operator may switch; the two that only repeat the
date are off until somebody wants them. A step that comes late still goes while it is useful, else it is marked (F044).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

import config
from clock import beijing_date, say_date, say_window
from models import Due, Gathering, GatheringState, NoticeKind
from scheduler.clockwork import Asked, Rule
from services.meetings import gatherings
from services.membership import people
from services.sending import broadcasts, outbox
from services.sending.outbox import Letter, Recipient

#: Rows are made this long before they are due. What was useless before anybody asked for it leaves no row.
LOOK_AHEAD = timedelta(days=1)
#: After closing, a missing record can be mended for so long.
MENDABLE = timedelta(days=3)
#: The last instant at which a reminder of something to come is one.
JUST_BEFORE = timedelta(microseconds=1)
SUBJECT = "gathering:"
CANCELLED = "活动已取消，不提醒"
MOVED = "已改期，按新的日子提醒"
NOBODY = "支部没有书记，没有提醒谁"


@dataclass(frozen=True, slots=True)
class Hours:
    """When a gathering can be checked in to."""

    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """One rung: how long before the opening (None: at the closing), what it says, and when there is no need."""

    name: str
    says: str
    before: timedelta | None
    is_on: bool
    title: str
    words: Callable[[Gathering, datetime], str]
    needless: Callable[[Gathering, bool], str]

    def due_at(self, held: Hours, sending: config.Sending) -> datetime:
        """Never in the quiet hours (F045)."""
        return broadcasts.after_quiet(held.closes_at if self.before is None else held.opens_at - self.before, sending)

    def not_after(self, held: Hours) -> datetime:
        return held.closes_at + MENDABLE if self.before is None else held.opens_at - JUST_BEFORE


def _what(gathering: Gathering) -> str:
    when = f"{say_date(gathering.held_on)} {say_window(gathering.opens_at, gathering.closes_at)}"
    return f"{when}，{gathering.branch.name}{gathering.purpose.label}"


def _ask_topic(gathering: Gathering, _at: datetime) -> str:
    return f"{_what(gathering)}，还没有定主题。定好了回复“主题 学习内容”；不定，通知也照常发出。"


def _soon(gathering: Gathering, _at: datetime) -> str:
    topic = f"，主题“{gathering.topic}”" if gathering.topic else ""
    return f"{_what(gathering)}{topic}。要换一天请回复“改期 日子”；没有变动不用回复。"


def _ask_record(gathering: Gathering, at: datetime) -> str:
    is_today = beijing_date(at) == gathering.held_on
    mend = "今天之内可以回复“代签 姓名”补上" if is_today else "确实举行过的，请告诉办公室"
    return f"{_what(gathering)}，还没有一个人签到。{mend}；没有举行的，不用处理。"


def _has_topic(gathering: Gathering, _was_attended: bool) -> str:
    return "主题已定，不用提醒" if gathering.topic else ""


def _has_record(_gathering: Gathering, was_attended: bool) -> str:
    return "已有签到记录，不用提醒" if was_attended else ""


def _never(_gathering: Gathering, _was_attended: bool) -> str:
    return ""


DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LADDER = (
    Step("topic_missing", "活动前三天，还没定主题的提醒书记", 3 * DAY, True, "请定学习主题", _ask_topic, _has_topic),
    Step("day_before", "活动前一天提醒书记", DAY, False, "明天有活动", _soon, _never),
    Step("hours_before", "签到前两小时提醒书记", 2 * HOUR, False, "活动快开始了", _soon, _never),
    Step("record_missing", "活动结束后没有人签到的提醒书记", None, True, "没有签到记录", _ask_record, _has_record),
)  # fmt: skip


def rules(sending: config.Sending) -> list[Rule]:
    """The ladder as lines of the timetable."""
    return [Rule(step.name, step.says, _ask(step, sending), _act(step, sending), step.is_on) for step in LADDER]


def _ask(step: Step, sending: config.Sending) -> Callable[[Session, datetime], Iterable[Asked]]:
    # From the first day on which a row may still be useful to the last whose row may be made now.
    back = timedelta() if step.before is not None else MENDABLE
    ahead = LOOK_AHEAD + (step.before or timedelta())

    def ask(session: Session, at: datetime) -> Iterable[Asked]:
        today = beijing_date(at)
        rows = session.execute(
            sa.select(Gathering.id, Gathering.opens_at, Gathering.closes_at).where(
                Gathering.held_on.between(today - back - DAY, today + ahead + DAY),
                Gathering.state == GatheringState.PLANNED,
            )
        )
        for gathering_id, opens_at, closes_at in rows:
            held = Hours(opens_at, closes_at)
            due, last = step.due_at(held, sending), step.not_after(held)
            if due <= last and due <= at + LOOK_AHEAD and at <= last:
                yield Asked(f"{SUBJECT}{gathering_id}", due, last)

    return ask


def _act(step: Step, sending: config.Sending) -> Callable[[Session, list[Due], datetime], list[str]]:
    def act(session: Session, dues: list[Due], at: datetime) -> list[str]:
        held = gatherings.by_ids(session, [_id(due) for due in dues])
        attended = gatherings.attended(session, held)
        secretaries = people.secretaries(session, {g.branch_id for g in held.values()}, beijing_date(at))
        accounts: dict[int | None, list[Recipient]] = {}
        for recipient in outbox.accounts_of(session, [i for ids in secretaries.values() for i in ids]):
            accounts.setdefault(recipient.person_id, []).append(recipient)
        letters, notes = [], []
        for due in dues:
            gathering = held[_id(due)]
            to = [r for i in secretaries.get(gathering.branch_id, []) for r in accounts[i]]
            reason = _why_not(step, gathering, due, sending, gathering.id in attended)
            if reason or not to:
                notes.append(reason or NOBODY)
                continue
            letters.append(_letter(step, gathering, due, to, broadcasts.after_quiet(at, sending)))
            notes.append("已提醒书记")
        outbox.queue_all(session, letters, at)
        return notes

    return act


def _why_not(step: Step, gathering: Gathering, due: Due, sending: config.Sending, was_attended: bool) -> str:
    if gathering.state is not GatheringState.PLANNED:
        return CANCELLED
    if step.due_at(Hours(gathering.opens_at, gathering.closes_at), sending) != due.due_at:
        return MOVED
    return step.needless(gathering, was_attended)


def _letter(step: Step, gathering: Gathering, due: Due, to: list[Recipient], goes_at: datetime) -> Letter:
    words = step.words(gathering, goes_at)
    return Letter(
        NoticeKind.REMINDER,
        # With the day in it, so that a gathering that is moved can be reminded of anew.
        f"{step.name}:{gathering.id}:{gathering.held_on}",
        {"title": step.title, "words": words, "text": f"【{step.title}】{words}"},
        to,
        due_at=goes_at,
        not_after=due.not_after,
        why=step.says,
    )


def _id(due: Due) -> int:
    return int(due.subject.removeprefix(SUBJECT))
