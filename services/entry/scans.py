"""Logging in by scanning with WeChat (F136): one code for one browser, good once and for two minutes.

The phone says who it is, the person says yes; every step is a compare-and-set, so that two scans, two answers or two
browsers make one login at most (docs/decisions/0019).
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from errors import RuleBroken
from models import Account, Follower, ScanLogin, ScanState
from services import audit
from services.entry import logins
from services.entry.logins import Where

#: The scene's first part, by which the chat knows what was scanned.
SCENE = "login"
GOOD_FOR = timedelta(minutes=2)
EXPIRED = "这个登录码过期了或已经用过。请在电脑上换一个再扫。"
NOT_ALLOWED = "这个微信没有打开扫码登录。请先在电脑上用密码登录控制台，在“我的账号”里打开。"
NOTHING_WAITS = "现在没有等您确认的登录。"


def new_scene() -> str:
    """What a code says: nobody can guess it, and it tells nothing."""
    return f"{SCENE}-{secrets.token_hex(16)}"


def begin(session: Session, scene: str, url: str, where: Where, at: datetime) -> tuple[ScanLogin, str]:
    """Note a code that is being shown; with it, what the browser keeps."""
    token = secrets.token_urlsafe(32)
    row = ScanLogin(
        scene=scene, browser_index=_index(token), state=ScanState.WAITING, url=url[:255],
        address=where.address[:64], browser=where.browser[:128], made_at=at, expires_at=at + GOOD_FOR,
    )  # fmt: skip
    session.add(row)
    return row, token


def _index(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def of_browser(session: Session, token: str) -> ScanLogin | None:
    """The code that a browser was shown."""
    return session.scalar(sa.select(ScanLogin).where(ScanLogin.browser_index == _index(token)))


# --- in the chat ---------------------------------------------------------------------------------------------


def scanned(session: Session, openid: str, rest: str, at: datetime) -> ScanLogin:
    """Somebody scanned a code: the login that waits for their word. Scanned twice by the same phone it is the same one.

    Raises RuleBroken for a code that is over or another's, and for an account that may not come in this way.
    """
    row = session.scalar(sa.select(ScanLogin).where(ScanLogin.scene == f"{SCENE}-{rest}"))
    if row is None or row.expires_at <= at:
        raise RuleBroken(EXPIRED)
    if row.state is ScanState.SCANNED and row.openid == openid:
        return row
    account = _allowed(session, openid, at)
    if not _move(session, row, ScanState.WAITING, state=ScanState.SCANNED, openid=openid, account_id=account.id):
        raise RuleBroken(EXPIRED)
    return row


def _allowed(session: Session, openid: str, at: datetime) -> Account:
    """The account that this WeChat may open. Raises RuleBroken."""
    account = session.scalar(
        sa.select(Account)
        .join(Follower, Follower.person_id == Account.person_id)
        .where(Follower.openid == openid, Account.scan_openid == openid, Account.closed_at.is_(None))
    )
    if account is None or account.must_change or not account.is_totp_confirmed:
        raise RuleBroken(NOT_ALLOWED)
    says = logins.refusal(session, account, Where("", ""), at)
    if says:
        raise RuleBroken(says)
    return account


def decide(session: Session, openid: str, at: datetime, *, accept: bool) -> ScanLogin:
    """The person's yes or no to the login that waits for it. Raises RuleBroken when none does."""
    row = session.scalar(
        sa.select(ScanLogin)
        .where(ScanLogin.openid == openid, ScanLogin.state == ScanState.SCANNED, ScanLogin.expires_at > at)
        .order_by(ScanLogin.id.desc())
        .limit(1)
    )
    state = ScanState.CONFIRMED if accept else ScanState.REFUSED
    if row is None or not _move(session, row, ScanState.SCANNED, state=state):
        raise RuleBroken(NOTHING_WAITS)
    if not accept:
        account = session.get_one(Account, row.account_id)
        audit.note(session, at, account.person_id, "account.scan_refused", f"account:{account.name}", row.address)
    return row


def _move(session: Session, row: ScanLogin, was: ScanState, **values: object) -> bool:
    changed = session.execute(
        sa.update(ScanLogin)
        .where(ScanLogin.id == row.id, ScanLogin.state == was)
        .values(values)
        .execution_options(synchronize_session="fetch")
    )
    return bool(changed.rowcount == 1)  # type: ignore[attr-defined]


# --- in the browser ------------------------------------------------------------------------------------------


def enter(session: Session, row: ScanLogin, where: Where, at: datetime) -> str | None:
    """Open a session once the phone has said yes; returns its token, or None while it has not.

    Whether the account may still be entered is asked again: it may have been closed or locked meanwhile.
    """
    if row.state is not ScanState.CONFIRMED or row.expires_at <= at:
        return None
    account = session.scalars(
        sa.select(Account).options(joinedload(Account.person)).where(Account.id == row.account_id)
    ).one()
    closed = account.closed_at is not None or account.scan_openid != row.openid
    if (
        closed
        or logins.refusal(session, account, where, at)
        or not _move(session, row, ScanState.CONFIRMED, state=ScanState.USED)
    ):
        return None
    token = logins.enter(session, account, where, at, "account.scan")
    session.flush()
    opened = logins.find_session(session, token, at)
    if opened is None:
        return None
    fresh = logins.new_token()
    logins.open_fully(session, opened, fresh, at)
    return fresh


# --- allowing it ---------------------------------------------------------------------------------------------


def own_accounts(session: Session, person_id: int) -> list[Follower]:
    """The WeChat accounts that are bound to a person."""
    return list(
        session.scalars(sa.select(Follower).where(Follower.person_id == person_id).order_by(Follower.bound_at))
    )


def allow(session: Session, account: Account, at: datetime) -> None:
    """Let the one WeChat that is bound to this person open the account. Raises RuleBroken when it is not one."""
    found = own_accounts(session, account.person_id)
    if not found:
        raise RuleBroken("您的微信还没有绑定。请先在公众号里回复“绑定”，再来打开。")
    if len(found) > 1:
        raise RuleBroken(
            f"您名下绑定了 {len(found)} 个微信。请先用不是本人在用的那个回复“解绑”，只留一个，再来打开。"
        )
    account.scan_openid = found[0].openid
    audit.note(session, at, account.person_id, "account.scan_on", f"account:{account.name}")


def forbid(session: Session, account: Account, at: datetime) -> None:
    """Back to password and code alone."""
    account.scan_openid = None
    audit.note(session, at, account.person_id, "account.scan_off", f"account:{account.name}")
