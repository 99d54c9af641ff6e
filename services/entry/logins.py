"""Entering the console: the lock after wrong passwords, and the sessions, which stand in a table and can be ended."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import beijing, say_moment
from errors import NotFound
from models import Account, AccountSession, AuditEntry
from services import audit

#: Wrong passwords or codes in a row, and for how long nobody may try again.
MAX_FAILED = 5
LOCKED_FOR = timedelta(minutes=15)
#: Failures from one address, whatever the account.
MAX_FROM_ADDRESS = 30
FROM_ADDRESS_WITHIN = timedelta(minutes=15)
#: Behind a proxy on this machine everybody has this address: then only the lock of the account counts.
OWN_ADDRESSES = ("127.0.0.1", "::1")

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
#: Between the password and the second factor.
HALFWAY = timedelta(minutes=15)
#: How often it is written down that a session is in use.
SEEN_EVERY = timedelta(minutes=1)

WRONG = "登录名或密码不对。"
WRONG_CODE = "验证码不对或已用过。请等手机上换了新的六位数字再输入；手机时间要准。"


@dataclass(frozen=True, slots=True)
class Where:
    """From where somebody comes, as far as the web server knows."""

    address: str
    browser: str


def refusal(session: Session, account: Account | None, where: Where, at: datetime) -> str | None:
    """Why nobody may even try now, until when; None when they may."""
    if account is not None and account.locked_until is not None and account.locked_until > at:
        return _locked(account.locked_until, at)
    if where.address not in OWN_ADDRESSES:
        failures = session.scalar(
            sa.select(sa.func.count())
            .select_from(AuditEntry)
            .where(
                AuditEntry.at > at - FROM_ADDRESS_WITHIN,
                AuditEntry.act == "account.wrong",
                AuditEntry.subject == f"address:{where.address}",
            )
        )
        if (failures or 0) >= MAX_FROM_ADDRESS:
            return "从这台设备试错的次数太多，请 15 分钟后再试。"
    return None


def _locked(until: datetime, at: datetime) -> str:
    when = f"今天 {beijing(until):%H:%M}" if beijing(until).date() == beijing(at).date() else say_moment(until)
    return f"连续输错 {MAX_FAILED} 次，账号锁定到{when}（北京时间）。到时再试，或请管理员重置。"


def enter(session: Session, account: Account, where: Where, at: datetime, act: str = "account.password_right") -> str:
    """After the right password, or a yes on the phone: a new session that is not open yet. Returns its token."""
    token = secrets.token_urlsafe(32)
    session.add(
        AccountSession(
            token_index=_index(token), account_id=account.id, made_at=at, seen_at=at,
            address=where.address[:64], browser=where.browser[:128],
        )
    )  # fmt: skip
    audit.note(session, at, account.person_id, act, f"account:{account.name}", where.address)
    return token


def note_wrong(session: Session, account: Account | None, where: Where, at: datetime, says: str = WRONG) -> str:
    """Count a wrong password or code; returns the sentence to show, which tells when it locks the account."""
    who = account.person_id if account else None
    # What was typed as a name is not kept: it may be a password in the wrong box.
    audit.note(session, at, who, "account.wrong", f"address:{where.address}", account.name if account else None)
    if account is None:
        return says
    session.execute(sa.update(Account).where(Account.id == account.id).values(failed=Account.failed + 1))
    failed = session.scalar(sa.select(Account.failed).where(Account.id == account.id)) or 0
    if failed < MAX_FAILED:
        return f"{says}再错 {MAX_FAILED - failed} 次，账号会锁定 15 分钟。" if failed >= MAX_FAILED - 2 else says
    until = at + LOCKED_FOR
    session.execute(sa.update(Account).where(Account.id == account.id).values(failed=0, locked_until=until))
    audit.note(session, at, who, "account.locked", f"account:{account.name}", where.address)
    return _locked(until, at)


def change_password(session: Session, account: Account, new: str, at: datetime, *, keep: int) -> None:
    """Set a password of one's own; other sessions end. `new` is sealed already; `keep` is the session that stays."""
    account.password, account.must_change = new, False
    _end(session, at, AccountSession.account_id == account.id, AccountSession.id != keep)
    audit.note(session, at, account.person_id, "account.password", f"account:{account.name}")


# --- sessions ------------------------------------------------------------------------------------------------


def _index(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def find_session(session: Session, token: str, at: datetime) -> AccountSession | None:
    """The living session of a token, with its account and person."""
    row = session.scalar(
        sa.select(AccountSession)
        .options(joinedload(AccountSession.account).joinedload(Account.person))
        .where(AccountSession.token_index == _index(token))
    )
    return row if row is not None and is_alive(row, at) and row.account.closed_at is None else None


def session_by_id(session: Session, session_id: int) -> AccountSession:
    """A session with its account and person, to be changed."""
    return session.scalars(
        sa.select(AccountSession)
        .options(joinedload(AccountSession.account).joinedload(Account.person))
        .where(AccountSession.id == session_id)
    ).one()


def is_alive(row: AccountSession, at: datetime) -> bool:
    """Whether a session may still be used: not ended, not idle, not too old, not stuck halfway."""
    if row.ended_at is not None or at - row.made_at >= LONGEST or at - row.seen_at >= IDLE:
        return False
    return row.verified_at is not None or at - row.made_at < HALFWAY


def open_fully(session: Session, row: AccountSession, token: str, at: datetime) -> None:
    """Both factors were right: the session opens and its token, so far half worth, is replaced."""
    row.verified_at, row.seen_at, row.token_index = at, at, _index(token)
    session.execute(sa.update(Account).where(Account.id == row.account_id).values(failed=0, locked_until=None))
    audit.note(session, at, row.account.person_id, "account.login", f"account:{row.account.name}", row.address)


def new_token() -> str:
    return secrets.token_urlsafe(32)


def touch(session: Session, session_id: int, at: datetime) -> None:
    """It was used just now."""
    session.execute(sa.update(AccountSession).where(AccountSession.id == session_id).values(seen_at=at))


def living_sessions(session: Session, account_id: int, at: datetime) -> list[AccountSession]:
    """An account's sessions that may still be used, the last used first."""
    rows = session.scalars(
        sa.select(AccountSession)
        .where(AccountSession.account_id == account_id, AccountSession.ended_at.is_(None))
        .order_by(AccountSession.seen_at.desc(), AccountSession.id.desc())
    )
    return [row for row in rows if is_alive(row, at)]


def end_session(session: Session, account: Account, session_id: int, at: datetime, *, by: int | None) -> None:
    """End one session of an account. Raises NotFound when it is not this account's or over."""
    if not _end(session, at, AccountSession.account_id == account.id, AccountSession.id == session_id):
        raise NotFound("这个登录已经结束了。")
    audit.note(session, at, by, "account.session_end", f"account:{account.name}", str(session_id))


def end_sessions(session: Session, account: Account, at: datetime, *, by: int | None) -> int:
    """End all of them; returns how many."""
    count = _end(session, at, AccountSession.account_id == account.id)
    if count:
        audit.note(session, at, by, "account.sessions_end", f"account:{account.name}", str(count))
    return count


def _end(session: Session, at: datetime, *where: sa.ColumnElement[bool]) -> int:
    ended = session.execute(
        sa.update(AccountSession).where(AccountSession.ended_at.is_(None), *where).values(ended_at=at)
    )
    return int(ended.rowcount)  # type: ignore[attr-defined]
