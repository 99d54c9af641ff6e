"""退订 and 恢复: what one does not want does not come, what everybody must know does, and the totals add up (F115)."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa

import demo
from models import Follower, NoticeKind, OptOut, Outgoing, SendState, Topic
from services.custody import privacy
from services.membership import claims
from services.sending import fates, forecast, outbox, preferences
from services.sending.outbox import Letter, Recipient

FACTS = {
    "title": "周六植树", "words": "自愿报名", "sender": "市法学会", "time": "2026年11月27日 09:00", "text": "周六植树，自愿报名。",
}  # fmt: skip


def plain(text: str) -> str:
    return re.sub(r"<a [^>]*>|</a>", "", text)


def recipient(house: Any, phone: Any) -> Recipient:
    with house.database.reading() as session:
        follower = session.get(Follower, phone.openid)
    return Recipient(follower.person_id if follower else None, phone.openid)


def send(house: Any, topic: Topic, *phones: Any, campaign: str) -> dict[SendState, int]:
    """A broadcast of a topic to these, delivered; what became of each."""
    to = [recipient(house, phone) for phone in phones]
    with house.database.transaction() as session:
        outbox.queue(session, Letter(NoticeKind.BROADCAST, campaign, FACTS, to, topic=topic), house.clock())
    house.deliver()
    with house.database.reading() as session:
        return {state: many for state, many in fates.tally(session, campaign).items() if many}


def declined(house: Any, key: str) -> list[Topic]:
    with house.database.reading() as session:
        return preferences.of(session, key)


@pytest.mark.parametrize("word", ["退订", "TD", "td", "STOP", "stop。", "不再接收"])
def test_the_list_can_be_tapped_and_names_what_is_exempt(zhang_wei, word):
    answer = zhang_wei.says(word)
    for topic in ("活动", "学习", "普法"):
        assert f"· {topic}：照常接收" in plain(answer)
        assert f">{'退订'}</a>" in answer
    assert "不能退订的：组织通知（学习日、活动日和要您办理的事）" in plain(answer)
    assert "咨询" in answer


def test_what_is_declined_does_not_come_and_the_totals_add_up(house, zhang_wei, li_na):
    assert plain(zhang_wei.says("退订 活动")).startswith("已退订“活动”")
    assert "· 活动：已退订" in plain(zhang_wei.says("退订"))

    told = send(house, Topic.ACTIVITY, zhang_wei, li_na, campaign="broadcast:901")
    assert told == {SendState.DELIVERED: 1, SendState.UNREACHABLE: 1}
    assert [line for line in zhang_wei.received() if "植树" in line["text"]] == []
    assert li_na.wait_for("周六植树")
    with house.database.reading() as session:
        reason = session.scalar(
            sa.select(Outgoing.reason).where(Outgoing.recipient == recipient(house, zhang_wei).key)
        )
    assert reason == "本人退订了“活动”类通知"

    statutory = send(house, Topic.STATUTORY, zhang_wei, li_na, campaign="broadcast:902")
    assert statutory == {SendState.DELIVERED: 2}
    assert zhang_wei.wait_for("周六植树")


def test_the_statutory_ones_are_refused_in_words(house, zhang_wei):
    for said in ("退订 组织通知", "退订组织通知"):
        assert "不能退订" in zhang_wei.says(said)
    assert declined(house, recipient(house, zhang_wei).key) == []


def test_the_forecast_counts_them_before_anything_leaves(house, zhang_wei, li_na):
    zhang_wei.says("退订活动")
    to = [recipient(house, phone) for phone in (zhang_wei, li_na)]
    with house.database.reading() as session:
        means = _means(house)
        counted = {
            topic: forecast.of_recipients(session, to, means, house.clock(), kind=NoticeKind.BROADCAST, topic=topic)
            for topic in Topic
        }
    assert {topic for topic, buckets in counted.items() if buckets["本人已退订"]} == {Topic.ACTIVITY}
    assert all(sum(buckets.values()) == 2 for buckets in counted.values())


def _means(house: Any) -> forecast.Means:
    from handlers.context import Context

    return Context(house.settings, house.database.vault).means


@pytest.mark.parametrize("word", ["恢复", "恢复 活动", "恢复活动"])
def test_it_can_be_had_again(house, zhang_wei, word):
    zhang_wei.says("退订 活动")
    assert plain(zhang_wei.says(word)) == "已恢复“活动”，以后照常发给您。"
    assert send(house, Topic.ACTIVITY, zhang_wei, campaign="broadcast:903") == {SendState.DELIVERED: 1}


def test_one_word_restores_all_and_says_so_when_there_is_nothing(zhang_wei):
    assert "没有退订任何通知" in zhang_wei.says("恢复")
    assert "“活动”、“学习”、“普法”" in plain(zhang_wei.says("退订 全部"))
    answer = plain(zhang_wei.says("恢复"))
    assert all(topic in answer for topic in ("活动", "学习", "普法"))
    assert "没有退订任何通知" in zhang_wei.says("恢复")


def test_saying_it_twice_is_the_same_and_a_strange_kind_names_the_known_ones(house, zhang_wei):
    assert zhang_wei.says("退订 学习") == zhang_wei.says("退订 学习")
    assert declined(house, recipient(house, zhang_wei).key) == [Topic.STUDY]
    assert "没有叫“天气”的通知。可以退订的有：活动、学习、普法。" in zhang_wei.says("退订 天气")


def test_a_citizen_may_decline_too(house, wang_fang):
    wang_fang.says("TD 普法")
    assert declined(house, f"openid:{wang_fang.openid}") == [Topic.PUBLICITY]
    assert send(house, Topic.PUBLICITY, wang_fang, campaign="broadcast:904") == {SendState.UNREACHABLE: 1}
    assert send(house, Topic.ACTIVITY, wang_fang, campaign="broadcast:905") == {SendState.DELIVERED: 1}


def test_a_no_goes_along_when_the_account_is_bound_and_unbound(house):
    """Said as a citizen it holds for the member; said as a member it holds for the account that is left."""
    phone = house.phone("oPreferences0000000000000000")
    phone.says("退订 普法")
    assert "已退订的通知：普法" in plain(phone.says(f"绑定 {demo.cast.INVITE_CODE}"))
    me = recipient(house, phone)
    assert me.person_id is not None
    assert declined(house, me.key) == [Topic.PUBLICITY]

    phone.says("恢复 普法")
    phone.says("退订 学习")
    phone.says("解绑 确定")
    assert recipient(house, phone).person_id is None
    assert declined(house, f"openid:{phone.openid}") == [Topic.STUDY]
    assert declined(house, me.key) == [Topic.STUDY]


def test_a_second_account_of_the_same_person_is_not_written_to_either(house, zhang_wei):
    zhang_wei.says("退订 活动")
    me = recipient(house, zhang_wei).person_id
    with house.database.transaction() as session:
        session.add(Follower(openid="oSecond", person_id=me, met_at=house.clock()))
        assert preferences.declined(session, {r.key for r in outbox.accounts_of(session, [me])}, Topic.ACTIVITY)


def test_what_somebody_declined_is_shown_and_erased_with_the_account(house, wang_fang):
    wang_fang.says("退订 普法")
    with house.database.transaction() as session:
        assert privacy.export(session, wang_fang.openid, house.clock())["declined"] == ["普法"]
        privacy.erase(session, wang_fang.openid, house.clock())
        assert session.scalar(sa.select(sa.func.count()).select_from(OptOut)) == 0


def test_who_is_refused_a_binding_keeps_what_was_said(house, wang_fang):
    """Carrying over stands where an account is bound, and nowhere else."""
    wang_fang.says("退订 活动")
    with house.database.transaction() as session:
        claims.make(session, house.database.vault, wang_fang.openid, "无此人", "19900001234", house.clock())
    assert declined(house, f"openid:{wang_fang.openid}") == [Topic.ACTIVITY]
