"""签到, 请假 and what the secretary does: spoken through WeChat."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from models import Affiliation, Attendance, AuditEntry, Gathering, Person
from services.meetings import gatherings, leave
from services.membership import people


def plain(text: str) -> str:
    """A reply as it looks, without the links' addresses."""
    import re

    return re.sub(r"<a [^>]*>|</a>", "", text)


def test_a_member_checks_in_once(zhang_wei):
    assert zhang_wei.says("签到").startswith("签到成功：党员学习日\n")
    assert "您已于 09:00 签到" in zhang_wei.says("签到")


def test_a_later_word_tells_the_first_time(house, zhang_wei):
    zhang_wei.says("签到")
    house.now("2026-11-27T11:30")
    assert "您已于 09:00 签到" in zhang_wei.says("打卡")


def test_outside_the_window_the_next_gathering_is_named(house, zhang_wei):
    house.now("2026-11-24T10:00")
    assert plain(zhang_wei.says("签到")) == "今天没有可以签到的活动。下次：11月27日（周五） 08:30–20:00 党员学习日"
    house.now("2026-11-27T08:00")
    assert zhang_wei.says("签到").startswith("还没到签到时间。")
    house.now("2026-11-27T20:00")
    assert "下次：12月4日（周五）" in zhang_wei.says("签到")


def test_a_citizen_is_told_how_to_bind(wang_fang):
    assert "绑定" in wang_fang.says("签到")


def test_who_belongs_to_two_branches_chooses(house, sun_li):
    answer = plain(sun_li.says("签到"))
    assert answer.startswith("现在有几场活动可以签到")
    assert sun_li.says("签到 2").startswith("签到成功")
    assert "您已于" in sun_li.says("签到 2")
    assert sun_li.says("签到 1").startswith("签到成功")
    with house.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Attendance)) == 2


def test_leave_is_asked_granted_and_told(house, zhang_wei, li_na):
    house.now("2026-11-26T10:00")
    assert "请说明请假原因" in zhang_wei.says("请假")
    assert "等书记批准" in zhang_wei.says("出差")
    li_na.says("我的")
    house.deliver()
    assert "张伟 请假" in li_na.wait_for("请假：")["text"]
    assert "已准假：张伟" in li_na.says("准假 张伟")
    house.deliver()
    zhang_wei.wait_for("书记已准假")
    assert "已经请过假了" in zhang_wei.says("请假 病了")


def test_who_asked_leave_and_comes_is_present(house, zhang_wei, li_na):
    zhang_wei.says("请假 出差")
    assert zhang_wei.says("签到").startswith("签到成功")
    assert "出席 1，请假 0" in li_na.says("名单")
    assert "不需要请假" in zhang_wei.says("请假 又病了")


def test_the_secretary_signs_for_somebody_and_takes_it_back(house, zhang_wei, li_na):
    answer = li_na.says("代签 张伟 无名氏")
    assert "张伟 已代签" in answer
    assert "无名氏" in answer
    assert "书记已于 09:00 代您签到" in zhang_wei.says("签到")
    assert "张伟(代签)" in li_na.says("名单")
    assert "请写明姓名和原因" in li_na.says("撤签 张伟")
    assert "已撤销" in li_na.says("撤签 张伟 认错人了")
    assert "出席 0" in li_na.says("名单")
    with house.database.reading() as session:
        entry = session.scalar(sa.select(AuditEntry).where(AuditEntry.act == "attendance.undo"))
        assert "认错人了" in (entry.details or "")


def test_signing_for_somebody_outside_the_day_is_refused(house, li_na):
    house.now("2026-11-28T09:00")
    assert "只能在活动当天" in li_na.says("代签 张伟")


def test_a_member_cannot_do_what_secretaries_do(zhang_wei):
    for word in ("名单", "代签 李娜", "撤签 李娜 玩笑", "准假 李娜", "改期 11-30", "待确认", "邀请 李娜"):
        assert "支部书记" in zhang_wei.says(word), word


def test_a_branch_moves_its_week_with_a_reason(house, zhang_wei, li_na):
    house.now("2026-11-24T09:00")
    assert "改期的原因是什么" in li_na.says("改期 11-26")
    assert "已改到 11月26日（周四）" in li_na.says("周五场地停电")
    assert "11月26日（周四）" in zhang_wei.says("签到")
    house.now("2026-11-26T10:00")
    assert zhang_wei.says("签到").startswith("签到成功")


def test_who_has_checked_in_is_told_so_before_a_reason_is_asked_for(zhang_wei):
    zhang_wei.says("签到")
    assert zhang_wei.says("请假") == "您已于 11月27日 09:00 签到，不需要请假。"
    assert "没有看懂" in zhang_wei.says("出差"), "no talk was begun"


