"""群发: previewed as it will be, confirmed once, each person once, and every figure adds up (F032, F103, F104)."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from errors import NotFound, RuleBroken
from models import Affiliation, Branch, Broadcast, BroadcastState, County, Follower, Outgoing, Post, Role, SendState
from services.sending import broadcasts, fates

TEMPLATE = "/cgi-bin/message/template/send"
HOME = "金水区"


@pytest.fixture
def house(open_house):
    """A house in which one person's word is enough; tests/handlers/test_approval.py has the other."""
    return open_house(sending={"approval_above": 1_000_000})


def plain(text: str) -> str:
    return re.sub(r"<a [^>]*>|</a>", "", text)


@pytest.fixture(autouse=True)
def small_county(house) -> None:
    """Few enough people that every one of them can be written to; WeChat knows them all."""
    with house.database.transaction() as session:
        home = session.scalar(sa.select(County.id).where(County.name == HOME))
        branches = sa.select(Branch.id).where(Branch.county_id == home)
        cast = session.scalars(sa.select(Follower.person_id).where(Follower.openid.like("oSim%"))).all()
        everybody = session.scalars(
            sa.select(Affiliation.person_id)
            .distinct()
            .where(Affiliation.branch_id.in_(branches))
            .order_by(Affiliation.person_id)
        ).all()
        kept = {*cast, *everybody[:40]}
        gone = [person for person in everybody if person not in kept]
        session.execute(
            sa.delete(Affiliation).where(Affiliation.branch_id.in_(branches), Affiliation.person_id.in_(gone))
        )
        following = session.scalars(
            sa.select(Follower.openid).where(Follower.person_id.in_(kept), Follower.is_subscribed)
        ).all()
    house.wechat.add_followers(following)


def write(phone: Any, *places: str, title: str = "周五学习", body: str = "请准时参加。") -> str:
    """Up to the preview; `places` answers the questions about the audience."""
    phone.says("群发")
    for answer in places:
        phone.says(answer)
    phone.says(title)
    return plain(phone.says(body))


def code_of(preview: str) -> str:
    return re.search(r"确认发送请回复 (\d{4})", preview).group(1)


def figures(preview: str) -> tuple[int, int, int, int]:
    """Everybody, reachable, not bound, gone."""
    everybody, reachable = re.search(r"共 (\d+) 人，可达 (\d+)", preview).groups()
    others = [re.search(rf"{name} (\d+)", preview) for name in ("未绑定微信", "已取消关注")]
    return int(everybody), int(reachable), *(int(found[1]) if found else 0 for found in others)


def rows(house: Any, *where: Any) -> int:
    with house.database.reading() as session:
        return session.scalar(
            sa.select(sa.func.count()).select_from(Outgoing).where(Outgoing.campaign.like("broadcast:%"), *where)
        )


def members_of_county(house: Any, county: str) -> set[int]:
    with house.database.reading() as session:
        return set(
            session.scalars(
                sa.select(Affiliation.person_id)
                .join(Branch, Branch.id == Affiliation.branch_id)
                .join(County, County.id == Branch.county_id)
                .where(County.name == county)
            )
        )


@pytest.fixture
def county_office(house):
    """Somebody of a county's office, with that county's name."""
    with house.database.reading() as session:
        openid, county = session.execute(
            sa.select(Follower.openid, County.name)
            .join(Post, Post.person_id == Follower.person_id)
            .join(County, County.id == Post.county_id)
            .where(Post.role == Role.COUNTY_OFFICE, Follower.is_subscribed)
            .order_by(County.id)
            .limit(1)
        ).one()
    return house.phone(openid), county


# --- from the first question to the last delivery -------------------------------------------------------------


def test_a_notice_to_a_county_from_end_to_end(house, zhao_min):
    preview = write(zhao_min, "2", HOME)
    everybody, reachable, unbound, unfollowed = figures(preview)
    assert "【周五学习】\n请准时参加。" in preview
    assert f"发给：{HOME}" in preview
    assert everybody == reachable + unbound + unfollowed == len(members_of_county(house, HOME))
    assert rows(house) == 0, "nothing is queued before it is confirmed"

    assert "确认码不对" in zhao_min.says("0000")
    assert rows(house) == 0

    answer = zhao_min.says(code_of(preview))
    assert answer.startswith("已确认，开始发送。")
    assert rows(house) == everybody
    assert rows(house, Outgoing.state == SendState.WAITING) == reachable
    assert f"共 {everybody} 人" in (going := zhao_min.says("进度"))
    assert "发送中，预计 11月27日 09:00 发完" in going

    house.deliver()
    counts = house.wechat.counts(path=TEMPLATE)
    assert (counts["people"], counts["most"]) == (reachable, 1)
    report = plain(zhao_min.says("进度"))
    assert report.startswith(f"【周五学习】已完成：共 {everybody} 人，")
    assert sum(map(int, re.findall(r"[^\d共] (\d+)", report.split("人，")[1]))) == everybody
    assert rows(house, Outgoing.state == SendState.DELIVERED) == reachable
    assert rows(house, Outgoing.state == SendState.UNREACHABLE) == unbound + unfollowed


