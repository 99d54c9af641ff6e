"""Talks (F013, F014): steering, drafts, commands in the middle, and a process that dies between two questions."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from models import Attendance, BindingClaim, Broadcast, CaseStep, Consultation, Conversation, Step


@pytest.fixture
def talking(house, zhang_wei):
    """Zhang Wei, just asked for the first thing in 咨询."""
    assert "属于哪一类" in zhang_wei.says("咨询")
    return zhang_wei


def said(house: Any, phone: Any) -> dict[str, str] | None:
    with house.database.reading() as session:
        text = session.scalar(sa.select(Conversation.said).where(Conversation.openid == phone.openid))
    return None if text is None else json.loads(text)


def count(house: Any, table: Any) -> int:
    with house.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_an_answer_moves_the_talk_on(house, talking):
    assert "县（市）区" in talking.says("1")
    assert list(said(house, talking) or {}) == ["matter"]


def test_what_is_no_answer_asks_again_and_loses_nothing(house, talking):
    talking.says("1")
    before = said(house, talking)
    again = talking.says("？？")
    assert "县（市）区" in again
    assert said(house, talking) == before


@pytest.mark.parametrize("word", ["取消", "退出", "算了", "取 消", "取消。", "取消！"])
def test_cancelling_ends_it_and_keeps_nothing(house, talking, word):
    talking.says("1")
    assert talking.says(word) == "已取消咨询，什么也没有提交。"
    assert said(house, talking) is None
    assert "没有进行中的事项" in talking.says(word)


@pytest.mark.parametrize("word", ["返回", "上一步", "返 回"])
def test_going_back_asks_the_last_question_again(house, talking, word):
    talking.says("1")
    assert "属于哪一类" in talking.says(word)
    assert said(house, talking) == {}
    assert talking.says(word).startswith("已经是第一题了。")


def test_starting_over_forgets_the_answers(house, talking):
    talking.says("1")
    talking.says("金水区")
    assert "属于哪一类" in talking.says("重来")
    assert said(house, talking) == {}


def test_starting_over_keeps_what_no_question_asked(house, zhang_wei):
    """Which gathering the leave is for was known before the first question."""
    zhang_wei.says("请假")
    known = said(house, zhang_wei)
    assert set(known or {}) == {"gathering"}
    zhang_wei.says("重来")
    assert said(house, zhang_wei) == known
    assert "等书记批准" in zhang_wei.says("出差")
    assert count(house, Attendance) == 1


def test_continuing_asks_the_question_again(talking):
    talking.says("1")
    assert "县（市）区" in talking.says("继续")


# --- drafts --------------------------------------------------------------------------------------------------


@pytest.fixture
def draft(house, talking):
    """The same talk 31 minutes later."""
    talking.says("1")
    house.now("2026-11-27T09:31")
    return talking


OFFER = "上次咨询草稿还在，回复 "


def plain(text: str) -> str:
    import re

    return re.sub(r"<a [^>]*>|</a>", "", text)


def test_half_an_hour_is_not_yet_too_long(house, talking):
    talking.says("1")
    house.now("2026-11-27T09:30")
    assert "多急" in talking.says("金水区")


@pytest.mark.parametrize("word", ["金水区", "3", "随便说点什么", "继续", "取消"])
def test_after_half_an_hour_any_word_is_told_of_the_draft(draft, word):
    assert plain(draft.says(word)).startswith(f"{OFFER}1 继续，回复 0 放弃")


def test_one_takes_the_draft_up_where_it_was(house, draft):
    draft.says("你好")
    answer = draft.says("1")
    assert answer.startswith("继续咨询。\n")
    assert "县（市）区" in answer
    assert "多急" in draft.says("金水区")
    assert list(said(house, draft) or {}) == ["matter", "county"]


def test_zero_gives_the_draft_up(house, draft):
    draft.says("你好")
    assert draft.says("0") == "已放弃上次的咨询草稿。"
    assert said(house, draft) is None
    assert "没有看懂" in draft.says("你好呀")


def test_anything_else_is_taken_as_itself_and_the_draft_waits(house, draft):
    draft.says("你好")
    assert "没有看懂" in draft.says("你好呀")
    assert draft.says("签到").startswith("签到成功")
    assert "继续咨询" in draft.says("1")


def test_a_command_does_not_ask_about_the_draft_first(draft):
    assert draft.says("签到").startswith("签到成功")
    assert plain(draft.says("你好")).startswith(OFFER)


def test_what_begins_anew_replaces_the_draft(house, draft):
    assert "请假原因" in draft.says("请假")
    assert set(said(house, draft) or {}) == {"gathering"}


# --- commands in the middle ----------------------------------------------------------------------------------


def test_a_command_in_the_middle_is_obeyed_and_the_talk_is_still_there(house, talking):
    talking.says("1")
    assert talking.says("签到").startswith("签到成功")
    assert "多急" in talking.says("金水区")


def test_a_menu_button_in_the_middle_is_obeyed_and_the_talk_is_still_there(talking):
    talking.says("1")
    assert talking.clicks("CHECK_IN").startswith("签到成功")
    assert "多急" in talking.says("金水区")


def test_a_picture_in_the_middle_is_answered_and_the_talk_is_still_there(talking):
    talking.says("1")
    assert talking.sends_image()
    assert "多急" in talking.says("金水区")


def test_an_answer_that_begins_like_a_command_is_an_answer(house, zhang_wei):
    """“我 病了” is a reason, not the command 我."""
    zhang_wei.says("请假")
    assert "等书记批准" in zhang_wei.says("我 病了，在医院")
    with house.database.reading() as session:
        assert session.scalar(sa.select(Attendance.reason)) == "我 病了，在医院"


def test_a_command_with_words_in_the_middle_is_asked_about_and_nothing_is_done(house, li_na):
    house.now("2026-11-24T09:00")
    assert "改期的原因" in li_na.says("改期 11-26")
    asked = plain(li_na.says("代签 石琪"))
    assert asked.startswith("您正在办“改期”")
    assert "1 当作回答" in asked
    assert "2 去办【代签】" in asked
    assert "已取消改期" in li_na.says("取消")
    assert "11月27日" in li_na.says("签到"), "the day has not moved"


def test_what_was_held_back_is_the_command_or_the_answer_as_its_author_says(house, li_na):
    li_na.says("请假")
    li_na.says("代签 张伟")
    assert "张伟 已代签" in li_na.says("2")
    li_na.says("代签 张伟")
    assert "等书记批准" in li_na.says("1")
    with house.database.reading() as session:
        assert session.scalar(sa.select(Attendance.reason).where(Attendance.reason.is_not(None))) == "代签 张伟"


def test_what_was_held_back_is_forgotten_when_something_else_is_said(house, zhang_wei):
    zhang_wei.says("请假")
    assert "当作回答" in zhang_wei.says("补充 还有一份合同")
    assert "等书记批准" in zhang_wei.says("出差")
    with house.database.reading() as session:
        assert session.scalar(sa.select(Attendance.reason)) == "出差"


@pytest.mark.parametrize("word", ["好的", "是", "不是", "0"])
def test_a_word_that_does_not_decide_is_asked_about_again(house, zhang_wei, word):
    zhang_wei.says("请假")
    zhang_wei.says("补充 还有一份合同")
    assert "2 去办【补充】" in plain(zhang_wei.says(word))
    assert count(house, Attendance) == 0
    assert "您没有在办的咨询" in zhang_wei.says("2")


def test_a_command_with_a_number_in_the_middle_is_obeyed(house, zhang_wei):
    """A reason is asked for, and “签到 1” is none."""
    zhang_wei.says("请假")
    assert zhang_wei.says("签到 1").startswith("签到成功")
    zhang_wei.says("咨询 工资被拖欠三个月")
    assert said(house, zhang_wei) is not None


@pytest.mark.parametrize(
    "word", ["查询 ZX261127-0001", "查询ZX261127-0001", "查询：ZX261127-0001", "撤回 ZX261127-0001。"]
)
def test_a_command_for_a_case_in_the_middle_registers_no_case(house, wang_fang, word):
    for answer in ("咨询", "1", "金水区", "1", "1"):
        wang_fang.says(answer)
    assert "没有查到这个编号" in wang_fang.says(word)
    assert count(house, Consultation) == 0
    assert "咨询已登记" in wang_fang.says("工资被拖欠三个月")


def test_words_for_an_own_case_are_not_sent_to_a_citizen_as_an_answer(house, chen_gang, wang_fang):
    for answer in ("咨询", "1", "金水区", "1", "1", "工资被拖欠三个月"):
        wang_fang.says(answer)
    chen_gang.says("接单")
    assert "请写答复" in chen_gang.says("答复")
    assert "您正在办“答复”" in chen_gang.says("补充 还有一份合同")
    with house.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).where(CaseStep.step == Step.ANSWERED)) == 0


def test_the_body_of_a_notice_that_may_be_a_command_is_asked_about(house, zhao_min):
    for answer in ("群发", "全体党员会员", "周五学习"):
        zhao_min.says(answer)
    assert "您正在办“群发”" in zhao_min.says("撤销群发 上一条")
    assert "您正在办“群发”" in zhao_min.says("签到：请各位同志准时参加。")
    assert "签到：请各位同志准时参加。" in zhao_min.says("1")


@pytest.mark.parametrize(
    "story",
    [
        "签到时被打了一顿",
        "查询了很多地方都没有人管",
        "签到App坏了，单位不给工资",
        "名单 上没有我，拿不到工资",
        "我，被拖欠工资",
    ],
)
def test_a_story_that_begins_like_a_command_goes_on_being_one(house, wang_fang, story):
    for answer in ("咨询", "1", "金水区", "1", "1"):
        wang_fang.says(answer)
    assert "咨询已登记" in wang_fang.says(story)


def test_nobody_in_danger_is_asked_what_was_meant(house, wang_fang):
    for answer in ("咨询", "4", "金水区", "1", "1"):
        wang_fang.says(answer)
    assert "咨询已登记" in wang_fang.says("查询 了好几次，老公又打我，救命")


@pytest.mark.parametrize("word", ["返回上一题", "上一题", "返回上一步"])
def test_the_line_in_brackets_can_be_typed_as_it_is_printed(house, zhang_wei, word):
    printed = plain(zhang_wei.says("咨询")).splitlines()[-1].strip("（）").split("｜")
    assert printed == ["取消", "返回上一题", "重来"]
    zhang_wei.says("1")
    assert "属于哪一类" in zhang_wei.says(word)
    for answer in ("1", "金水区", "1", "1"):
        zhang_wei.says(answer)
    assert "哪种帮助" in zhang_wei.says(word)
    assert "属于哪一类" in zhang_wei.says(printed[2])
    assert "已取消咨询" in zhang_wei.says(printed[0])


def test_a_longer_command_that_is_no_answer_is_a_command(talking):
    """The question wants a number; “服务站 金水区” is none."""
    assert "法律服务站" in talking.says("服务站 金水区")
    assert "县（市）区" in talking.says("1")


def test_a_new_talk_takes_the_place_of_the_old_one(house, talking):
    talking.says("请假")
    assert set(said(house, talking) or {}) == {"gathering"}


def test_a_number_in_a_talk_is_its_answer_and_not_a_command(house, talking):
    """1 is 签到 in 帮助, but here it is the first choice."""
    assert "县（市）区" in talking.says("1")


def test_two_people_do_not_share_a_talk(house, talking, li_na):
    talking.says("1")
    assert "没有看懂" in li_na.says("金水区呀")
    assert "多急" in talking.says("金水区")


# --- what survives -------------------------------------------------------------------------------------------


def test_a_talk_goes_on_in_a_new_process(open_house):
    first = open_house()
    phone = first.phone("张伟")
    phone.says("咨询")
    phone.says("1")
    first.desk.stop()
    second = open_house()
    phone = second.phone("张伟")
    assert "多急" in phone.says("金水区")
    assert list(said(second, phone) or {}) == ["matter", "county"]


def test_a_suggestion_goes_on_in_a_new_process_too(open_house):
    first = open_house()
    assert "您是要【签到】吗" in first.phone("张伟").says("签 道")
    first.desk.stop()
    assert open_house().phone("张伟").says("1").startswith("签到成功")


def test_a_retry_does_not_answer_two_questions(house, talking):
    """The reply is lost: the same answer comes again and is not taken for the next question's."""
    assert "县（市）区" in talking.says("1", lose_replies=2)
    assert list(said(house, talking) or {}) == ["matter"]


