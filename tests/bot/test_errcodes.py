"""Every code of the platform reference has a reaction, a reason and a next step (F016)."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import errcodes
from bot.errcodes import CODES, TIMED_OUT, UNREACHABLE, Reaction, of, of_status

CHINESE = re.compile(r"[\u4e00-\u9fff]")
AT = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)  # noon in Beijing


def reference() -> list[tuple[int, str]]:
    """The fixture, one code at a time: (40037, "stop+admin")."""
    rows = []
    for line in Path(__file__).with_suffix("").with_name("errcodes.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        span, words = line.split()
        first, last = re.fullmatch(r"(-?\d+)(?:-(\d+))?", span).groups()
        rows += [(code, words) for code in range(int(first), int(last or first) + 1)]
    return rows


@pytest.mark.parametrize(("code", "words"), reference())
def test_every_code_of_the_reference_is_known(code, words):
    known = CODES[code]
    both = words.split("+")
    assert known.code == code
    assert known.reaction in {Reaction(word) for word in both[0].split("/")}
    if "admin" in both[1:] or known.reaction is Reaction.ADMIN:
        assert known.tells_admin


def test_no_code_stands_twice_in_the_table_or_in_the_reference():
    assert max(Counter(code.code for row in errcodes._TABLE for code in row).values()) == 1
    assert max(Counter(code for code, _ in reference()).values()) == 1


def every_meaning():
    yield from CODES.values()
    yield from errcodes._BY_FAMILY.values()
    yield from (TIMED_OUT, UNREACHABLE, of(123456), of_status(502), of_status(429), of_status(404))


@pytest.mark.parametrize("code", list(every_meaning()), ids=lambda code: str(code.code))
def test_every_meaning_speaks_chinese_and_leads_to_exactly_one_act(code):
    assert CHINESE.search(code.reason)
    assert CHINESE.search(code.next_step)
    assert code.next_step.endswith("。")
    assert not code.reason.endswith("。")
    assert [code.is_ok, code.may_retry, code.ends_this_recipient, code.stops_the_job].count(True) == 1
    assert (code.wait_seconds is not None) or code.reaction is not Reaction.WAIT


@pytest.mark.parametrize("code", [43004, 43101, 45015, 45047, 40003])
def test_who_cannot_be_reached_ends_alone_and_is_not_tried_again(code):
    assert of(code).ends_this_recipient
    assert not of(code).may_retry
    assert not of(code).stops_the_job


@pytest.mark.parametrize(
    ("code", "why", "what"),
    [
        (43004, "没有关注", "重新关注"),
        (43101, "没有订阅", "订阅"),
        (45015, "48 小时", "模板消息"),
        (45047, "条数已用完", "模板消息"),
        (45009, "额度已用完", "零点"),
        (48001, "没有这项权限", "管理员"),
        (40003, "openid", "重新关注"),
    ],
)
def test_the_codes_of_f016_say_why_and_what_next(code, why, what):
    assert why in of(code).reason
    assert what in of(code).next_step


def test_a_used_up_day_waits_until_midnight_in_beijing_and_tells_the_administrator():
    code = of(45009)
    assert (code.reaction, code.tells_admin, code.may_retry) == (Reaction.WAIT, True, True)
    assert code.retry_at(AT) == datetime(2026, 11, 27, 16, 0, tzinfo=UTC)
    assert code.retry_at(AT + timedelta(hours=12)) == datetime(2026, 11, 28, 16, 0, tzinfo=UTC)


def test_a_used_up_minute_waits_a_minute():
    assert of(45011).retry_at(AT) == AT + timedelta(minutes=1)
    assert of(43004).retry_at(AT) is None


def test_a_missing_permission_stops_everything():
    assert of(48001).stops_the_job
    assert of(48001).tells_admin


def test_a_person_who_gets_too_much_holds_up_nobody_else():
    assert of(43117).only_this_recipient
    assert of(43108).only_this_recipient
    assert not of(45009).only_this_recipient


@pytest.mark.parametrize(
    ("code", "path", "reaction"),
    [
        (40001, "/cgi-bin/message/custom/send", Reaction.TOKEN),
        (40001, "/cgi-bin/token", Reaction.ADMIN),
        (40001, "/cgi-bin/stable_token", Reaction.ADMIN),
        (40002, "/wxa/generatescheme", Reaction.ADMIN),
        (43104, "/cgi-bin/message/subscribe/bizsend", Reaction.FIX),
        (43104, "/wxa/business/getuserphonenumber", Reaction.ADMIN),
        (46003, "/cgi-bin/menu/get", Reaction.OK),
        (46003, "/cgi-bin/menu/delete", Reaction.FIX),
    ],
)
def test_a_code_may_mean_something_else_for_another_call(code, path, reaction):
    assert of(code, path).reaction is reaction


def test_words_of_a_code_depend_on_the_call():
    assert "封禁" in of(40013, "/wxa/generatescheme").reason
    assert "AppID" in of(40013, "/cgi-bin/token").reason
    assert "回复" in of(87009, "/cgi-bin/comment/reply/delete").reason
    assert "签名" in of(87009, "/wxa/checksession").reason


def test_an_unknown_code_is_never_tried_again():
    code = of(123456, "/cgi-bin/message/custom/send")
    assert code.reason == "微信返回了未收录的错误码 123456"
    assert code.ends_this_recipient
    assert code.tells_admin


def test_what_may_have_gone_out_is_not_sent_again_by_guess():
    for code in (of(-1), TIMED_OUT, of_status(500), of_status(503)):
        assert (code.reaction, code.may_retry, code.may_have_gone_out) == (Reaction.BACKOFF, True, True)
    assert (UNREACHABLE.may_retry, UNREACHABLE.may_have_gone_out) == (True, False)


def test_a_gateway_that_asks_for_patience_gets_it():
    for status in (412, 429):
        assert of_status(status).reaction is Reaction.WAIT
    assert not of_status(403).may_retry