def test_what_members_get_is_what_the_preview_showed(house, zhao_min, zhang_wei):
    preview = write(zhao_min, "2", HOME, title="停电通知", body="周五场地停电，改到二楼。")
    zhao_min.says(code_of(preview))
    house.deliver()
    line = zhang_wei.wait_for("停电通知")
    assert "周五场地停电，改到二楼。" in line["text"]
    assert "市法学会" in line["text"]


@pytest.mark.parametrize("place", ["7", "金水", "金水区"])
def test_a_county_is_chosen_by_number_or_name(house, zhao_min, place):
    zhao_min.says("群发")
    question = plain(zhao_min.says("2"))
    number = next(line.split()[0] for line in question.splitlines() if line.endswith(HOME))
    assert "标题" in zhao_min.says(number if place.isdigit() else place)


def test_one_branch_is_chosen_by_a_few_words_of_its_name(house, zhao_min):
    with house.database.reading() as session:
        name = session.scalar(sa.select(Branch.name).join(Affiliation).order_by(Branch.id.desc()).limit(1))
    zhao_min.says("群发")
    assert "支部名称" in zhao_min.says("4")
    assert "没有名称含" in zhao_min.says("火星支部")
    assert "请写得更全些" in zhao_min.says("支部")
    assert "标题" in zhao_min.says(name)


def test_everybody_is_every_person_once(house, zhao_min):
    """Who belongs to two branches counts and is written to once."""
    everybody, *_ = figures(preview := write(zhao_min, "1"))
    with house.database.reading() as session:
        affiliations = session.scalar(sa.select(sa.func.count()).select_from(Affiliation))
        people = session.scalar(sa.select(sa.func.count(Affiliation.person_id.distinct())))
    assert everybody == people < affiliations
    zhao_min.says(code_of(preview))
    assert rows(house) == people
    with house.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count(Outgoing.recipient.distinct()))) == people


def test_a_person_in_two_branches_gets_one_message(house, zhao_min, sun_li):
    zhao_min.says(code_of(write(zhao_min, "1")))
    with house.database.transaction() as session:
        me = session.get_one(Follower, sun_li.openid).person_id
        session.execute(sa.update(Outgoing).where(Outgoing.person_id != me).values(state=SendState.CANCELLED))
    house.deliver()
    assert len(sun_li.received()) == 1


# --- confirmed once ------------------------------------------------------------------------------------------


def test_confirming_twice_sends_once(house, zhao_min):
    code = code_of(write(zhao_min, "2", HOME))
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(zhao_min.says, [code, code]))
    assert sum(answer.startswith("已确认") for answer in answers) == 1
    queued = rows(house)
    assert not zhao_min.says(code).startswith("已确认")
    assert rows(house) == queued == len(members_of_county(house, HOME))


def test_the_service_refuses_the_second_confirmation_and_other_peoples(house, zhao_min):
    code = code_of(write(zhao_min, "2", HOME))
    sending = house.settings.sending
    with house.database.reading() as session:
        author = session.get_one(Follower, zhao_min.openid).person_id
        row = broadcasts.latest_of(session, author)[0]
    with house.database.transaction() as session:
        with pytest.raises(NotFound):
            broadcasts.confirm(session, row.id, code, house.clock(), sending, by=author + 1)
        with pytest.raises(RuleBroken, match="确认码"):
            broadcasts.confirm(session, row.id, "x", house.clock(), sending, by=author)
        broadcasts.confirm(session, row.id, code, house.clock(), sending, by=author)
        with pytest.raises(RuleBroken, match="不会重复发送"):
            broadcasts.confirm(session, row.id, code, house.clock(), sending, by=author)


def test_a_lost_reply_to_the_code_does_not_send_twice(house, zhao_min):
    code = code_of(write(zhao_min, "2", HOME))
    assert zhao_min.says(code, lose_replies=2).startswith("已确认")
    assert rows(house) == len(members_of_county(house, HOME))


