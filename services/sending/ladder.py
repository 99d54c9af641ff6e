"""Which way a message can go: a ladder of channels for each kind of notice, and what our account may call (F110).

The lowest rung is not here: whoever no channel reaches stands on the list that a branch tells by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from config import Template, WeChat
from models import Channel, NoticeKind
from services.sending.reach import Window

SUBSCRIPTION, TEMPLATE, CUSTOMER, MASS = Channel.SUBSCRIPTION, Channel.TEMPLATE, Channel.CUSTOMER, Channel.MASS

#: An answer to something a person just did is nearer in the chat; a notice is nearer where it stays to be found.
NEAR = (CUSTOMER, SUBSCRIPTION, TEMPLATE)
NOTICE = (SUBSCRIPTION, TEMPLATE, CUSTOMER)
LADDERS: dict[NoticeKind, tuple[Channel, ...]] = {
    NoticeKind.STUDY_DAY: NOTICE,
    NoticeKind.BROADCAST: (*NOTICE, MASS),
    NoticeKind.DIGEST: (CUSTOMER, TEMPLATE),
    NoticeKind.REMINDER: NOTICE,
    NoticeKind.CASE_ASSIGNED: NOTICE,
    NoticeKind.CASE_UPDATE: NEAR,
    NoticeKind.BINDING: NEAR,
    NoticeKind.LEAVE: NEAR,
    NoticeKind.ALARM: NOTICE,
    # The words of a late answer fit no template.
    NoticeKind.LATE_REPLY: (CUSTOMER,),
}
#: What has no template of its own borrows the plain work notice.
BORROWED = NoticeKind.BROADCAST.value
BY_HAND = "请用电话或当面告知"


@dataclass(frozen=True, slots=True)
class Account:
    """What one of our accounts may call, and with which templates (capability matrix, wechat-platform.md §6)."""

    rights: frozenset[Channel]
    templates: Mapping[str, Template] = field(default_factory=dict)
    subscriptions: Mapping[str, Template] = field(default_factory=dict)
    _open: dict[NoticeKind, frozenset[Channel]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def template(self, channel: Channel, kind: NoticeKind) -> Template | None:
        """What a notice of this kind is written into on this channel; None where words go as they are."""
        if channel is TEMPLATE:
            return self.templates.get(kind.value) or self.templates.get(BORROWED)
        return self.subscriptions.get(kind.value) if channel is SUBSCRIPTION else None

    def is_open(self, kind: NoticeKind) -> frozenset[Channel]:
        """The channels that a notice of this kind may take from this account."""
        if kind not in self._open:
            has_words = {CUSTOMER, MASS}
            self._open[kind] = frozenset(
                channel for channel in self.rights if channel in has_words or self.template(channel, kind) is not None
            )
        return self._open[kind]


def official(wechat: WeChat) -> Account:
    """The official account of the settings."""
    rights: set[Channel] = set()
    if wechat.verified:
        rights.add(CUSTOMER)
        if wechat.account_type == "service":
            rights |= {SUBSCRIPTION, TEMPLATE, MASS}
    return Account(frozenset(rights), wechat.templates, wechat.subscriptions)


def mini_program() -> Account:
    """The mini program: words in its service chat only."""
    return Account(frozenset({CUSTOMER}))


@dataclass(frozen=True, slots=True)
class Footing:
    """What is known of one recipient at one instant: the chat's window, and whether a subscription is left."""

    window: Window | None
    has_consent: bool

    def carries(self, channel: Channel, at: datetime) -> bool:
        if channel is CUSTOMER:
            return self.window is not None and self.window.is_open(at)
        return self.has_consent if channel is SUBSCRIPTION else True


@dataclass(frozen=True, slots=True)
class Way:
    """How one row goes: a rung of its ladder; or until when it waits; or why there is no way."""

    channel: Channel | None
    rung: int = 0
    waits_until: datetime | None = None
    reason: str = ""


def choose(
    account: Account,
    kind: NoticeKind,
    footing: Footing,
    at: datetime,
    *,
    rung: int = 0,
    left: Mapping[Channel, int | None] | None = None,
    midnight: datetime | None = None,
    not_after: datetime | None = None,
) -> Way:
    """The first rung from `rung` on that carries. A channel whose calls are used up for today is waited for until
    `midnight` if the message is still worth sending then; otherwise the next rung is tried."""
    ladder, is_open = LADDERS[kind], account.is_open(kind)
    for step in range(rung, len(ladder)):
        channel = ladder[step]
        if channel not in is_open or not footing.carries(channel, at):
            continue
        if left is not None and left.get(channel) == 0:
            if midnight is not None and not_after is not None and midnight < not_after:
                return Way(None, step, midnight, "今天的发送额度已用完，明天零点后继续")
            continue
        return Way(channel, step)
    return Way(None, reason=_why_not(account, kind))


@cache
def _depends_on(kind: NoticeKind, rung: int, is_open: frozenset[Channel]) -> frozenset[Channel]:
    found = set()
    for channel in LADDERS[kind][rung:]:
        if channel in is_open:
            if channel in {TEMPLATE, MASS}:
                break
            found.add(channel)
    return frozenset(found)


def depends_on(account: Account, kind: NoticeKind, rung: int = 0) -> frozenset[Channel]:
    """The channels for which something must be known of the recipient before the way can be chosen."""
    return _depends_on(kind, rung, account.is_open(kind))


def next_rung(kind: NoticeKind, channel: Channel) -> int | None:
    """The rung below this channel, when the ladder has one."""
    ladder = LADDERS[kind]
    below = ladder.index(channel) + 1
    return below if below < len(ladder) else None


def _why_not(account: Account, kind: NoticeKind) -> str:
    if not account.rights:
        return f"账号没有认证，不能主动发消息；{BY_HAND}"
    if TEMPLATE in LADDERS[kind] and account.template(TEMPLATE, kind) is None:
        return f"48 小时内没有来过消息，也没有可用的模板；{BY_HAND}"
    return f"48 小时内没有来过消息，没有可用的途径；{BY_HAND}"
