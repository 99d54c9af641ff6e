"""The city's counties, the 674 branches and the legal service stations."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Labelled, text, word


class BranchKind(Labelled):
    """The four kinds of branch and their numbers: 12 + 150 + 377 + 135 = 674 (work report L10)."""

    RESEARCH = "research", "行业研究会党支部"
    STATION = "station", "法律服务站流动党支部"
    FIRM = "firm", "律师事务所流动党支部"
    ASSOCIATION = "association", "团体会员流动党支部"


class County(Base):
    """One of the twelve counties (县、市、区) and its Party-building brand (work report L18, L20, L22)."""

    __tablename__ = "counties"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(text(32), unique=True)
    brand: Mapped[str] = mapped_column(text(64), default="")


class Branch(Base):
    """A Party branch. Without a county it belongs to the city level."""

    __tablename__ = "branches"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(text(64), unique=True)
    kind: Mapped[BranchKind] = mapped_column(word(BranchKind))
    county_id: Mapped[int | None] = mapped_column(sa.ForeignKey("counties.id"), index=True)
    is_fictional: Mapped[bool] = mapped_column(default=False)

    county: Mapped[County | None] = relationship(lazy="raise")


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

    county: Mapped[County] = relationship(lazy="raise")
