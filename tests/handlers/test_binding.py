"""绑定: who is who, decided by a code or by somebody who knows the person (F029)."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from models import Affiliation, Branch, ClaimState, Follower, Person, Post, Role
from models.people import BindingClaim
from services.membership import binding

CODE, NAME, PHONE = "JS2026", "周杰", "19900001234"
SUBMITTED = "已提交。若姓名和手机号与名册一致"


def person_of(house: Any, phone: Any) -> str | None:
    with house.database.reading() as session:
        return session.scalar(
            sa.select(Person.name)
            .join(Follower, Follower.person_id == Person.id)
            .where(Follower.openid == phone.openid)
        )


def claim(phone: Any, name: str = NAME, number: str = PHONE) -> str:
    phone.says("绑定")
    phone.says("没有")
    phone.says(name)
    return phone.says(number)


def number_of(house: Any) -> int:
    with house.database.reading() as session:
        return session.scalar(sa.select(sa.func.max(BindingClaim.id))) or 0


@pytest.fixture
def stranger(house):
    """Somebody with the phone of 周杰, unknown until now."""
    phone = house.phone("oZhouJie".ljust(28, "0"))
    phone.follows()
    return phone


@pytest.fixture
def other_secretary(house):
    """Secretary of a branch that is not 周杰's."""
    with house.database.reading() as session:
        home = sa.select(Affiliation.branch_id).join(Person).where(Person.name == NAME)
        openid = session.scalar(
            sa.select(Follower.openid)
            .join(Post, Post.person_id == Follower.person_id)
            .where(Post.role == Role.SECRETARY, Post.branch_id.not_in(home))
            .limit(1)
        )
    return house.phone(openid)


# --- by code -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [f"绑定 {CODE}", f"绑定：{CODE.lower()}", f"绑定{CODE}", "绑定 ＪＳ２０２６"])
def test_an_invite_code_binds_at_once(house, stranger, said):
    answer = stranger.says(said)
    assert answer.startswith("绑定成功：周杰。")
    assert person_of(house, stranger) == NAME
    assert stranger.says("签到").startswith("签到成功")


def test_a_code_can_be_given_in_the_talk(house, stranger):
    assert "只用于身份确认" in stranger.says("绑定")
    assert "邀请码是 6 位" in stranger.says("！！")
    assert stranger.says("js2026").startswith("绑定成功")


@pytest.mark.parametrize("start", ["绑定", "绑定 JS2025"])
def test_who_mistyped_a_code_goes_on_from_there(house, stranger, start):
    stranger.says(start)
    assert "邀请码不对" in stranger.says("JS2O26")
    assert stranger.says(CODE).startswith("绑定成功")


def test_after_a_wrong_code_none_leads_to_name_and_phone(house, stranger):
    stranger.says("绑定")
    assert "没有请回复" in stranger.says("AAAA22")
    assert "您的姓名" in stranger.says("没有")


def test_codes_typed_in_the_talk_are_limited_too(house, stranger):
    stranger.says("绑定")
    for n in range(binding.MAX_GUESSES):
        assert "邀请码不对" in stranger.says(f"AAAA{n}2")
    assert "试的次数太多了" in stranger.says(CODE)
    assert person_of(house, stranger) is None


def test_a_printed_code_can_be_scanned(house, stranger):
    assert stranger.scans(f"invite-{CODE}").startswith("绑定成功")


def test_a_code_works_once(house, stranger):
    stranger.says(f"绑定 {CODE}")
    other = house.phone("oSomebodyElse".ljust(28, "0"))
    assert "邀请码不对、已用过或已过期" in other.says(f"绑定 {CODE}")
    assert person_of(house, other) is None


def test_an_old_code_does_not_work(house, li_na, stranger):
    code = li_na.says(f"邀请 {NAME}").split("邀请码：")[1][: binding.CODE_LENGTH]
    house.now("2026-12-27T09:00")
    assert "已过期" in stranger.says(f"绑定 {code}")
    assert person_of(house, stranger) is None


def test_wrong_codes_are_limited_even_for_the_right_one(house, stranger):
    """Five guesses an hour; then the right code has to wait too."""
    for n in range(binding.MAX_GUESSES):
        assert "邀请码不对" in stranger.says(f"绑定 AAAA{n}2")
    assert "试的次数太多了" in stranger.says(f"绑定 {CODE}")
    assert person_of(house, stranger) is None
    house.now("2026-11-27T10:01")
    assert stranger.says(f"绑定 {CODE}").startswith("绑定成功")


def test_somebody_elses_guesses_do_not_count(house, stranger, wang_fang):
    for n in range(binding.MAX_GUESSES + 1):
        wang_fang.says(f"绑定 AAAA{n}2")
    assert stranger.says(f"绑定 {CODE}").startswith("绑定成功")


