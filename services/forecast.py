"""Whom a notice will reach and by which way, person by person, before it is sent (F017, F103)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from sqlalchemy.orm import Session

from models import Channel, NoticeKind, Topic
from services import audience, consents, ladder, outbox, preferences, quotas, reach
from services.audience import Audience
from services.ladder import Account, Footing
from services.outbox import NO_ACCOUNT, UNFOLLOWED, Recipient

#: How many people are looked at together.
AT_ONCE = 2000
TOMORROW = "今天额度不够，明天继续"
NO_WAY = "没有可用的途径"


@dataclass(frozen=True, slots=True)
class Means:
    """What we have to send with: the account's rights and templates, and its calls a day."""

    account: Account
    daily: dict[Channel, int]


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
) -> Forecast:
    """Forecast a notice to an audience. Raises Misunderstood when the audience cannot be read."""
    rows = session.execute(to.accounts(session, at))
    recipients = (Recipient(person_id, openid, bool(follows)) for person_id, openid, follows in rows)
    buckets = of_recipients(session, recipients, means, at, kind=kind, topic=topic)
    return Forecast(sum(buckets.values()), buckets, audience.sample(session, to, at))


def of_recipients(
    session: Session,
    recipients: Iterable[Recipient],
    means: Means,
    at: datetime,
    *,
    kind: NoticeKind,
    topic: Topic,
) -> Counter[str]:
    """How many of these each way carries, by its name; somebody with two accounts counts once."""
    left = {channel: quotas.left(session, "official", channel, at, means.daily) for channel in Channel}
    template = means.account.template(Channel.SUBSCRIPTION, kind)
    chosen = iter(outbox.once_each(recipients).items())
    counted: Counter[str] = Counter()
    while some := dict(islice(chosen, AT_ONCE)):
        openids = [recipient.openid for recipient in some.values() if recipient.openid is not None]
        windows = reach.windows(session, openids, at)
        allowed = consents.holders(session, openids, template.id) if template else set()
        declined = preferences.declined(session, some, topic)
        for key, recipient in some.items():
            footing = Footing(windows.get(recipient.openid or ""), recipient.openid in allowed)
            counted[_bucket(recipient, key in declined, footing, means, kind, left, at)] += 1
    return counted


def _bucket(
    recipient: Recipient,
    is_declined: bool,
    footing: Footing,
    means: Means,
    kind: NoticeKind,
    left: dict[Channel, int | None],
    at: datetime,
) -> str:
    if recipient.openid is None:
        return NO_ACCOUNT
    if not recipient.is_subscribed:
        return UNFOLLOWED
    if is_declined:
        return "本人已退订"
    midnight = quotas.begins_anew(at)
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
