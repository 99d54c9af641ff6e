"""What was done, seen and changed, and the chain that shows whether anything was taken out or altered since."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Encrypted, text


class AuditEntry(Base):
    """Who did, saw or changed what. Triggers refuse to change or delete a row (docs/decisions/0012)."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    person_id: Mapped[int | None]
    act: Mapped[str] = mapped_column(text(48))
    subject: Mapped[str] = mapped_column(text(64))
    details: Mapped[str | None] = mapped_column(Encrypted)


class AuditSeal(Base):
    """One entry's place in the chain: its digest covers the entry as it is stored and the digest before it.

    Entries are sealed some seconds after they were written, in the order in which they became visible; the
    primary key lets one of two sealers win.
    """

    __tablename__ = "audit_seals"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(sa.ForeignKey("audit.id"), unique=True)
    previous: Mapped[str] = mapped_column(text(64))
    digest: Mapped[str] = mapped_column(text(64))
