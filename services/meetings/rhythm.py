"""Makes the gatherings that the calendar asks for, ahead of time, for every branch (F037–F042)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

import config
from clock import at_beijing, beijing_date
from models import Branch, Gathering, GatheringState, SpecialDay, insert_new
from services.meetings.calendar import Calendar, DayException, DayKind, Holidays, OnHoliday, SecondWeek
from services.organisation import branch_history

#: A day that falls on a holiday may be moved this far ahead (services/meetings/calendar.py), so rows are made beyond it.
BACK = timedelta(days=21)
CHUNK = 5000


def seed_holidays(session: Session) -> int:
    """Put the packaged holidays into the table, where the office may edit them; what is there stays."""
    before = session.scalar(sa.select(sa.func.count()).select_from(SpecialDay)) or 0
    seeded = Holidays.seeded()
    rows = [
        {"day": on, "is_working": day.kind is DayKind.WORKING, "name": day.name, "source": day.source}
        for on, day in seeded.exceptions.items()
    ]
    insert_new(session, SpecialDay, rows)
    return (session.scalar(sa.select(sa.func.count()).select_from(SpecialDay)) or 0) - before


def calendar(session: Session, settings: config.Calendar) -> Calendar:
    """The calendar in force: the settings, and the holidays as they stand in the table."""
    rows = session.scalars(sa.select(SpecialDay)).all()
    exceptions = {
        row.day: DayException(row.day, DayKind.WORKING if row.is_working else DayKind.HOLIDAY, row.name, row.source)
        for row in rows
    }
    holidays = Holidays(exceptions, frozenset(on.year for on in exceptions))
    return Calendar(SecondWeek[settings.second_week.upper()], OnHoliday[settings.on_holiday.upper()], holidays)


def plan(session: Session, of: Calendar, settings: config.StudyDay, at: datetime) -> int:
    """Make the rows from today until `weeks_ahead`; what is there is not touched. Returns how many were made."""
    today = beijing_date(at)
    days = [
        day
        for day in of.planned(today - BACK, today + timedelta(weeks=settings.weeks_ahead) + BACK)
        if day.held_on is not None and today <= day.held_on <= today + timedelta(weeks=settings.weeks_ahead)
    ]
    branch_ids = list(session.scalars(sa.select(Branch.id).where(branch_history.living()).order_by(Branch.id)))
    made = _count(session)
    rows = []
    for day in days:
        if day.held_on is None:
            continue
        opens, closes = window(day.held_on, settings.check_in_from, settings.check_in_until)
        for branch_id in branch_ids:
            rows.append(
                {
                    "branch_id": branch_id, "purpose": day.kind, "period_on": day.nominal_on,
                    "held_on": day.held_on, "opens_at": opens, "closes_at": closes, "topic": "",
                    "state": GatheringState.PLANNED, "why": day.why[:128], "moved_by": None,
                }
            )  # fmt: skip
    made_before = sa.select(Gathering.branch_id, Gathering.period_on, Gathering.purpose).where(
        Gathering.period_on >= today - BACK
    )
    known = {(row.branch_id, row.period_on, row.purpose) for row in session.execute(made_before)}
    new = [row for row in rows if (row["branch_id"], row["period_on"], row["purpose"]) not in known]
    for start in range(0, len(new), CHUNK):
        insert_new(session, Gathering, new[start : start + CHUNK])
    return _count(session) - made


def window(on: date, opens: time, closes: time) -> tuple[datetime, datetime]:
    """The check-in window of a day, as UTC instants."""
    return at_beijing(on, opens), at_beijing(on, closes)


def _count(session: Session) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(Gathering)) or 0
