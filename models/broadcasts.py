"""A notice that the office writes: to whom, which words, who approved it; and audiences kept for another time."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Labelled, text, word
from models.organisations import County
from models.outbox import Topic
from models.people import Person


class BroadcastState(Labelled):
    """A broadcast is finished when no row of its outbox is open; that is derived, not stored."""

    DRAFT = "draft", "待确认"
    SUBMITTED = "submitted", "待审核"
    CONFIRMED = "confirmed", "已确认"
    RETURNED = "returned", "已退回"
    CANCELLED = "cancelled", "已撤销"


class Broadcast(Base):
    """One broadcast. Recipients are frozen as outbox rows in the transaction that approves it."""

    __tablename__ = "broadcasts"

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    # As it was written, for example “县:金水区 且 非 职务:书记”; services/audience.py reads it.
    audience: Mapped[str] = mapped_column(text(500))
    # A county office's broadcast stays within its county, whatever the audience says.
    county_id: Mapped[int | None] = mapped_column(sa.ForeignKey("counties.id"))
    topic: Mapped[Topic] = mapped_column(word(Topic), default=Topic.STATUTORY)
    title: Mapped[str] = mapped_column(text(32))
    words: Mapped[str] = mapped_column(sa.Text)
    code: Mapped[str] = mapped_column(text(8))
    state: Mapped[BroadcastState] = mapped_column(word(BroadcastState), index=True)
    written_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    # Who let it go: the author below the threshold, somebody else above it (F109).
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    confirmed_at: Mapped[datetime | None]
    remark: Mapped[str] = mapped_column(text(128), default="")
    # The broadcast that this one corrects, for those who got it (F113).
    corrects_id: Mapped[int | None] = mapped_column(sa.ForeignKey("broadcasts.id"))
    # What the author saw before confirming; the outbox holds what came of it.
    people_count: Mapped[int]
    reachable_count: Mapped[int]

    author: Mapped[Person] = relationship(lazy="raise", foreign_keys=[author_id])
    county: Mapped[County | None] = relationship(lazy="raise")


class SavedAudience(Base):
    """An audience with a name, to be used again; kept as it was written and counted anew each time (F102)."""

    __tablename__ = "audiences"

    name: Mapped[str] = mapped_column(text(32), primary_key=True)
    expression: Mapped[str] = mapped_column(text(500))
    # Nobody for what was typed on the command line.
    saved_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    saved_at: Mapped[datetime]
