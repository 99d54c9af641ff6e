"""The publicity ledger: what was done to make the law known, each figure with its own unit (work report L22)."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Labelled, text, word


class Unit(Labelled):
    """What is counted. 人 and 人（次） look alike and are not: somebody advised twice is one person, two 人次."""

    EVENTS = "events", "场"
    PEOPLE = "people", "人"
    BANNERS = "banners", "条"
    BOARDS = "boards", "块"
    LEAFLETS = "leaflets", "份"
    DESKS = "desks", "个"
    ATTENDED_TO = "attended_to", "人(次)"
    TIMES = "times", "次"


class PublicityItem(Labelled):
    """The categories of the work report, in its order."""

    EVENTS = "events", "法治宣传活动"
    EDUCATED = "educated", "受教育"
    BANNERS = "banners", "条幅"
    BOARDS = "boards", "展板"
    LEAFLETS = "leaflets", "宣传页"
    DESKS = "desks", "咨询台"
    CONSULTATIONS = "consultations", "法律咨询"
    MEDIATIONS = "mediations", "矛盾纠纷调解"
    AID = "aid", "法律援助"
    SENSITIVE = "sensitive", "群体性敏感事件"
    TRAININGS = "trainings", "法律宣传培训"

    @property
    def unit(self) -> Unit:
        return UNITS[self]


UNITS = {
    PublicityItem.EVENTS: Unit.EVENTS,
    PublicityItem.EDUCATED: Unit.PEOPLE,
    PublicityItem.BANNERS: Unit.BANNERS,
    PublicityItem.BOARDS: Unit.BOARDS,
    PublicityItem.LEAFLETS: Unit.LEAFLETS,
    PublicityItem.DESKS: Unit.DESKS,
    PublicityItem.CONSULTATIONS: Unit.ATTENDED_TO,
    PublicityItem.MEDIATIONS: Unit.ATTENDED_TO,
    PublicityItem.AID: Unit.TIMES,
    PublicityItem.SENSITIVE: Unit.TIMES,
    PublicityItem.TRAININGS: Unit.TIMES,
}


class PublicityRow(Base):
    """One entry of the ledger. `key` is what a paper or a table calls it: entered again, it is the same entry."""

    __tablename__ = "publicity"
    __table_args__ = (sa.CheckConstraint("amount >= 0", name="amount_is_not_negative"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(text(64), unique=True)
    year: Mapped[int] = mapped_column(index=True)
    held_on: Mapped[date | None]
    item: Mapped[PublicityItem] = mapped_column(word(PublicityItem))
    amount: Mapped[int]
    # “600余” is not a number: it is at least one.
    is_at_least: Mapped[bool] = mapped_column(default=False)
    source: Mapped[str] = mapped_column(text(128))
