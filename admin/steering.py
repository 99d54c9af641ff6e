"""One campaign at one moment as somebody's scope shows it, and the acts that are open to it now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

import config
from errors import NotFound
from models import OPEN_STATES, Broadcast, CampaignState, SendState, Switch
from services import figures, scope, switches
from services.scope import Scope
from services.sending import broadcasts, campaigns, fates, quotas
from services.sending.report_book import ORDER

Do = Callable[[Session, str, datetime, int], str]


@dataclass(frozen=True, slots=True)
class Act:
    """What can be done to a campaign. With `asks` it cannot be undone: then the page asks once more."""

    name: str
    label: str
    do: Do
    asks: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A campaign now; the counts add up to `total`. Of what is not theirs somebody sees the people of their scope."""

    campaign: figures.Campaign
    title: str
    state: CampaignState
    reason: str
    ends_at: datetime | None
    begins_at: datetime | None
    broadcast: Broadcast | None
    is_theirs: bool
    acts: tuple[Act, ...]
    stopped: Switch | None
    senders: int

    @property
    def key(self) -> str:
        return self.campaign.key

    @property
    def total(self) -> int:
        return self.campaign.total

    @property
    def open(self) -> int:
        return sum(self.campaign.states[state] for state in OPEN_STATES)

    @property
    def settled(self) -> int:
        return self.total - self.open

    @property
    def is_moving(self) -> bool:
        """Whether the page has a reason to look again by itself."""
        return bool(self.open) and self.state is not CampaignState.CANCELLED

    @property
    def counted(self) -> list[tuple[SendState, int]]:
        return [(state, self.campaign.states[state]) for state in ORDER if self.campaign.states[state]]

    @property
    def bar(self) -> list[tuple[SendState, float, float]]:
        """Where each state begins and how wide it is, in thousandths of the whole."""
        parts, start = [], 0.0
        for state, many in self.counted:
            width = many * 1000 / self.total
            parts.append((state, round(start, 1), round(width, 1)))
            start += width
        return parts

    @property
    def mark(self) -> str:
        """Changes when other buttons are due."""
        return f"{self.state.value}.{int(self.is_moving)}." + ".".join(act.name for act in self.acts)


def standing(session: Session, seen: Scope, key: str, at: datetime, sending: config.Sending) -> Standing:
    """Raises NotFound for what is not there and for what nobody of the scope gets."""
    found = figures.campaigns(session, seen, [key])
    if not found:
        raise NotFound(scope.OUTSIDE)
    whole = campaigns.standing(session, key, at, sending.per_second, quotas.daily(sending))
    row = broadcast_of(session, seen, key)
    is_theirs = seen.is_city or row is not None
    begins = campaigns.begins_at(session, key, at)
    # Of what is theirs everybody counts, wherever they belong today.
    campaign = replace(found[0], states=whole.counted) if is_theirs else found[0]
    return Standing(
        campaign, whole.title, whole.state, whole.reason, whole.ends_at, begins, row, is_theirs,
        tuple(_open(whole, row, begins)) if is_theirs else (), switches.no_send(session), fates.senders(session, at),
    )  # fmt: skip


def broadcast_of(session: Session, seen: Scope, key: str) -> Broadcast | None:
    """The broadcast behind a campaign if the scope shows it; a county office gets a city's notice without its page."""
    number = broadcasts.number_of(key)
    if number is None:
        return None
    try:
        return scope.broadcast(session, seen, number)
    except NotFound:
        return None


def _open(whole: campaigns.Standing, row: Broadcast | None, begins: datetime | None) -> list[Act]:
    """The acts that would change something now."""
    counted, is_over = whole.counted, whole.state is CampaignState.CANCELLED
    offered = {
        "pause": whole.state is CampaignState.RUNNING and bool(counted[SendState.WAITING]),
        "resume": whole.state in {CampaignState.PAUSED, CampaignState.STOPPED},
        "hurry": row is not None and begins is not None and whole.state is CampaignState.RUNNING,
        "retry": not is_over and any(counted[state] for state in campaigns.FAILED_STATES),
        "cancel": not is_over and bool(counted[SendState.WAITING] or counted[SendState.FOLDED]),
    }
    return [act for act in ACTS if offered[act.name]]


def named(name: str) -> Act:
    """Raises NotFound."""
    act = next((act for act in ACTS if act.name == name), None)
    if act is None:
        raise NotFound(scope.OUTSIDE)
    return act


# --- the acts ------------------------------------------------------------------------------------------------


def _pause(session: Session, key: str, at: datetime, by: int) -> str:
    done = campaigns.pause(session, key, at, by=by)
    return "已暂停，没发的都停着。" if done else "现在不在发送，不用暂停。"


def _resume(session: Session, key: str, at: datetime, by: int) -> str:
    return "继续发送。" if campaigns.resume(session, key, at, by=by) else "没有停着，不用继续。"


def _retry(session: Session, key: str, at: datetime, by: int) -> str:
    again = campaigns.retry_failed(session, key, at, by=by)
    return f"给 {again} 人再发一次。" if again else "没有可以重试的：没送到的都没有绑定微信或已取消关注。"


def _hurry(session: Session, key: str, at: datetime, by: int) -> str:
    hurried = broadcasts.send_now(session, _row(session, key), at, by=by)
    return f"{hurried} 人改为立即发送，已留痕。" if hurried else "没有推迟的。"


def _cancel(session: Session, key: str, at: datetime, by: int) -> str:
    if not campaigns.can_be_cancelled(session, key):
        return "已经没有待发送的，不用撤销。"
    stopped = broadcasts.cancel_campaign(session, key, at, by=by)
    return f"已停止 {stopped} 人的发送，已发出的收不回。"


def _row(session: Session, key: str) -> Broadcast:
    return broadcasts.get(session, broadcasts.number_of(key) or 0)


ACTS = (
    Act("pause", "暂停", _pause),
    Act("resume", "继续发送", _resume),
    Act("hurry", "立即发送", _hurry, "不等安静时段过去，没发的现在就发。请只用于急事；会留痕。"),
    Act(
        "retry", "重试没送到的", _retry,
        "给被拒收、无法送达、过期的人再发一次；没有绑定或已取消关注的、结果不明的不发，已经收到的不会再收到。",
    ),
    Act("cancel", "撤销没发的", _cancel, "没发出的不再发，不能恢复；已发出的收不回，需要时发更正。"),
)  # fmt: skip
