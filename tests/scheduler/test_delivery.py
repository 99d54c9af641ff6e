"""What leaves and what becomes of it: the way that fits, once, and a fate with a reason for every row (pitfalls 6–8)."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.door import Door
from clock import parse_instant
from models import Channel, Follower, NoticeKind, Outgoing, SendState
from services import switches
from services.sending import campaigns, fates, outbox
from services.sending.fates import Fate
from services.sending.outbox import Letter, Recipient

TEMPLATE, CUSTOMER, TOKEN = (
    "/cgi-bin/message/template/send", "/cgi-bin/message/custom/send", "/cgi-bin/stable_token",
)  # fmt: skip
FACTS = {
    "title": "标题", "words": "正文", "sender": "市法学会", "time": "2026年11月27日 09:00", "text": "全文在这里",
}  # fmt: skip


def tell(house: Any, *phones: Any, kind: NoticeKind = NoticeKind.BINDING, campaign: str = "c", **more: Any) -> None:
    """Queue one notice; unless told otherwise, personal words."""
    with house.database.transaction() as session:
        recipients = [Recipient(None, phone if isinstance(phone, str) else phone.openid) for phone in phones]
        outbox.queue(session, Letter(kind, campaign, FACTS, recipients, **more), house.clock())


def row(house: Any, campaign: str = "c") -> Outgoing:
    with house.database.reading() as session:
        return session.scalars(sa.select(Outgoing).where(Outgoing.campaign == campaign)).one()


def rows(house: Any, campaign: str = "c") -> list[Outgoing]:
    with house.database.reading() as session:
        return list(session.scalars(sa.select(Outgoing).where(Outgoing.campaign == campaign).order_by(Outgoing.id)))


def claim(session: Any, at: Any, holder: str, channel: Channel) -> Any:
    """Take the row that is due, as a sender does before its call leaves."""
    [due] = fates.due(session, at, 10)
    fates.claim(session, [fates.Claim(due.id, channel, 0)], at, holder)
    return due


def later(house: Any, **length: float) -> None:
    house.clock.at += timedelta(**length)
    house.wechat.clock.advance(timedelta(**length).total_seconds())


@pytest.fixture
def chatting(house, zhang_wei):
    """Somebody whose window is open."""
    zhang_wei.says("帮助")
    return zhang_wei


# --- which way -----------------------------------------------------------------------------------------------


def test_personal_words_go_into_an_open_chat(house, chatting):
    tell(house, chatting)
    house.deliver()
    sent = row(house)
    assert (sent.state, sent.channel) == (SendState.SENT, Channel.CUSTOMER)
    assert chatting.wait_for("全文在这里")


def test_to_a_closed_chat_they_go_as_a_template(house, zhang_wei):
    tell(house, zhang_wei)
    house.deliver()
    sent = row(house)
    assert (sent.state, sent.channel) == (SendState.DELIVERED, Channel.TEMPLATE)
    assert house.wechat.calls(CUSTOMER) == 0


def test_a_notice_to_many_is_a_template_even_in_an_open_chat(house, chatting):
    tell(house, chatting, kind=NoticeKind.BROADCAST)
    house.deliver()
    assert row(house).channel is Channel.TEMPLATE


def test_what_no_way_leads_to_is_unreachable_and_says_what_to_do(house, zhang_wei):
    """A late answer is never a template: its words would not fit."""
    tell(house, zhang_wei, kind=NoticeKind.LATE_REPLY)
    house.deliver()
    gone = row(house)
    assert gone.state is SendState.UNREACHABLE
    assert "电话" in gone.reason
    assert house.wechat.calls(TEMPLATE) + house.wechat.calls(CUSTOMER) == 0


def test_without_any_template_a_notice_uses_the_chat_or_says_why_not(open_house):
    house = open_house(templates={})
    open_chat, closed = house.phone("张伟"), house.phone("李娜")
    open_chat.says("帮助")
    tell(house, open_chat, kind=NoticeKind.BROADCAST, campaign="a")
    tell(house, closed, kind=NoticeKind.BROADCAST, campaign="b")
    house.deliver()
    assert (row(house, "a").state, row(house, "a").channel) == (SendState.SENT, Channel.CUSTOMER)
    assert row(house, "b").state is SendState.UNREACHABLE


def test_two_days_later_the_chat_is_closed(house, chatting):
    later(house, hours=48)
    tell(house, chatting)
    house.deliver()
    assert row(house).channel is Channel.TEMPLATE
    assert house.wechat.calls(CUSTOMER) == 0


def test_a_menu_tap_opens_the_chat_for_a_minute(house, zhang_wei):
    zhang_wei.clicks("HELP")
    tell(house, zhang_wei, campaign="now")
    house.deliver()
    later(house, minutes=1)
    tell(house, zhang_wei, campaign="later")
    house.deliver()
    assert (row(house, "now").channel, row(house, "later").channel) == (Channel.CUSTOMER, Channel.TEMPLATE)


def test_after_five_words_the_sixth_is_a_template(house, chatting):
    for n in range(6):
        tell(house, chatting, campaign=f"n{n}")
        house.deliver()
    channels = [row(house, f"n{n}").channel for n in range(6)]
    assert channels == [Channel.CUSTOMER] * 5 + [Channel.TEMPLATE]


@pytest.mark.parametrize("code", [45015, 45047, 48002])
def test_a_chat_that_is_closed_after_all_falls_back_to_the_template(house, chatting, code):
    house.wechat.inject(CUSTOMER, code)
    tell(house, chatting)
    house.deliver()
    sent = row(house)
    assert (sent.state, sent.channel) == (SendState.DELIVERED, Channel.TEMPLATE)
    assert len(chatting.received()) == 1


def test_a_late_answer_to_a_closed_chat_has_no_way_left(house, chatting):
    house.wechat.inject(CUSTOMER, 45015)
    tell(house, chatting, kind=NoticeKind.LATE_REPLY)
    house.deliver()
    gone = row(house)
    assert (gone.state, gone.code) == (SendState.REFUSED, 45015)
    assert "48 小时" in gone.reason


def test_the_fall_back_has_the_same_patience_as_a_template(house, chatting):
    """A busy WeChat is asked again; before, the row was given up as unreachable."""
    house.wechat.inject(CUSTOMER, 45015)
    house.wechat.inject(TEMPLATE, -1, times=1)
    tell(house, chatting)
    house.deliver()
    assert (row(house).state, row(house).attempts) == (SendState.WAITING, 1)
    later(house, seconds=6)
    house.deliver()
    assert row(house).state is SendState.DELIVERED


def test_no_transaction_is_open_while_wechat_is_called(house, chatting, monkeypatch):
    """Principle 3: on SQLite an open transaction would hold up every message that comes in meanwhile."""
    open_now: list[int] = []
    begun = house.database.transaction

    class Watched:
        def __init__(self) -> None:
            self.inner = begun()

        def __enter__(self) -> Any:
            open_now.append(1)
            return self.inner.__enter__()

        def __exit__(self, *error: Any) -> Any:
            open_now.pop()
            return self.inner.__exit__(*error)

    seen: list[int] = []
    for name in ("send", "answers"):
        real = getattr(Door, name)

        def watched(*args: Any, _real: Any = real, **more: Any) -> Any:
            seen.append(len(open_now))
            return _real(*args, **more)

        monkeypatch.setattr(Door, name, watched)
    monkeypatch.setattr(house.delivery._database, "transaction", Watched)
    house.wechat.inject(CUSTOMER, 45015)
    tell(house, chatting, campaign="a")
    tell(house, house.phone("李娜"), campaign="b")
    house.delivery.run_until_empty()
    assert len(seen) >= 4
    assert set(seen) == {0}


# --- what WeChat says ----------------------------------------------------------------------------------------


def test_who_has_left_is_noted_and_not_written_to_again(house, zhang_wei):
    house.wechat.inject(TEMPLATE, 43004, times=1)
    tell(house, zhang_wei)
    house.deliver()
    gone = row(house)
    assert (gone.state, gone.code) == (SendState.UNREACHABLE, 43004)
    assert "没有关注" in gone.reason
    with house.database.reading() as session:
        assert not session.get_one(Follower, zhang_wei.openid).is_subscribed


@pytest.mark.parametrize(
    ("code", "state", "says"),
    [
        (40003, SendState.REFUSED, "openid"), (43101, SendState.REFUSED, "订阅"), (43019, SendState.REFUSED, "黑名单"),
        (45168, SendState.REFUSED, "词"), (47003, SendState.REFUSED, "模板里有一项"),
        (40037, SendState.UNREACHABLE, "模板"), (48001, SendState.UNREACHABLE, "没有这项权限"),
    ],
)  # fmt: skip
def test_each_refusal_is_final_and_has_its_reason(house, zhang_wei, code, state, says):
    house.wechat.inject(TEMPLATE, code)
    tell(house, zhang_wei)
    house.deliver()
    later(house, hours=7)
    house.deliver()
    gone = row(house)
    assert (gone.state, gone.code) == (state, code)
    assert says in gone.reason
    assert house.wechat.calls(TEMPLATE) == 1


def test_a_used_up_day_waits_for_midnight(house, zhang_wei):
    house.wechat.inject(TEMPLATE, 45009, times=1)
    tell(house, zhang_wei)
    house.deliver()
    assert row(house).state is SendState.WAITING
    assert row(house).due_at == parse_instant("2026-11-28T00:00")
    house.now("2026-11-28T00:00")
    house.deliver()
    assert row(house).state is SendState.DELIVERED


def test_a_busy_wechat_is_asked_five_times_further_and_further_apart(house, zhang_wei):
    house.wechat.inject(TEMPLATE, -1)
    tell(house, zhang_wei)
    waits = []
    for _ in range(4):
        house.deliver()
        waits.append((row(house).due_at - house.clock()).total_seconds())
        later(house, seconds=waits[-1])
    house.deliver()
    assert waits == sorted(set(waits))
    assert row(house).state is not SendState.WAITING
    assert house.wechat.calls(TEMPLATE) == 5


def test_a_lost_answer_to_a_template_is_asked_for_again_and_arrives_once(open_house):
    """WeChat removes the double by client_msg_id within ten minutes (§4.6)."""
    house = open_house(timeout_seconds=0.4)
    phone = house.phone("张伟")
    house.wechat.inject(TEMPLATE, kind="hang_after", times=1)
    tell(house, phone)
    house.deliver()
    assert row(house).state in {SendState.WAITING, SendState.DELIVERED}
    later(house, seconds=10)
    house.deliver()
    assert len(phone.received()) == 1
    assert row(house).state in {SendState.SENT, SendState.DELIVERED}


@pytest.fixture
def unsure(open_house):
    """A house whose template message to 张伟 arrived; its answer was lost, and no event tells of it."""
    house = open_house(timeout_seconds=0.4)
    house.wechat.settings(delivery_events=False)
    house.wechat.inject(TEMPLATE, kind="hang_after", times=1)
    tell(house, house.phone("张伟"), kind=NoticeKind.BROADCAST)
    house.deliver()
    assert row(house).state is SendState.WAITING
    yield house
    house.wechat.settings(delivery_events=True)


def test_after_ten_minutes_wechat_would_not_know_the_double_so_nobody_tries(unsure):
    """Somebody paused the campaign between the two tries (pitfall 18)."""
    later(unsure, minutes=11)
    unsure.deliver()
    assert row(unsure).state is SendState.UNKNOWN
    assert len(unsure.phone("张伟").received()) == 1


def test_the_ten_minutes_begin_with_the_first_try_that_may_have_left(unsure):
    unsure.wechat.inject(TEMPLATE, kind="drop", times=1)
    later(unsure, minutes=6)
    unsure.deliver()
    assert row(unsure).state is SendState.WAITING
    later(unsure, minutes=6)
    unsure.deliver()
    assert row(unsure).state is SendState.UNKNOWN
    assert len(unsure.phone("张伟").received()) == 1


def test_nor_is_it_counted_as_not_sent_when_somebody_cancels(unsure):
    with unsure.database.transaction() as session:
        assert campaigns.cancel(session, "c", unsure.clock(), by=None) == 0
    assert row(unsure).state is SendState.UNKNOWN


def test_what_may_have_left_does_not_expire_as_not_sent(unsure):
    later(unsure, hours=49)
    unsure.deliver()
    assert row(unsure).state is SendState.UNKNOWN


def test_a_lost_answer_to_words_in_the_chat_is_unknown_and_never_repeated(open_house):
    house = open_house(timeout_seconds=0.4)
    phone = house.phone("张伟")
    phone.says("帮助")
    house.wechat.inject(CUSTOMER, kind="hang_after", times=1)
    tell(house, phone)
    house.deliver()
    later(house, hours=1)
    house.deliver()
    assert row(house).state is SendState.UNKNOWN
    assert len(phone.received()) == 1


def test_values_that_a_template_cannot_hold_are_refused_before_the_call(house, zhang_wei):
    with house.database.transaction() as session:
        facts = {**FACTS, "time": "大概九点"}
        letter = Letter(NoticeKind.BROADCAST, "c", facts, [Recipient(None, zhang_wei.openid)])
        outbox.queue(session, letter, house.clock())
    house.deliver()
    assert row(house).state is SendState.REFUSED
    assert "time4" in row(house).reason
    assert house.wechat.calls(TEMPLATE) == 0


# --- what WeChat says later ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "state", "says"),
    [
        ("success", SendState.DELIVERED, None),
        ("failed:user block", SendState.REFUSED, "拒收"),
        ("failed: user block", SendState.REFUSED, "拒收"),
        ("failed: system failed", SendState.REFUSED, "内部"),
        ("failed:freq limit", SendState.REFUSED, "频率"),
    ],
)
def test_the_delivery_event_decides(house, zhang_wei, status, state, says):
    house.wechat.deliveries(status, openid=zhang_wei.openid)
    tell(house, zhang_wei)
    house.deliver()
    told = row(house)
    assert told.state is state
    assert told.reason is None if says is None else says in told.reason


def test_an_event_that_overtakes_the_answer_to_its_call_is_not_lost(house, zhang_wei):
    tell(house, zhang_wei)
    with house.database.transaction() as session:
        claimed = claim(session, house.clock(), "me", Channel.TEMPLATE)
    with house.database.transaction() as session:
        assert fates.report_delivery(session, zhang_wei.openid, "77", "success", house.clock())
    with house.database.transaction() as session:
        fates.settle(session, [Fate(claimed.id, SendState.SENT, msgid="78")], house.clock())
    assert (row(house).state, row(house).msgid) == (SendState.DELIVERED, "77")


def test_an_event_that_meets_the_settling_of_its_row_cannot_fall_between_two_questions(house, zhang_wei):
    """It once did: asked by id just before the id was written, and by state just after. One question sees either."""
    tell(house, zhang_wei)
    house.deliver()
    asked: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    with house.database.transaction() as session:
        session.connection()
        sa.event.listen(house.database.engine, "before_cursor_execute", note)
        fates.report_delivery(session, zhang_wei.openid, row(house).msgid, "success", house.clock())
        sa.event.remove(house.database.engine, "before_cursor_execute", note)
    reads = [each for each in asked if each.startswith("SELECT outbox.id ") and "LIMIT" in each]
    assert len(reads) == 1


def test_an_event_about_somebody_elses_message_changes_nothing(house, zhang_wei, li_na):
    house.wechat.deliveries("failed:user block", openid="nobody")
    tell(house, zhang_wei)
    house.deliver()
    before = row(house)
    with house.database.transaction() as session:
        assert not fates.report_delivery(session, li_na.openid, before.msgid, "failed:user block", house.clock())
        assert not fates.report_delivery(session, zhang_wei.openid, "other", "failed:user block", house.clock())
    assert row(house).state is SendState.DELIVERED


def test_a_second_event_does_not_undo_the_first(house, zhang_wei):
    tell(house, zhang_wei)
    house.deliver()
    with house.database.transaction() as session:
        fates.report_delivery(session, zhang_wei.openid, row(house).msgid, "failed:user block", house.clock())
    assert row(house).state is SendState.DELIVERED


# --- a sender that dies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "age", "state", "arrives"),
    [
        (Channel.TEMPLATE, timedelta(minutes=5), SendState.DELIVERED, 1),
        (Channel.TEMPLATE, timedelta(minutes=9), SendState.UNKNOWN, 0),
        (Channel.TEMPLATE, timedelta(hours=5), SendState.UNKNOWN, 0),
        (Channel.CUSTOMER, timedelta(seconds=20), SendState.UNKNOWN, 0),
    ],
)
def test_what_a_dead_sender_left_is_decided_by_how_far_it_came(house, zhang_wei, channel, age, state, arrives):
    """Not called yet: again. A young template: again, WeChat removes the double. Else nobody knows."""
    tell(house, zhang_wei)
    with house.database.transaction() as session:
        claim(session, house.clock(), "the dead", channel)
    later(house, seconds=age.total_seconds())
    house.deliver()
    found = row(house)
    assert found.state is state
    assert len(zhang_wei.received()) == arrives
    if state is SendState.UNKNOWN:
        assert "不会自动重发" in found.reason


class Killed(BaseException):
    """As the kernel would, but for one sender only."""


def test_killed_between_the_call_and_its_note_a_person_still_gets_one_template(house, zhang_wei, monkeypatch):
    """The call left, the process died, another takes over within the ten minutes."""
    dying = house.parts.delivery()

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    monkeypatch.setattr(dying, "_settle", die)
    tell(house, zhang_wei)
    with pytest.raises(Killed):
        dying.run()
    assert row(house).state in {SendState.CLAIMED, SendState.DELIVERED}
    later(house, seconds=30)
    house.deliver()
    assert len(zhang_wei.received()) == 1
    assert row(house).state in {SendState.SENT, SendState.DELIVERED}
    monkeypatch.undo()
    dying.stop()


def test_two_senders_share_the_work_and_nobody_gets_two(house):
    people = [f"oShared{n:03d}".ljust(28, "0") for n in range(60)]
    house.wechat.add_followers(people)
    tell(house, *people, kind=NoticeKind.BROADCAST)
    other = house.parts.delivery()
    with ThreadPoolExecutor(2) as pool:
        sent = sum(pool.map(lambda sender: sender.run_until_empty(), [house.delivery, other]))
    house.wechat.settle()
    assert sent == 60
    assert set(house.wechat.counts(path=TEMPLATE)["counts"].values()) == {1}
    assert {each.state for each in rows(house)} == {SendState.DELIVERED}
    other.stop()


def test_a_sender_that_lives_keeps_what_it_has_claimed(house, zhang_wei):
    """Another one looks after the dead only: whose lease still runs is not dead, however slow."""
    tell(house, zhang_wei)
    slow = house.parts.delivery()
    with house.database.transaction() as session:
        slow._beat(session, house.clock())
        claim(session, house.clock(), slow._holder, Channel.TEMPLATE)
    later(house, seconds=10)
    assert house.delivery.run() == 0
    assert row(house).state is SendState.CLAIMED
    later(house, seconds=6)
    assert house.delivery.run() == 1
    slow.stop()


# --- when nothing can leave ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [{"code": 40164}, {"code": 40125}, {"kind": "drop"}])
def test_without_a_token_rows_wait_and_no_attempt_is_counted(house, zhang_wei, fault):
    """An hour without a token must not use up five attempts: the rows are there when it is back."""
    house.wechat.expire_tokens(kill=True)
    house.wechat.inject(TOKEN, **fault)
    tell(house, zhang_wei)
    for _ in range(12):
        house.deliver()
        waiting = row(house)
        assert (waiting.state, waiting.attempts) == (SendState.WAITING, 0)
        assert waiting.reason
        later(house, minutes=5)
    house.wechat.heal()
    later(house, hours=1)
    house.deliver()
    assert row(house).state is SendState.DELIVERED


def test_in_an_open_circuit_nobody_is_called(house, zhang_wei):
    house.wechat.inject(TEMPLATE, 40001)
    for n in range(20):
        tell(house, f"oSomebody{n}".ljust(28, "0"), campaign=f"n{n}")
    house.deliver()
    house.deliver()
    assert house.wechat.calls(TEMPLATE) <= 40, "each once, and once more with the new token"
    assert house.wechat.calls(TOKEN) <= 2
    assert all(row(house, f"n{n}").state is SendState.WAITING for n in range(20))
    assert all(row(house, f"n{n}").attempts == 0 for n in range(20))
    with house.database.reading() as session:
        told = session.scalars(sa.select(Outgoing).where(Outgoing.campaign.like("alarm:token:%"))).all()
    assert told, "the office hears of it as soon as anything can be sent again"


def test_a_wechat_that_cannot_be_reached_uses_up_no_attempt(open_house, local_wechat):
    house = open_house()
    phone = house.phone("张伟")
    house.deliver()
    house.parts.clients["official"].callback_addresses()
    tell(house, phone)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        house.delivery._doors["official"]._base_url = away
        for _ in range(8):
            house.delivery.run_until_empty()
            later(house, minutes=2)
        assert (row(house).state, row(house).attempts) == (SendState.WAITING, 0)
        assert "连不上" in row(house).reason
    house.delivery = house.parts.delivery()
    house.deliver()
    assert row(house).state is SendState.DELIVERED


def test_in_no_send_mode_nothing_leaves_and_nothing_is_lost(house, zhang_wei):
    tell(house, zhang_wei)
    with house.database.transaction() as session:
        switches.stop_sending(session, "恢复备份", house.clock())
    assert house.deliver() == 0
    assert row(house).state is SendState.WAITING
    with house.database.transaction() as session:
        switches.allow_sending(session, house.clock())
    assert house.deliver() == 1
    assert row(house).state is SendState.DELIVERED


# --- when, and in which order --------------------------------------------------------------------------------


def test_what_is_not_due_waits(house, zhang_wei):
    tell(house, zhang_wei, due_at=house.clock() + timedelta(minutes=1))
    assert house.deliver() == 0
    later(house, minutes=1)
    assert house.deliver() == 1


def test_what_is_too_late_expires_and_says_so(house, zhang_wei):
    tell(house, zhang_wei, not_after=house.clock() + timedelta(minutes=10))
    later(house, minutes=11)
    house.deliver()
    assert row(house).state is SendState.EXPIRED
    assert "最晚发送时间" in row(house).reason
    assert house.wechat.calls(TEMPLATE) == 0


def test_words_to_one_go_before_notices_to_many(open_house):
    house = open_house(sending={"per_second": 20.0})
    zhang_wei = house.phone("张伟")
    for n in range(60):
        tell(house, f"oSomebody{n}".ljust(28, "0"), kind=NoticeKind.BROADCAST, campaign=f"bulk{n}")
    house.wechat.add_followers([f"oSomebody{n}".ljust(28, "0") for n in range(60)])
    tell(house, zhang_wei)
    assert house.delivery.run() == 21, "a second's worth, and the one that was not whole yet"
    house.wechat.settle()
    assert row(house).state is SendState.DELIVERED
    assert waiting(house) == 40


def waiting(house: Any) -> int:
    with house.database.reading() as session:
        is_waiting = Outgoing.state == SendState.WAITING
        return session.scalar(sa.select(sa.func.count()).select_from(Outgoing).where(is_waiting))


def test_all_senders_together_keep_the_pace(open_house):
    """F106: 100 a minute is 100 a minute, however many senders there are."""
    house = open_house(sending={"per_second": 100 / 60})
    people = [f"oPaced{n:03d}".ljust(28, "0") for n in range(200)]
    house.wechat.add_followers(people)
    tell(house, *people, kind=NoticeKind.BROADCAST)
    other = house.parts.delivery()
    sent = 0
    for _ in range(60):
        sent += house.delivery.run() + other.run()
        later(house, seconds=1)
    assert 98 <= sent <= 103
    other.stop()


def test_the_same_campaign_reaches_a_person_once(house, zhang_wei):
    """Pitfall 8: however often it is queued."""
    for _ in range(3):
        tell(house, zhang_wei, zhang_wei)
        house.deliver()
    assert len(rows(house)) == 1
    assert len(zhang_wei.received()) == 1


def test_who_has_no_account_or_has_left_has_a_row_too(house):
    with house.database.transaction() as session:
        recipients = [Recipient(1, None), Recipient(2, "oLeft".ljust(28, "0"), False), Recipient(2, None)]
        outbox.queue(session, Letter(NoticeKind.BROADCAST, "c", FACTS, recipients), house.clock())
    assert house.deliver() == 0
    assert {r.reason for r in rows(house)} == {outbox.NO_ACCOUNT, outbox.UNFOLLOWED}
    with house.database.reading() as session:
        tally = fates.tally(session, "c")
    assert tally[SendState.UNREACHABLE] == sum(tally.values()) == 2


def test_the_account_that_follows_is_chosen(house, zhang_wei):
    with house.database.transaction() as session:
        left = Recipient(1, "oLeft".ljust(28, "0"), False)
        both = [left, Recipient(1, zhang_wei.openid), left]
        outbox.queue(session, Letter(NoticeKind.BINDING, "c", FACTS, both), house.clock())
    assert row(house).openid == zhang_wei.openid
    assert row(house).state is SendState.WAITING
