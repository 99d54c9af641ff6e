"""The second factor: a code that a phone makes anew every 30 seconds (TOTP), and paper codes for a lost phone."""

from __future__ import annotations

import hmac
import re
import secrets
import unicodedata
from datetime import datetime

import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Account, BackupCode, Vault
from services import audit

STEP_SECONDS = 30
ISSUER = "法学会助手"
BACKUP_CODES = 8
# No letters or digits that are taken for one another when read from paper.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def propose(session: Session, account: Account) -> str:
    """The secret to be put into the phone; the same one until a code confirmed it."""
    if account.totp_secret is None:
        account.totp_secret = pyotp.random_base32()
    session.flush()
    return account.totp_secret


def address(account: Account) -> str:
    """What the QR code says to an authenticator."""
    return pyotp.TOTP(account.totp_secret or "").provisioning_uri(name=account.name, issuer_name=ISSUER)


def code_at(account: Account, at: datetime) -> str:
    """The six digits that are right at an instant."""
    return str(pyotp.TOTP(account.totp_secret or "").at(int(at.timestamp())))


def take(session: Session, vault: Vault, account: Account, said: str, at: datetime) -> bool:
    """Whether a code is right, a step early or late; a code is good once. Backup codes count as well."""
    # Digits as a Chinese keyboard makes them are digits.
    plain = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", said)).lower()
    if plain.isascii() and plain.isdigit() and len(plain) == 6:
        return _take_totp(session, account, plain, at)
    taken = session.execute(
        sa.update(BackupCode)
        .where(
            BackupCode.code_index == vault.index(f"backup:{plain}"),
            BackupCode.account_id == account.id,
            BackupCode.used_at.is_(None),
        )
        .values(used_at=at)
    )
    if taken.rowcount == 1:  # type: ignore[attr-defined]
        audit.note(session, at, account.person_id, "account.backup_code", f"account:{account.name}")
        return True
    return False


def _take_totp(session: Session, account: Account, digits: str, at: datetime) -> bool:
    if account.totp_secret is None:
        return False
    totp, now = pyotp.TOTP(account.totp_secret), int(at.timestamp()) // STEP_SECONDS
    right = [
        step for step in (now - 1, now, now + 1) if hmac.compare_digest(str(totp.at(step * STEP_SECONDS)), digits)
    ]
    if not right:
        return False
    used = session.execute(
        sa.update(Account)
        .where(Account.id == account.id, Account.totp_step < right[-1])
        .values(totp_step=right[-1], failed=0)
    )
    return bool(used.rowcount == 1)  # type: ignore[attr-defined]


def confirm(session: Session, vault: Vault, account: Account, at: datetime) -> list[str]:
    """The phone is set up. Returns backup codes, which are shown once."""
    account.is_totp_confirmed = True
    session.execute(sa.delete(BackupCode).where(BackupCode.account_id == account.id))
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(10)) for _ in range(BACKUP_CODES)]
    session.add_all(BackupCode(code_index=vault.index(f"backup:{code}"), account_id=account.id) for code in codes)
    audit.note(session, at, account.person_id, "account.totp", f"account:{account.name}")
    return [f"{code[:5]}-{code[5:]}" for code in codes]
