"""Terms that end: six months and three months before, then every month, the secretary and the county's office hear of it
(F027, work report L9, L12). One notice for a branch and a day, however many of its posts end then."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import at_beijing, beijing_date
from models import Branch, Due, NoticeKind, Post, Role
from scheduler.clockwork import Asked, Rule
from services.membership import people, terms
from services.sending import outbox
from services.sending.outbox import Letter

NAME = "term_ends"
SAYS = "支部职务任期届满前六个月、三个月，之后每月提醒书记和县（市）区办公室（工作报告）"
TOLD_AT = time(9, 30)
#: A reminder that comes so late is still one; the next comes in a month.
USEFUL = timedelta(days=10)
LOOK_AHEAD = timedelta(days=1)
CHANGED = "任期已改或已换人，不提醒"


def rule() -> Rule:
    return Rule(NAME, SAYS, _ask, _act, True)


def _ask(session: Session, at: datetime) -> Iterable[Asked]:
    today = beijing_date(at)
    window = terms.months_from(today, -terms.OVERDUE_MONTHS - 1), terms.months_from(today, terms.BEFORE[0] + 1)
    rows = session.execute(
        sa.select(Post.branch_id, Post.term_ends_on)
        .where(Post.branch_id.is_not(None), Post.term_ends_on.between(*window), *people.holds(Post, today))
        .distinct()
    )
    for branch_id, ends_on in rows:
        if branch_id is None or ends_on is None:
            continue
        for mark in terms.marks(ends_on):
            due = at_beijing(mark, TOLD_AT)
            if due <= at + LOOK_AHEAD and at <= due + USEFUL:
                yield Asked(_subject(branch_id, ends_on), due, due + USEFUL)


def _subject(branch_id: int, ends_on: date) -> str:
    return f"term:{branch_id}:{ends_on}"


def _of(due: Due) -> tuple[int, date]:
    _, branch_id, ends_on = due.subject.split(":")
    return int(branch_id), date.fromisoformat(ends_on)


def _act(session: Session, dues: list[Due], at: datetime) -> list[str]:
    today = beijing_date(at)
    return [_remind(session, due, at, today) for due in dues]


def _remind(session: Session, due: Due, at: datetime, today: date) -> str:
    branch_id, ends_on = _of(due)
    posts = session.scalars(
        sa.select(Post)
        .options(joinedload(Post.person))
        .where(Post.branch_id == branch_id, Post.term_ends_on == ends_on, *people.holds(Post, today))
        .order_by(Post.id)
    ).all()
    if not posts:
        return CHANGED
    branch = session.get_one(Branch, branch_id)
    told = set(people.holders(session, Role.SECRETARY, today, branch_id=branch_id))
    offices = (
        people.holders(session, Role.COUNTY_OFFICE, today, county_id=branch.county_id) if branch.county_id else []
    )
    told |= set(offices or people.holders(session, Role.OFFICE, today))
    who = "、".join(f"{post.title}{post.person.name}" for post in posts)
    when = f"已于 {ends_on} 届满" if ends_on < today else f"到 {ends_on} 届满"
    words = f"{branch.name}{who}的任期{when}，请安排换届；经批准延期的，请办公室在控制台改任期。"
    facts = {"title": "任期届满提醒", "words": words, "text": f"【任期届满提醒】{words}"}
    campaign = f"{due.subject}:{beijing_date(due.due_at)}"
    letter = Letter(
        NoticeKind.REMINDER, campaign, facts, outbox.accounts_of(session, told), not_after=due.not_after, why=SAYS
    )
    outbox.queue(session, letter, at)
    return f"提醒 {len(told)} 人"
