"""Who may enter the console, and the sessions in which they do. What they may see follows from their posts."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Encrypted, Labelled, text, word
from models.people import Person


class Account(Base):
    """A person's way into the console: name, password, second factor.

    It carries no role: what an account may see and do follows from the posts its person holds today, as in the
    chat, so that both end on the same day (docs/decisions/0010).
    """

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(text(32), unique=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), unique=True)
    # argon2id, with its parameters.
    password: Mapped[str] = mapped_column(text(128))
    must_change: Mapped[bool] = mapped_column(default=True)
    # Without a secret the second factor is not set up yet; unconfirmed until a code made with it was typed.
    totp_secret: Mapped[str | None] = mapped_column(Encrypted)
    is_totp_confirmed: Mapped[bool] = mapped_column(default=False)
    # The 30-second step of the last code that was taken: a code is good once.
    totp_step: Mapped[int] = mapped_column(default=0)
    # The WeChat account that may open this one by scanning; allowed from a session with both factors.
    scan_openid: Mapped[str | None] = mapped_column(text(64))
    failed: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    # Of the demonstration: it enters only where WeChat is the local one.
    is_demo: Mapped[bool] = mapped_column(default=False)
    made_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(lazy="raise")


class AccountSession(Base):
    """One browser in which somebody has given the password; with `verified_at` the second factor as well.

    The cookie holds the token, the table only its digest. Whoever ends a session ends it at the next click.
    """

    __tablename__ = "account_sessions"
    __table_args__ = (sa.Index("ix_account_sessions_account_id_ended_at", "account_id", "ended_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    token_index: Mapped[str] = mapped_column(text(64), unique=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"))
    made_at: Mapped[datetime]
    verified_at: Mapped[datetime | None]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    address: Mapped[str] = mapped_column(text(64))
    browser: Mapped[str] = mapped_column(text(128), default="")

    account: Mapped[Account] = relationship(lazy="raise")


class BackupCode(Base):
    """A code that stands in for the second factor once, for whoever has lost the phone. Only its digest is kept."""

    __tablename__ = "backup_codes"

    code_index: Mapped[str] = mapped_column(text(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    used_at: Mapped[datetime | None]


class ScanState(Labelled):
    """How far somebody has come who logs in by scanning with WeChat. Changed only by compare-and-set."""

    WAITING = "waiting", "等待扫码"
    SCANNED = "scanned", "已扫码，等待确认"
    CONFIRMED = "confirmed", "已确认"
    REFUSED = "refused", "已取消"
    USED = "used", "已登录"


class ScanLogin(Base):
    """One code shown on one login page, good for two minutes and for the browser it was made for."""

    __tablename__ = "scan_logins"

    id: Mapped[int] = mapped_column(primary_key=True)
    # What WeChat sends when the code is scanned.
    scene: Mapped[str] = mapped_column(text(64), unique=True)
    # The digest of what the browser keeps in its cookie.
    browser_index: Mapped[str] = mapped_column(text(64), unique=True)
    state: Mapped[ScanState] = mapped_column(word(ScanState), default=ScanState.WAITING)
    # What the code says.
    url: Mapped[str] = mapped_column(text(255))
    address: Mapped[str] = mapped_column(text(64))
    browser: Mapped[str] = mapped_column(text(128), default="")
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    openid: Mapped[str | None] = mapped_column(text(64), index=True)
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("accounts.id"))
