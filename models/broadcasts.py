"""A notice that the office writes: to whom, which words, who confirmed it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Labelled, text, word
from models.organisations import BranchKind
from models.people import Person


class AudienceKind(Labelled):
    ALL = "all", "全体党员会员"
    COUNTY = "county", "一个县（市）区"
    BRANCH_KIND = "branch_kind", "一类支部"
    BRANCH = "branch", "一个支部"


class BroadcastState(Labelled):
    """A broadcast is finished when no row of its outbox waits; that is derived, not stored."""

    DRAFT = "draft", "待确认"
    CONFIRMED = "confirmed", "已确认"
    CANCELLED = "cancelled", "已撤销"


class Broadcast(Base):
    """One broadcast. Recipients are frozen as outbox rows in the transaction that confirms it."""

    __tablename__ = "broadcasts"

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    audience: Mapped[AudienceKind] = mapped_column(word(AudienceKind))
    county_id: Mapped[int | None] = mapped_column(sa.ForeignKey("counties.id"))
    branch_kind: Mapped[BranchKind | None] = mapped_column(word(BranchKind))
    branch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("branches.id"))
    title: Mapped[str] = mapped_column(text(32))
    words: Mapped[str] = mapped_column(sa.Text)
    code: Mapped[str] = mapped_column(text(8))
    state: Mapped[BroadcastState] = mapped_column(word(BroadcastState))
    written_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    # What the author saw before confirming; the outbox holds what came of it.
    people_count: Mapped[int]
    reachable_count: Mapped[int]

    author: Mapped[Person] = relationship(lazy="raise")
