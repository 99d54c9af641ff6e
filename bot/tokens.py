"""Keeps one access token for all processes: one refresher at a time, never a loop (wechat-platform.md §4.1).

Pitfalls 1 and 2: the lease is a row with an owner, the store is read again once it is held, an older token never
replaces a newer one, and a breaker ends a storm of refusals instead of feeding it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from bot import leases
from clock import Now
from errors import AssistantError
from metrics import Metrics
from models import Credential, insert_new

log = structlog.get_logger("tokens")

#: WeChat hands out a new token from five minutes before the end; both then work for five minutes.
REFRESH_BEFORE = timedelta(seconds=300)
#: Longer than the token call's own time-out, short enough that a killed refresher is replaced within 10 s.
LEASE_FOR = timedelta(seconds=9)
#: A token is trusted for so long without a look at the store; a refused one is looked up at once.
REMEMBERED_FOR = timedelta(seconds=10)
WAIT_FOR_OTHER_SECONDS = 10.0
POLL_SECONDS = 0.05
#: After so many failures in a row nobody asks again for a while (pitfall 2).
BREAKS_AFTER = 3
OPEN_FOR = timedelta(minutes=1)
OPEN_AT_MOST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the token call gave."""

    token: str
    expires_in_seconds: int


class TokenUnavailable(AssistantError):
    """There is no access token to be had now; the sentence says why."""


Transaction = Callable[[], AbstractContextManager[Session]]


class TokenKeeper:
    """Hands out the token of one account. `fetch` makes the stable_token call and raises TokenUnavailable."""

    def __init__(
        self,
        app_id: str,
        fetch: Callable[[], Fetched],
        transaction: Transaction,
        now: Now,
        metrics: Metrics,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._app_id = app_id
        self._fetch = fetch
        self._transaction = transaction
        self._now = now
        self._metrics = metrics
        self._pause = pause
        self._holder = secrets.token_hex(8)
        self._remembered: tuple[str, datetime] | None = None

    def get(self) -> str:
        """A token that is good for now. Raises TokenUnavailable."""
        remembered, now = self._remembered, self._now()
        if remembered is not None and now < remembered[1]:
            return remembered[0]
        token = self._good(other_than=None)
        self._remembered = token, now + REMEMBERED_FOR
        return token

    def replace(self, refused: str) -> str:
        """A token after WeChat refused `refused`: a newer one from the store, else one refresh (§4.1)."""
        self._remembered = None
        return self._good(other_than=refused)

    def _good(self, other_than: str | None) -> str:
        started = time.monotonic()
        while time.monotonic() - started < WAIT_FOR_OTHER_SECONDS:
            token = self._stored(other_than)
            if token is not None:
                return token
            holder = f"{self._holder}-{secrets.token_hex(4)}"
            with self._transaction() as session:
                mine = leases.take(session, self._lease, holder, self._now(), LEASE_FOR)
            if mine:
                try:
                    # Somebody may have refreshed between our look and our lease.
                    return self._stored(other_than) or self._refresh(other_than)
                finally:
                    with self._transaction() as session:
                        leases.give_back(session, self._lease, holder)
            self._pause(POLL_SECONDS)
        raise TokenUnavailable("另一个进程在更换 access_token，10 秒内没有完成。")

    @property
    def _lease(self) -> str:
        return f"token:{self._app_id}"

    def _stored(self, other_than: str | None) -> str | None:
        with self._transaction() as session:
            row = session.get(Credential, self._app_id)
        if row is None:
            return None
        now = self._now()
        if row.open_until is not None and now < row.open_until:
            raise TokenUnavailable(f"已暂停调用微信：{row.reason}")
        if row.token is None or row.expires_at is None or row.token == other_than:
            return None
        return row.token if now < row.expires_at - REFRESH_BEFORE else None

    def _refresh(self, other_than: str | None) -> str:
        asked_at = self._now()
        try:
            fetched = self._fetch()
        except TokenUnavailable as error:
            self._metrics.token_fetches.labels("failed").inc()
            self._count_failure(str(error))
            raise
        if fetched.token == other_than:
            # The stable token is the very one that was refused: asking again would be the start of a storm.
            self._metrics.token_fetches.labels("same").inc()
            reason = "微信一再拒绝它自己刚发的 access_token；请检查 AppSecret 是否被重置、IP 白名单、账号状态。"
            self._count_failure(reason, at_once=True)
            raise TokenUnavailable(reason)
        self._metrics.token_fetches.labels("ok").inc()
        self._store(fetched, asked_at)
        return fetched.token

    def _store(self, fetched: Fetched, issued_at: datetime) -> None:
        values = {
            "token": fetched.token,
            "issued_at": issued_at,
            # A token in its last five minutes is still the one to use; do not ask again at once.
            "expires_at": issued_at + max(timedelta(seconds=fetched.expires_in_seconds), REFRESH_BEFORE * 2),
            "open_until": None,
            "reason": "",
        }
        with self._transaction() as session:
            insert_new(session, Credential, [{"app_id": self._app_id, "failures": 0, "reason": ""}])
            session.execute(
                sa.update(Credential)
                .where(
                    Credential.app_id == self._app_id,
                    sa.or_(Credential.issued_at.is_(None), Credential.issued_at <= issued_at),
                )
                .values(values)
            )

    def confirm(self) -> None:
        """A call went through: forget earlier refusals."""
        with self._transaction() as session:
            session.execute(
                sa.update(Credential)
                .where(Credential.app_id == self._app_id, Credential.failures > 0)
                .values(failures=0, open_until=None, reason="")
            )

    def refused_again(self) -> None:
        """WeChat refused even the new token: count it; after three the breaker opens."""
        self._count_failure("微信拒绝了新的 access_token（40001）；请检查 AppSecret 与 IP 白名单。")

    def _count_failure(self, reason: str, *, at_once: bool = False) -> None:
        with self._transaction() as session:
            insert_new(session, Credential, [{"app_id": self._app_id, "failures": 0, "reason": ""}])
            row = session.get_one(Credential, self._app_id)
            row.failures += BREAKS_AFTER if at_once else 1
            row.reason = reason[:255]
            if row.failures >= BREAKS_AFTER:
                rounds = min(row.failures // BREAKS_AFTER - 1, 6)
                row.open_until = self._now() + min(OPEN_FOR * 2**rounds, OPEN_AT_MOST)
                log.error("token.circuit_open", app_id=self._app_id, reason=reason)


def circuit(session: Session, app_id: str, at: datetime) -> str | None:
    """Why calls are paused at `at`, or None; the red banner and /readyz show it (F009)."""
    row = session.get(Credential, app_id)
    return row.reason if row is not None and row.open_until is not None and at < row.open_until else None
