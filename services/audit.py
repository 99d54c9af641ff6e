"""Who did, saw or changed what. Rows are only ever added."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from models import AuditEntry

__all__ = ["AuditEntry", "note"]


def note(
    session: Session, at: datetime, person_id: int | None, act: str, subject: str, details: str | None = None
) -> None:
    """Add one line, in the transaction of what it tells about."""
    session.add(AuditEntry(at=at, person_id=person_id, act=act, subject=subject[:64], details=details))
