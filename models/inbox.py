"""What WeChat delivered, and how it was answered: two tables that only ever grow by one row a message."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Encrypted, Labelled, text, word


class Outcome(Labelled):
    """How a message ended."""

    REPLIED = "replied", "已答复"
    SILENT = "silent", "无需答复"
    ACKNOWLEDGED = "acknowledged", "已说收到，仍在办"
    PUSHED = "pushed", "稍后推送"
    FAILED = "failed", "处理出错"


class InboxMessage(Base):
    """One message or event, stored before anything is done about it (F007).

    `key` names the message whatever its delivery: a digest of sender and MsgId, or for events of sender,
    time, event and key (wechat-platform.md §1.7). `receipt` tells which delivery stored the row.
    """

    __tablename__ = "inbox"
    __table_args__ = (sa.Index("ix_inbox_openid_received_at", "openid", "received_at"),)

    key: Mapped[str] = mapped_column(text(32), primary_key=True)
    receipt: Mapped[int] = mapped_column(sa.BigInteger)
    # Unique: a signature that was used once cannot bring another body (F002).
    signature: Mapped[str] = mapped_column(text(40), unique=True)
    openid: Mapped[str] = mapped_column(text(64))
    kind: Mapped[str] = mapped_column(text(48))
    body: Mapped[str] = mapped_column(Encrypted)
    received_at: Mapped[datetime] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)


class Answer(Base):
    """The end of a message. Its primary key is the promise that a message is finished once.

    No foreign key: both tables are on the path of every message, and upkeep deletes them together.
    """

    __tablename__ = "answers"

    message_key: Mapped[str] = mapped_column(text(32), primary_key=True)
    outcome: Mapped[Outcome] = mapped_column(word(Outcome))
    route: Mapped[str] = mapped_column(text(48))
    reply: Mapped[str | None] = mapped_column(Encrypted)
    error_id: Mapped[str | None] = mapped_column(text(16))
    answered_at: Mapped[datetime]
    latency_ms: Mapped[int]


class Conversation(Base):
    """Where one follower stands in a talk of several steps; what was said so far is encrypted."""

    __tablename__ = "conversations"

    openid: Mapped[str] = mapped_column(text(64), primary_key=True)
    flow: Mapped[str] = mapped_column(text(48))
    said: Mapped[str] = mapped_column(Encrypted)
    updated_at: Mapped[datetime]
