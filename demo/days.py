"""Opens gatherings for a demonstration, so that a newcomer can check in on any day of the week."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import at_beijing, beijing_date
from demo import cast
from models import Affiliation, Branch, Database, Follower, Gathering, GatheringState, Purpose, insert_new

TOPIC = "演示集中学习"
WHY = "演示数据"


def open_now(database: Database, *, at: datetime, branch_ids: Iterable[int] | None = None) -> int:
    """A gathering that is open at `at` for each branch that has none. Gives how many were opened."""
    with database.transaction() as session:
        wanted = set(
            session.scalars(sa.select(Branch.id).where(Branch.dissolved_on.is_(None)))
            if branch_ids is None
            else branch_ids
        )
        is_open = (Gathering.state == GatheringState.PLANNED, Gathering.opens_at <= at, Gathering.closes_at > at)
        wanted -= set(session.scalars(sa.select(Gathering.branch_id).where(*is_open)))
        return _open(session, wanted, at, at - timedelta(hours=1), at + timedelta(hours=12))


def open_today(database: Database, *, at: datetime) -> int:
    """A gathering from midnight to midnight for the branches of the cast that plan none today."""
    today = beijing_date(at)
    with database.transaction() as session:
        homes = (
            sa.select(Affiliation.branch_id)
            .join(Follower, Follower.person_id == Affiliation.person_id)
            .where(Follower.openid.in_(cast.OPENIDS), Affiliation.is_main, Affiliation.until_on.is_(None))
        )
        busy = sa.select(Gathering.branch_id).where(
            Gathering.state == GatheringState.PLANNED, Gathering.held_on == today
        )
        wanted = set(session.scalars(homes)) - set(session.scalars(busy))
        midnight = time(0)
        return _open(
            session, wanted, at, at_beijing(today, midnight), at_beijing(today + timedelta(days=1), midnight)
        )


def _open(session: Session, branch_ids: set[int], at: datetime, opens_at: datetime, closes_at: datetime) -> int:
    """Write them. One of ours that has closed today opens again; one that the office cancelled stays cancelled."""
    today = beijing_date(at)
    window = {"opens_at": opens_at, "closes_at": closes_at}
    same = {"purpose": Purpose.EXTRA_STUDY, "period_on": today, "why": WHY, "state": GatheringState.PLANNED}
    known = set(session.scalars(sa.select(Gathering.branch_id).filter_by(purpose=same["purpose"], period_on=today)))
    ours = set(session.scalars(sa.select(Gathering.branch_id).filter_by(**same))) & branch_ids
    if ours:
        session.execute(
            sa.update(Gathering).filter_by(**same).where(Gathering.branch_id.in_(ours)).values(window),
            execution_options={"synchronize_session": False},
        )
    new = [
        {**same, **window, "branch_id": branch_id, "held_on": today, "topic": TOPIC}
        for branch_id in sorted(branch_ids - known)
    ]
    insert_new(session, Gathering, new)
    return len(ours) + len(new)
