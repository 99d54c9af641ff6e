"""So many notices in a week from all senders together; the rest is one digest, and the senders see why (F046)."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from clock import BEIJING, at_beijing, beijing_date, parse_instant
from models import (
    Affiliation,
    CampaignState,
    DueState,
    Follower,
    Notice,
    NoticeKind,
    Outgoing,
    Post,
    Role,
    SendState,
    Topic,
)
from services import switches
from services.membership import binding, people
from services.sending import broadcasts, burden, campaigns, digests, fates, outbox, preferences
from services.sending.audience import Audience
from services.sending.burden import Week
from services.sending.outbox import Letter, Recipient

SUNDAY = "2026-11-29T17:00"
MOST = 3


def plain(text: str) -> str:
    return re.sub(r"<a [^>]*>|</a>", "", text)


def send(
    house: Any, name: str, *to: Any, topic: Topic = Topic.ACTIVITY, due_at: datetime | None = None
) -> dict[SendState, int]:
    """One sender's notice; how many rows are in each state right after."""
    recipients = [each if isinstance(each, Recipient) else member(house, each) for each in to]
    facts = {"title": f"通知{name}", "words": "正文", "text": f"【通知{name}】全文{name}"}
    letter = Letter(NoticeKind.BROADCAST, name, facts, recipients, due_at, topic=topic, per_week=MOST)
    with house.database.transaction() as session:
        outbox.queue(session, letter, house.clock())
        return {state: many for state, many in fates.tally(session, name).items() if many}


def member(house: Any, phone: Any) -> Recipient:
    with house.database.reading() as session:
        follower = session.get(Follower, phone.openid)
    return Recipient(follower.person_id if follower else None, phone.openid)


def fill(house: Any, *to: Any, week: int = MOST) -> None:
    """So many notices as a week may have."""
    for n in range(week):
        assert SendState.FOLDED not in send(house, f"full:{n}", *to)


def digest_rows(house: Any) -> list[Outgoing]:
    with house.database.reading() as session:
        return list(session.scalars(sa.select(Outgoing).where(Outgoing.campaign.like("digest:%"))))


def decided(house: Any) -> list[str]:
    return [d.note for d in house.tick() if d.rule == "digest"]


# --- six senders ---------------------------------------------------------------------------------------------


def test_six_senders_make_one_digest_and_each_sender_sees_why(house, zhao_min, zhang_wei, li_na):
    """The acceptance test of F046: three arrive, three become one message, nobody is lost from any total."""
    with house.database.transaction() as session:
        to, author = (session.get_one(Follower, p.openid).person_id for p in (zhang_wei, zhao_min))
        office = [author, *_five_more(session, author, house.clock())]
        branch = people.branches_of(session, to, date(2026, 11, 27))[0].name
        size = len(people.members_of(session, _branch_id(session, to), date(2026, 11, 27)))
    house.wechat.add_followers([f.openid for f in _followers(house)])
    for n, by in enumerate(office[1:], 1):
        _broadcast(house, f"支部:“{branch}”", f"第{n}家活动", by)
        house.now(f"2026-11-27T09:0{n}")
        house.deliver()

    preview = _preview(zhao_min, branch, "第6家活动")
    full = int(re.search(r"本周已满，并入周汇总 (\d+)", preview).group(1))
    figures = re.search(r"共 (\d+) 人，可达 (\d+)(?:（.*?）)?，(.*)", preview)
    assert int(figures[1]) == size == int(figures[2]) + sum(map(int, re.findall(r" (\d+)", figures[3])))
    report = plain(zhao_min.says(re.search(r"确认发送请回复 (\d{4})", preview).group(1)))
    assert f"并入周汇总 {full}" in report, "the preview equals what is sent"
    assert "本周（11月23日–29日）已有 3 条可退订的通知，每人每周最多 3 条，并入周汇总" in report
    assert f"汇总：周日 17:00 发出 {full}" in report

    states = {n: _tally(house, f"broadcast:{n}") for n in range(1, 7)}
    assert all(sum(counted.values()) == size for counted in states.values())
    assert [counted[SendState.FOLDED] for counted in states.values()] == [0, 0, 0, full, full, full]

    house.now(SUNDAY)
    assert decided(house) == [f"汇总给 {full} 人"]
    house.deliver()
    assert Counter(row.state for row in digest_rows(house)) == {SendState.DELIVERED: full}
    with house.database.reading() as session:
        notices = session.scalars(sa.select(Notice).where(Notice.kind == NoticeKind.DIGEST)).all()
    assert len(notices) == 1, "all missed the same, so they share one notice"
    for phone in (zhang_wei, li_na):
        assert [line for line in phone.received() if "一周汇总" in line["text"]] != []
        assert len([line for line in phone.received() if "家活动" in line["text"] or "一周汇总" in line["text"]]) == 4
    whole = zhang_wei.says("汇总")
    assert all(f"【第{n}家活动】" in whole for n in (4, 5, 6))
    assert "第3家" not in whole
    assert f"汇总：已送达 {full}" in plain(zhao_min.says("进度"))


