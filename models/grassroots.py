"""Below the county: townships, villages and their Party-building liaison points; Party groups; what brands have to tell."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Encrypted, Labelled, text, word
from models.organisations import County


class Township(Base):
    """A township or subdistrict (乡镇、街道) of a county."""

    __tablename__ = "townships"
    __table_args__ = (sa.UniqueConstraint("county_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    county_id: Mapped[int] = mapped_column(sa.ForeignKey("counties.id"))
    name: Mapped[str] = mapped_column(text(32))
    is_fictional: Mapped[bool] = mapped_column(default=False)

    county: Mapped[County] = relationship(lazy="raise")


class Village(Base):
    """A village or community (村、社区): the fourth of the four levels (work report L10)."""

    __tablename__ = "villages"
    __table_args__ = (sa.UniqueConstraint("township_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    township_id: Mapped[int] = mapped_column(sa.ForeignKey("townships.id"))
    name: Mapped[str] = mapped_column(text(32))
    is_fictional: Mapped[bool] = mapped_column(default=False)

    township: Mapped[Township] = relationship(lazy="raise")


class LiaisonPoint(Base):
    """A liaison point (党建联络点) in a village, from one day to another; a village has one at a time (F023)."""

    __tablename__ = "liaison_points"
    __table_args__ = (
        sa.UniqueConstraint("village_id", "is_current"),
        sa.CheckConstraint("(until_on IS NULL) = (is_current IS NOT NULL)", name="current_has_no_end"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    village_id: Mapped[int] = mapped_column(sa.ForeignKey("villages.id"))
    contact: Mapped[str] = mapped_column(text(64))
    phone: Mapped[str | None] = mapped_column(Encrypted)
    since_on: Mapped[date]
    until_on: Mapped[date | None]
    # True or NULL, so that the key above allows one that has no end.
    is_current: Mapped[bool | None] = mapped_column(default=True)

    village: Mapped[Village] = relationship(lazy="raise")


class PartyGroup(Base):
    """A Party group (党小组) inside a branch."""

    __tablename__ = "party_groups"
    __table_args__ = (sa.UniqueConstraint("branch_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    branch_id: Mapped[int] = mapped_column(sa.ForeignKey("branches.id"))
    name: Mapped[str] = mapped_column(text(32))
    dissolved_on: Mapped[date | None]


class PartyGroupMember(Base):
    """Who is in which Party group: one of a branch at most. Who has left the branch no longer counts."""

    __tablename__ = "party_group_members"

    branch_id: Mapped[int] = mapped_column(sa.ForeignKey("branches.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True, index=True)
    group_id: Mapped[int] = mapped_column(sa.ForeignKey("party_groups.id"), index=True)
    is_leader: Mapped[bool] = mapped_column(default=False)


class StoryKind(Labelled):
    """What is told on a brand's page (work report L18)."""

    EVENT = "event", "活动"
    STORY = "story", "经验故事"
    VISIT = "visit", "现场会、观摩"


class BrandStory(Base):
    """Something a county tells of its brand (F036). Withdrawn ones are kept, and may come back."""

    __tablename__ = "brand_stories"

    id: Mapped[int] = mapped_column(primary_key=True)
    county_id: Mapped[int] = mapped_column(sa.ForeignKey("counties.id"), index=True)
    kind: Mapped[StoryKind] = mapped_column(word(StoryKind))
    title: Mapped[str] = mapped_column(text(64))
    words: Mapped[str] = mapped_column(sa.Text())
    happened_on: Mapped[date]
    written_at: Mapped[datetime]
    written_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    withdrawn_at: Mapped[datetime | None]
    is_fictional: Mapped[bool] = mapped_column(default=False)