def test_a_preview_older_than_half_an_hour_is_refused(house, zhao_min):
    """The audience may have changed: a wrong word shows a new preview with a new code."""
    old = code_of(write(zhao_min, "2", HOME))
    house.now("2026-11-27T09:20")
    assert "确认码不对" in zhao_min.says("0000")
    house.now("2026-11-27T09:31")
    assert "超过 30 分钟" in zhao_min.says(old)
    assert rows(house) == 0
    fresh = code_of(plain(zhao_min.says("再看一次")))
    assert zhao_min.says(fresh).startswith("已确认")


def test_a_draft_that_is_taken_up_again_is_counted_again(house, zhao_min):
    write(zhao_min, "2", HOME)
    with house.database.transaction() as session:
        session.execute(sa.delete(Affiliation).where(Affiliation.person_id == min(members_of_county(house, HOME))))
    house.now("2026-11-27T10:00")
    assert "草稿还在" in zhao_min.says("群发呢")
    again = plain(zhao_min.says("1"))
    assert figures(again)[0] == len(members_of_county(house, HOME))
    assert zhao_min.says(code_of(again)).startswith("已确认")


def test_the_audience_that_was_changed_is_the_one_that_is_written_to(house, zhao_min):
    """Back to the audience, another county, the same title and words: never the first county's preview."""
    write(zhao_min, "2", HOME)
    for _ in range(3):
        zhao_min.says("返回")
    zhao_min.says("中原区")
    zhao_min.says("周五学习")
    preview = plain(zhao_min.says("请准时参加。"))
    assert "发给：中原区" in preview
    assert figures(preview)[0] == len(members_of_county(house, "中原区"))


def test_cancelling_the_talk_sends_nothing(house, zhao_min):
    code = code_of(write(zhao_min, "2", HOME))
    assert "什么也没有提交" in zhao_min.says("取消")
    zhao_min.says(code)
    assert rows(house) == 0


# --- who may ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["张伟", "李娜", "陈刚", "王芳"])
@pytest.mark.parametrize("word", ["群发", "进度", "撤销群发"])
def test_who_is_not_of_an_office_cannot(house, name, word):
    answer = house.phone(name).says(word)
    assert "办公室" in answer or "绑定" in answer
    assert "发给谁" not in answer


def test_a_county_office_writes_to_its_own_county_and_is_not_asked_which(house, county_office):
    phone, county = county_office
    assert "标题是什么" in phone.says("群发")
    phone.says("本县通知")
    preview = plain(phone.says("请准时。"))
    assert f"发给：{county}" in preview
    phone.says(code_of(preview))
    with house.database.reading() as session:
        written = set(session.scalars(sa.select(Outgoing.person_id).where(Outgoing.campaign.like("broadcast:%"))))
    assert written == members_of_county(house, county)


@pytest.mark.parametrize("ways", [["重来"], ["返回"], ["返回", "返回"], ["重来", "返回", "重来"]])
def test_a_county_office_cannot_get_out_of_its_county(house, county_office, ways):
    """Starting over or going back must not open the question that only the city office is asked."""
    phone, county = county_office
    phone.says("群发")
    phone.says("本县通知")
    for way in ways:
        answer = phone.says(way)
        assert "发给谁" not in answer
        assert "哪一个" not in answer
    phone.says("1")
    phone.says("1")
    phone.says("1")
    with house.database.reading() as session:
        row = session.scalar(sa.select(Broadcast).order_by(Broadcast.id.desc()).limit(1))
        assert broadcasts.audience_label(session, row) == county


def test_who_loses_the_post_cannot_confirm(house, zhao_min):
    code = code_of(write(zhao_min, "2", HOME))
    with house.database.transaction() as session:
        me = session.get_one(Follower, zhao_min.openid).person_id
        session.execute(sa.delete(Post).where(Post.person_id == me))
    assert "没有群发的权限" in zhao_min.says(code)
    assert rows(house) == 0


def test_one_sees_only_ones_own_broadcasts(house, zhao_min, county_office):
    zhao_min.says(code_of(write(zhao_min, "2", HOME)))
    phone, _ = county_office
    assert "还没有发过群发" in phone.says("进度")
    assert "还没有发过群发" in phone.says("撤销群发")
    assert rows(house, Outgoing.state == SendState.CANCELLED) == 0


# --- when, and stopping --------------------------------------------------------------------------------------


def test_at_night_it_waits_for_the_morning(house, zhao_min):
    house.now("2026-11-27T22:00")
    answer = zhao_min.says(code_of(write(zhao_min, "2", HOME)))
    assert "安静时段" in answer
    assert "07:30" in answer
    waiting = rows(house, Outgoing.state == SendState.WAITING)
    assert waiting
    house.now("2026-11-28T07:29")
    assert house.deliver() == 0
    house.now("2026-11-28T07:30")
    assert house.deliver() == waiting