@pytest.mark.parametrize("no", ["0", "不是", "签什么"])
def test_a_suggestion_that_is_not_confirmed_is_dropped(house, zhang_wei, no):
    zhang_wei.says("签 道")
    assert "签到成功" not in zhang_wei.says(no)
    assert said(house, zhang_wei) is None


def test_after_a_guess_help_is_help_and_no_inner_name_is_shown(house, zhang_wei):
    zhang_wei.says("签 道")
    told = zhang_wei.says("帮助")
    assert "可以办的事" in told
    assert "建议" not in told
    assert said(house, zhang_wei) is None


def test_after_a_guess_another_command_goes_on_as_if_nothing_had_been_asked(house, zhang_wei):
    zhang_wei.says("签 道")
    assert "请说明请假原因" in zhang_wei.says("请假")
    zhang_wei.says("取消")
    zhang_wei.says("签 道")
    zhang_wei.says("我的")
    assert said(house, zhang_wei) is None


def test_a_guess_is_not_confirmed_half_an_hour_later(house, zhang_wei):
    zhang_wei.says("请 价")
    house.now("2026-11-27T09:31")
    assert "请假原因" not in zhang_wei.says("1")


def test_what_was_said_is_not_readable_in_the_file(house, wang_fang):
    wang_fang.says("绑定")
    wang_fang.says("没有")
    wang_fang.says("欧阳震华")
    assert (said(house, wang_fang) or {})["name"] == "欧阳震华"
    house.database.engine.dispose()
    raw = b"".join(p.read_bytes() for p in _files(house))
    assert "欧阳震华".encode() not in raw
    assert "欧阳震华".encode("unicode_escape") not in raw


