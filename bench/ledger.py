"""Our own ledger of a notice held against WeChat's record of who got it: three lists that add up to everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from bench.wechat import Record
from models import ARRIVED_STATES, OPEN_STATES, Database, Outgoing, SendState

#: Somebody else has decided what a killed sender left behind by then, when somebody else lives.
RECOVERED_WITHIN_SECONDS = 20.0


@dataclass
class Reckoning:
    """What became of everybody. `got` and `unknown` are openids; whoever did not get it stands under fate and reason."""

    got: list[str] = field(default_factory=list)
    not_got: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    #: Nobody knows; whether WeChat's record has it tells only the drill.
    unknown: dict[str, bool] = field(default_factory=dict)
    doubled: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    #: What was promised and not kept, in words.
    broken: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Everybody on the three lists."""
        return len(self.got) + sum(map(len, self.not_got.values())) + len(self.unknown)


def reckon(database: Database, campaign: str, people: Collection[str], record: Record) -> Reckoning:
    """Compare every row of a campaign with what its person really got."""
    told = Reckoning()
    with database.reading() as session:
        asked = sa.select(Outgoing.openid, Outgoing.state, Outgoing.reason).where(Outgoing.campaign == campaign)
        rows = session.execute(asked.order_by(Outgoing.id)).all()
    for openid, state, reason in rows:
        _sort(told, openid or "", state, reason, record.times[openid or ""])
    told.doubled = record.more_than_once()
    _say(told, "got it twice", told.doubled)
    _say(told, "got nothing, and the ledger says sent", told.lost)
    _say(told, "got it without being asked for", record.unasked(people))
    _say(told, "have no row of their own", set(people) - {row.openid for row in rows})
    if told.total != len(people):
        told.broken.append(f"the lists hold {told.total:,} people and not {len(people):,}")
    return told


def _sort(told: Reckoning, openid: str, state: SendState, reason: str | None, times: int) -> None:
    if state in ARRIVED_STATES:
        (told.got if times else told.lost).append(openid)
    elif state is SendState.UNKNOWN:
        told.unknown[openid] = bool(times)
    else:
        told.not_got.setdefault((state.label, reason or ""), []).append(openid)
        if times or state in OPEN_STATES or not reason:
            told.broken.append(f"{openid} is “{state.label}” ({reason or 'no reason'}) and got it {times} times")


def _say(told: Reckoning, what: str, people: Collection[str]) -> None:
    if people:
        told.broken.append(f"{len(people):,} people {what}: {', '.join(sorted(people)[:5])} …")


class Watch:
    """Looks at the ledger while the senders work: how far they are, and how long the dead keep what they held."""

    def __init__(self, database: Database, campaign: str) -> None:
        self._database, self._campaign = database, campaign
        self._held_until: dict[str, datetime] = {}

    def look(self, at: datetime) -> Counter[SendState]:
        """How many rows are in each state at this instant."""
        mine = Outgoing.campaign == self._campaign
        counted = sa.select(Outgoing.state, Outgoing.claimed_by, sa.func.count()).where(mine)
        with self._database.reading() as session:
            rows = session.execute(counted.group_by(Outgoing.state, Outgoing.claimed_by)).all()
        states: Counter[SendState] = Counter()
        for state, holder, count in rows:
            states[state] += count
            if state is SendState.CLAIMED and holder:
                self._held_until[holder] = at
        return states

    def slowest_recovery(self, heirs_since: dict[int, datetime]) -> float:
        """The most seconds that a row stayed with a dead process although another could have taken it over."""
        since = {str(pid): at for pid, at in heirs_since.items()}
        kept = [
            (until - since[process]).total_seconds()
            for holder, until in self._held_until.items()
            if (process := holder.partition("-")[0]) in since
        ]
        return max([0.0, *kept])
