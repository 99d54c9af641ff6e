"""A second person's word, trying out, holding and going on, correcting; topics and saved lists (F102–F113)."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from models import Broadcast, BroadcastState, Campaign, CampaignState, Outgoing, SendState
from services.sending import broadcasts
from tests.handlers.test_broadcasts import HOME, code_of, figures, plain, rows, small_county, write

TEMPLATE, CUSTOMER = "/cgi-bin/message/template/send", "/cgi-bin/message/custom/send"
__all__ = ["small_county"]


@pytest.fixture
def house(open_house):
    return open_house(sending={"approval_above": 20})


def submit(phone: Any, **text: str) -> str:
    """Write to the home county and confirm: more than twenty people, so it has to be approved."""
    return plain(phone.says(code_of(write(phone, "2", HOME, **text))))


def state(house: Any, broadcast: int = 1) -> BroadcastState:
    with house.database.reading() as session:
        return session.get_one(Broadcast, broadcast).state


def later(house: Any) -> None:
    house.clock.at += timedelta(seconds=1)
    house.wechat.clock.advance(1)


# --- the second person ---------------------------------------------------------------------------------------


def test_what_goes_to_many_waits_for_a_second_person_who_sees_the_same_words(house, zhao_min, he_jing):
    preview = write(zhao_min, "2", HOME)
    assert "需要另一位同志审核" in preview
    assert "已提交审核（第 1 号）" in plain(zhao_min.says(code_of(preview)))
    assert rows(house) == 0, "nothing is queued before it is approved"
    assert "待审核" in plain(zhao_min.says("进度"))
    house.deliver()
    assert "群发待审核" in he_jing.wait_for("待审核")["text"]

    seen = plain(he_jing.says("审核"))
    assert preview.split("\n\n")[0].removeprefix("预览\n") in seen
    assert plain(he_jing.says("通过 1")).startswith("已通过。")
    assert rows(house) == figures(preview)[0]
    house.deliver()
    assert house.wechat.counts(path=TEMPLATE)["most"] <= 3
    assert "已完成" in plain(zhao_min.says("进度"))
    assert "已审核通过" in zhao_min.wait_for("审核")["text"] or zhao_min.received()


def test_nobody_approves_his_own(house, zhao_min):
    submit(zhao_min)
    assert "没有等您审核的群发" in zhao_min.says("审核")
    assert "不能审核自己写的" in zhao_min.says("通过 1")
    assert state(house) is BroadcastState.SUBMITTED
    assert rows(house) == 0


def test_members_and_secretaries_cannot_approve(house, zhao_min, li_na, zhang_wei):
    submit(zhao_min)
    for phone in (li_na, zhang_wei):
        phone.says("通过 1")
        phone.says("退回 1 不行")
    assert state(house) is BroadcastState.SUBMITTED


def test_two_who_decide_at_once_are_one_decision(house, zhao_min, he_jing):
    submit(zhao_min)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(he_jing.says, ["通过 1", "退回 1 时间不对"]))
    assert sum("已通过" in a or "已退回【" in a for a in answers) == 1
    assert (rows(house) > 0) == (state(house) is BroadcastState.CONFIRMED)


def test_sent_back_the_author_hears_why(house, zhao_min, he_jing):
    submit(zhao_min)
    assert "请写上理由" in he_jing.says("退回 1")
    assert "已退回" in he_jing.says("退回 1 时间写错了，是下午三点")
    assert "时间写错了" in plain(zhao_min.says("进度"))
    assert rows(house) == 0
    assert "不会重复发送" in he_jing.says("通过 1")


def test_who_came_and_went_between_is_said_when_it_is_approved(house, zhao_min, he_jing):
    """F103: frozen at approval, the difference shown."""
    preview = write(zhao_min, "2", HOME)
    zhao_min.says(code_of(preview))
    with house.database.transaction() as session:
        session.execute(
            sa.text(
                "DELETE FROM affiliations WHERE id = (SELECT max(a.id) FROM affiliations a JOIN branches b"
                " ON b.id = a.branch_id JOIN counties c ON c.id = b.county_id WHERE c.name = :home)"
            ),
            {"home": HOME},
        )
    assert "人员比提交时少 1 人" in plain(he_jing.says("通过 1"))
    assert rows(house) == figures(preview)[0] - 1


def test_after_a_day_nobody_approves_it_any_more(house, zhao_min, he_jing):
    submit(zhao_min)
    house.now("2026-11-28T09:01")
    assert "超过 24 小时" in he_jing.says("通过 1")
    assert rows(house) == 0


def test_citizens_are_written_to_only_after_approval(house, zhao_min, he_jing, wang_fang):
    wang_fang.says("帮助")
    preview = write(zhao_min, "7", title="普法讲座", body="周六上午十点，人民广场。")
    assert "发给：群众" in preview
    assert "需要另一位同志审核" in preview, "though they are few"
    zhao_min.says(code_of(preview))
    he_jing.says("通过 1")
    house.deliver()
    assert "普法讲座" in wang_fang.wait_for("普法讲座")["text"]


# --- trying out, wording -------------------------------------------------------------------------------------


def test_tried_out_it_reaches_its_author_alone_word_for_word(house, zhao_min, he_jing, zhang_wei):
    house.now("2026-11-27T09:00")
    preview = write(zhao_min, "2", HOME, title="停电通知", body="周五场地停电，改到二楼。")
    assert "已发给您自己" in plain(zhao_min.says("试发"))
    house.deliver()
    [tried] = zhao_min.received()
    assert zhang_wei.received() == []
    assert rows(house) == 0
    assert "已提交审核" in plain(zhao_min.says(code_of(preview))), "the talk is still there"
    he_jing.says("通过 1")
    house.deliver()
    [got] = zhang_wei.received()
    assert got["text"] == tried["text"]


def test_doubtful_words_are_pointed_out_to_author_and_approver(house, zhao_min, he_jing):
    preview = write(zhao_min, "2", HOME, body="请大家打卡并截图。")
    assert "请斟酌“打卡”" in preview
    assert "请斟酌“截图”" in preview
    zhao_min.says(code_of(preview))
    assert "请斟酌“打卡”" in plain(he_jing.says("审核"))


def test_the_topic_can_be_changed_in_the_preview(house, zhao_min, he_jing):
    write(zhao_min, "2", HOME)
    again = plain(zhao_min.says("类别 活动"))
    assert "类别：活动" in again
    assert "退订 活动" in again, "what may be declined says how"
    asked = plain(zhao_min.says("类别 不知道"))
    assert all(f"{i} {name}" in asked for i, name in enumerate(("组织通知", "活动", "学习", "普法"), 1))
    assert "类别：学习" in plain(zhao_min.says("3"))
    zhao_min.says("类别")
    assert "类别：普法" in plain(zhao_min.says("类别 普法"))
    zhao_min.says(code_of(again))
    assert "类别：普法" in plain(he_jing.says("审核"))


# --- holding and going on ------------------------------------------------------------------------------------


@pytest.fixture
def going(house, zhao_min, he_jing):
    """A notice that is on its way, twenty a second."""
    submit(zhao_min)
    he_jing.says("通过 1")
    house.delivery._sending = house.settings.sending.model_copy(update={"per_second": 20.0})
    with house.database.transaction() as session:
        gone = sa.delete(Outgoing).where(Outgoing.campaign.not_like("broadcast:%"))
        session.execute(gone)
    return zhao_min


def test_paused_nothing_leaves_and_resumed_the_rest_does(house, going):
    everybody = rows(house, Outgoing.state == SendState.WAITING)
    sent = house.delivery.run()
    assert 0 < sent < everybody
    assert plain(going.says("暂停群发")).startswith("已暂停")
    for _ in range(5):
        later(house)
        assert house.delivery.run() == 0
    report = plain(going.says("进度"))
    assert "已暂停" in report
    assert f"待发送 {everybody - sent}" in report
    assert plain(going.says("继续群发")).startswith("继续发送")
    house.delivery._sending = house.settings.sending
    house.deliver()
    assert house.wechat.counts(path=TEMPLATE)["total"] == everybody
    assert house.wechat.counts(path=TEMPLATE)["most"] == 1


def test_the_same_fatal_answer_three_times_stops_it_and_loses_nobody(house, going):
    everybody = rows(house, Outgoing.state == SendState.WAITING)
    house.wechat.inject(TEMPLATE, 40037)
    house.delivery.run()
    with house.database.reading() as session:
        held = session.get_one(Campaign, "broadcast:1")
    assert held.state is CampaignState.STOPPED
    assert "模板" in held.reason
    assert rows(house, Outgoing.state == SendState.WAITING) == everybody
    tried = house.wechat.calls(TEMPLATE)
    house.wechat.heal()
    for _ in range(3):
        later(house)
        house.delivery.run()
    with house.database.reading() as session:
        left = session.scalar(
            sa.select(sa.func.count()).select_from(Outgoing).where(Outgoing.campaign.like("alarm:stopped-40037%"))
        )
    assert left > 0, "the office is told"
    assert rows(house, Outgoing.state == SendState.WAITING) == everybody
    assert tried <= 21, "those that were out at once"
    assert "已停下，待处理（" in plain(going.says("进度"))
    assert plain(going.says("继续群发")).startswith("继续发送")
    house.delivery._sending = house.settings.sending
    later(house)
    house.deliver()
    assert rows(house, Outgoing.state == SendState.DELIVERED) == everybody


def test_only_those_who_did_not_get_it_are_tried_again(house, going):
    house.delivery._sending = house.settings.sending
    house.wechat.inject(TEMPLATE, 45168, times=3)
    house.deliver()
    assert rows(house, Outgoing.state == SendState.REFUSED) == 3
    assert plain(going.says("重试群发")).startswith("给 3 人再发一次")
    house.deliver()
    counts = house.wechat.counts(path=TEMPLATE)
    assert counts["most"] == 1
    assert rows(house, Outgoing.state == SendState.REFUSED) == 0
    assert plain(going.says("重试群发")).startswith("没有可以重试的")


def test_a_correction_goes_to_exactly_those_who_got_the_wrong_one(house, going, he_jing):
    house.delivery._sending = house.settings.sending
    house.wechat.inject(TEMPLATE, 45168, times=1)
    house.deliver()
    with house.database.reading() as session:
        unlucky = session.scalar(sa.select(Outgoing.openid).where(Outgoing.state == SendState.REFUSED))
    got = set(house.wechat.counts(path=TEMPLATE)["counts"])
    assert "只发给收到它的人" in plain(going.says("更正"))
    going.says("时间更正")
    preview = plain(going.says("应为下午三点。"))
    assert "【更正：时间更正】" in preview
    assert figures(preview)[0] == len(got)
    going.says(code_of(preview))
    he_jing.says("通过 2")
    with house.database.reading() as session:
        corrected = set(
            session.scalars(sa.select(Outgoing.openid).where(Outgoing.campaign == broadcasts.campaign(2)))
        )
    assert corrected == got
    assert unlucky not in corrected


# --- whom ----------------------------------------------------------------------------------------------------


def test_a_list_that_was_saved_is_used_again(house, zhao_min):
    saved = plain(zhao_min.says(f"存名单 金水书记 县:{HOME} 且 职务:书记"))
    many = int(re.search(r"现在 (\d+) 人", saved).group(1))
    preview = write(zhao_min, "5", "金水书记")
    assert figures(preview)[0] == many > 0


def test_a_condition_that_cannot_be_read_says_where(house, zhao_min):
    zhao_min.says("群发")
    assert "可以写：全体、县:金水区" in zhao_min.says("6")
    assert "没有“火星”这个县" in zhao_min.says("县:火星")
    assert "少了一个右括号" in zhao_min.says("(县:金水区")
    assert "标题" in zhao_min.says("县:金水区 且 非 职务:书记")


def test_only_the_city_office_keeps_lists(house, li_na):
    assert "已保存" not in li_na.says("存名单 我的 全体")
