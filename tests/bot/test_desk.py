"""Stored first, answered once, answered in time: what the desk promises when things go wrong."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

import handlers
from bot.clerk import Ticket
from bot.desk import ACKNOWLEDGED, Desk
from bot.inbox import SqlInbox
from bot.messages import Message
from bot.once import AlreadyAnswered, Answered, Busy, Delivery
from bot.router import Router
from handlers.context import Context
from models import Answer, Attendance, Conversation, Follower, InboxMessage, Outcome, Outgoing, SendState
from services.sending import outbox
from simulator.phone import Phone


def count(house: Any, table: Any, *where: Any) -> int:
    with house.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0


def with_routes(house_or_settings: Any, *register: Any) -> Router:
    """The real router and some words of the test's own."""
    router = handlers.router(Context(house_or_settings.settings, house_or_settings.database.vault))
    extra = Router()
    for word, handler in register:
        extra.text(word)(handler)
    router.include([extra])
    return router


@pytest.fixture
def restaged(open_house):
    """Opens the house with some words added to its router, and perhaps less patience."""

    def restage(*register: Any, patience: float | None = None) -> Any:
        house = open_house()
        router = with_routes(house, *register)
        second = open_house(router=router)
        if patience is not None:
            second.desk._within = patience
        return second

    return restage


def test_a_retry_gets_the_same_reply_and_nothing_is_done_twice(house, zhang_wei):
    """The reply is lost twice; WeChat asks three times (F004, pitfall 4)."""
    reply = zhang_wei.says("签到", lose_replies=2)
    assert reply.startswith("签到成功")
    tries = zhang_wei.last["tries"]
    assert len(tries) == 3
    assert len({t["text"] for t in tries}) == 1
    assert count(house, Attendance) == 1
    assert count(house, InboxMessage) == 1


def test_the_same_words_with_a_new_id_are_a_new_request(house, zhang_wei):
    """Pitfall 5."""
    assert zhang_wei.says("签到").startswith("签到成功")
    assert zhang_wei.says("签到").startswith("您已于")
    assert count(house, InboxMessage) == 2


def test_an_event_without_an_id_is_known_by_who_when_what(house):
    """F005: a retried follow greets once."""
    stranger = house.phone("oNewcomer".ljust(28, "0"))
    assert stranger.follows(lose_replies=2).startswith("您好")
    assert count(house, InboxMessage, InboxMessage.kind == "event:subscribe") == 1


def test_slow_work_is_acknowledged_in_time_and_its_result_follows(restaged):
    """F003: “已收到” within the deadline, the result as a customer message, also for the retry."""
    release = threading.Event()
    house = restaged(("慢", lambda _turn: "办好了" if release.wait(20) else "没等到"), patience=0.3)
    zhang_wei = house.phone("张伟")
    assert zhang_wei.says("慢", lose_replies=1) == ACKNOWLEDGED
    assert {t["text"] for t in zhang_wei.last["tries"]} == {ACKNOWLEDGED}
    release.set()
    house.desk.stop()
    house.deliver()
    assert zhang_wei.wait_for("办好了")
    assert count(house, Outgoing, Outgoing.campaign.like("late:%")) == 1
    assert count(house, Answer, Answer.outcome == Outcome.PUSHED) == 1


def test_a_slow_handler_holds_nobody_up(restaged):
    release = threading.Event()
    house = restaged(("慢", lambda _turn: "办好了" if release.wait(20) else None), patience=2.0)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(house.phone("李娜").says, "慢")
        while count(house, InboxMessage) < 1:
            pass
        assert house.phone("张伟").says("签到").startswith("签到成功")
        assert not slow.done()
        release.set()
        assert slow.result() == "办好了"


def test_a_handler_that_raises_tells_an_error_id_and_leaves_nothing(restaged, capsys):
    """F020: the id stands in the log; what was done goes with the transaction."""

    def broken(turn: Any) -> str:
        turn.session.add(Follower(openid="oHalfDone", met_at=turn.at))
        turn.session.flush()
        raise ZeroDivisionError("private words")

    house = restaged(("坏", broken))
    reply = house.phone("张伟").says("坏", lose_replies=1)
    assert "编号" in reply
    error_id = reply.split("编号 ")[1].split(" ")[0]
    assert error_id in capsys.readouterr().out
    assert "private words" not in reply
    assert count(house, Follower, Follower.openid == "oHalfDone") == 0
    assert count(house, Answer, Answer.error_id == error_id) == 1


