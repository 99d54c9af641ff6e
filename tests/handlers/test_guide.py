"""帮助 and the last answer: nobody is left without a next step (F010, F020)."""

from __future__ import annotations

import pytest

from services.consulting import danger
from services.consulting.danger import Danger


@pytest.mark.parametrize("word", ["帮助", "菜单", "help", "HELP", "0", "怎么用"])
def test_help_can_be_asked_for_in_many_ways(wang_fang, word):
    assert wang_fang.says(word).startswith("可以办的事")


def test_help_shows_what_ones_posts_allow(house):
    assert "【书记】" in house.phone("李娜").says("帮助")
    assert "【律师】" in house.phone("陈刚").says("帮助")
    assert "【办公室】" in house.phone("赵敏").says("帮助")
    assert "【" not in house.phone("张伟").says("帮助")


def test_somebody_with_two_posts_has_a_page_for_each(house, li_na):
    import sqlalchemy as sa

    from models import Follower, Post, Role

    with house.database.transaction() as session:
        person_id = session.get_one(Follower, li_na.openid).person_id
        session.execute(sa.insert(Post).values(person_id=person_id, role=Role.OFFICE, since_on=house.clock().date()))
    first = li_na.says("帮助")
    assert "代签" in first
    assert "群发" in first
    assert "替没带手机的同志签到" not in first, "explained on its own page"
    assert "替没带手机的同志签到" in li_na.says("帮助 书记")
    assert "给党员会员发工作通知" in li_na.says("帮助 办公室")
    assert li_na.says("帮助 律师") == first


def test_a_short_word_nobody_understands_gets_a_way_on(wang_fang):
    answer = wang_fang.says("嗯嗯呢")
    assert answer.startswith("没有看懂“嗯嗯呢”")
    assert ">帮助</a>" in answer
    assert ">咨询</a>" in answer


def test_a_long_sentence_is_taken_for_a_legal_question(wang_fang):
    assert "像是一个法律问题" in wang_fang.says("房东不退押金，合同上写了要退，怎么办")


def test_whoever_is_in_danger_reads_the_numbers_first(wang_fang):
    assert "110" in wang_fang.says("他又打我了，拿着刀").splitlines()[0]


@pytest.mark.parametrize(
    "said", ["<script>alert(1)</script>", "]]>", "'; DROP TABLE people;--", "👍" * 50, "\u202e文"]
)
def test_whatever_is_said_is_answered(wang_fang, said):
    assert wang_fang.says(said)
    assert wang_fang.last["tries"][-1]["status"] == 200


def test_danger_is_heard_whatever_is_being_asked(house, zhang_wei, zhao_min):
    """F082: the numbers come first, also in the middle of 绑定, 请假 or 群发; a lawyer's answer is left alone."""
    house.now("2026-11-24T10:00")
    zhang_wei.says("请假")
    assert zhang_wei.says("我不想活了").startswith(danger.numbers(Danger.SELF_HARM))
    zhao_min.says("群发")
    assert zhao_min.says("我不想活了").startswith(danger.numbers(Danger.SELF_HARM))
    stranger = house.phone("oStranger".ljust(28, "0"))
    stranger.says("绑定")
    stranger.says("没有")
    assert stranger.says("我想自杀").startswith(danger.numbers(Danger.SELF_HARM))


def test_help_in_the_middle_of_a_talk_offers_no_numbers(zhao_min):
    zhao_min.says("群发")
    answer = zhao_min.says("帮助")
    assert "您正在办“群发”" in answer
    assert "1 " not in answer


def test_a_greeting_is_greeted(wang_fang):
    assert "您好" in wang_fang.says("你好")
    assert "不客气" in wang_fang.says("谢谢")
    assert "绑定" in wang_fang.says("我要签到")
