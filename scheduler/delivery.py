"""Delivers the outbox: claims rows, chooses how each person can be reached, calls WeChat, writes down the fate."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from bot import errcodes, fields, leases
from bot.client import Client, NotSent, Sent
from bot.errcodes import Reaction
from bot.replies import fit
from clock import Now, beijing
from config import Template
from metrics import Metrics
from models import Channel, Database, NoticeKind, Outgoing, SendState
from services import outbox, people, reach, switches

log = structlog.get_logger("delivery")

LEASE = "sender"
LEASE_FOR = timedelta(seconds=15)
#: WeChat's own advice is at most some ten calls at once for one account (wechat-platform.md §8.5).
CALLS_AT_ONCE = 8
MAX_ATTEMPTS = 5
FIRST_PAUSE = timedelta(seconds=5)
CIRCUIT_PAUSE = timedelta(minutes=1)
#: These are answers to something a person just did: nearer in the chat than in a template.
PERSONAL = frozenset({NoticeKind.CASE_UPDATE, NoticeKind.LATE_REPLY, NoticeKind.BINDING, NoticeKind.LEAVE})
#: What has no template of its own borrows the plain work notice.
BORROWED = NoticeKind.BROADCAST
CUSTOMER_WINDOW_CODES = frozenset({45015, 45047, 48002})
NOT_FOLLOWING_CODES = frozenset({43004, 50005})


@dataclass(frozen=True, slots=True)
class Way:
    """How one row will go, or why it cannot."""

    channel: Channel | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed row with its words, away from the session."""

    row_id: int
    openid: str
    app: str
    kind: NoticeKind
    facts: dict[str, str]
    attempts: int
    not_after: datetime
    has_window: bool
    #: The client_msg_id: the same for every try of this row, so that WeChat removes doubles (§4.6).
    once: str


