"""The ladder: subscription, template, chat, mass message, and the list that is told by hand (F110; §4.5–4.9, §6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from config import Template
from models import Channel, Consent, NoticeKind, Outgoing, Quota, SendState
from services import outbox
from services.outbox import Letter, Recipient
from tests.scheduler.test_delivery import FACTS, later, row, rows, tell

TEMPLATE, CUSTOMER, MASS, NOTIFY = (
    f"/cgi-bin/message/{path}" for path in ("template/send", "custom/send", "mass/send", "subscribe/bizsend")
)
#: A template with one-time consents, and one whose consent lasts.
ONE_TIME, LONG_TERM = "SIM-study-day-notice", "SIM-notice"
SUBSCRIPTION = Template(
    id=ONE_TIME, fields={"thing1": "{title}", "time2": "{time}", "thing3": "{sender}", "thing4": "{words}"}
)


def crowd(house: Any, many: int = 30) -> list[str]:
    people = [f"oCrowd{n:03d}".ljust(28, "0") for n in range(many)]
    house.wechat.add_followers(people)
    return people


# --- mass messages -------------------------------------------------------------------------------------------


def test_without_a_template_all_go_in_one_mass_message(open_house):
    house = open_house(templates={})
    people = crowd(house)
    tell(house, *people, kind=NoticeKind.BROADCAST)
    house.deliver()
    assert house.wechat.calls(MASS) == 1
    assert house.wechat.counts(path=MASS)["counts"] == dict.fromkeys(people, 1)
    assert {(each.state, each.channel) for each in rows(house)} == {(SendState.SENT, Channel.MASS)}
    with house.database.reading() as session:
        assert session.scalar(sa.select(Quota.used).where(Quota.channel == Channel.MASS)) == 1, "one call"


def test_who_has_an_open_chat_gets_it_there_and_the_others_in_the_mass_message(open_house):
    house = open_house(templates={})
    chatting = house.phone("张伟")
    chatting.says("帮助")
    tell(house, chatting, *crowd(house, 3), kind=NoticeKind.BROADCAST)
    house.deliver()
    assert [each.channel for each in rows(house)].count(Channel.CUSTOMER) == 1
    assert house.wechat.counts(path=MASS)["total"] == 3


def test_a_mass_message_whose_answer_is_lost_goes_again_as_the_same_one(open_house):
    """§4.9: the same clientmsgid is one message; 45066 says wait, 45065 says it was sent."""
    house = open_house(templates={}, timeout_seconds=0.5)
    people = crowd(house)
    tell(house, *people, kind=NoticeKind.BROADCAST)
    house.wechat.inject(MASS, kind="hang_after", times=1)
    house.deliver()
    assert {each.state for each in rows(house)} == {SendState.WAITING}
    for _ in range(4):
        later(house, seconds=61)
        house.deliver()
    assert {each.state for each in rows(house)} == {SendState.SENT}
    assert house.wechat.counts(path=MASS)["counts"] == dict.fromkeys(people, 1)


def test_a_sender_that_dies_with_a_mass_message_out_leaves_no_double(open_house):
    house = open_house(templates={})
    people = crowd(house)
    tell(house, *people, kind=NoticeKind.BROADCAST)
    dying = house.parts.delivery()
    dying._settle = lambda answers: None  # type: ignore[method-assign]
    dying._dispatch(dying._claim()[1])
    dying._doors["official"].answers(2.0)
    assert {each.state for each in rows(house)} == {SendState.CLAIMED}
    later(house, seconds=30)
    house.deliver()
    later(house, seconds=90)
    house.deliver()
    assert {each.state for each in rows(house)} == {SendState.SENT}
    assert house.wechat.counts(path=MASS)["counts"] == dict.fromkeys(people, 1)


def test_one_alone_is_no_mass_message(open_house):
    house = open_house(templates={})
    tell(house, *crowd(house, 1), kind=NoticeKind.BROADCAST)
    house.deliver()
    assert row(house).state is SendState.UNREACHABLE
    assert "当面告知" in row(house).reason
    assert house.wechat.calls(MASS) == 0


def test_a_mass_message_that_wechat_does_not_send_after_all_is_refused(open_house):
    house = open_house(templates={})
    tell(house, *crowd(house, 2), kind=NoticeKind.BROADCAST)
    house.deliver()
    msgid = rows(house)[0].msgid
    house.phone("张伟").event("MASSSENDJOBFINISH", MsgID=msgid, Status="err(20001)")
    assert {each.state for each in rows(house)} == {SendState.REFUSED}
    assert "err(20001)" in rows(house)[0].reason


def test_no_mass_message_is_used_up_for_a_study_day(open_house):
    """Four a month are all a person may get: they are for what the office writes."""
    house = open_house(templates={})
    tell(house, *crowd(house), kind=NoticeKind.STUDY_DAY)
    house.deliver()
    assert house.wechat.calls(MASS) == 0
    assert {each.state for each in rows(house)} == {SendState.UNREACHABLE}


# --- subscription notifications ------------------------------------------------------------------------------


@pytest.fixture
def subscribed(open_house):
    return open_house(subscriptions={"broadcast": SUBSCRIPTION})


def consent(house: Any, openid: str) -> int | None:
    with house.database.reading() as session:
        return session.scalar(sa.select(Consent.credits).where(Consent.openid == openid))


def test_one_tap_is_one_message_and_then_the_template_carries(subscribed):
    house, phone = subscribed, subscribed.phone("张伟")
    phone.accepts(ONE_TIME)
    assert consent(house, phone.openid) == 1
    for name in ("a", "b"):
        tell(house, phone, kind=NoticeKind.BROADCAST, campaign=name)
        house.deliver()
    assert [row(house, name).channel for name in "ab"] == [Channel.SUBSCRIPTION, Channel.TEMPLATE]
    assert consent(house, phone.openid) == 0


def test_what_wechat_says_about_a_consent_is_believed(subscribed):
    """43101: the person took it back and no event told us."""
    house, phone = subscribed, subscribed.phone("张伟")
    phone.accepts(ONE_TIME)
    phone.accepts(ONE_TIME)
    house.wechat.inject(NOTIFY, 43101, times=1)
    tell(house, phone, kind=NoticeKind.BROADCAST)
    house.deliver()
    assert (row(house).state, row(house).channel) == (SendState.DELIVERED, Channel.TEMPLATE)
    assert consent(house, phone.openid) == 0


def test_a_notification_that_did_not_leave_leaves_its_consent(subscribed):
    house, phone = subscribed, subscribed.phone("张伟")
    phone.accepts(ONE_TIME)
    house.wechat.inject(NOTIFY, 45011, times=1)
    tell(house, phone, kind=NoticeKind.BROADCAST)
    house.deliver()
    assert (row(house).state, consent(house, phone.openid)) == (SendState.WAITING, 1)
    later(house, minutes=2)
    house.deliver()
    assert (row(house).channel, consent(house, phone.openid)) == (Channel.SUBSCRIPTION, 0)


def test_a_notification_whose_answer_is_lost_is_unknown(open_house):
    """Nothing removes doubles here, so it is not made again by guess."""
    house = open_house(subscriptions={"broadcast": SUBSCRIPTION}, timeout_seconds=0.5)
    phone = house.phone("张伟")
    phone.accepts(ONE_TIME)
    house.wechat.inject(NOTIFY, kind="hang_after", times=1)
    tell(house, phone, kind=NoticeKind.BROADCAST)
    house.deliver()
    later(house, hours=1)
    house.deliver()
    assert row(house).state is SendState.UNKNOWN
    assert len(phone.received()) == 1


# --- what the account may call -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "ways"),
    [
        ({"account_type": "service", "verified": True}, {Channel.CUSTOMER, Channel.TEMPLATE}),
        ({"account_type": "subscription", "verified": True}, {Channel.CUSTOMER, None}),
        ({"account_type": "service", "verified": False}, {None}),
        ({"account_type": "subscription", "verified": False}, {None}),
    ],
)
def test_only_what_the_account_may_call_is_called(open_house, account, ways):
    """The capability matrix of §6: what is not ours to call is told by hand, not refused by WeChat."""
    house = open_house(**account)
    chatting, silent = house.phone("张伟"), house.phone("李娜")
    chatting.says("帮助")
    tell(house, chatting, silent)
    house.deliver()
    assert {each.channel for each in rows(house)} == ways
    for each in rows(house):
        assert (each.channel is None) == (each.state is SendState.UNREACHABLE)
        assert each.channel or "告知" in each.reason


# --- quotas --------------------------------------------------------------------------------------------------


def test_what_todays_calls_do_not_cover_goes_on_at_midnight(open_house):
    house = open_house(sending={"daily_templates": 10})
    tell(house, *crowd(house), kind=NoticeKind.BROADCAST, not_after=house.clock() + timedelta(hours=48))
    house.deliver()
    assert house.wechat.calls(TEMPLATE) == 10
    waiting = [each for each in rows(house) if each.state is SendState.WAITING]
    assert len(waiting) == 20
    assert {each.attempts for each in waiting} == {0}
    assert "额度" in waiting[0].reason
    house.now("2026-11-28T00:00")
    house.deliver()
    assert house.wechat.calls(TEMPLATE) == 20


def test_what_cannot_wait_for_midnight_takes_the_next_rung(open_house):
    house = open_house(sending={"daily_templates": 10})
    tell(house, *crowd(house), kind=NoticeKind.BROADCAST, not_after=house.clock() + timedelta(hours=2))
    house.deliver()
    assert house.wechat.calls(TEMPLATE) == 10
    assert house.wechat.counts(path=MASS)["total"] == 20
    assert {each.state for each in rows(house)} <= {SendState.SENT, SendState.DELIVERED}


def test_a_quota_that_wechat_counts_otherwise_is_believed_and_the_office_told(house):
    people = crowd(house)
    house.wechat.inject(TEMPLATE, 45009)
    tell(house, *people, kind=NoticeKind.BROADCAST)
    house.delivery.run()
    asked = house.wechat.calls(TEMPLATE)
    tell(house, *people, kind=NoticeKind.BROADCAST, campaign="d")
    house.delivery.run()
    assert house.wechat.calls(TEMPLATE) == asked, "today is over, and we know it"
    with house.database.reading() as session:
        told = session.scalar(sa.select(sa.func.count()).where(Outgoing.campaign.like("alarm:quota-template:%")))
    assert told


def test_the_most_a_mass_message_holds(open_house):
    """Two of ten thousand would be two calls; the ledger counts calls, not people."""
    house = open_house(templates={})
    with house.database.transaction() as session:
        recipients = [Recipient(None, openid) for openid in crowd(house, 120)]
        outbox.queue(session, Letter(NoticeKind.BROADCAST, "c", FACTS, recipients), house.clock())
    house.deliver()
    assert house.wechat.calls(MASS) == 1
    assert len({each.batch for each in rows(house)}) == 1
