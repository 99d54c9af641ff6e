"""Pushes, tries, replies and their judgement (§1.4–§1.7, §3)."""

import threading
from collections import Counter

import pytest

from simulator.phone import LocalWeChat, Phone
from simulator.replies import FAULT_NOTICE
from tests.simulator.echo_bot import EchoBot, text_reply


@pytest.mark.parametrize("mode", ["plain", "compatible", "safe"])
def test_a_text_is_answered_in_every_mode(wechat: LocalWeChat, zhang_wei: Phone, bot: EchoBot, mode: str) -> None:
    wechat.settings(mode=mode)
    assert zhang_wei.says("签到") == "收到:签到"
    assert (b"<Content>" in bot.bodies[0]) == (mode != "safe")
    assert (b"<Encrypt>" in bot.bodies[0]) == (mode != "plain")
    assert bot.queries[0]["openid"] == zhang_wei.openid
    assert ("msg_signature" in bot.queries[0]) == (mode != "plain")


def test_every_kind_of_message_arrives(zhang_wei: Phone, bot: EchoBot) -> None:
    zhang_wei.sends_image()
    zhang_wei.sends_voice()
    zhang_wei.sends_voice("我要咨询")
    zhang_wei.sends_location(30.45, 114.87, "黄州")
    zhang_wei.sends_link()
    zhang_wei.sends_video()
    zhang_wei.taps("满意", "102")
    zhang_wei.sends("hologram", Depth=3)
    kinds = [push["MsgType"] for push in bot.pushes]
    assert kinds == ["image", "voice", "voice", "location", "link", "video", "text", "hologram"]
    assert "Recognition" not in bot.pushes[1]
    assert bot.pushes[2]["Recognition"] == "我要咨询"
    assert (bot.pushes[3]["Location_X"], bot.pushes[3]["Location_Y"]) == ("30.45", "114.87")
    assert bot.pushes[6]["bizmsgmenuid"] == "102"
    assert len({push["MsgId"] for push in bot.pushes}) == len(bot.pushes)


def test_following_scanning_and_clicking(zhang_wei: Phone, bot: EchoBot) -> None:
    assert zhang_wei.clicks("MENU_HELP") == "菜单:MENU_HELP"
    assert zhang_wei.scans("branch-7") == ""
    zhang_wei.unfollows()
    assert zhang_wei.scans("branch-7") == "欢迎关注"
    events = [(push["Event"], push["EventKey"]) for push in bot.pushes]
    assert events == [
        ("CLICK", "MENU_HELP"),
        ("SCAN", "branch-7"),
        ("unsubscribe", ""),
        ("subscribe", "qrscene_branch-7"),
    ]


def test_two_equal_events_differ_in_their_second(zhang_wei: Phone, bot: EchoBot) -> None:
    zhang_wei.clicks("A")
    zhang_wei.clicks("A")
    assert bot.pushes[0]["CreateTime"] != bot.pushes[1]["CreateTime"]


def test_a_lost_reply_brings_the_same_message_signed_anew(zhang_wei: Phone, bot: EchoBot) -> None:
    assert zhang_wei.says("签到", lose_replies=2) == "收到:签到"
    assert len(bot.pushes) == 3
    assert len({push["MsgId"] for push in bot.pushes}) == 1
    assert len({query["nonce"] for query in bot.queries}) == 3
    assert len(set(bot.bodies)) == 3


def test_three_lost_replies_are_a_fault(zhang_wei: Phone, bot: EchoBot) -> None:
    assert zhang_wei.says("签到", lose_replies=3) == FAULT_NOTICE
    assert len(bot.pushes) == 3


def test_a_push_can_be_repeated_though_it_was_answered(zhang_wei: Phone, bot: EchoBot) -> None:
    zhang_wei.says("签到", repeat=3)
    assert zhang_wei.last is not None
    assert [one["text"] for one in zhang_wei.last["tries"]] == ["收到:签到"] * 3


def test_a_message_may_keep_its_id(zhang_wei: Phone, bot: EchoBot) -> None:
    zhang_wei.says("签到", msg_id=24600000000000001)
    assert bot.pushes[0]["MsgId"] == "24600000000000001"


def test_silence_is_no_fault(zhang_wei: Phone, bot: EchoBot) -> None:
    for body in (b"success", b""):
        bot.answer = lambda _, body=body: (200, "text/plain", body)
        assert zhang_wei.says("嗯") == ""
        assert zhang_wei.last is not None
        assert zhang_wei.last["outcome"] == "silent"