def _branch_id(session: Any, person_id: int) -> int:
    return session.scalar(sa.select(Affiliation.branch_id).where(Affiliation.person_id == person_id))


def _five_more(session: Any, author: int, at: datetime) -> list[int]:
    more = list(session.scalars(sa.select(Affiliation.person_id).where(Affiliation.person_id != author).limit(5)))
    for person_id in more:
        session.add(Post(person_id=person_id, role=Role.OFFICE, since_on=beijing_date(at)))
    return more


def _followers(house: Any) -> list[Follower]:
    with house.database.reading() as session:
        return list(session.scalars(sa.select(Follower).where(Follower.is_subscribed)))


def _broadcast(house: Any, to: str, title: str, by: int) -> None:
    from handlers.context import Context

    context = Context(house.settings, house.database.vault)
    with house.database.transaction() as session:
        text = broadcasts.Text(title, "自愿参加。", Topic.ACTIVITY)
        row = broadcasts.draft(session, Audience(to), text, house.clock(), context.means, by=by)
        broadcasts.confirm(session, row.id, row.code, house.clock(), house.settings.sending, by=by)


def _preview(phone: Any, branch: str, title: str) -> str:
    for answer in ("群发", "一个支部", branch, title, "自愿参加。"):
        phone.says(answer)
    return plain(phone.says("类别 活动"))


def _tally(house: Any, name: str) -> dict[SendState, int]:
    with house.database.reading() as session:
        return fates.tally(session, name)


# --- what counts ---------------------------------------------------------------------------------------------


def test_the_fourth_is_folded_and_says_the_weeks_count(house, zhang_wei, li_na):
    fill(house, zhang_wei)
    assert send(house, "more", zhang_wei, li_na) == {SendState.FOLDED: 1, SendState.WAITING: 1}
    with house.database.reading() as session:
        row = session.scalars(sa.select(Outgoing).where(Outgoing.state == SendState.FOLDED)).one()
    assert row.reason == "本周（11月23日–29日）已有 3 条可退订的通知，每人每周最多 3 条，并入周汇总"
    assert (row.recipient, row.settled_at) == (member(house, zhang_wei).key, house.clock())


def test_statutory_notices_do_not_count_and_are_never_held_back(house, zhang_wei):
    for n in range(5):
        assert send(house, f"must:{n}", zhang_wei, topic=Topic.STATUTORY) == {SendState.WAITING: 1}
    fill(house, zhang_wei)
    assert send(house, "must:x", zhang_wei, topic=Topic.STATUTORY) == {SendState.WAITING: 1}


@pytest.mark.parametrize("state", sorted(set(SendState) - set(burden.COUNTED)))
def test_what_never_reached_the_person_was_no_burden(house, zhang_wei, state):
    fill(house, zhang_wei)
    with house.database.transaction() as session:
        session.execute(sa.update(Outgoing).where(Outgoing.campaign == "full:0").values(state=state))
    assert send(house, "more", zhang_wei) == {SendState.WAITING: 1}


def test_a_new_week_begins_on_monday_and_the_night_before_belongs_to_the_day_it_is_due(house, zhang_wei):
    fill(house, zhang_wei)
    monday = parse_instant("2026-11-30T07:30")
    house.now("2026-11-29T23:59")
    assert send(house, "night", zhang_wei, due_at=monday) == {SendState.WAITING: 1}
    assert send(house, "late", zhang_wei) == {SendState.FOLDED: 1}
    house.now("2026-11-30T08:00")
    fill(house, zhang_wei, week=0)
    assert send(house, "second", zhang_wei) == {SendState.WAITING: 1}
    assert send(house, "third", zhang_wei) == {SendState.WAITING: 1}
    assert send(house, "fourth", zhang_wei) == {SendState.FOLDED: 1}


def test_letters_of_one_queueing_count_each_other(house, zhang_wei):
    to = [member(house, zhang_wei)]
    letters = [
        Letter(NoticeKind.BROADCAST, f"c{n}", {"title": "t"}, to, topic=Topic.STUDY, per_week=MOST) for n in range(5)
    ]
    with house.database.transaction() as session:
        outbox.queue_all(session, letters, house.clock())
        states = Counter(session.scalars(sa.select(Outgoing.state)))
    assert states == {SendState.WAITING: 3, SendState.FOLDED: 2}


