"""Delivers the outbox: claims rows, chooses each one's way, sends many at once, writes down what became of them.

Any number of these may run, in one process or on many machines: SQL decides who has which row (pitfalls 6–12). Two
commits go with each batch, one before the calls leave and one after their answers, and none is open in between.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from bot import leases
from bot.door import Door
from bot.errcodes import Code, Reaction
from bot.fanout import Answer, Call
from bot.tokens import TokenUnavailable
from clock import Now
from config import Sending
from metrics import Metrics
from models import Channel, Database, SendState
from scheduler import verdicts
from scheduler.parcels import Parcel
from scheduler.planning import Planner
from scheduler.verdicts import Verdict
from services import switches
from services.membership import binding
from services.sending import alarms, campaigns, consents, fates, pace, quotas
from services.sending.fates import Again, Fate
from services.sending.ladder import Account

log = structlog.get_logger("delivery")

#: A sender that has not been heard of for so long is dead; its rows are decided by another.
LEASE_FOR = timedelta(seconds=12)
BEAT = timedelta(seconds=3)
#: One call of `run` ends after this, however much is left.
SLICE_SECONDS = 30.0
#: How long the answers of a moment are gathered, to be written down together.
GATHER_SECONDS = 0.2
#: How often those that gather look whether more rows can leave.
GLANCE_SECONDS = 0.02
#: How long a sender that has to finish waits for the pace before it looks again.
BREATH_SECONDS = 0.1
#: How long a stopping sender waits for the answers that are still out.
STOP_SECONDS = 12.0
#: So many equal fatal answers in a row stop a campaign (§5, general rules).
STOP_AFTER = 3


class Delivery:
    """One sender."""

    def __init__(
        self,
        database: Database,
        accounts: Mapping[str, Account],
        doors: Mapping[str, Door],
        sending: Sending,
        now: Now,
        metrics: Metrics,
        *,
        wall: Now | None = None,
        only_queued_at: datetime | None = None,
    ) -> None:
        """With `only_queued_at` it sends what was queued at that instant: a `tick --at` must neither expire nor
        recover rows by a clock that is not now. `wall` is the real clock, for leases and the pace."""
        self._database, self._doors, self._sending, self._now = database, doors, sending, now
        self._metrics = metrics
        self._wall = wall or now
        self._only_queued_at = only_queued_at
        self._planner = Planner(accounts, quotas.daily(sending))
        # The process id is for whoever reads the ledger or the log.
        self._holder = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._beaten_at: datetime | None = None
        self._said_stopped = False
        self._in_a_row: dict[str, tuple[int, int]] = {}
        self._running = threading.Lock()
        self._is_stopping = False

    # --- the loop ----------------------------------------------------------------------------------------

    def run(self) -> int:
        """Send what is due until nothing more may leave now. Returns how many rows were claimed.

        Called again while it is busy (by the bell and by the clock) it leaves the work to the first.
        """
        if not self._running.acquire(blocking=False):
            return 0
        try:
            return self._run()
        finally:
            self._running.release()

    def _run(self) -> int:
        claimed, ends = 0, time.monotonic() + SLICE_SECONDS
        while time.monotonic() < ends and not self._is_stopping:
            found, fresh = self._claim() if self._room() or self._is_beat_due() else (0, [])
            claimed += found
            self._dispatch(fresh)
            if not found and not self._under_way():
                break
            self._settle(self._answers())
        return claimed

    def run_until_empty(self, most_seconds: float = 3600.0) -> int:
        """Send all that is due now, however long the pace makes it wait, for `tick --at`. Returns how many rows."""
        total, ends = 0, time.monotonic() + most_seconds
        while time.monotonic() < ends:
            total += (sent := self.run())
            if not sent and not self._waits_for_the_pace():
                break
            if not sent:
                time.sleep(BREATH_SECONDS)
        return total

    def _waits_for_the_pace(self) -> bool:
        """Whether rows are due and only the pace holds them; with a clock that stands still nobody could wait."""
        if self._wall is self._now:
            return False
        with self._database.reading() as session:
            is_stopped = switches.no_send(session) is not None
            return not is_stopped and fates.is_work_waiting(session, self._now(), queued_at=self._only_queued_at)

    def stop(self) -> None:
        """Claim nothing more, hear the answers that are still out, and let the others see that we have gone."""
        self._is_stopping = True
        with self._running:
            ends = time.monotonic() + STOP_SECONDS
            while self._under_way() and time.monotonic() < ends:
                self._settle(self._answers())
            for door in self._doors.values():
                door.close()
            self._settle(self._answers())
            with self._database.transaction() as session:
                leases.give_back(session, self._lease, self._holder)

    @property
    def _lease(self) -> str:
        return f"{fates.ALIVE}{self._holder}"

    def _under_way(self) -> int:
        return sum(door.under_way for door in self._doors.values())

    def _room(self) -> int:
        """How many more rows may be on their way: enough that no connection has to wait for the database."""
        room = self._sending.connections * 3 - self._under_way()
        return room if room >= self._sending.connections else 0

    # --- before the calls leave --------------------------------------------------------------------------

    def _claim(self) -> tuple[int, list[Parcel]]:
        """How many rows were due, and what of them leaves; the others were settled or put off at once."""
        at, wall = self._now(), self._wall()
        with self._database.transaction() as session:
            self._beat(session, wall)
            if self._must_not_send(session):
                return 0, []
            allowed = min(self._room(), pace.allowance(session, wall, self._sending.per_second))
            if allowed == 0:
                return 0, []
            rows = fates.due(session, at, allowed, queued_at=self._only_queued_at)
            pace.spend(session, wall, len(rows), self._sending.per_second)
            return len(rows), self._planner.plan(session, rows, at, self._holder)

    def _beat(self, session: Session, wall: datetime) -> None:
        """Show that we live; now and then look after what the dead left and what is too late."""
        if not self._is_beat_due():
            return
        self._beaten_at = wall
        leases.take(session, self._lease, self._holder, wall, LEASE_FOR)
        if self._only_queued_at is not None:
            return
        left = fates.recover(session, wall)
        if any(left.values()):
            log.warning("outbox.recovered", **{state.value: n for state, n in left.items()})
        if expired := fates.expire(session, wall):
            log.warning("outbox.expired", rows=expired)

    def _is_beat_due(self) -> bool:
        return self._beaten_at is None or self._wall() - self._beaten_at >= BEAT

    def _must_not_send(self, session: Session) -> bool:
        """No-send mode leaves every row as it is, and is said once (F142)."""
        switch = switches.no_send(session)
        if switch is not None and not self._said_stopped:
            log.warning("sending.stopped", since=switch.since.isoformat(), note=switch.note)
        self._said_stopped = switch is not None
        return self._said_stopped

    def _dispatch(self, parcels: Sequence[Parcel]) -> None:
        """Hand the calls over, a mass message as one; without a token everything goes back untouched."""
        for app in {parcel.text.app for parcel in parcels}:
            mine = [parcel for parcel in parcels if parcel.text.app == app]
            try:
                self._doors[app].send(self._calls(mine))
            except TokenUnavailable as error:
                self._go_back(mine, str(error))

    def _calls(self, parcels: Sequence[Parcel]) -> list[Call]:
        lists: dict[str, list[Parcel]] = {}
        calls = []
        for parcel in parcels:
            letter = self._planner.letter(parcel, self._now())
            if parcel.channel is Channel.MASS:
                lists.setdefault(parcel.batch or "", []).append(parcel)
            else:
                once = parcel.once_id if parcel.channel is Channel.TEMPLATE else ""
                calls.append(Call(letter.path, letter.to_one(parcel.openid, once), [parcel]))
        for batch, together in lists.items():
            letter = self._planner.letter(together[0], self._now())
            calls.append(Call(letter.path, letter.to_list([p.openid for p in together], batch), together))
        return calls

    def _go_back(self, parcels: Sequence[Parcel], reason: str) -> None:
        until = self._now() + verdicts.CIRCUIT_PAUSE
        with self._database.transaction() as session:
            fates.put_back(session, [_back(p, until, reason) for p in parcels])
            self._planner.give_back(session, parcels)
            pace.hold(session, self._wall() + verdicts.CIRCUIT_PAUSE)
            alarms.ring(session, "token", "暂时不能调用微信", reason, self._now())

    # --- after their answers -----------------------------------------------------------------------------

    def _answers(self) -> list[Answer]:
        """What comes back in the next moment, or sooner all that is out, or enough that more rows may leave."""
        got: list[Answer] = []
        ends = time.monotonic() + GATHER_SECONDS
        while True:
            got += [answer for door in self._doors.values() for answer in door.answers(GLANCE_SECONDS)]
            if not self._under_way() or (got and self._room()) or time.monotonic() > ends:
                return got

    def _settle(self, answers: Sequence[Answer]) -> None:
        if not answers:
            return
        at = self._now()
        judged = [(p, verdicts.of(p, answer, at)) for answer in answers for p in answer.call.tag]
        with self._database.transaction() as session:
            fates.settle(session, [v.row for _, v in judged if isinstance(v.row, Fate)], at)
            fates.put_back(session, [v.row for _, v in judged if isinstance(v.row, Again)])
            self._learn(session, judged, at)
        told = Counter((p.channel.value, _fate(v)) for p, v in judged)
        for (channel, fate), count in told.items():
            self._metrics.sends.labels(channel, fate).inc(count)

    def _learn(self, session: Session, judged: Sequence[tuple[Parcel, Verdict]], at: datetime) -> None:
        """What an answer about one row says about a person, a channel, or everybody."""
        for parcel, verdict in judged:
            if verdict.code.is_ok:
                self._in_a_row.pop(parcel.text.campaign, None)
                continue
            if verdict.has_left:
                binding.unfollow(session, parcel.openid, at)
            if verdict.hold_until is not None:
                pace.hold(session, self._wall() + (verdict.hold_until - at))
            if verdict.is_day_used_up:
                quotas.exhaust(session, parcel.text.app, parcel.channel, at)
                alarms.ring(session, f"quota-{parcel.channel.value}", "今天的额度用完了", verdict.code.says, at)
            if parcel.channel is Channel.SUBSCRIPTION:
                self._settle_consent(session, parcel, verdict, at)
            if verdict.code.reaction is Reaction.TOKEN:
                alarms.ring(session, "token", "微信拒绝了凭证", verdict.code.says, at)
            if verdict.is_fatal:
                self._count_fatal(session, parcel, verdict.code, at)

    def _settle_consent(self, session: Session, parcel: Parcel, verdict: Verdict, at: datetime) -> None:
        template_id = self._planner.template_id(parcel)
        if verdict.code.code in verdicts.CLOSED[Channel.SUBSCRIPTION]:
            consents.refuse(session, parcel.openid, template_id, at)
        elif isinstance(verdict.row, Again):
            consents.give_back(session, parcel.openid, template_id)

    def _count_fatal(self, session: Session, parcel: Parcel, code: Code, at: datetime) -> None:
        """The stop rule: three equal fatal answers with no success between them (§5)."""
        name = parcel.text.campaign
        last, times = self._in_a_row.get(name, (code.code, 0))
        times = times + 1 if last == code.code else 1
        self._in_a_row[name] = code.code, times
        if times >= STOP_AFTER and campaigns.stop(session, name, f"{code.says}（{code.code}）", at):
            self._in_a_row.pop(name)
            log.error("campaign.stopped", campaign=name, code=code.code)
            alarms.ring(session, f"stopped-{code.code}", "有一次发送停下了", code.says, at)


def _back(parcel: Parcel, until: datetime, reason: str) -> Again:
    may_have_left = parcel.may_have_left_at is not None
    return Again(parcel.id, until, reason, parcel.attempts, parcel.rung, parcel.batch, may_have_left)


def _fate(verdict: Verdict) -> str:
    return verdict.row.state.value if isinstance(verdict.row, Fate) else SendState.WAITING.value
