"""The city's counties, what leads their societies, the 674 branches with their history, the legal service stations."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Labelled, text, word


class BranchKind(Labelled):
    """The four kinds of branch and their numbers: 12 + 150 + 377 + 135 = 674 (work report L10)."""

    RESEARCH = "research", "行业研究会党支部"
    STATION = "station", "法律服务站流动党支部"
    FIRM = "firm", "律师事务所流动党支部"
    ASSOCIATION = "association", "团体会员流动党支部"


class OrganisationKind(Labelled):
    """What stands above the branches (work report L9)."""

    LEADING_GROUP = "leading_group", "党组"
    GENERAL_BRANCH = "general_branch", "党总支"


class BranchAct(Labelled):
    """What happened to a branch on a day."""

    FOUNDED = "founded", "建立"
    CHANGED = "changed", "变更"
    MERGED = "merged", "并入"
    DISSOLVED = "dissolved", "撤销"
    RESTORED = "restored", "恢复"


class County(Base):
    """One of the twelve counties (县、市、区) and its Party-building brand (work report L18, L20, L22)."""

    __tablename__ = "counties"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(text(32), unique=True)
    brand: Mapped[str] = mapped_column(text(64), default="")
    brand_note: Mapped[str] = mapped_column(text(128), default="", server_default="")


class Organisation(Base):
    """A leading group or the general branch, with its two relations kept apart (F024): 隶属, whom it obeys, and 指导, who
    guides it. Both are names, for what they name mostly stands outside the society. Without a county: the city's."""

    __tablename__ = "organisations"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[OrganisationKind] = mapped_column(word(OrganisationKind))
    name: Mapped[str] = mapped_column(text(64), unique=True)
    county_id: Mapped[int | None] = mapped_column(sa.ForeignKey("counties.id"), index=True)
    belongs_to: Mapped[str] = mapped_column(text(64), default="")
    guided_by: Mapped[str] = mapped_column(text(64), default="")
    is_fictional: Mapped[bool] = mapped_column(default=False)


class Branch(Base):
    """A Party branch as it is now; `BranchChange` knows what it was. Without a county it belongs to the city level."""

    __tablename__ = "branches"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(text(64), unique=True)
    kind: Mapped[BranchKind] = mapped_column(word(BranchKind))
    county_id: Mapped[int | None] = mapped_column(sa.ForeignKey("counties.id"), index=True)
    is_fictional: Mapped[bool] = mapped_column(default=False)
    room: Mapped[str] = mapped_column(text(128), default="", server_default="")
    # The first day without it; None while it lives.
    dissolved_on: Mapped[date | None]

    county: Mapped[County | None] = relationship(lazy="raise")

    @property
    def is_living(self) -> bool:
        return self.dissolved_on is None


class BranchChange(Base):
    """One act in the life of a branch, with what the branch was until that day (F034).

    On any day a branch was what its first later change says, or what it is now. A branch without a founding has
    been there since before anything was recorded. `moved` is what a merger took along, for undoing it.
    """

    __tablename__ = "branch_changes"
    __table_args__ = (sa.Index("ix_branch_changes_branch_id_done_on", "branch_id", "done_on", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    branch_id: Mapped[int] = mapped_column(sa.ForeignKey("branches.id"))
    act: Mapped[BranchAct] = mapped_column(word(BranchAct))
    done_on: Mapped[date]
    done_at: Mapped[datetime]
    by_person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    reason: Mapped[str] = mapped_column(text(128))
    into_id: Mapped[int | None] = mapped_column(sa.ForeignKey("branches.id"), index=True)
    was_living: Mapped[bool]
    old_name: Mapped[str] = mapped_column(text(64))
    old_kind: Mapped[BranchKind] = mapped_column(word(BranchKind))
    old_county_id: Mapped[int | None] = mapped_column(sa.ForeignKey("counties.id"))
    moved: Mapped[str | None] = mapped_column(sa.Text())


class Station(Base):
    """A legal service station, where lawyers are on duty."""

    __tablename__ = "stations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(text(64), unique=True)
    county_id: Mapped[int] = mapped_column(sa.ForeignKey("counties.id"), index=True)
    branch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("branches.id"))
    address: Mapped[str] = mapped_column(text(128))
    phone: Mapped[str] = mapped_column(text(32), default="")
    hours: Mapped[str] = mapped_column(text(64), default="")
    latitude: Mapped[float] = mapped_column(sa.Double)
    longitude: Mapped[float] = mapped_column(sa.Double)
    is_fictional: Mapped[bool] = mapped_column(default=False)
    # What it offers: words of `Offer`, parted by spaces.
    services: Mapped[str] = mapped_column(text(128), default="", server_default="")

    county: Mapped[County] = relationship(lazy="raise")


class Offer(Labelled):
    """What a station does for people."""

    ADVICE = "advice", "法律咨询"
    MEDIATION = "mediation", "人民调解"
    AID = "aid", "法律援助申请"
    WRITING = "writing", "代书"
    NOTARY = "notary", "公证指引"
    PUBLICITY = "publicity", "普法宣传"
    MIGRANTS = "migrants", "流动人口服务"


class StationClosure(Base):
    """A station is shut from one day to another; without an end it still is (F035)."""

    __tablename__ = "station_closures"
    __table_args__ = (
        sa.UniqueConstraint("station_id", "is_current"),
        sa.CheckConstraint("(until_on IS NULL) = (is_current IS NOT NULL)", name="current_has_no_end"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    station_id: Mapped[int] = mapped_column(sa.ForeignKey("stations.id"))
    since_on: Mapped[date]
    until_on: Mapped[date | None]
    # True or NULL, so that the key above allows one that has no end.
    is_current: Mapped[bool | None] = mapped_column(default=True)
    reason: Mapped[str] = mapped_column(text(128))
