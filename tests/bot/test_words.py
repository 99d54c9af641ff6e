"""Forgiving input (F011): what is heard as a command, and what is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import app
from bot import words
from bot.conversation import STEERING
from tests.conftest import settings

#: The real router, without a database.
ROUTER = app.make(settings("sqlite://")).router
OFFERED = [route.name for route in ROUTER.routes if route.help]
EVERY_WORD = sorted({words.key(word) for route in ROUTER.routes for word in route.words})
SOUNDS = words.Sounds(OFFERED)


@pytest.mark.parametrize(
    "said", ["签到", " 签到 ", "签 到", "签到！", "签到。", "签到~", "签到……", "签\u200b到", "签到？！", "\ufeff签到"]
)
def test_the_same_word_in_another_dress_is_the_same_word(said):
    assert words.key(said) == "签到"


@pytest.mark.parametrize("said", ["ＨＥＬＰ", "Help", "help.", "ｈｅｌｐ！", "H e l p"])
def test_full_width_and_case_do_not_matter(said):
    assert words.key(said) == "help"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("签 道", "签到"), ("簽到", "签到"), ("qd", "签到"), ("ＱＤ", "签到"), ("QD", "签到"), ("qiandao", "签到"),
        ("Qian Dao", "签到"), ("签道", "签到"), ("签道。", "签到"), ("ｑｉａｎｄａｏ", "签到"), ("前到", "签到"),
        ("qiandoa", "签到"), ("請假", "请假"), ("咨訊", "咨询"), ("资询", "咨询"), ("zixun", "咨询"), ("绑订", "绑定"),
        ("綁定", "绑定"), ("服務站", "服务站"), ("幫助", "帮助"),
    ],
)  # fmt: skip
def test_what_sounds_like_a_command_is_heard_as_it(said, meant):
    assert SOUNDS.nearest(said) == meant


@pytest.mark.parametrize(
    "said",
    [
        "", "。", "？", "好", "谢谢", "天气不错", "老板拖欠工资怎么办", "我昨天签到了吗还是没有签到", "今天的学习在哪里举行",
        "房东不退押金", "a", "12345", "👍", "/::)", "他打我",
    ],
)  # fmt: skip
def test_what_is_no_command_is_left_alone(said):
    assert SOUNDS.nearest(said) is None


SENTENCE = st.text(st.sampled_from("我想问一下房东不退押金怎么办请假签到咨询工资离婚"), min_size=9, max_size=60)


@given(SENTENCE)
def test_a_sentence_is_never_taken_for_a_command(said):
    assert SOUNDS.nearest(said) is None


@given(st.text(max_size=80))
def test_nothing_that_is_typed_breaks_the_reading(said):
    words.split(said)
    assert " " not in words.key(said)
    assert SOUNDS.nearest(said) in {None, *OFFERED}
    assert not (words.is_yes(said) and words.is_no(said))


@pytest.mark.parametrize(
    ("said", "head", "rest"),
    [
        ("查询 ZX01", "查询", "ZX01"), ("查询：ZX01", "查询", "ZX01"), ("查询ZX01", "查询", "ZX01"),
        ("查询　ＺＸ０１", "查询", "ZX01"), ("代签 张伟 李强", "代签", "张伟 李强"), ("请假，出差", "请假", "出差"),
    ],
)  # fmt: skip
def test_a_command_and_what_follows_it_are_told_apart(said, head, rest):
    assert (head, rest) in words.split(said)


# --- the real commands ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", OFFERED)
def test_every_command_is_heard_by_its_own_sound(word):
    """No two commands sound alike: the pinyin of each leads to it and to no other."""
    assert SOUNDS.nearest(words._sound(word)) == word


def test_no_two_words_that_can_be_said_sound_alike():
    """Aliases of one command may; 帮助 and 不准 are told apart by ear."""
    by_sound: dict[str, set[str]] = {}
    for route in ROUTER.routes:
        for word in route.words:
            by_sound.setdefault(words._sound(word), set()).add(route.name)
    assert {s: names for s, names in by_sound.items() if len(names) > 1} == {}


def test_two_initials_that_are_the_same_are_not_guessed_at():
    assert {words._initials("接单"), words._initials("进度")} == {"jd"}
    assert words.Sounds(["接单", "进度", "签到"]).nearest("jd") is None
    assert words.Sounds(["接单", "签到"]).nearest("jd") == "接单"


def test_no_command_steers_a_talk():
    assert STEERING.isdisjoint(EVERY_WORD)


def test_yes_and_no_are_no_commands():
    for word in EVERY_WORD:
        assert not words.is_yes(word), word
        assert not words.is_no(word), word