def test_who_declined_is_told_of_as_that_not_as_folded(house, zhang_wei):
    fill(house, zhang_wei)
    zhang_wei.says("退订 活动")
    assert send(house, "more", zhang_wei) == {SendState.WAITING: 1}
    house.deliver()
    assert _tally(house, "more")[SendState.UNREACHABLE] == 1


def test_who_cannot_be_reached_is_unreachable_not_folded(house, zhang_wei):
    me = member(house, zhang_wei)
    fill(house, zhang_wei)
    assert send(house, "more", Recipient(me.person_id, me.openid, False)) == {SendState.UNREACHABLE: 1}


def test_counting_takes_as_many_statements_for_hundreds_as_for_ten(house):
    def statements(name: str, many: int) -> int:
        seen: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        sa.event.listen(house.database.engine, "before_cursor_execute", note)
        send(house, name, *(Recipient(None, f"o{n}") for n in range(many)))
        sa.event.remove(house.database.engine, "before_cursor_execute", note)
        assert sum("count(" in each.lower() and "having" in each.lower() for each in seen) == 1
        return len(seen)

    statements("first", 1)
    assert statements("ten", 10) == statements("hundreds", 400)


def test_two_senders_at_once_do_not_both_see_room(house, zhang_wei):
    """Twelve at the same moment: three get through, whoever they are."""
    with ThreadPoolExecutor(6) as pool:
        states = list(pool.map(lambda n: next(iter(send(house, f"race:{n}", zhang_wei))), range(12)))
    assert Counter(states) == {SendState.WAITING: MOST, SendState.FOLDED: 12 - MOST}


# --- the digest ----------------------------------------------------------------------------------------------


def test_people_who_missed_the_same_share_a_notice_and_each_row_knows_its_digest(house, zhang_wei, li_na, wang_fang):
    everybody = (zhang_wei, li_na, wang_fang)
    fill(house, *everybody)
    send(house, "a", *everybody)
    send(house, "b", zhang_wei, li_na)
    house.now(SUNDAY)
    assert decided(house) == ["汇总给 3 人"]
    with house.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Notice.kind == NoticeKind.DIGEST)) == 2
        rows = session.scalars(sa.select(Outgoing).where(Outgoing.state == SendState.FOLDED)).all()
        digests_made = session.execute(
            sa.select(Outgoing.id, Outgoing.recipient).where(Outgoing.campaign == "digest:2026-W48")
        )
        digest_of = dict(digests_made.all())
    assert len(rows) == 5
    assert [digest_of[row.folded_into] for row in rows] == [row.recipient for row in rows]
    house.deliver()
    assert zhang_wei.says("汇总") == "【通知a】全文a\n\n【通知b】全文b"
    assert wang_fang.says("汇总") == "【通知a】全文a"


def test_fifty_runs_make_one_digest(house, zhang_wei):
    """Pitfall 9."""
    fill(house, zhang_wei)
    send(house, "a", zhang_wei)
    house.now(SUNDAY)
    assert decided(house) == ["汇总给 1 人"]
    for _ in range(49):
        assert decided(house) == []
        with house.database.transaction() as session:
            end = house.clock() + timedelta(hours=9)
            assert digests.compose(session, Week.of(house.clock()), house.clock(), due_at=end, not_after=end) == 0
    assert len(digest_rows(house)) == 1


def test_what_is_folded_after_the_digest_goes_into_the_next(house, zhang_wei):
    fill(house, zhang_wei)
    send(house, "a", zhang_wei)
    house.now(SUNDAY)
    decided(house)
    house.now("2026-11-29T19:00")
    send(house, "b", zhang_wei)
    assert decided(house) == []
    house.now("2026-12-06T17:00")
    assert decided(house) == ["汇总给 1 人"]
    assert [row.campaign for row in digest_rows(house)] == ["digest:2026-W48", "digest:2026-W49"]


def test_what_a_person_has_declined_by_sunday_is_not_in_the_digest(house, zhang_wei, li_na):
    fill(house, zhang_wei, li_na)
    send(house, "a", zhang_wei, li_na)
    send(house, "b", zhang_wei, li_na, topic=Topic.STUDY)
    zhang_wei.says("退订 活动")
    li_na.says("退订 全部")
    house.now(SUNDAY)
    assert decided(house) == ["汇总给 1 人"]
    house.deliver()
    assert zhang_wei.says("汇总") == "【通知b】全文b"
    with house.database.reading() as session:
        settled = session.scalars(sa.select(Outgoing.reason).where(Outgoing.campaign == "a")).all()
    assert settled == ["本人退订了“活动”类通知"] * 2


