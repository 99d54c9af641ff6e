"""What the clock has to do and has done, who may do it, and the key to WeChat's calls."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Encrypted, Labelled, text, word


class DueState(Labelled):
    WAITING = "waiting", "待执行"
    DONE = "done", "已执行"
    EXPIRED = "expired", "过期未发"


class Due(Base):
    """One thing a rule asks for at one instant, about one subject: it exists once and is decided once.

    Pitfalls 9–11: a job that runs fifty times makes one row; what came due while we were down is decided
    late, and what is no longer useful by then is marked, not sent.
    """

    __tablename__ = "dues"
    __table_args__ = (
        sa.UniqueConstraint("rule", "subject", "due_at"),
        sa.Index("ix_dues_state_due_at", "state", "due_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rule: Mapped[str] = mapped_column(text(32))
    subject: Mapped[str] = mapped_column(text(64))
    due_at: Mapped[datetime]
    not_after: Mapped[datetime]
    state: Mapped[DueState] = mapped_column(word(DueState), default=DueState.WAITING)
    decided_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(text(128), default="")


class Lease(Base):
    """Who may do a thing that only one process may do, and until when (pitfall 10)."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(text(64), primary_key=True)
    holder: Mapped[str] = mapped_column(text(64))
    until: Mapped[datetime]


class Credential(Base):
    """The access token of one account, shared by all processes, and the breaker in front of its refresher."""

    __tablename__ = "credentials"

    app_id: Mapped[str] = mapped_column(text(32), primary_key=True)
    token: Mapped[str | None] = mapped_column(Encrypted)
    issued_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    open_until: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(text(255), default="")
