"""Can this account still be written to, until when, and how often (F017; wechat-platform.md §4.5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Channel, InboxMessage, Outgoing, SendState

#: What a follower's act opens: how long, and for how many customer messages (table in §4.5).
AFTER_MESSAGE = (timedelta(hours=48), 5)
AFTER_ACT = (timedelta(minutes=1), 3)
ACTS = ("event:click", "event:scancode_push", "event:scancode_waitmsg", "event:subscribe", "event:scan")
# A message that leaves in the last seconds may arrive too late.
MARGIN = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Window:
    """Customer messages are allowed until `until`, `left` more of them."""

    until: datetime
    left: int

    def is_open(self, at: datetime) -> bool:
        return self.left > 0 and at < self.until - MARGIN


def windows(session: Session, openids: Iterable[str], at: datetime) -> dict[str, Window]:
    """The widest window of each account that has one at `at`; four questions for any number of accounts."""
    asked = list(set(openids))
    found: dict[str, Window] = {}
    for kinds, (length, count) in ((None, AFTER_MESSAGE), (ACTS, AFTER_ACT)):
        last = dict(_last(session, asked, kinds, at - length))
        used = _used(session, last)
        for openid, since in last.items():
            if openid not in found or not found[openid].is_open(at):
                found[openid] = Window(since + length, count - used[openid])
    return found


def _last(
    session: Session, openids: list[str], kinds: tuple[str, ...] | None, since: datetime
) -> list[tuple[str, datetime]]:
    is_wanted = InboxMessage.kind.in_(kinds) if kinds else InboxMessage.kind.not_like("%event:%")
    rows = session.execute(
        sa.select(InboxMessage.openid, sa.func.max(InboxMessage.received_at))
        .where(InboxMessage.openid.in_(openids), InboxMessage.received_at > since, is_wanted)
        .group_by(InboxMessage.openid)
    )
    return [(openid, last) for openid, last in rows]


def _used(session: Session, since: dict[str, datetime]) -> Counter[str]:
    """Customer messages that left since then, or may have left, by account."""
    if not since:
        return Counter()
    rows = session.execute(
        sa.select(Outgoing.openid, Outgoing.claimed_at).where(
            Outgoing.openid.in_(list(since)),
            Outgoing.channel == Channel.CUSTOMER,
            Outgoing.state.in_((SendState.CLAIMED, SendState.SENT, SendState.UNKNOWN)),
            Outgoing.claimed_at >= min(since.values()),
        )
    )
    left: list[tuple[str, datetime]] = [(openid, at) for openid, at in rows if openid and at]
    return Counter(openid for openid, at in left if at >= since[openid])
