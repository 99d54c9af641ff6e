"""What is to be sent, to whom, and what became of it; one row for each recipient."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, BigId, Encrypted, Labelled, text, word
from models.people import Person


class SendState(Labelled):
    """The fate of one message to one person (product.md P2). Changed only by compare-and-set.

    UNKNOWN is never resent by itself: the call may have left before we were stopped.
    """

    WAITING = "waiting", "待发送"
    CLAIMED = "claimed", "发送中"
    SENT = "sent", "已发出"
    DELIVERED = "delivered", "已送达"
    REFUSED = "refused", "被拒收"
    UNREACHABLE = "unreachable", "无法送达"
    EXPIRED = "expired", "过期未发"
    UNKNOWN = "unknown", "结果不明"
    CANCELLED = "cancelled", "已撤销"
    FOLDED = "folded", "并入周汇总"


#: Nothing more happens to a row in one of the others, unless a person asks for it.
OPEN_STATES = (SendState.WAITING, SendState.CLAIMED)
#: The person has it, as far as WeChat tells.
ARRIVED_STATES = (SendState.SENT, SendState.DELIVERED)


class Channel(Labelled):
    """A way from us to a person, in the words of the platform (wechat-platform.md §4.5–4.9)."""

    SUBSCRIPTION = "subscription", "订阅通知"
    TEMPLATE = "template", "模板消息"
    CUSTOMER = "customer", "客服消息"
    MASS = "mass", "群发"


class NoticeKind(Labelled):
    """What a notice is about; the keys of `wechat.templates`."""

    STUDY_DAY = "study_day", "党员学习日通知"
    BROADCAST = "broadcast", "工作通知"
    CASE_ASSIGNED = "case_assigned", "新咨询待处理"
    CASE_UPDATE = "case_update", "咨询进展"
    LATE_REPLY = "late_reply", "稍后答复"
    BINDING = "binding", "绑定"
    LEAVE = "leave", "请假"
    ALARM = "alarm", "系统提醒"

    DIGEST = "digest", "一周汇总"
    REMINDER = "reminder", "工作提醒"

    @property
    def is_bulk(self) -> bool:
        """Whether it goes to many people at once: then it waits for words to one, and for the morning."""
        return self in {NoticeKind.STUDY_DAY, NoticeKind.BROADCAST, NoticeKind.DIGEST}


class Topic(Labelled):
    """What a person may say no to (F115). Statutory notices and answers to one's own matters are exempt."""

    STATUTORY = "statutory", "组织通知"
    ACTIVITY = "activity", "活动"
    STUDY = "study", "学习"
    PUBLICITY = "publicity", "普法"

    @property
    def may_be_declined(self) -> bool:
        return self is not Topic.STATUTORY


#: One msgid stands for a whole list there; other results are found by the person they are about.
IS_MASS = sa.text("channel = 'mass'")


class Notice(Base):
    """One text for any number of people. `campaign` is what nobody may get twice: the Friday, the broadcast."""

    __tablename__ = "notices"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[NoticeKind] = mapped_column(word(NoticeKind))
    topic: Mapped[Topic] = mapped_column(word(Topic), default=Topic.STATUTORY)
    campaign: Mapped[str] = mapped_column(text(64), index=True)
    # JSON: the placeholders that templates and texts are filled from.
    facts: Mapped[str] = mapped_column(Encrypted)
    why: Mapped[str] = mapped_column(text(128), default="")
    # Which of our two accounts sends it: "official", or "mini" for the mini program.
    app: Mapped[str] = mapped_column(text(16), default="official")
    queued_at: Mapped[datetime]
    # Since then its words are not kept any more.
    erased_at: Mapped[datetime | None]


class Outgoing(Base):
    """One notice to one recipient. (campaign, recipient) is unique: nobody gets a campaign twice."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.UniqueConstraint("campaign", "recipient"),
        # With the campaign in it, rows of a halted one are passed over without a look at the table.
        sa.Index("ix_outbox_state_is_bulk_due_at_campaign", "state", "is_bulk", "due_at", "campaign"),
        # Every change of state writes into every index: there are no more than are asked.
        sa.Index("ix_outbox_mass_msgid", "msgid", postgresql_where=IS_MASS, sqlite_where=IS_MASS),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    notice_id: Mapped[int] = mapped_column(sa.ForeignKey("notices.id"), index=True)
    campaign: Mapped[str] = mapped_column(text(64))
    # "person:17" or "openid:o…": a person with two accounts is one recipient.
    recipient: Mapped[str] = mapped_column(text(80))
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"), index=True)
    openid: Mapped[str | None] = mapped_column(text(64), index=True)
    state: Mapped[SendState] = mapped_column(word(SendState))
    # Notices to many wait behind words to one.
    is_bulk: Mapped[bool] = mapped_column(default=False)
    channel: Mapped[Channel | None] = mapped_column(word(Channel))
    due_at: Mapped[datetime]
    not_after: Mapped[datetime]
    claimed_at: Mapped[datetime | None]
    claimed_by: Mapped[str | None] = mapped_column(text(32))
    attempts: Mapped[int] = mapped_column(default=0)
    # How far down the ladder of channels this row has come, and how often a person had it tried anew.
    rung: Mapped[int] = mapped_column(default=0)
    round: Mapped[int] = mapped_column(default=0)
    # The clientmsgid of the mass message the row left in: the same list must go again under the same id.
    batch: Mapped[str | None] = mapped_column(text(64))
    folded_into: Mapped[int | None] = mapped_column(BigId)
    settled_at: Mapped[datetime | None]
    msgid: Mapped[str | None] = mapped_column(text(32))
    code: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(text(255))

    notice: Mapped[Notice] = relationship(lazy="raise")
    person: Mapped[Person | None] = relationship(lazy="raise")


def not_left() -> sa.ColumnElement[bool]:
    """Rows of which nothing has left and can still be stopped: those that wait, and those for a digest to come."""
    to_be_told = sa.and_(Outgoing.state == SendState.FOLDED, Outgoing.folded_into.is_(None))
    return sa.or_(Outgoing.state == SendState.WAITING, to_be_told)