def _files(house: Any) -> list[Any]:
    from pathlib import Path

    path = Path(house.settings.database.url.removeprefix("sqlite:///"))
    return [each for each in path.parent.iterdir() if each.name.startswith(path.name)]


def test_a_talk_that_breaks_at_its_end_is_still_there(house, li_na, monkeypatch):
    """Nothing is half done: the leave was not written, so the question still stands."""
    from services.meetings import leave

    phone = house.phone("张伟")
    phone.says("请假")

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(leave, "ask", broken)
        assert "编号" in phone.says("出差")
    assert set(said(house, phone) or {}) == {"gathering"}
    assert "等书记批准" in phone.says("出差")
    assert count(house, Attendance) == 1
    assert count(house, BindingClaim) + count(house, Broadcast) == 0


def test_a_rule_that_forbids_the_last_step_leaves_the_talk_open_and_says_so(house, zhang_wei):
    """While he writes the reason, the gathering that he asks leave from ends."""
    assert "请说明请假原因" in zhang_wei.says("请假")
    house.now("2026-11-27T20:10")
    with house.database.transaction() as session:
        session.execute(sa.update(Conversation).values(updated_at=house.clock.at))
    told = zhang_wei.says("出差")
    assert told.startswith("这次活动已经结束")
    assert "还在办“请假”" in told
    assert "reason" not in (said(house, zhang_wei) or {})
    assert zhang_wei.says("取消") == "已取消请假，什么也没有提交。"