FAULTS = {
    "HTTP": lambda push: (500, "text/plain", b"oops"),
    "JSON": lambda push: (200, "application/json", b"{}"),
    "合法的 XML": lambda push: (200, "text/xml", b"hello"),
    "DOCTYPE": lambda push: (200, "text/xml", b"<!DOCTYPE x><xml><a>1</a></xml>"),
    "没有加密": lambda push: (200, "text/xml", text_reply(push, "x").encode()),
    "Content 是空的": lambda push: text_reply(push, ""),
    "2049 字节": lambda push: text_reply(push, "a" * 2049),
    "ToUserName": lambda push: text_reply(push | {"FromUserName": "oSomebodyElse"}, "x"),
    "原始ID": lambda push: text_reply(push | {"ToUserName": "gh_other"}, "x"),
    "不认识的 MsgType": lambda push: text_reply(push, "x").replace("[text]", "[dance]"),
    "MediaId 不存在": lambda push: _other(push, "image", "<Image><MediaId>nothing</MediaId></Image>"),
    "缺少 MediaId": lambda push: _other(push, "voice", "<Voice></Voice>"),
    "ThumbMediaId": lambda push: _other(push, "music", "<Music><Title>t</Title></Music>"),
    "2 条图文": lambda push: _news(push, 2),
    "ArticleCount": lambda push: _news(push, 1, count=3),
    "CreateTime": lambda push: text_reply(push, "x").replace("<CreateTime>", "<CreateTime>x"),
}


def _other(push: dict[str, str], kind: str, inside: str) -> str:
    text = text_reply(push, "x").replace("[text]", f"[{kind}]")
    return text.replace("<Content><![CDATA[x]]></Content>", inside)


def _news(push: dict[str, str], articles: int, count: int | None = None) -> str:
    items = "<item><Title>题</Title><Url>https://example.com/?a=1&amp;b=2</Url></item>" * articles
    return _other(push, "news", f"<ArticleCount>{count or articles}</ArticleCount><Articles>{items}</Articles>")


@pytest.mark.parametrize("reason", FAULTS)
def test_a_bad_reply_shows_the_fault_notice(zhang_wei: Phone, bot: EchoBot, wechat: LocalWeChat, reason: str) -> None:
    bot.answer = FAULTS[reason]
    assert zhang_wei.says("签到") == FAULT_NOTICE
    assert zhang_wei.last is not None
    assert reason in zhang_wei.last["reason"]
    assert wechat.callbacks()[-1]["outcome"] == "fault"
    assert zhang_wei.chat()[-1]["kind"] == "fault"


def test_a_reply_signed_wrongly_is_a_fault(zhang_wei: Phone, bot: EchoBot) -> None:
    bot.crypto.token = "wrong"
    bot.read = lambda *_: {"FromUserName": zhang_wei.openid, "ToUserName": "gh_0a1b2c3d4e5f", "MsgType": "text"}  # type: ignore[method-assign]
    assert zhang_wei.says("签到") == FAULT_NOTICE
    assert "MsgSignature" in (zhang_wei.last or {})["reason"]
    del bot.read


def test_2048_bytes_and_several_articles_where_allowed(zhang_wei: Phone, bot: EchoBot) -> None:
    bot.answer = lambda push: text_reply(push, "a" * 2048)
    assert zhang_wei.says("长") == "a" * 2048
    bot.answer = lambda push: _news(push, 8)
    assert zhang_wei.clicks("K").count("题") == 8
    bot.answer = lambda push: _news(push, 1)
    assert zhang_wei.says("新闻") == "题"


def test_an_event_without_reply_ignores_what_is_answered(zhang_wei: Phone, bot: EchoBot) -> None:
    bot.answer = lambda push: "谁听呢"
    assert zhang_wei.event("VIEW", EventKey="https://example.com") == ""
    assert (zhang_wei.last or {})["outcome"] == "ignored"


def test_a_slow_bot_is_asked_three_times_and_the_late_answer_is_dropped(
    wechat: LocalWeChat, zhang_wei: Phone, bot: EchoBot
) -> None:
    wechat.settings(patience=0.05)
    let_go, heard = threading.Event(), Counter()

    def slowly(push: dict[str, str]) -> str:
        heard[push["MsgId"]] += 1
        if sum(heard.values()) < 3:
            let_go.wait(1)
        return "好"

    bot.answer = slowly
    assert zhang_wei.says("签到") == "好"
    let_go.set()
    assert list(heard.values()) == [3]
    assert "没有应答" in (zhang_wei.last or {})["tries"][0]["error"]


def test_nobody_at_home(wechat: LocalWeChat, zhang_wei: Phone) -> None:
    wechat.settings(callback_url="http://127.0.0.1:9/wechat")
    assert zhang_wei.says("签到") == FAULT_NOTICE
    assert "机器人没有应答（连接被拒绝）" in wechat.callbacks()[-1]["error"]
    assert wechat.callbacks()[-1]["tries"] == 3


def test_verification(wechat: LocalWeChat) -> None:
    assert wechat.verify()["ok"]
    assert wechat.verify(mode="safe")["ok"]
    assert wechat.verify(wrong_token=True)["status"] == 403
