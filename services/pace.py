"""How fast we may send, for all senders together: a token bucket that is one row (F106)."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Pace

NAME = "sending"


def allowance(session: Session, at: datetime, per_second: float) -> int:
    """How many messages may leave now.

    Holds the row until the caller's transaction ends, so that two senders cannot take the same second.
    """
    since = at - max(_row(session).free_at, at - _burst(per_second))
    return max(0, int(since.total_seconds() * per_second + 1e-6))


def spend(session: Session, at: datetime, messages: int, per_second: float) -> None:
    """Count messages that are about to leave, after `allowance` in the same transaction."""
    row = session.get_one(Pace, NAME)
    row.free_at = max(row.free_at, at - _burst(per_second)) + timedelta(seconds=messages / per_second)


def hold(session: Session, until: datetime) -> None:
    """Nothing leaves before `until`: WeChat said that we are too fast (45011)."""
    row = _row(session)
    row.free_at = max(row.free_at, until)


def held_until(session: Session, at: datetime) -> datetime | None:
    """Until when nobody sends because we were too fast; None while we may."""
    row = session.get(Pace, NAME)
    return row.free_at if row is not None and row.free_at > at else None


def _burst(per_second: float) -> timedelta:
    """So much may leave at once after a rest: a second's worth, and the message that was not whole yet."""
    return timedelta(seconds=1 + 1 / per_second)


def _row(session: Session) -> Pace:
    """The one row; the migration made it, so that two senders never race to be the first."""
    held = sa.select(Pace).where(Pace.name == NAME).with_for_update()
    return session.scalars(held.execution_options(populate_existing=True)).one()
