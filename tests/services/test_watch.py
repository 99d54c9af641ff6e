"""What is wrong with sending is seen by the ready page, the figures and, when it matters, the office (F139, F140)."""

from __future__ import annotations

import json
import urllib.request
from datetime import timedelta

import pytest
import sqlalchemy as sa

from clock import parse_instant
from models import (
    Campaign,
    CampaignState,
    Channel,
    Credential,
    Due,
    Gathering,
    Lease,
    Notice,
    NoticeKind,
    Outgoing,
    SendState,
)
from services import switches
from services.sending import campaigns, outbox, pace, quotas, watch
from services.sending.outbox import Letter, Recipient

FACTS = {"title": "周五学习", "text": "请准时参加。"}


@pytest.fixture
def sending(house):
    """A sender that lives."""
    with house.database.transaction() as session:
        until = house.clock.at + timedelta(days=30)
        session.add(Lease(name="sender:test", holder="test", until=until))
    return house


def queue(house, kind=NoticeKind.BROADCAST, name="broadcast:7", minutes_ago=0):
    at = house.clock.at - timedelta(minutes=minutes_ago)
    with house.database.transaction() as session:
        outbox.queue(session, Letter(kind, name, FACTS, [Recipient(None, f"o{n}") for n in range(3)]), at)


def troubles(house):
    with house.database.reading() as session:
        return {each.about: each for each in watch.look(session, house.settings, house.clock.at)}


def use(house, channel, calls):
    with house.database.transaction() as session:
        quotas.use(session, "official", channel, house.clock.at, calls)


def open_circuit(house):
    with house.database.transaction() as session:
        until = house.clock.at + timedelta(hours=1)
        app_id = house.settings.wechat.app_id
        session.merge(Credential(app_id=app_id, failures=3, open_until=until, reason="AppSecret 不正确"))


def page(house, path):
    with urllib.request.urlopen(f"{house.url}{path}") as answer:
        return answer.read().decode()