def test_many_speak_at_once_and_each_is_answered(house):
    """Thirty members of one company: one row each, each their own reply."""
    with house.database.reading() as session:
        openids = session.scalars(
            sa.select(Follower.openid).where(Follower.openid.like("oDemo%"), Follower.is_subscribed).limit(30)
        ).all()
    with ThreadPoolExecutor(30) as pool:
        replies = list(pool.map(lambda o: house.phone(o).says("签到", repeat=1), openids))
    chosen = [r for r in replies if r.startswith("签到成功")]
    asked = [r for r in replies if "几场活动" in r]
    assert len(chosen) + len(asked) == 30
    assert count(house, Attendance) == len(chosen)
    assert count(house, Answer) == 30


def test_the_path_of_a_check_in_has_few_statements(house, zhang_wei):
    """Queries per message: a bound that does not depend on the machine."""
    zhang_wei.says("帮助")
    seen: list[str] = []
    sa.event.listen(house.database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    assert zhang_wei.says("签到").startswith("签到成功")
    real = [s for s in seen if not s.startswith(("BEGIN", "COMMIT", "PRAGMA"))]
    assert len(real) <= 5, real


def test_a_company_takes_as_many_statements_as_one(house):
    """However many come at once: the messages, who they are, what is open, who is there, the answers."""
    with house.database.reading() as session:
        members = sa.select(Follower.openid).where(Follower.openid.like("oDemo%"), Follower.person_id.is_not(None))
        openids = session.scalars(members.limit(100)).all()
    company = [Ticket(_delivery(house, openid, "签到", f"company{openid}")) for openid in openids]
    seen: list[str] = []
    sa.event.listen(house.database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    house.desk._serve(company)
    assert all(ticket.answer is not None for ticket in company)
    real = [s for s in seen if not s.startswith(("BEGIN", "COMMIT", "PRAGMA"))]
    assert len(real) <= 5, real


def test_two_messages_at_once_do_not_lose_a_step(house):
    """F014: the second waits for the first to move the talk on; “2” and “2” are a county, then which one."""
    zhao_min = house.phone("赵敏")
    zhao_min.says("群发")
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(zhao_min.says, ["2", "2"]))
    assert sum("哪一个" in reply for reply in replies) == 1
    assert sum("标题是什么" in reply for reply in replies) == 1
    with house.database.reading() as session:
        said = session.scalar(sa.select(Conversation.said).where(Conversation.openid == zhao_min.openid))
    assert said == '{"audience": "县:", "place": "二七区"}'


def _delivery(house: Any, openid: str, text: str, msg_id: str) -> Delivery:
    fields = {
        "ToUserName": "gh", "FromUserName": openid, "CreateTime": "1", "MsgType": "text", "Content": text,
        "MsgId": msg_id,
    }  # fmt: skip
    message = Message.of(fields)
    return Delivery(message, msg_id.rjust(40, "0")[-40:], house.clock(), key=message.key)


def _dead_message(house: Any, phone: Phone, text: str) -> Delivery:
    """A message that was stored by a process which then died."""
    delivery = _delivery(house, phone.openid, text, "9001")
    with house.database.transaction() as session:
        SqlInbox(outbox.push_late).store(session, [delivery])
    return delivery


def test_what_a_dead_process_left_is_finished_once_and_pushed(house, zhang_wei):
    """F007: kill in the handler, restart: finished once, and the person is told."""
    zhang_wei.says("帮助")
    _dead_message(house, zhang_wei, "签到")
    assert house.desk.recover() == 0, "its process may still live"
    house.clock.at += timedelta(seconds=30)
    assert house.desk.recover() == 1
    assert house.desk.recover() == 0
    assert count(house, Attendance) == 1
    house.deliver()
    zhang_wei.wait_for("签到成功")


def test_a_message_that_kills_its_process_again_and_again_is_given_up(house, zhang_wei):
    delivery = _dead_message(house, zhang_wei, "签到")
    with house.database.transaction() as session:
        session.execute(sa.update(InboxMessage).where(InboxMessage.key == delivery.key).values(attempts=3))
    house.clock.at += timedelta(seconds=30)
    assert house.desk.recover() == 1
    assert count(house, Answer, Answer.outcome == Outcome.FAILED) == 1
    assert count(house, Attendance) == 0


def test_an_answer_can_be_given_once_only(house, zhang_wei):
    """The database's promise: the second to finish is refused, with all it did."""
    delivery = _dead_message(house, zhang_wei, "签到")
    inbox = SqlInbox(outbox.push_late)
    answer = Answered(delivery.key, zhang_wei.openid, "一", "签到", house.clock(), 1)
    with house.database.transaction() as session:
        inbox.finish(session, [answer])
    with pytest.raises(AlreadyAnswered), house.database.transaction() as session:
        inbox.finish(session, [answer])


def test_acknowledged_or_answered_is_never_both(house, zhang_wei):
    """Fifty races between “the time is up” and “it is done”: the answer goes out exactly one way."""
    inbox = SqlInbox(outbox.push_late)
    for n in range(50):
        delivery = _delivery(house, zhang_wei.openid, "x", f"race{n}")
        with house.database.transaction() as session:
            inbox.store(session, [delivery])
        with ThreadPoolExecutor(2) as pool:
            finished = pool.submit(
                _finish, house, inbox, Answered(delivery.key, zhang_wei.openid, "好", "x", house.clock(), 1)
            )
            said = pool.submit(_acknowledge, house, inbox, delivery)
        # The answer came first and is given now; or the promise did, and the answer is refused and made again.
        assert said.result().is_late == (finished.exception() is not None)
        if said.result().is_late:
            assert isinstance(finished.exception(), AlreadyAnswered)
            late = Answered(delivery.key, zhang_wei.openid, "好", "x", house.clock(), 5000)
            _finish(house, inbox, late)
        pushed = count(house, Outgoing, Outgoing.campaign == f"late:{delivery.key}")
        assert pushed == said.result().is_late


def _finish(house: Any, inbox: SqlInbox, answer: Answered) -> None:
    with house.database.transaction() as session:
        inbox.finish(session, [answer])


def _acknowledge(house: Any, inbox: SqlInbox, delivery: Delivery) -> Answered:
    with house.database.transaction() as session:
        return inbox.acknowledge(session, delivery, house.clock())


def test_a_full_desk_asks_wechat_to_try_again(house, monkeypatch):
    from bot import desk

    monkeypatch.setattr(desk, "MAX_WAITING", 0)
    delivery = Delivery(Message.of({"FromUserName": "o", "MsgType": "text"}), "s", house.clock())
    with pytest.raises(Busy):
        asyncio.run(house.desk.receive(delivery))


def test_leaving_stops_pushes_and_keeps_records(house, zhang_wei):
    """F015."""
    zhang_wei.says("签到")
    zhang_wei.unfollows()
    with house.database.transaction() as session:
        from models import NoticeKind

        person = session.get_one(Follower, zhang_wei.openid).person_id or 0
        outbox.tell(session, NoticeKind.BROADCAST, "test", {"title": "t", "text": "t"}, [person], house.clock())
    with house.database.reading() as session:
        row = session.scalar(sa.select(Outgoing).where(Outgoing.campaign == "test"))
        assert row.state is SendState.UNREACHABLE
        assert row.reason == "已取消关注"
    assert count(house, Attendance) == 1
    assert zhang_wei.follows().startswith("欢迎回来")


def test_a_stopped_desk_takes_nothing(house):
    house.desk.stop()
    delivery = Delivery(Message.of({"FromUserName": "o", "MsgType": "text"}), "s", house.clock())
    with pytest.raises(Busy):
        asyncio.run(house.desk.receive(delivery))
    assert isinstance(house.desk, Desk)
