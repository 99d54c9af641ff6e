"""How fast we may send, for all senders together: a token bucket that is one row (F106)."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Pace, insert_new

NAME = "sending"
#: So much may leave at once after a pause: a second's worth.
BURST = timedelta(seconds=1)


def allowance(session: Session, at: datetime, per_second: float) -> int:
    """How many messages may leave now.

    Holds the row until the caller's transaction ends, so that two senders cannot take the same second.
    """
    since = at - max(_row(session, at).free_at, at - BURST)
    return max(0, int(since.total_seconds() * per_second + 1e-6))


def spend(session: Session, at: datetime, messages: int, per_second: float) -> None:
    """Count messages that are about to leave, after `allowance` in the same transaction."""
    row = session.get_one(Pace, NAME)
    row.free_at = max(row.free_at, at - BURST) + timedelta(seconds=messages / per_second)


def hold(session: Session, until: datetime) -> None:
    """Nothing leaves before `until`: WeChat said that we are too fast (45011)."""
    row = _row(session, until)
    row.free_at = max(row.free_at, until)


def held_until(session: Session, at: datetime) -> datetime | None:
    """Until when nobody sends because we were too fast; None while we may."""
    row = session.get(Pace, NAME)
    return row.free_at if row is not None and row.free_at > at else None


def _row(session: Session, at: datetime) -> Pace:
    insert_new(session, Pace, [{"name": NAME, "free_at": at - BURST}])
    return session.scalars(
        sa.select(Pace).where(Pace.name == NAME).with_for_update().execution_options(populate_existing=True)
    ).one()
