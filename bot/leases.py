"""The right to do what only one process may do, held for a while: one row, changed only by compare-and-set."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Lease, insert_new


def take(session: Session, name: str, holder: str, at: datetime, length: timedelta) -> bool:
    """Take or extend a lease. False when somebody else holds it. A dead holder's lease ends by itself."""
    changed = session.execute(
        sa.update(Lease)
        .where(Lease.name == name, sa.or_(Lease.holder == holder, Lease.until <= at))
        .values(holder=holder, until=at + length)
    )
    if changed.rowcount == 1:  # type: ignore[attr-defined]
        return True
    # Somebody holds it, or nobody ever has: in this order two takers cannot lock each other out (MariaDB).
    insert_new(session, Lease, [{"name": name, "holder": holder, "until": at + length}])
    return session.scalar(sa.select(Lease.holder).where(Lease.name == name)) == holder


def give_back(session: Session, name: str, holder: str) -> None:
    """End a lease of one's own; somebody else's is left alone."""
    session.execute(sa.delete(Lease).where(Lease.name == name, Lease.holder == holder))