def test_the_secretary_makes_a_code_for_a_member(house, li_na, stranger):
    answer = li_na.says(f"邀请 {NAME}")
    code = answer.split("邀请码：")[1][: binding.CODE_LENGTH]
    assert stranger.says(f"绑定 {code}").startswith("绑定成功：周杰")


def test_the_secretary_cannot_invite_into_another_branch(house, li_na):
    assert "没有找到" in li_na.says("邀请 孙丽")


# --- by name and phone ---------------------------------------------------------------------------------------


def test_the_secretary_says_yes(house, stranger, li_na):
    assert SUBMITTED in claim(stranger)
    assert person_of(house, stranger) is None, "not before somebody who knows him says so"
    house.deliver()
    assert NAME in li_na.says("待确认")
    assert li_na.says(f"同意绑定 {number_of(house)}") == "已同意：周杰。已通知本人。"
    assert person_of(house, stranger) == NAME
    house.deliver()
    stranger.wait_for("您已绑定为周杰")
    assert "没有等待确认" in li_na.says("待确认")


def test_the_secretary_is_asked_by_a_message_that_can_be_answered(house, stranger, li_na):
    li_na.says("帮助")
    claim(stranger)
    house.deliver()
    text = li_na.wait_for("申请绑定为")["text"]
    assert f"同意绑定 {number_of(house)}" in text


def test_the_secretary_says_no(house, stranger, li_na):
    claim(stranger)
    assert li_na.says(f"拒绝绑定 {number_of(house)}").startswith("已拒绝：周杰")
    assert person_of(house, stranger) is None
    house.deliver()
    stranger.wait_for("没有通过")


def test_a_decision_is_made_once(house, stranger, li_na):
    claim(stranger)
    number = number_of(house)
    li_na.says(f"拒绝绑定 {number}")
    assert "处理过了" in li_na.says(f"同意绑定 {number}")
    assert person_of(house, stranger) is None


@pytest.mark.parametrize(
    ("name", "number"), [("无名氏", PHONE), (NAME, "19900009999"), ("无名氏", "19900009999"), (NAME, PHONE)]
)
def test_the_answer_does_not_tell_who_is_known(house, stranger, name, number):
    """Nobody can find out by trying whether a name and a phone belong together."""
    assert claim(stranger, name, number).startswith(SUBMITTED)
    with house.database.reading() as session:
        rows = session.scalar(sa.select(sa.func.count()).select_from(BindingClaim))
    # A known name with another number is put to the office; who asked is told the same.
    assert rows == (name == NAME)


def test_trying_out_names_is_limited(house, stranger):
    for n in range(binding.MAX_GUESSES):
        assert SUBMITTED in claim(stranger, "无名氏", f"1990000999{n}")
    assert "试的次数太多了" in claim(stranger)
    with house.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(BindingClaim)) == 0


@pytest.mark.parametrize("number", ["12345", "电话", "+1 202 555 0100", "0371-12348"])
def test_what_is_no_mobile_number_is_asked_again(house, stranger, number):
    stranger.says("绑定")
    stranger.says("没有")
    stranger.says(NAME)
    assert "手机号" in stranger.says(number)
    assert stranger.says("199-0000-1234").startswith(SUBMITTED)


@pytest.mark.parametrize("name", ["周杰😀", "周杰1", "周，杰"])
def test_a_name_with_what_stands_in_no_name_is_asked_again(house, stranger, name):
    stranger.says("绑定")
    stranger.says("没有")
    assert "姓名只用文字" in stranger.says(name)
    assert "手机号" in stranger.says(NAME)


def test_another_branchs_secretary_cannot_decide(house, stranger, other_secretary):
    claim(stranger)
    number = number_of(house)
    for word in ("同意绑定", "拒绝绑定"):
        assert "没有这条待确认的绑定" in other_secretary.says(f"{word} {number}")
    assert "没有等待确认" in other_secretary.says("待确认")
    with house.database.reading() as session:
        assert session.scalar(sa.select(BindingClaim.state)) is ClaimState.WAITING


def test_a_claim_that_does_not_exist_looks_the_same(house, li_na, other_secretary, stranger):
    claim(stranger)
    assert other_secretary.says("同意绑定 999") == other_secretary.says(f"同意绑定 {number_of(house)}")


def test_a_member_cannot_decide(house, stranger, zhang_wei):
    claim(stranger)
    assert "支部书记" in zhang_wei.says(f"同意绑定 {number_of(house)}")


def test_the_city_office_may_decide_for_any_branch(house, stranger, zhao_min):
    claim(stranger)
    assert zhao_min.says(f"同意绑定 {number_of(house)}").startswith("已同意")


def test_a_secretary_cannot_vouch_for_themselves(house, li_na):
    """A stranger claims to be 李娜: 李娜's own word, or that of her thief, does not count."""
    with house.database.transaction() as session:
        person = session.scalar(
            sa.select(Person).join(Follower, Follower.person_id == Person.id).where(Follower.openid == li_na.openid)
        )
        session.add(BindingClaim(openid="oThief".ljust(28, "0"), person_id=person.id, claimed_at=house.clock()))
    assert "没有这条待确认的绑定" in li_na.says(f"同意绑定 {number_of(house)}")