def figures(house):
    lines = (line.rsplit(" ", 1) for line in page(house, "/metrics").splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def reasons(house):
    checks = json.loads(page(house, "/readyz"))["checks"]
    return {check["name"]: check["says"] for check in checks if not check["is_ok"]}


def alarms(house):
    with house.database.reading() as session:
        return session.scalars(
            sa.select(Notice.campaign).where(Notice.kind == NoticeKind.ALARM).order_by(Notice.id)
        ).all()


# --- what is seen --------------------------------------------------------------------------------------------


def test_a_quiet_house_has_no_trouble(sending):
    assert troubles(sending) == {}
    assert figures(sending)["assistant_senders"] == 1


def test_a_low_quota_is_seen_before_it_is_used_up(sending):
    use(sending, Channel.TEMPLATE, 89_999)
    assert troubles(sending) == {}
    use(sending, Channel.TEMPLATE, 2)
    assert "模板消息的额度只剩 9999 次（共 100000 次）" in reasons(sending)["发送额度快用完了"]
    seen = figures(sending)
    assert seen['assistant_quota_used{channel="template"}'] == 90_001
    assert seen['assistant_quota_left{channel="template"}'] == 9_999


def test_a_stopped_notice_is_named_with_its_reason_and_what_to_do(sending):
    queue(sending)
    with sending.database.transaction() as session:
        campaigns.stop(session, "broadcast:7", "模板编号不对（40037）", sending.clock.at)
    says = reasons(sending)["有一次发送停着"]
    assert "模板编号不对" in says
    assert "outbox resume broadcast:7" in says
    assert figures(sending)['assistant_campaigns{state="stopped"}'] == 1


def test_unknown_fates_are_counted(sending):
    queue(sending)
    with sending.database.transaction() as session:
        session.execute(sa.update(Outgoing).values(state=SendState.UNKNOWN))
    assert reasons(sending)["结果不明"].startswith("3 条结果不明")


def test_rows_that_wait_for_nobody_are_seen(house):
    queue(house, minutes_ago=1)
    assert "没有发送进程" in reasons(house)
    assert figures(house)["assistant_outbox_oldest_waiting_seconds"] == 60


@pytest.mark.parametrize(
    ("kind", "minutes", "is_wrong"),
    [
        (NoticeKind.REMINDER, 9, False),
        (NoticeKind.REMINDER, 11, True),
        (NoticeKind.BROADCAST, 119, False),
        (NoticeKind.BROADCAST, 121, True),
    ],
)
def test_words_to_one_may_not_wait_long_and_a_notice_to_all_may(sending, kind, minutes, is_wrong):
    queue(sending, kind, minutes_ago=minutes)
    assert ("too-old" in troubles(sending)) is is_wrong


def test_what_is_paused_or_must_not_leave_is_not_late(sending):
    queue(sending, minutes_ago=300)
    with sending.database.transaction() as session:
        campaigns.pause(session, "broadcast:7", sending.clock.at, by=None)
    assert troubles(sending) == {}
    assert figures(sending)["assistant_outbox_oldest_waiting_seconds"] == 0
    with sending.database.transaction() as session:
        campaigns.resume(session, "broadcast:7", sending.clock.at, by=None)
        switches.stop_sending(session, "换公众号", sending.clock.at)
    assert troubles(sending) == {}


def test_a_hold_and_an_open_circuit_are_figures(sending):
    open_circuit(sending)
    with sending.database.transaction() as session:
        pace.hold(session, sending.clock.at + timedelta(seconds=90))
    seen = figures(sending)
    assert seen['assistant_circuit_open{app="official"}'] == 1
    assert seen["assistant_pace_held_seconds"] == 90
    assert reasons(sending)["调用微信"] == "AppSecret 不正确"
    assert "暂时不能调用微信" not in reasons(sending), "one line for one thing"


def test_a_friday_that_nobody_planned_is_seen(sending):
    assert "period-2026-11-27" not in troubles(sending)
    with sending.database.transaction() as session:
        session.execute(sa.delete(Gathering))
    assert "11月27日（周五）的学习日没有排出来" in reasons(sending)["学习日没有排出来"]


def test_a_friday_on_which_nothing_is_held_is_no_trouble(sending):
    """2026-10-02 is in the national holiday; the rule moves its day before it, and then it is over."""
    with sending.database.transaction() as session:
        session.execute(sa.delete(Gathering))
    sending.now("2026-10-01T09:00")
    assert [about for about in troubles(sending) if about.startswith("period")] == []


# --- who is told ---------------------------------------------------------------------------------------------


def test_the_clock_tells_the_office_once_a_day(sending, zhao_min):
    open_circuit(sending)
    use(sending, Channel.TEMPLATE, 95_000)
    for minute in ("09:00", "09:01", "09:10", "09:50"):
        sending.now(f"2026-11-27T{minute}")
        sending.tick()
    assert alarms(sending) == ["alarm:token:2026-11-27", "alarm:quota-low-template:2026-11-27"]
    with sending.database.reading() as session:
        to = session.scalars(sa.select(Outgoing.openid).where(Outgoing.campaign == "alarm:token:2026-11-27")).all()
    assert zhao_min.openid in to


def test_the_watch_looks_once_in_ten_minutes(sending):
    for minute in ("09:00", "09:01", "09:09", "09:10"):
        sending.now(f"2026-11-27T{minute}")
        sending.tick()
    with sending.database.reading() as session:
        due = session.scalars(sa.select(Due.due_at).where(Due.rule == "watch").order_by(Due.due_at)).all()
    assert due == [parse_instant("2026-11-27T09:00"), parse_instant("2026-11-27T09:10")]


def test_a_notice_that_stays_stopped_is_told_again_the_next_day(sending):
    """On the day itself the sender has told."""
    queue(sending)
    with sending.database.transaction() as session:
        campaigns.stop(session, "broadcast:7", "模板编号不对", sending.clock.at)
    sending.tick()
    assert alarms(sending) == []
    sending.now("2026-11-28T09:00")
    sending.tick()
    assert alarms(sending) == ["alarm:stopped-broadcast:7:2026-11-28"]
    with sending.database.transaction() as session:
        session.execute(sa.update(Campaign).values(state=CampaignState.RUNNING))
    sending.now("2026-11-29T09:00")
    sending.tick()
    assert len(alarms(sending)) == 1


def test_a_missing_friday_is_told(sending, monkeypatch):
    monkeypatch.setattr("services.meetings.rhythm.plan", lambda *_: 0)
    with sending.database.transaction() as session:
        session.execute(sa.delete(Gathering))
    sending.tick()
    assert alarms(sending) == ["alarm:period-2026-11-27:2026-11-27"]
