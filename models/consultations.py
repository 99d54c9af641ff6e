"""A citizen's question, from the first word to the rating, and everything that happened to it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Encrypted, Labelled, text, word
from models.organisations import County, Station
from models.people import Person


class Matter(Labelled):
    """What a question is about (work report L4, L22)."""

    LABOUR = "labour", "劳动工伤"
    FAMILY = "family", "婚姻家庭"
    NEIGHBOURS = "neighbours", "邻里物业"
    CONTRACT = "contract", "合同债务"
    FUNDRAISING = "fundraising", "非法集资"
    ACCIDENT = "accident", "交通事故"
    OTHER = "other", "其他"


class Urgency(Labelled):
    TODAY = "today", "今天就急"
    THIS_WEEK = "this_week", "这几天"
    LATER = "later", "不急"


class Wish(Labelled):
    """What the citizen hopes for; counted apart in the ledger (work report L22)."""

    ANSWER = "answer", "问清楚怎么办"
    MEDIATION = "mediation", "请人调解"
    AID = "aid", "申请法律援助"


class CaseState(Labelled):
    WAITING = "waiting", "等待接单"
    TAKEN = "taken", "已接单"
    ANSWERED = "answered", "已答复"
    CLOSED = "closed", "已结案"
    WITHDRAWN = "withdrawn", "已撤回"


class Step(Labelled):
    """One thing that happened to a case."""

    ASKED = "asked", "提交咨询"
    ADDED = "added", "补充情况"
    ASSIGNED = "assigned", "分派"
    TAKEN = "taken", "接单"
    ANSWERED = "answered", "答复"
    TRANSFERRED = "transferred", "转交"
    CLOSED = "closed", "结案"
    RATED = "rated", "评价"
    WITHDRAWN = "withdrawn", "撤回"


class Consultation(Base):
    """A case. Its words stand in the steps, encrypted; this row holds what may be counted and listed."""

    __tablename__ = "consultations"
    __table_args__ = (sa.CheckConstraint("rating IS NULL OR rating BETWEEN 1 AND 5", name="rating_in_range"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(text(24), unique=True)
    openid: Mapped[str] = mapped_column(text(64), index=True)
    county_id: Mapped[int] = mapped_column(sa.ForeignKey("counties.id"), index=True)
    matter: Mapped[Matter] = mapped_column(word(Matter))
    urgency: Mapped[Urgency] = mapped_column(word(Urgency))
    wish: Mapped[Wish] = mapped_column(word(Wish))
    is_dangerous: Mapped[bool] = mapped_column(default=False)
    state: Mapped[CaseState] = mapped_column(word(CaseState), index=True)
    station_id: Mapped[int | None] = mapped_column(sa.ForeignKey("stations.id"))
    lawyer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"), index=True)
    asked_at: Mapped[datetime] = mapped_column(index=True)
    taken_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    # Since then neither its words nor whose it was are kept.
    erased_at: Mapped[datetime | None]
    rating: Mapped[int | None]

    county: Mapped[County] = relationship(lazy="raise")
    station: Mapped[Station | None] = relationship(lazy="raise")
    lawyer: Mapped[Person | None] = relationship(lazy="raise")


class CaseStep(Base):
    """What happened to a case, in order: no lost history (F092).

    Nothing is ever changed or taken out, except the words, when their citizen asks for it (F100).
    """

    __tablename__ = "case_steps"

    id: Mapped[int] = mapped_column(primary_key=True)
    consultation_id: Mapped[int] = mapped_column(sa.ForeignKey("consultations.id"), index=True)
    step: Mapped[Step] = mapped_column(word(Step))
    by_person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    words: Mapped[str | None] = mapped_column(Encrypted)
    at: Mapped[datetime]


class CaseNumber(Base):
    """The last number given out on a day: numbers are dense and never given twice."""

    __tablename__ = "case_numbers"

    day: Mapped[str] = mapped_column(text(8), primary_key=True)
    last: Mapped[int]
