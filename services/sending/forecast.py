"""Whom a notice will reach and by which way, person by person, before it is sent (F017, F103)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from sqlalchemy.orm import Session

import config
from models import Channel, NoticeKind, Topic
from services.sending import audience, burden, consents, ladder, outbox, preferences, quotas, reach
from services.sending.audience import Audience
from services.sending.burden import Week
from services.sending.ladder import Account, Footing
from services.sending.outbox import NO_ACCOUNT, UNFOLLOWED, Recipient

#: How many people are looked at together.
AT_ONCE = 2000
TOMORROW = "今天额度不够，明天继续"
NO_WAY = "没有可用的途径"
DECLINED = "本人已退订"
WEEK_IS_FULL = "本周已满，并入周汇总"


@dataclass(frozen=True, slots=True)
class Means:
    """What we have to send with: the account's rights and templates, its calls a day, and the hours and the week
    that people are left in peace."""

    account: Account
    daily: dict[Channel, int]
    sending: config.Sending = field(default_factory=config.Sending)


@dataclass(frozen=True, slots=True)
class Forecast:
    """How an audience will be reached. The buckets add up to the people."""

    people: int
    buckets: Mapping[str, int]
    sample: list[str] = field(default_factory=list)

    @property
    def reachable(self) -> int:
        """Those whom some channel carries to, today or tomorrow."""
        return sum(self.buckets.get(name, 0) for name in (*(c.label for c in Channel), TOMORROW))


def of(
    session: Session,
    to: Audience,
    means: Means,
    at: datetime,
    *,
    kind: NoticeKind = NoticeKind.BROADCAST,
    topic: Topic = Topic.STATUTORY,
    due_at: datetime | None = None,
) -> Forecast:
    """Forecast a notice to an audience, counted in the week of `due_at`. Raises Misunderstood when the audience
    cannot be read."""
    rows = session.execute(to.accounts(session, at))
    recipients = (Recipient(person_id, openid, bool(follows)) for person_id, openid, follows in rows)
    buckets = of_recipients(session, recipients, means, at, kind=kind, topic=topic, due_at=due_at)
    return Forecast(sum(buckets.values()), buckets, audience.sample(session, to, at))


def of_recipients(
    session: Session,
    recipients: Iterable[Recipient],
    means: Means,
    at: datetime,
    *,
    kind: NoticeKind,
    topic: Topic,
    due_at: datetime | None = None,
) -> Counter[str]:
    """How many of these each way carries, by its name; somebody with two accounts counts once."""
    left = {channel: quotas.left(session, "official", channel, at, means.daily) for channel in Channel}
    needed = ladder.depends_on(means.account, kind)
    template = means.account.template(Channel.SUBSCRIPTION, kind) if Channel.SUBSCRIPTION in needed else None
    full = _full(session, kind, topic, due_at or at, means)
    midnight = quotas.begins_anew(at)
    chosen = iter(outbox.once_each(recipients).items())
    counted: Counter[str] = Counter()
    while some := dict(islice(chosen, AT_ONCE)):
        openids = [recipient.openid for recipient in some.values() if recipient.openid is not None]
        windows = reach.windows(session, openids, at) if Channel.CUSTOMER in needed else {}
        allowed = consents.holders(session, openids, template.id) if template else set()
        declined = preferences.declined(session, some, topic)
        for key, recipient in some.items():
            footing = Footing(windows.get(recipient.openid or ""), recipient.openid in allowed)
            held = DECLINED if key in declined else WEEK_IS_FULL if key in full else ""
            counted[_bucket(recipient, held, footing, means, kind, left, at, midnight)] += 1
    return counted


def _full(session: Session, kind: NoticeKind, topic: Topic, due_at: datetime, means: Means) -> Container[str]:
    """Whose week is full already (F046)."""
    if not burden.weighs(kind, topic):
        return ()
    return burden.full(session, topic, Week.of(due_at), means.sending.per_week)


def _bucket(
    recipient: Recipient,
    held: str,
    footing: Footing,
    means: Means,
    kind: NoticeKind,
    left: dict[Channel, int | None],
    at: datetime,
    midnight: datetime,
) -> str:
    if recipient.openid is None:
        return NO_ACCOUNT
    if not recipient.is_subscribed:
        return UNFOLLOWED
    if held:
        return held
    way = ladder.choose(
        means.account, kind, footing, at, left=left, midnight=midnight, not_after=at + outbox.PERSONAL_NOT_AFTER
    )
    if way.waits_until is not None:
        return TOMORROW
    if way.channel is None:
        return NO_WAY
    rest = left.get(way.channel)
    if rest is not None and way.channel is not Channel.MASS:
        left[way.channel] = rest - 1
    return way.channel.label


def says(seen: Forecast) -> str:
    """The forecast in one line: 可达 457（模板消息 450，客服消息 7），未绑定微信 148"""
    ways = [name for name in (*(channel.label for channel in Channel), TOMORROW) if seen.buckets.get(name)]
    reached = f"可达 {seen.reachable}" + (f"（{_counts(seen, ways)}）" if ways else "")
    others = [name for name in seen.buckets if name not in ways]
    return "，".join(filter(None, [reached, _counts(seen, others)]))


def _counts(seen: Forecast, names: list[str]) -> str:
    ordered = sorted(names, key=lambda name: -seen.buckets[name])
    return "，".join(f"{name} {seen.buckets[name]}" for name in ordered)
