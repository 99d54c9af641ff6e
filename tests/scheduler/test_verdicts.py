"""Every answer WeChat can give is a fate, another try, or a reason to stop; none is a guess (pitfalls 6 and 18)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import errcodes
from bot.errcodes import Reaction
from bot.fanout import Answer, Call, Outcome
from clock import parse_instant
from models import Channel, NoticeKind, SendState, Topic
from scheduler import verdicts
from scheduler.letters import PATHS, Text
from scheduler.parcels import Parcel
from services.sending import ladder
from services.sending.fates import Again, Fate

AT = parse_instant("2026-11-27T09:00")
TEXT = Text(1, NoticeKind.BROADCAST, "official", "broadcast:1", {}, AT, Topic.STATUTORY)
BULK = Parcel(7, "o", TEXT, Channel.TEMPLATE, 1, 0, 0, True, AT + timedelta(days=1))
PERSONAL = replace(BULK, text=replace(TEXT, kind=NoticeKind.LEAVE, campaign="leave:1"), is_bulk=False)
EVERY_CODE = sorted(errcodes.CODES)
SOME_ANSWER = st.builds(
    lambda outcome, code, status: (outcome, code, status),
    st.sampled_from(list(Outcome)), st.sampled_from([*EVERY_CODE, 123456]), st.sampled_from([302, 404, 412, 500, 502]),
)  # fmt: skip


def judge(parcel: Parcel, code: int = 0, outcome: Outcome = Outcome.ANSWERED, **more: Any) -> verdicts.Verdict:
    call = Call(PATHS[parcel.channel], b"{}", [parcel])
    status = more.pop("status", 200)
    return verdicts.of(parcel, Answer(call, outcome, status, {"errcode": code, **more}), AT)


def test_an_answer_with_an_id_is_sent():
    assert judge(BULK, msgid=5).row == Fate(7, SendState.SENT, msgid="5")
    assert judge(replace(BULK, channel=Channel.MASS), 45065, msg_id=9).row == Fate(7, SendState.SENT, msgid="9")


@pytest.mark.parametrize("code", EVERY_CODE)
@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("parcel", [BULK, PERSONAL])
def test_every_code_of_the_reference_has_a_verdict_with_its_reason(parcel, channel, code):
    verdict = judge(replace(parcel, channel=channel, batch="b" if channel is Channel.MASS else None), code)
    known = errcodes.of(code, PATHS[channel])
    if known.is_ok:
        assert isinstance(verdict.row, Fate)
        assert verdict.row.state is SendState.SENT
        return
    assert known.reason in verdict.row.reason
    assert known.next_step in verdict.row.reason
    if isinstance(verdict.row, Fate):
        assert verdict.row.state in {SendState.REFUSED, SendState.UNREACHABLE, SendState.UNKNOWN}
    if known.reaction is Reaction.FIX:
        assert isinstance(verdict.row, Fate), "the same request never succeeds"
    if known.stops_the_job and parcel.is_bulk:
        assert verdict.is_fatal


@given(SOME_ANSWER, st.sampled_from(list(Channel)), st.integers(0, 5))
def test_what_may_have_left_is_repeated_only_where_wechat_removes_doubles(answer, channel, attempts):
    """The one promise that may never break: a customer message or a subscription is not made twice by guess."""
    outcome, code, status = answer
    parcel = replace(BULK, channel=channel, attempts=attempts, batch="b" if channel is Channel.MASS else None)
    verdict = judge(parcel, code, outcome, status=status)
    known = errcodes.of(code, PATHS[channel])
    unsure = (
        outcome is Outcome.MAY_HAVE_LEFT
        or (outcome is Outcome.STATUS and errcodes.of_status(status).may_have_gone_out)
        or (outcome is Outcome.ANSWERED and known.may_have_gone_out)
    )
    if unsure and channel in {Channel.CUSTOMER, Channel.SUBSCRIPTION}:
        assert isinstance(verdict.row, Fate)
        assert verdict.row.state is SendState.UNKNOWN
    if isinstance(verdict.row, Again) and channel is Channel.MASS and unsure:
        assert verdict.row.batch == "b", "the same list goes again under the same id"


@given(SOME_ANSWER, st.sampled_from(list(Channel)))
def test_nothing_is_tried_for_ever(answer, channel):
    """What counts as a try is tried five times; what does not count waits for something else to be mended."""
    outcome, code, status = answer
    verdict = judge(replace(BULK, channel=channel, attempts=verdicts.MAX_ATTEMPTS - 1), code, outcome, status=status)
    if isinstance(verdict.row, Again):
        is_elsewhere = (
            verdict.code.reaction is Reaction.TOKEN or outcome is Outcome.NEVER_LEFT or verdict.is_fatal
            or verdict.is_day_used_up or verdict.row.rung > BULK.rung
        )  # fmt: skip
        assert is_elsewhere


@pytest.mark.parametrize("code", [45015, 45047, 48002])
def test_a_closed_chat_is_left_for_the_next_rung(code):
    chat = replace(PERSONAL, channel=Channel.CUSTOMER, rung=0)
    row = judge(chat, code).row
    assert isinstance(row, Again)
    assert (row.rung, row.attempts, row.due_at) == (1, 0, AT)
    late = replace(chat, text=replace(TEXT, kind=NoticeKind.LATE_REPLY))
    assert isinstance(judge(late, code).row, Fate), "there is no other way for the words of a late answer"


def test_a_minute_that_is_full_holds_everybody_and_a_person_who_is_full_only_himself():
    assert judge(BULK, 45011).hold_until == AT + timedelta(minutes=1)
    assert judge(BULK, 43117).hold_until is None


def test_a_day_that_is_used_up_waits_for_midnight_and_costs_no_try():
    verdict = judge(BULK, 45009)
    assert isinstance(verdict.row, Again)
    assert (verdict.row.due_at, verdict.row.attempts) == (parse_instant("2026-11-28T00:00"), 0)
    assert verdict.is_day_used_up


def test_every_kind_of_notice_has_a_ladder():
    assert set(ladder.LADDERS) == set(NoticeKind)