def test_what_is_urgent_does_not_wait_for_the_morning(house, zhao_min):
    house.now("2026-11-27T22:00")
    zhao_min.says(code_of(write(zhao_min, "2", HOME)))
    waiting = rows(house, Outgoing.state == SendState.WAITING)
    assert zhao_min.says("立即发送").startswith(f"{waiting} 人改为立即发送")
    assert "没有推迟到早上的" in zhao_min.says("立即发送")
    assert house.deliver() == waiting


def test_in_the_preview_what_is_urgent_waits_for_the_code_and_says_so(house, zhao_min):
    house.now("2026-11-27T23:00")
    shown = write(zhao_min, "2", HOME)
    told = plain(zhao_min.says("立即发送"))
    assert "没有确认，先回复确认码" in told
    code = re.search(r"确认码 (\w+)", told)[1]
    assert code in shown
    assert "已确认" in zhao_min.says(code)
    assert "改为立即发送" in zhao_min.says("立即发送")


def test_stopping_stops_what_has_not_left_and_says_how_many(house, zhao_min):
    zhao_min.says(code_of(write(zhao_min, "2", HOME)))
    waiting = rows(house, Outgoing.state == SendState.WAITING)
    house.delivery._sending = house.settings.sending.model_copy(update={"per_second": 20.0})
    left = house.delivery.run()
    assert 0 < left < waiting
    answer = plain(zhao_min.says("撤销群发"))
    assert answer.startswith(f"已停止 {waiting - left} 人的发送")
    assert "已撤销：" in answer
    house.deliver()
    assert house.wechat.counts(path=TEMPLATE)["total"] == left
    assert rows(house, Outgoing.state == SendState.CANCELLED) == waiting - left


def test_stopping_twice_stops_nothing_more(house, zhao_min):
    zhao_min.says(code_of(write(zhao_min, "2", HOME)))
    zhao_min.says("撤销群发")
    assert zhao_min.says("撤销群发").startswith("已经没有待发送的")


def test_a_finished_one_stays_finished(house, zhao_min):
    zhao_min.says(code_of(write(zhao_min, "2", HOME)))
    house.deliver()
    assert "不用撤销" in zhao_min.says("撤销群发")
    assert "已完成" in zhao_min.says("进度")


def test_after_a_cancelled_one_another_can_be_written(house, zhao_min):
    zhao_min.says(code_of(write(zhao_min, "2", HOME)))
    zhao_min.says("撤销群发")
    zhao_min.says(code_of(write(zhao_min, "2", HOME)))
    with house.database.reading() as session:
        states = session.scalars(sa.select(Broadcast.state).order_by(Broadcast.id)).all()
        tally = fates.tally(session, "broadcast:2")
    assert states == [BroadcastState.CANCELLED, BroadcastState.CONFIRMED]
    assert sum(tally.values()) == len(members_of_county(house, HOME))


# --- what is written -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["二十一个字的标题实在是太长了所以不能发出去呀", "　", "。" * 40])
def test_a_title_that_does_not_fit_is_caught_when_writing(zhao_min, title):
    zhao_min.says("群发")
    zhao_min.says("1")
    answer = zhao_min.says(title)
    assert "标题" in answer
    assert "正文" not in answer


def test_a_title_of_twenty_characters_fits(zhao_min):
    zhao_min.says("群发")
    zhao_min.says("1")
    assert "请写正文" in zhao_min.says("字" * broadcasts.LONGEST_TITLE)


def test_words_that_are_too_long_are_caught_when_writing(zhao_min):
    zhao_min.says("群发")
    zhao_min.says("1")
    zhao_min.says("标题")
    assert f"最多 {broadcasts.LONGEST_TEXT} 个字" in zhao_min.says("字" * (broadcasts.LONGEST_TEXT + 1))
    assert "预览" in zhao_min.says("字" * 400)


def test_the_longest_preview_still_shows_its_code(zhao_min):
    """A reply holds 2,048 bytes; the code stands at the end and must not be cut off."""
    zhao_min.says("群发")
    zhao_min.says("1")
    zhao_min.says("字" * broadcasts.LONGEST_TITLE)
    assert code_of(plain(zhao_min.says("字" * broadcasts.LONGEST_TEXT)))


def test_a_broadcast_to_nobody_is_refused(house, zhao_min):
    with house.database.transaction() as session:
        home = session.scalar(sa.select(County.id).where(County.name == HOME))
        branches = sa.select(Branch.id).where(Branch.county_id == home)
        session.execute(sa.delete(Affiliation).where(Affiliation.branch_id.in_(branches)))
    assert "现在没有人" in write(zhao_min, "2", HOME)
