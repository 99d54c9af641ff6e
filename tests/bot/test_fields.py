"""Typed template fields (wechat-platform.md §4.7): what is fitted is taken, and what we let through WeChat takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import config
from bot import fields
from simulator import fields as wechat

GOOD = {
    "thing1": ["党员学习日", "a", "二十个字的一件事情写得满满当当刚刚好啊呀"],
    "number2": ["0", "-1.5", "12345678901234567890123456789012"],
    "letter3": ["ABC"],
    "symbol4": ["！", "+-*/="],
    "character_string5": ["ZX-2026-0001"],
    "time6": ["15:01", "2024年7月1日 15:01", "9:05:59", "15:01~16:00", "2024-07-01 15:01"],
    "date7": [
        "2024年7月1日",
        "2024-07-01",
        "2024/07/01",
        "2024.07.01",
        "2024年7月1日~2024年7月3日",
        "2024年7月1日 8:30",
    ],
    "amount8": ["12.50元", "¥12", "1234567890.12元"],
    "phone_number9": ["0371-12348", "+86 19900001234"],
    "car_number10": ["豫A12345", "豫A1234警"],
    "name11": ["张伟", "Zhang Wei", "欧阳震华"],
    "phrase12": ["已受理", "好"],
    "keyword1": ["什么都行，多长都行" * 5],
}
BAD = {
    "thing1": ["", "  ", "两\n行", "超" * 21, "\u2028"],
    "number2": ["一", "1.", "1e5", "1" * 33, "１２"],
    "letter3": ["A1", "字", "A" * 33],
    "symbol4": ["a", "!!!!!!", "！ ！"],
    "character_string5": ["中文", "a" * 33],
    "time6": ["25:00", "9点", "15:60", "2024年2月30日 15:01", "15:01~", "15:01~明天"],
    "date7": ["2024年13月1日", "2024-02-30", "明天", "2024年7月1日上午", "15:01"],
    "amount8": ["十元", "12345678901", "¥"],
    "phone_number9": ["电话", "1" * 18],
    "car_number10": ["豫A12345678", "中文车牌"],
    "name11": ["十一个汉字的名字太长啦呀", "Zhang3", "A" * 21],
    "phrase12": ["六个字的短语", "ok", "已 办", "已办1"],
}


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in GOOD.items() for v in values])
def test_what_the_table_allows_is_let_through(field, value):
    assert fields.problem(field, value) is None
    assert wechat.valid(field, value)


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in BAD.items() for v in values])
def test_what_the_table_forbids_is_named(field, value):
    assert field in (fields.problem(field, value) or "")


PIECES = st.sampled_from(
    [
        *"0123456789aZ 年月日-/.:~¥￥元+()#张伟豫中文！，。👍²①\n\t\x85\u2028\u3000…“”",
        *("2024年", "7月1日", "15:01", "2024-07-01"),
    ]
)
VALUES = st.lists(PIECES, max_size=24).map("".join) | st.text(max_size=40)
TYPES = st.sampled_from(sorted({fields.kind(f) for f in GOOD}))


@given(TYPES, VALUES)
def test_what_we_let_through_wechat_takes(field, value):
    if fields.problem(f"{field}1", value) is None:
        assert wechat.valid(f"{field}1", value)


#: Where we are stricter than the local WeChat, on purpose: forms that WeChat is not known to take.
STRICTER = {"character_string", "time", "date", "amount", "phrase", "car_number", "name", "number"}


@given(TYPES.filter(lambda t: t not in STRICTER), VALUES)
def test_and_what_wechat_takes_we_let_through(field, value):
    if wechat.valid(f"{field}1", value):
        assert fields.problem(f"{field}1", value) is None


@given(st.sampled_from(["thing", "name", "phrase"]), VALUES)
def test_a_fitted_value_is_taken_whenever_anything_is_left_of_it(field, value):
    fitted = fields.fitted(f"{field}3", value)
    if fitted.strip():
        assert fields.problem(f"{field}3", fitted) is None
        assert wechat.valid(f"{field}3", fitted)


@given(TYPES, VALUES)
def test_fitting_twice_changes_nothing_more(field, value):
    once = fields.fitted(f"{field}3", value)
    assert fields.fitted(f"{field}3", once) == once


@pytest.mark.parametrize(
    ("field", "value", "fitted"),
    [
        ("thing1", "第一行\n第二行", "第一行 第二行"),
        ("thing1", "字" * 25, "字" * 19 + "…"),
        ("thing1", "字" * 20, "字" * 20),
        ("name2", "阿卜杜热合曼·买买提依明江", "阿卜杜热合曼·买买提"),
        ("name2", "Alexandria Montgomery Smith", "Alexandria Montgomer"),
        ("name2", "张伟2", "张伟"),
        ("phrase3", "已 受理（1）", "已受理"),
        ("phrase3", "等待律师接单", "等待律师接"),
        ("time4", " 9:00 ", "9:00"),
        ("amount5", "很多很多很多很多钱", "很多很多很多很多钱"),
    ],
)
def test_a_value_is_cut_only_where_a_cut_does_no_harm(field, value, fitted):
    assert fields.fitted(field, value) == fitted


def test_the_examples_templates_have_fields_that_are_known():
    templates = config.load({"BOT_CONFIG": str(config.ROOT / "config.example.yaml")}).wechat.templates
    assert {fields.kind(f) for t in templates.values() for f in t.fields} <= set(fields.RULES) | {"name"}
