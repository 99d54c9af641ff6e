"""Passwords: what is good enough, how it is kept, and the first one that somebody is given."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from errors import Misunderstood

SHORTEST = 10
LONGEST = 128
#: OWASP's parameters for argon2id: 19 MiB, two passes. Two at a time, so that a flood of logins cannot eat the memory.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_turns = threading.BoundedSemaphore(2)
# No letters or digits that are taken for one another when read from paper.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@cache
def _nobody() -> str:
    """Tried in place of the password of an account that does not exist, so that the answer takes as long."""
    return _hasher.hash(secrets.token_hex(16))


def first() -> str:
    """A password to be given on paper and changed at the first login: abcd-efgh-jkmn."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))


def seal(password: str) -> str:
    """What is stored."""
    with _turns:
        return _hasher.hash(_same(password))


def matches(password: str, sealed: str | None) -> bool:
    """Whether a password is the sealed one. Takes its time, so never inside a transaction."""
    with _turns:
        try:
            return _hasher.verify(sealed or _nobody(), _same(password)) and sealed is not None
        except (VerificationError, InvalidHashError):
            return False


def require_good(password: str, *, name: str) -> None:
    """Raises Misunderstood with what is missing."""
    same = _same(password)
    if len(same) < SHORTEST:
        raise Misunderstood(f"密码至少 {SHORTEST} 个字符，现在 {len(same)} 个。可以用一句话，例如几个词连在一起。")
    if len(same) > LONGEST:
        raise Misunderstood(f"密码最多 {LONGEST} 个字符。")
    if name.lower() in same.lower():
        raise Misunderstood("密码里不要有登录名。")
    if len(set(same)) < 5 or same.isdigit():
        raise Misunderstood("密码太简单：不要全是数字，也不要总是重复几个字符。")


def _same(password: str) -> str:
    """One form for what different keyboards send for the same characters."""
    return unicodedata.normalize("NFKC", password)