def test_what_its_sender_has_ended_or_halted_is_not_told(house, zhang_wei):
    fill(house, zhang_wei)
    for name in ("ended", "halted", "running"):
        send(house, name, zhang_wei)
    with house.database.transaction() as session:
        assert campaigns.can_be_cancelled(session, "ended")
        assert campaigns.cancel(session, "ended", house.clock(), by=None) == 1
        campaigns.pause(session, "halted", house.clock(), by=None)
    house.now(SUNDAY)
    decided(house)
    assert zhang_wei.says("汇总") == "【通知running】全文running"
    with house.database.transaction() as session:
        assert not campaigns.can_be_cancelled(session, "running"), "it has been told"
        assert campaigns.get(session, "ended").state is CampaignState.CANCELLED
        campaigns.resume(session, "halted", house.clock(), by=None)
    house.now("2026-12-06T17:00")
    assert decided(house) == ["汇总给 1 人"]


def test_a_restored_copy_that_gives_up_its_backlog_gives_up_the_folded_too(house, zhang_wei):
    fill(house, zhang_wei)
    send(house, "a", zhang_wei)
    with house.database.transaction() as session:
        switches.stop_sending(session, "恢复", house.clock())
        assert switches.allow_sending(session, house.clock(), discard=True) == MOST + 1
    house.now(SUNDAY)
    assert decided(house) == ["汇总给 0 人"]


def test_down_on_sunday_it_goes_on_monday_morning_and_not_later(house, zhang_wei):
    """F044: with the limit of the rule, and out of the quiet hours."""
    fill(house, zhang_wei)
    send(house, "a", zhang_wei)
    house.now("2026-11-30T06:00")
    assert decided(house) == ["汇总给 1 人"]
    assert [row.due_at for row in digest_rows(house)] == [parse_instant("2026-11-30T07:30")]


def test_too_late_on_monday_it_is_marked_and_its_news_goes_along_next_sunday(house, zhang_wei):
    house.tick()
    fill(house, zhang_wei)
    send(house, "a", zhang_wei)
    house.now("2026-11-30T12:01")
    assert [d.state for d in house.tick() if d.rule == "digest"] == [DueState.EXPIRED]
    house.now("2026-12-06T17:00")
    assert decided(house) == ["汇总给 1 人"]
    assert [row.campaign for row in digest_rows(house)] == ["digest:2026-W49"]


def test_somebody_who_has_left_meanwhile_is_unreachable_and_said_so(house, zhang_wei):
    fill(house, zhang_wei)
    send(house, "a", zhang_wei)
    with house.database.transaction() as session:
        binding.unfollow(session, zhang_wei.openid, house.clock())
    house.now(SUNDAY)
    decided(house)
    assert [(row.state, row.reason) for row in digest_rows(house)] == [(SendState.UNREACHABLE, "已取消关注")]
    with house.database.reading() as session:
        assert digests.fates_of(session, "a") == {SendState.UNREACHABLE: 1}


def test_without_a_digest_the_chat_says_so(zhang_wei):
    assert zhang_wei.says("汇总").startswith("最近两周没有给您的汇总")


def test_the_digest_is_statutory_and_weighs_nothing(house, zhang_wei):
    zhang_wei.says("退订 全部")
    with house.database.reading() as session:
        me = member(house, zhang_wei).key
        assert not burden.weighs(NoticeKind.DIGEST, Topic.STATUTORY)
        assert preferences.declined(session, [me], Topic.STATUTORY) == set()


# --- the calendar of weeks, 2018–2035 ------------------------------------------------------------------------

instants = st.datetimes(datetime(2018, 1, 1), datetime(2035, 12, 31), timezones=st.just(BEIJING))  # noqa: DTZ001


@given(instants)
def test_every_instant_lies_in_one_week_from_monday_to_sunday(at):
    week = Week.of(at)
    assert week.starts_at <= at < week.ends_at
    assert (week.monday.weekday(), week.sunday.weekday()) == (0, 6)
    assert week.ends_at - week.starts_at == timedelta(days=7)
    assert Week.of(week.starts_at) == Week.of(week.ends_at - timedelta(microseconds=1)) == week
    assert Week.of(week.ends_at).before == week
    assert Week.of(week.starts_at - timedelta(microseconds=1)) == week.before


def test_weeks_have_names_of_their_own_in_order():
    mondays = [date(2018, 1, 1) + timedelta(days=7 * n) for n in range(939)]
    names = [Week(monday).name for monday in mondays]
    assert mondays[-1] == date(2035, 12, 24)
    assert len(set(names)) == len(names)
    assert names == sorted(names)
    assert (Week.of(at_beijing(date(2026, 12, 31), datetime.min.time())).name) == "2026-W53"
    assert str(Week(date(2026, 11, 30))) == "11月30日–12月6日"