def test_two_accounts_claim_one_person_and_the_office_decides_for_both(house, stranger, li_na, zhao_min):
    other = house.phone("oImpostor".ljust(28, "0"))
    other.follows()
    claim(stranger)
    first = number_of(house)
    claim(other)
    assert "没有等待确认" in li_na.says("待确认"), "a secretary's word does not settle it any more"
    assert "没有这条待确认的绑定" in li_na.says(f"同意绑定 {first}")
    assert zhao_min.says(f"同意绑定 {first}").startswith("已同意")
    assert (person_of(house, stranger), person_of(house, other)) == (NAME, None)
    assert "处理过了：已作废" in zhao_min.says(f"同意绑定 {number_of(house)}")


def test_asking_twice_makes_one_claim(house, stranger):
    claim(stranger)
    first = number_of(house)
    claim(stranger)
    assert number_of(house) == first


# --- leaving and coming back ---------------------------------------------------------------------------------


def test_unbinding_and_binding_again(house, stranger, li_na):
    stranger.says(f"绑定 {CODE}")
    stranger.says("签到")
    assert "确定要解绑吗" in stranger.says("解绑")
    assert "仍保留" in stranger.says("解绑 确定")
    assert person_of(house, stranger) is None
    assert "绑定" in stranger.says("签到")
    claim(stranger)
    li_na.says(f"同意绑定 {number_of(house)}")
    assert "您已于 09:00 签到" in stranger.says("签到"), "the record stayed with the person"


@pytest.mark.parametrize("yes", ["确定解绑", "确认解绑", "确定", "是", "1", "解绑 确定"])
def test_the_question_before_unbinding_understands_a_yes(house, stranger, yes):
    stranger.says(f"绑定 {CODE}")
    assert "确定要解绑吗" in stranger.says("解绑")
    assert "仍保留" in stranger.says(yes)
    assert person_of(house, stranger) is None


@pytest.mark.parametrize("no", ["2", "不", "先不解绑", "取消"])
def test_the_question_before_unbinding_understands_a_no(house, stranger, no):
    stranger.says(f"绑定 {CODE}")
    stranger.says("解绑")
    assert stranger.says(no) in {"没有解绑。", "已取消解绑，什么也没有提交。"}
    assert person_of(house, stranger) == NAME
    assert stranger.says("签到").startswith("签到成功"), "nothing was checked in before"


def test_a_new_phone_takes_the_place_of_the_old_one_by_the_offices_word(house, stranger, li_na, zhao_min):
    stranger.says(f"绑定 {CODE}")
    stranger.says("签到")
    second = house.phone("oNewPhone".ljust(28, "0"))
    second.follows()
    claim(second)
    assert "没有等待确认" in li_na.says("待确认")
    assert zhao_min.says(f"同意绑定 {number_of(house)}").startswith("已同意")
    assert (person_of(house, second), person_of(house, stranger)) == (NAME, None)
    assert "您已于" in second.says("签到"), "the record stayed with the person"
    house.deliver()
    stranger.wait_for("改用另一个微信")


def test_who_is_bound_is_told_and_not_asked(house, zhang_wei):
    answer = zhang_wei.says("绑定")
    assert answer.startswith("这个微信已绑定：张伟。")
    assert zhang_wei.says(f"绑定 {CODE}") == answer
    assert person_of(house, zhang_wei) == "张伟"


def test_a_bound_account_does_not_use_up_somebody_elses_code(house, stranger, li_na):
    """The code is given in a talk that began before the account was bound."""
    claim(stranger, "无名氏")
    stranger.says("绑定")
    with house.database.transaction() as session:
        zhang = session.scalar(sa.select(Person.id).where(Person.name == "张伟").limit(1))
        session.get_one(Follower, stranger.openid).person_id = zhang
    assert "已经绑定了另一位同志" in stranger.says(CODE)
    fresh = house.phone("oFresh".ljust(28, "0"))
    assert fresh.says(f"绑定 {CODE}").startswith("绑定成功")


def test_a_branch_without_a_secretary_asks_the_office(house, stranger):
    with house.database.transaction() as session:
        home = session.scalar(sa.select(Affiliation.branch_id).join(Person).where(Person.name == NAME))
        session.execute(sa.delete(Post).where(Post.branch_id == home, Post.role == Role.SECRETARY))
        county = session.get_one(Branch, home).county_id
        office = sa.select(Post.person_id).where(Post.role == Role.COUNTY_OFFICE, Post.county_id == county)
        openid = session.scalar(sa.select(Follower.openid).where(Follower.person_id.in_(office)))
    office = house.phone(openid)
    office.says("帮助")
    claim(stranger)
    house.deliver()
    assert "存疑" in office.wait_for("申请绑定为")["text"]
