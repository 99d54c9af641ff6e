"""What WeChat's answer means for the row it was about: a fate, another try, or something for all the others too.

A table in code: the answer's error code has a reaction (wechat-platform.md §5), the channel says whether a call that
may have left can be repeated (pitfalls 6 and 18). Nothing here touches the database or the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot import errcodes
from bot.errcodes import Code, Reaction
from bot.fanout import Answer, Outcome
from models import Channel, SendState
from scheduler.parcels import Parcel
from services.sending import ladder
from services.sending.fates import Again, Fate

MAX_ATTEMPTS = 5
FIRST_PAUSE = timedelta(seconds=5)
CIRCUIT_PAUSE = timedelta(minutes=1)
#: WeChat removes doubles of these, so a call that may have left may be made again (§4.6, §4.9).
REPEATABLE = frozenset({Channel.TEMPLATE, Channel.MASS})
#: The person cannot be reached on this channel now, perhaps on the next one (§4.5, §4.7).
CLOSED = {
    Channel.CUSTOMER: frozenset({45015, 45047, 48002}),
    Channel.SUBSCRIPTION: frozenset({43101}),
}
NOT_FOLLOWING = frozenset({43004, 50005})
DAY_IS_USED_UP = frozenset({45009, 45028, 44993})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with one row, and what its answer tells about the others."""

    row: Fate | Again
    code: Code
    #: The same answer again and again stops the campaign.
    is_fatal: bool = False
    #: Everybody waits until then: we are too fast.
    hold_until: datetime | None = None
    is_day_used_up: bool = False
    has_left: bool = False


def of(parcel: Parcel, answer: Answer, at: datetime) -> Verdict:
    """Judge the answer to a call that carried this row."""
    code = _code(answer)
    if code.is_ok:
        msgid = answer.result.get("msgid") or answer.result.get("msg_id")
        return Verdict(Fate(parcel.id, SendState.SENT, msgid=None if msgid is None else str(msgid)), code)
    may_have_left = answer.outcome is Outcome.MAY_HAVE_LEFT or code.may_have_gone_out
    if code.reaction is Reaction.TOKEN or answer.outcome is Outcome.NEVER_LEFT:
        # The call never left, or met a token that is no longer good. It is not the row's fault.
        return Verdict(_again(parcel, at + CIRCUIT_PAUSE, code.says, counts=False), code)
    if may_have_left:
        return Verdict(_unsure(parcel, code, at), code)
    if code.may_retry:
        return _wait(parcel, code, at)
    if code.code in CLOSED.get(parcel.channel, ()) and (below := ladder.next_rung(parcel.text.kind, parcel.channel)):
        return Verdict(_again(parcel, at, code.says, counts=False, rung=below), code)
    if code.stops_the_job and parcel.is_bulk:
        again = _again(parcel, at, code.says, counts=False)
        return Verdict(again, code, is_fatal=True, is_day_used_up=code.code in DAY_IS_USED_UP)
    return Verdict(_final(parcel, code), code, has_left=code.code in NOT_FOLLOWING)


def _code(answer: Answer) -> Code:
    if answer.outcome is Outcome.ANSWERED:
        return errcodes.of(_errcode(answer), answer.call.path)
    if answer.outcome is Outcome.NEVER_LEFT:
        return errcodes.UNREACHABLE
    if answer.outcome is Outcome.MAY_HAVE_LEFT:
        return errcodes.TIMED_OUT
    return errcodes.of_status(answer.status or 500)


def _errcode(answer: Answer) -> int:
    try:
        return int(answer.result.get("errcode") or 0)
    except (TypeError, ValueError):
        return -1


def _unsure(parcel: Parcel, code: Code, at: datetime) -> Fate | Again:
    if parcel.channel in REPEATABLE and parcel.attempts + 1 < MAX_ATTEMPTS:
        return _again(parcel, at + _pause(parcel), code.says, may_have_left=True)
    return Fate(parcel.id, SendState.UNKNOWN, _says(code), code.code)


def _wait(parcel: Parcel, code: Code, at: datetime) -> Verdict:
    until = code.retry_at(at)
    is_day = code.code in DAY_IS_USED_UP
    concerns_all = code.reaction is Reaction.WAIT and not code.only_this_recipient and not is_day
    if parcel.attempts + 1 >= MAX_ATTEMPTS and not is_day:
        return Verdict(Fate(parcel.id, SendState.REFUSED, _says(code), code.code), code)
    again = _again(parcel, until or at + _pause(parcel), code.says, counts=not is_day)
    return Verdict(again, code, hold_until=until if concerns_all else None, is_day_used_up=is_day)


def _final(parcel: Parcel, code: Code) -> Fate:
    is_refused = code.ends_this_recipient and code.code not in NOT_FOLLOWING
    return Fate(parcel.id, SendState.REFUSED if is_refused else SendState.UNREACHABLE, _says(code), code.code)


def _again(
    parcel: Parcel,
    due_at: datetime,
    reason: str,
    *,
    counts: bool = True,
    rung: int | None = None,
    may_have_left: bool = False,
) -> Again:
    keeps_batch = parcel.channel is Channel.MASS and rung is None
    return Again(
        parcel.id, due_at, reason, parcel.attempts + (1 if counts else 0),
        parcel.rung if rung is None else rung, parcel.batch if keeps_batch else None,
        parcel.channel is Channel.TEMPLATE and (may_have_left or parcel.may_have_left_at is not None),
    )  # fmt: skip


def _pause(parcel: Parcel) -> timedelta:
    return FIRST_PAUSE * (1 << parcel.attempts)


def _says(code: Code) -> str:
    return f"{code.says}（{code.code}）"
