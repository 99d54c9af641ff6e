"""What sending keeps beside the outbox: campaigns and their halts, consents, quotas, the pace, what people decline."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Labelled, text, word
from models.outbox import Channel, NoticeKind, Topic


class CampaignState(Labelled):
    """Whether rows of a campaign may leave. That a campaign is finished is derived: no row of it is open."""

    RUNNING = "running", "进行中"
    PAUSED = "paused", "已暂停"
    STOPPED = "stopped", "已停下，待处理"
    CANCELLED = "cancelled", "已撤销"


class Campaign(Base):
    """Something that goes to many people; `name` is what the outbox rows carry, nobody gets it twice."""

    __tablename__ = "campaigns"

    name: Mapped[str] = mapped_column(text(64), primary_key=True)
    kind: Mapped[NoticeKind] = mapped_column(word(NoticeKind))
    state: Mapped[CampaignState] = mapped_column(word(CampaignState), default=CampaignState.RUNNING, index=True)
    # Why it is halted, in words for the office.
    reason: Mapped[str] = mapped_column(text(255), default="")
    begun_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class Consent(Base):
    """What one account allowed one subscription template: so many one-time messages, or all of them (§4.7)."""

    __tablename__ = "consents"
    __table_args__ = (sa.CheckConstraint("credits >= 0", name="credits_are_not_negative"),)

    openid: Mapped[str] = mapped_column(text(64), primary_key=True)
    template_id: Mapped[str] = mapped_column(text(64), primary_key=True)
    credits: Mapped[int] = mapped_column(default=0)
    is_long_term: Mapped[bool] = mapped_column(default=False)
    changed_at: Mapped[datetime]


class Quota(Base):
    """How many calls of one channel one of our accounts has used in a day or a month of Beijing time (§4, §6)."""

    __tablename__ = "quotas"

    app: Mapped[str] = mapped_column(text(16), primary_key=True)
    channel: Mapped[Channel] = mapped_column(word(Channel), primary_key=True)
    # "2026-11-27".
    period: Mapped[str] = mapped_column(text(16), primary_key=True)
    used: Mapped[int] = mapped_column(default=0)
    # WeChat said that there is no more; the next period begins anew.
    is_exhausted: Mapped[bool] = mapped_column(default=False)


class Pace(Base):
    """When the next message may leave, for all senders together: a token bucket in one row."""

    __tablename__ = "paces"

    name: Mapped[str] = mapped_column(text(32), primary_key=True)
    free_at: Mapped[datetime]


class OptOut(Base):
    """Somebody does not want one kind of notice (F115). `recipient` is written as in the outbox."""

    __tablename__ = "opt_outs"

    recipient: Mapped[str] = mapped_column(text(80), primary_key=True)
    topic: Mapped[Topic] = mapped_column(word(Topic), primary_key=True)
    since: Mapped[datetime]


class TemplateKind(Labelled):
    TEMPLATE = "template", "模板消息"
    ONE_TIME = "one_time", "一次性订阅"
    LONG_TERM = "long_term", "长期订阅"


class RegisteredTemplate(Base):
    """One of the account's templates as WeChat last showed it (F114)."""

    __tablename__ = "templates"

    id: Mapped[str] = mapped_column(text(64), primary_key=True)
    kind: Mapped[TemplateKind] = mapped_column(word(TemplateKind))
    title: Mapped[str] = mapped_column(text(64))
    # As WeChat writes it: one line a field, {{thing1.DATA}} where its value goes.
    content: Mapped[str] = mapped_column(sa.Text)
    example: Mapped[str] = mapped_column(sa.Text, default="")
    synced_at: Mapped[datetime]
