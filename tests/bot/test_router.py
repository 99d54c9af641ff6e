"""The real table: nothing overlaps, everything that is shown is answered, and 帮助 fits into one reply (F010)."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any
from urllib.parse import unquote

import pytest
from click.testing import CliRunner

import app
from bot import menu
from bot.conversation import Flow
from bot.replies import MAX_BYTES
from bot.router import Router
from commands import asking
from handlers import guide
from handlers.menu import MENU
from tests.conftest import settings

ROUTER = app.make(settings("sqlite://")).router
GROUPS = sorted({route.group for route in ROUTER.routes if route.group})


def nothing(_turn: Any) -> None:
    return None


# --- nothing overlaps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTER.routes, ids=lambda r: r.name)
def test_no_word_can_be_given_away_twice(route):
    for word in (*route.words, f" {route.name} ", f"{route.name}！"):
        with pytest.raises(ValueError, match="two routes"):
            _with(lambda r, w=word: r.text(w)(nothing))


@pytest.mark.parametrize("more", [{"number": 1}, {"menu": "CHECK_IN"}, {"scene": "checkin"}])
def test_no_number_menu_key_or_scene_can_be_given_away_twice(more):
    with pytest.raises(ValueError, match="two routes"):
        _with(lambda r: r.text("从未用过的词", **more)(nothing))


def test_no_kind_flow_or_last_answer_can_be_given_away_twice():
    with pytest.raises(ValueError, match="two routes"):
        _with(lambda r: r.on("event:subscribe")(nothing))
    with pytest.raises(ValueError, match="two routes"):
        _with(lambda r: r.flow(Flow("绑定", (), nothing)))
    with pytest.raises(ValueError, match="one last answer"):
        _with(lambda r: r.otherwise(nothing))


@pytest.mark.parametrize("word", ["取消", "返回", "重来", "继续", "退出", " 取消 "])
def test_what_steers_a_talk_cannot_be_a_command(word):
    with pytest.raises(ValueError, match="steers"):
        Router().text(word)(nothing)


def _with(register: Any) -> None:
    extra, whole = Router(), Router()
    register(extra)
    whole.include([ROUTER, extra])


# --- what is shown is answered -------------------------------------------------------------------------------


def test_the_menu_is_one_that_wechat_takes():
    assert menu.payload(MENU)["button"]


@pytest.mark.parametrize("key", menu.keys(MENU))
def test_every_menu_key_is_answered(house, zhang_wei, key):
    assert ROUTER._menu[key].help
    assert zhang_wei.clicks(key)


def test_an_old_menu_key_gets_silence_and_no_error(house, zhang_wei):
    """The menu on a phone may be a day old."""
    assert zhang_wei.clicks("GONE") == ""
    assert zhang_wei.last["tries"][-1]["status"] == 200


@pytest.mark.parametrize("number", sorted(ROUTER._numbers))
def test_every_number_says_what_its_word_says(house, number):
    route = ROUTER._numbers[number]
    asked, said = house.phone("张伟"), house.phone("oSomebodyElse".ljust(28, "0"))
    by_number, by_word = said.says(number), house.phone("oAnother".ljust(28, "0")).says(route.name)
    assert by_number == by_word
    assert asked.says(number)


def test_every_link_in_the_help_says_a_command():
    for link in re.findall(r"msgmenucontent=([^&]+)&", guide.text(ROUTER, GROUPS)):
        word = unquote(link)
        assert ROUTER._words.get(word) or ROUTER._words[word.partition(" ")[0]].name == "帮助", word


@pytest.mark.parametrize("scene", sorted(ROUTER._scenes))
def test_every_scene_is_its_command_scanned(house, zhang_wei, scene):
    word = ROUTER._scenes[scene].name
    other = house.phone("oNobodyYet".ljust(28, "0"))
    assert other.scans(scene) == house.phone("oNobodyElse".ljust(28, "0")).says(word)
    assert zhang_wei.scans(scene)


def test_a_scanned_code_checks_in(zhang_wei):
    assert zhang_wei.scans("checkin").startswith("签到成功")


def test_a_new_follower_with_a_code_is_welcomed_and_served(house):
    answer = house.phone("oFresh".ljust(28, "0")).follows("consult")
    assert answer.startswith("您好")
    assert "您的问题属于哪一类" in answer


@pytest.mark.parametrize("scene", ["unknown", "checkin2", "", "-", "-1"])
def test_an_unknown_code_is_answered(zhang_wei, scene):
    assert "没有对应的事项" in zhang_wei.scans(scene or "x")


# --- 帮助 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "groups",
    [g for n in range(len(GROUPS) + 1) for g in combinations(GROUPS, n)],
    ids=lambda g: "+".join(g) or "公民",
)
def test_the_help_fits_into_one_reply_whatever_posts_somebody_holds(groups):
    text = guide.text(ROUTER, groups)
    assert len(text.encode()) <= MAX_BYTES
    named = set(re.split(r"[\s、·【】]+", re.sub(r"<a [^>]*>|</a>", "", text)))
    for route in ROUTER.help():
        assert (route.name in named) == (not route.group or route.group in groups), route.name


@pytest.mark.parametrize("group", GROUPS)
def test_every_post_has_a_page_that_explains_its_commands(group):
    page = guide.of_group(ROUTER, group)
    assert len(page.encode()) <= MAX_BYTES
    assert all(route.help in page for route in ROUTER.help() if route.group == group)


def test_each_of_the_cast_reads_the_help_that_is_theirs(house):
    headings = {"王芳": set(), "张伟": set(), "李娜": {"书记"}, "陈刚": {"律师"}, "赵敏": {"办公室"}}
    for name, groups in headings.items():
        text = house.phone(name).says("帮助")
        assert {g for g in GROUPS if f"【{g}】" in text} == groups, name
        assert "未全部显示" not in text


def test_the_page_of_a_post_is_for_those_who_hold_it(house, li_na, zhang_wei):
    assert li_na.says("帮助 书记").startswith("【书记】")
    assert zhang_wei.says("帮助 书记") == zhang_wei.says("帮助")


def test_the_printed_table_is_the_one_people_read(house, monkeypatch):
    """F010: `python app.py commands` and 帮助 come from the same routes."""
    monkeypatch.setattr(asking.made, "parts", lambda **_: house.parts)
    printed = CliRunner().invoke(asking.commands).output
    shown = guide.text(ROUTER, ())
    for route in ROUTER.help():
        assert route.help in printed
        if route.group:
            assert route.help in guide.of_group(ROUTER, route.group)
            assert f"【{route.group}】{route.help}" in printed
        else:
            assert f">{route.name}</a> {route.help.partition(' — ')[2]}" in shown
    listed, _, unlisted = printed.partition("不在“帮助”里")
    assert len(listed.split("\n\n")[0].splitlines()) == len(ROUTER.help())
    assert all("、".join(route.words) in unlisted for route in ROUTER.routes if not route.help)
    assert all(word in unlisted for word in ("撤回", "评价", "删除", "恢复", "汇总"))


def test_no_two_help_lines_name_the_same_command():
    names = [route.name for route in ROUTER.help()]
    assert len(names) == len(set(names))
    assert all(route.help.startswith(f"{route.name} — ") for route in ROUTER.help())
