"""What branches hold, who came, and the days that are not what the calendar says."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Encrypted, Labelled, text, word
from models.organisations import Branch
from models.people import Person


class Purpose(Labelled):
    """Why a branch gathers (work report L12; extra study as on 2017-11-06, L6)."""

    STUDY_DAY = "study_day", "党员学习日"
    ACTIVITY_DAY = "activity_day", "党员活动日"
    EXTRA_STUDY = "extra_study", "集中学习"


class GatheringState(Labelled):
    PLANNED = "planned", "已安排"
    CANCELLED = "cancelled", "已取消"


class Presence(Labelled):
    """What is known of one person at one gathering. Who has no row has not been heard of."""

    PRESENT = "present", "出席"
    LEAVE_ASKED = "leave_asked", "请假待批"
    LEAVE = "leave", "请假"


class Via(Labelled):
    """How attendance became known."""

    SELF = "self", "本人签到"
    PROXY = "proxy", "书记代签"


class Gathering(Base):
    """One gathering of one branch. `period_on` is the day the rhythm names and never moves; the window may."""

    __tablename__ = "gatherings"
    __table_args__ = (
        sa.UniqueConstraint("branch_id", "period_on", "purpose"),
        sa.Index("ix_gatherings_branch_id_opens_at", "branch_id", "opens_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    branch_id: Mapped[int] = mapped_column(sa.ForeignKey("branches.id"))
    purpose: Mapped[Purpose] = mapped_column(word(Purpose))
    period_on: Mapped[date]
    held_on: Mapped[date] = mapped_column(index=True)
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    topic: Mapped[str] = mapped_column(text(64), default="")
    state: Mapped[GatheringState] = mapped_column(word(GatheringState), default=GatheringState.PLANNED)
    why: Mapped[str] = mapped_column(text(128), default="")
    moved_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))

    branch: Mapped[Branch] = relationship(lazy="raise")


class Attendance(Base):
    """One person at one gathering: the only table of attendance, everything else is a view (pitfall 22)."""

    __tablename__ = "attendances"

    gathering_id: Mapped[int] = mapped_column(sa.ForeignKey("gatherings.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True, index=True)
    presence: Mapped[Presence] = mapped_column(word(Presence))
    via: Mapped[Via] = mapped_column(word(Via))
    at: Mapped[datetime]
    # Tells which of two simultaneous requests made the row.
    receipt: Mapped[int] = mapped_column(sa.BigInteger)
    by_person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    reason: Mapped[str | None] = mapped_column(Encrypted)

    gathering: Mapped[Gathering] = relationship(lazy="raise")
    person: Mapped[Person] = relationship(lazy="raise", foreign_keys=[person_id])


class SpecialDay(Base):
    """A weekday that is a holiday, or a weekend day that is worked (调休); the office may edit it (F040)."""

    __tablename__ = "day_exceptions"

    day: Mapped[date] = mapped_column(primary_key=True)
    is_working: Mapped[bool]
    name: Mapped[str] = mapped_column(text(32))
    source: Mapped[str] = mapped_column(text(128))