def test_a_bare_date_answers_the_question_to_which_day(house, li_na):
    house.now("2026-11-24T09:00")
    asked = li_na.says("改期")
    assert "要改到哪天？例如回复：11-28" in asked
    assert "同一周" in li_na.says("12-20")
    assert "日期没看懂" in li_na.says("下周")
    assert "改期的原因是什么" in li_na.says("11月26日")
    assert "要改到哪天" in li_na.says("返回上一题")
    li_na.says("11-26")
    assert "已改到 11月26日（周四）" in li_na.says("周五场地停电")


def test_no_list_is_ordered_by_activity(house, zhang_wei, li_na):
    """The roll is by name, whoever came first (F079)."""
    li_na.says("签到")
    zhang_wei.says("签到")
    line = next(x for x in li_na.says("名单").splitlines() if x.startswith("出席："))
    with house.database.reading() as session:
        names = session.scalars(
            sa.select(Person.name).where(Person.name.in_(("李娜", "张伟"))).order_by(Person.name)
        ).all()
    assert line == "出席：" + "、".join(names)


def test_the_study_day_exists_for_every_branch(house):
    with house.database.reading() as session:
        for friday in ("2026-11-27", "2026-12-04", "2026-12-11"):
            count = session.scalar(
                sa.select(sa.func.count()).select_from(Gathering).where(Gathering.held_on == friday)
            )
            assert count == 674, friday


def namesake(house, phone=None) -> int:
    """Another 张伟 in 李娜's branch."""
    with house.database.transaction() as session:
        known = session.scalars(sa.select(Person).where(Person.name == "张伟")).one()
        branch = people.branches_of(session, known.id, date(2026, 11, 1))[0]
        other = Person(name="张伟", phone=phone)
        session.add(other)
        session.flush()
        session.add(Affiliation(person_id=other.id, branch_id=branch.id, is_main=True, since_on=date(2026, 11, 1)))
        return other.id


def test_of_two_who_bear_a_name_the_one_who_asked_leave_is_meant(house, zhang_wei, li_na):
    namesake(house)
    zhang_wei.says("请假 出差")
    assert "没有“张伟 9999”等待批准的请假" in li_na.says("准假 张伟 9999")
    assert li_na.says("准假 张伟").startswith("已准假：张伟，")
    assert "没有“张伟”等待批准的请假" in li_na.says("不准 张伟")


def test_two_of_a_name_are_told_apart_by_the_number(house, zhang_wei, li_na):
    other = namesake(house)
    with house.database.reading() as session:
        tail = session.scalars(sa.select(Person).where(Person.name == "张伟", Person.id != other)).one().phone[-4:]
    answer = plain(li_na.says("代签 张伟 无名氏"))
    assert f"有两位张伟，请回复 代签 张伟 {tail}、代签 张伟 {other}号（手机后四位，或名册编号）。" in answer
    assert "名册里没有“无名氏”" in answer
    assert li_na.says(f"代签 张伟 {tail}、张伟 {other}号").count("张伟 已代签") == 2
    assert f"撤签 张伟 {tail}" in plain(li_na.says("撤签 张伟 点错了"))
    assert li_na.says(f"撤签 张伟 {other}号 点错了") == f"已撤销 张伟 {other}号 的签到记录，原因已留痕：点错了"
    assert li_na.says("撤签 张伟 点错了").startswith("已撤销 张伟 的签到记录"), "one of them is left who has a mark"


def test_two_of_a_name_who_both_ask_leave_are_told_apart(house, zhang_wei, li_na):
    other = namesake(house, "19900007788")
    zhang_wei.says("请假 出差")
    with house.database.transaction() as session:
        coming = gatherings.next_for(session, other, house.clock.at)
        leave.ask(session, other, coming.id, "病了", house.clock.at)
    assert "有两位张伟，请回复 不准 张伟 " in plain(li_na.says("不准 张伟"))
    assert li_na.says("不准 张伟 7788").startswith("未准假：张伟 7788，")
    assert li_na.says("准假 张伟").startswith("已准假：张伟，")


def test_one_of_two_who_bear_a_name_is_invited(house, li_na):
    other = namesake(house)
    assert "有两位张伟，请回复 邀请 张伟 " in plain(li_na.says("邀请 张伟"))
    assert "张伟的邀请码：" in li_na.says(f"邀请 张伟 {other}号")


def test_who_is_named_twice_is_signed_for_once(house, li_na):
    with house.database.reading() as session:
        tail = session.scalars(sa.select(Person).where(Person.name == "张伟")).one().phone[-4:]
    answer = li_na.says(f"代签 张伟 张伟 {tail}")
    assert answer.startswith("张伟 已代签\n张伟 此前已签")
    assert "出席 1，" in li_na.says("名单")
