"""What happens to the roll: who goes where for a while, what was changed and can be undone, who is somebody else too."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Encrypted, Labelled, text, word
from models.organisations import Branch
from models.people import Person, only_where


class Direction(Labelled):
    """Which way a member of a mobile branch has come or gone (work report L10)."""

    IN = "in", "流入"
    OUT = "out", "流出"


class Flow(Base):
    """A member whose main relation is elsewhere (流入), or who is away for a while (流出), as one branch keeps it (F026).

    Elsewhere is another branch of ours, or an organisation outside the society by its name: one of the two.
    """

    __tablename__ = "flows"
    __table_args__ = (
        sa.CheckConstraint(
            "(other_branch_id IS NULL AND place <> '') OR (other_branch_id IS NOT NULL AND place = '')",
            name="has_one_other_place",
        ),
        sa.CheckConstraint("until_on IS NULL OR until_on >= since_on", name="ends_after_it_begins"),
        only_where("uq_flows_open", "until_on IS NULL", "person_id", "branch_id", "direction"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    branch_id: Mapped[int] = mapped_column(sa.ForeignKey("branches.id"), index=True)
    direction: Mapped[Direction] = mapped_column(word(Direction))
    other_branch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("branches.id"), index=True)
    place: Mapped[str] = mapped_column(text(64), default="")
    since_on: Mapped[date]
    until_on: Mapped[date | None]

    person: Mapped[Person] = relationship(lazy="raise")
    branch: Mapped[Branch] = relationship(lazy="raise", foreign_keys=[branch_id])
    other_branch: Mapped[Branch | None] = relationship(lazy="raise", foreign_keys=[other_branch_id])

    @property
    def elsewhere(self) -> str:
        """Where they come from or have gone."""
        return self.other_branch.name if self.other_branch is not None else self.place


class ChangeKind(Labelled):
    """One thing done to the roll at the desk."""

    ADDED = "added", "登记人员"
    EDITED = "edited", "改姓名、手机号"
    JOINED = "joined", "加入支部"
    LEFT = "left", "离开支部"
    MAIN_MOVED = "main_moved", "转主支部"
    FLOWED = "flowed", "登记流动"
    CAME_BACK = "came_back", "流动结束"
    APPOINTED = "appointed", "任职"
    EXTENDED = "extended", "改任期"
    ENDED = "ended", "免职"
    ELECTED = "elected", "选举"
    MERGED = "merged", "合并重复"


class Change(Base):
    """What one act at the desk did to which rows, value by value, so that it can be undone exactly.

    The audit keeps who and why for ever; this keeps what is needed to go back, for a time
    (services/custody/retention.py): after `erased_at` there is neither a sentence nor a way back.
    """

    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[ChangeKind] = mapped_column(word(ChangeKind))
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    by_person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    # What was done, in a sentence, and why.
    says: Mapped[str] = mapped_column(Encrypted)
    reason: Mapped[str] = mapped_column(text(128), default="")
    # JSON: for each row its table, its key, and the values before and after (services/membership/changes.py).
    kept: Mapped[str] = mapped_column(Encrypted)
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    erased_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(lazy="raise", foreign_keys=[person_id])
    by: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[by_person_id])


class Merged(Base):
    """Somebody who turned out to be somebody else, whose row stays because the audit names it."""

    __tablename__ = "merged_people"
    __table_args__ = (sa.CheckConstraint("person_id <> into_id", name="is_somebody_else"),)

    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True, autoincrement=False)
    into_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)


class NotSame(Base):
    """Two people who look alike and are not one: nobody is asked about them again."""

    __tablename__ = "not_same"
    __table_args__ = (sa.CheckConstraint("low_id < high_id", name="lower_number_first"),)

    low_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True, autoincrement=False)
    high_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True, autoincrement=False)
    said_at: Mapped[datetime]
    said_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