class Delivery:
    """One sender. Only the holder of the lease sends; the others wait to take over."""

    def __init__(
        self,
        database: Database,
        clients: Mapping[str, Client],
        templates: Mapping[str, Template],
        now: Now,
        metrics: Metrics,
        *,
        per_second: int = 20,
        only_queued_at: datetime | None = None,
    ) -> None:
        """With `only_queued_at` it sends what was queued at that instant, beside whoever holds the lease: a
        `tick --at` must neither expire nor recover rows by a clock that is not now."""
        self._database = database
        self._clients = clients
        self._templates = templates
        self._now = now
        self._metrics = metrics
        self._batch = per_second
        self._only_queued_at = only_queued_at
        self._holder = secrets.token_hex(8)
        self._held = False
        self._is_stopped = False
        self._pool = ThreadPoolExecutor(CALLS_AT_ONCE, "sender")

    def run(self) -> int:
        """Send at most one second's worth of what is due. Returns how many rows were claimed."""
        at = self._now()
        with self._database.transaction() as session:
            if self._only_queued_at is None and not self._may_send(session, at):
                return 0
            if self._must_not_send(session):
                return 0
            rows = outbox.claim(session, at, self._holder, self._batch, queued_at=self._only_queued_at)
            parcels = self._pack(session, rows, at)
        if parcels:
            self._send(parcels, at)
        return len(rows)

    def _may_send(self, session: Session, at: datetime) -> bool:
        """Take the lease; on taking it, decide what a dead sender left; mark what is too late."""
        if not leases.take(session, LEASE, self._holder, at, LEASE_FOR):
            self._held = False
            return False
        if not self._held:
            left = outbox.recover(session, at, self._holder)
            self._held = True
            if any(left.values()):
                log.warning("outbox.recovered", **{state.value: n for state, n in left.items()})
        if expired := outbox.expire(session, at):
            log.warning("outbox.expired", rows=expired)
        return True

    def _must_not_send(self, session: Session) -> bool:
        """No-send mode leaves every row as it is, and is said once (F142)."""
        switch = switches.no_send(session)
        if switch is not None and not self._is_stopped:
            log.warning("sending.stopped", since=switch.since.isoformat(), note=switch.note)
        self._is_stopped = switch is not None
        return self._is_stopped

    def run_until_empty(self, limit: int = 100_000) -> int:
        """Send all that is due now, for `tick --at`. Returns how many rows were claimed."""
        total = 0
        while total < limit and (sent := self.run()):
            total += sent
        return total

    def stop(self) -> None:
        """Finish the calls under way and let another sender take over at once."""
        self._pool.shutdown(wait=True)
        with self._database.transaction() as session:
            leases.give_back(session, LEASE, self._holder)

    # --- choosing ----------------------------------------------------------------------------------------

    def _pack(self, session: Session, rows: list[Outgoing], at: datetime) -> list[Parcel]:
        windows = reach.windows(session, [row.openid for row in rows if row.openid], at)
        parcels = []
        for row in rows:
            window = windows.get(row.openid or "")
            parcels.append(
                Parcel(
                    row.id, row.openid or "", row.notice.app, row.notice.kind, json.loads(row.notice.facts),
                    row.attempts, row.not_after, window is not None and window.is_open(at),
                    f"{row.id}-{row.notice.queued_at:%m%d%H%M%S%f}",
                )
            )  # fmt: skip
        return parcels

    def way(self, kind: NoticeKind, has_window: bool, app: str = "official") -> Way:
        """The channel that fits: personal words in the chat while it is open, notices as templates."""
        template = self._template(kind) if app == "official" else None
        if has_window and (kind in PERSONAL or template is None):
            return Way(Channel.CUSTOMER)
        if template is not None and kind is not NoticeKind.LATE_REPLY:
            return Way(Channel.TEMPLATE)
        return Way(None, "48 小时内没有来过消息，也没有可用的模板；请用电话或当面告知")

    def _template(self, kind: NoticeKind) -> Template | None:
        return self._templates.get(kind.value) or self._templates.get(BORROWED.value)

    # --- sending -----------------------------------------------------------------------------------------

    def _send(self, parcels: list[Parcel], at: datetime) -> None:
        ways = {parcel.row_id: self.way(parcel.kind, parcel.has_window, parcel.app) for parcel in parcels}
        templated = [p for p in parcels if ways[p.row_id].channel is Channel.TEMPLATE]
        with self._database.transaction() as session:
            outbox.take_channel(session, [p.row_id for p in templated], Channel.TEMPLATE)
            for parcel in parcels:
                if ways[parcel.row_id].channel is None:
                    outbox.settle(
                        session, parcel.row_id, SendState.UNREACHABLE, at, reason=ways[parcel.row_id].reason
                    )
        results = list(self._pool.map(self._call_template, templated))
        with self._database.transaction() as session:
            for parcel, result in zip(templated, results, strict=True):
                self._note(session, parcel, Channel.TEMPLATE, result)
        for parcel in parcels:
            if ways[parcel.row_id].channel is Channel.CUSTOMER:
                self._send_text(parcel)

    def _send_text(self, parcel: Parcel) -> None:
        result: Sent | NotSent | str
        # Nothing removes doubles here, so each call is noted before it leaves and settled at once after.
        with self._database.transaction() as session:
            outbox.take_channel(session, [parcel.row_id], Channel.CUSTOMER)
        text = parcel.facts.get("text") or parcel.facts.get("title", "")
        channel, result = Channel.CUSTOMER, self._clients[parcel.app].send_text(parcel.openid, fit(text))
        if self._is_closed(parcel, result):
            # The chat is closed after all: the same row goes as a template message (F110).
            channel = Channel.TEMPLATE
            with self._database.transaction() as session:
                outbox.take_channel(session, [parcel.row_id], channel)
            result = self._call_template(parcel)
        with self._database.transaction() as session:
            self._note(session, parcel, channel, result)

    def _is_closed(self, parcel: Parcel, result: Sent | NotSent | str) -> bool:
        """Whether WeChat takes no words in the chat from us now, and a template would do."""
        if not isinstance(result, NotSent) or result.code.code not in CUSTOMER_WINDOW_CODES:
            return False
        return self.way(parcel.kind, has_window=False, app=parcel.app).channel is Channel.TEMPLATE

    def _call_template(self, parcel: Parcel) -> Sent | NotSent | str:
        template = self._template(parcel.kind)
        if template is None:
            return "没有配置模板"
        data = rendered(template, self._filled(parcel.facts))
        problems = [p for name, value in data.items() if (p := fields.problem(name, value))]
        if problems:
            return "模板内容不合要求：" + "；".join(problems)
        return self._clients[parcel.app].send_template(parcel.openid, template.id, data, parcel.once)

    def _filled(self, facts: Mapping[str, str]) -> dict[str, str]:
        """The facts, with what the plain work notice asks for and a short word to one person does not carry."""
        local = beijing(self._now())
        return {
            "words": facts.get("text", ""),
            "sender": "法学会助手",
            "time": f"{local:%Y年%-m月%-d日 %H:%M}",
            **facts,
        }

    def _note(self, session: Session, parcel: Parcel, channel: Channel, result: Sent | NotSent | str) -> None:
        at = self._now()
        if isinstance(result, str):
            fate = SendState.REFUSED
            outbox.settle(session, parcel.row_id, fate, at, reason=result)
        elif isinstance(result, Sent):
            fate = SendState.SENT
            outbox.settle(session, parcel.row_id, fate, at, msgid=result.msgid)
        else:
            fate = self._note_failure(session, parcel, channel, result, at)
        self._metrics.sends.labels(channel.value, fate.value).inc()

    def _note_failure(
        self, session: Session, parcel: Parcel, channel: Channel, result: NotSent, at: datetime
    ) -> SendState:
        code, reason = result.code, result.code.says
        if code.reaction is Reaction.TOKEN or code is errcodes.UNREACHABLE:
            # The call never left: no token, no connection. It is not the row's fault.
            outbox.put_back(session, parcel.row_id, at + CIRCUIT_PAUSE, result.detail or reason, counts=False)
            return SendState.WAITING
        if result.may_have_left and channel is Channel.CUSTOMER:
            outbox.settle(session, parcel.row_id, SendState.UNKNOWN, at, reason=reason, code=code.code)
            return SendState.UNKNOWN
        if channel is Channel.CUSTOMER and code.may_retry and not code.may_resend:
            outbox.settle(session, parcel.row_id, SendState.UNKNOWN, at, reason=reason, code=code.code)
            return SendState.UNKNOWN
        if (code.may_retry or result.may_have_left) and parcel.attempts + 1 < MAX_ATTEMPTS:
            outbox.put_back(
                session, parcel.row_id, code.retry_at(at) or at + FIRST_PAUSE * 2**parcel.attempts, reason
            )
            return SendState.WAITING
        if code.code in NOT_FOLLOWING_CODES:
            people.unfollow(session, parcel.openid, at)
            state = SendState.UNREACHABLE
        elif result.may_have_left:
            state = SendState.UNKNOWN
        else:
            state = SendState.REFUSED if code.ends_this_recipient else SendState.UNREACHABLE
        outbox.settle(session, parcel.row_id, state, at, reason=f"{reason}（{code.code}）", code=code.code)
        return state


def rendered(template: Template, facts: Mapping[str, str]) -> dict[str, str]:
    """A template's fields, filled and fitted; a placeholder that nothing fills stays empty and is refused."""
    known = _Facts(facts)
    return {name: fields.fitted(name, text.format_map(known)) for name, text in template.fields.items()}


class _Facts(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""
