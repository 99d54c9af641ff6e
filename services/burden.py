"""How much a person is told in a week: so many notices that may be declined, from all senders together (F046).

What is more than that is not sent but becomes one digest on Sunday (services/digests.py). Statutory notices are not
counted and never held back. Who was refused, or could not be reached, had no burden of it; a row that somebody has
tried again counts when it leaves and is not held back a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

import config
from clock import at_beijing, beijing_date
from models import Lease, Notice, NoticeKind, OptOut, Outgoing, SendState, Topic, put

#: Where the settings say nothing else.
USUAL = config.Sending().per_week
DECLINABLE = tuple(topic for topic in Topic if topic.may_be_declined)
#: A row in one of these has reached its person, may have, or is about to.
COUNTED = (SendState.WAITING, SendState.CLAIMED, SendState.SENT, SendState.DELIVERED, SendState.UNKNOWN)
LOCK = "burden"
FULL = "本周（{week}）已有 {many} 条可退订的通知，每人每周最多 {most} 条，并入周汇总"


@dataclass(frozen=True, slots=True, order=True)
class Week:
    """Monday to Sunday in the city, as the calendar on the wall has it."""

    monday: date

    @classmethod
    def of(cls, at: datetime) -> Week:
        """The week that an instant lies in."""
        today = beijing_date(at)
        return cls(today - timedelta(days=today.weekday()))

    @property
    def name(self) -> str:
        """2026-W47, by ISO 8601: the first week of a year is the one with its first Thursday."""
        year, week, _ = self.monday.isocalendar()
        return f"{year}-W{week:02}"

    @property
    def sunday(self) -> date:
        return self.monday + timedelta(days=6)

    @property
    def starts_at(self) -> datetime:
        return at_beijing(self.monday, time())

    @property
    def ends_at(self) -> datetime:
        """The first instant after it."""
        return at_beijing(self.monday + timedelta(days=7), time())

    @property
    def before(self) -> Week:
        return Week(self.monday - timedelta(days=7))

    def __str__(self) -> str:
        """11月23日–29日"""
        last = f"{self.sunday.day}日" if self.sunday.month == self.monday.month else f"{self.sunday:%-m月%-d日}"
        return f"{self.monday:%-m月%-d日}–{last}"


def weighs(kind: NoticeKind, topic: Topic) -> bool:
    """Whether a notice counts in a person's week."""
    return kind.is_bulk and topic.may_be_declined


def count_alone(session: Session, at: datetime) -> None:
    """From here until the caller's transaction ends nobody else counts weeks.

    Two transactions that count at the same time do not see each other's rows, and both would find room. The row's
    lock makes the second wait for the first one's commit; at READ COMMITTED, which we use on PostgreSQL and MariaDB,
    its counting statement begins after that and sees what was written. SQLite has one writer at a time anyway.
    """
    put(session, Lease, {"name": LOCK, "holder": "", "until": at}, {"until": at})


def full(session: Session, topic: Topic, week: Week, most: int) -> dict[str, int]:
    """Whose week is full, with the count, in one statement however many are asked about.

    Who has declined this very topic is not among them: to them it does not go at all, and that is their reason.
    """
    declined = sa.select(OptOut.recipient).where(OptOut.topic == topic)
    many = sa.func.count()
    rows = session.execute(
        sa.select(Outgoing.recipient, many)
        .join(Notice, Notice.id == Outgoing.notice_id)
        .where(
            Outgoing.state.in_(COUNTED),
            Outgoing.is_bulk,
            Outgoing.due_at >= week.starts_at,
            Outgoing.due_at < week.ends_at,
            Notice.topic.in_(DECLINABLE),
            Outgoing.recipient.not_in(declined),
        )
        .group_by(Outgoing.recipient)
        .having(many >= most)
    )
    return dict(rows.all())


def reason(week: Week, many: int, most: int) -> str:
    """Why somebody does not get it now, as the sender reads it."""
    return FULL.format(week=week, many=many, most=most)
