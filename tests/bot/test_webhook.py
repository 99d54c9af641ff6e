"""The door: three modes, forgeries, every kind of message, no traceback whatever comes in."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.crypto import signature
from models import Attendance, InboxMessage
from simulator import forgeries

KINDS_WITH_ANSWERS = ("image", "voice", "video", "shortvideo", "link", "location", "miniprogrampage")


def rows(house: Any, table: Any) -> int:
    with house.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


@pytest.mark.parametrize("mode", ["plain", "compatible", "safe"])
def test_every_mode_verifies_and_answers(open_house, mode):
    house = open_house(mode=mode)
    assert house.wechat.verify()["ok"]
    assert house.phone("张伟").says("签到").startswith("签到成功")


@pytest.mark.parametrize("mode", ["plain", "compatible", "safe"])
@pytest.mark.parametrize("kind", sorted(set(forgeries.KINDS) - {"control"}))
def test_a_forgery_does_nothing(open_house, mode, kind):
    """Whatever is forged: no 500, no traceback, no attendance, and the refusal is counted."""
    house = open_house(mode=mode)
    zhang_wei = house.phone("张伟")
    zhang_wei.says("帮助")
    answer = house.wechat.forge(kind, zhang_wei.openid)
    assert answer["status"] < 500, answer
    assert "Traceback" not in str(answer["body"])
    # In plain mode a plain body is no forgery; a control character is what phones send (§1.9).
    assert rows(house, Attendance) == (1 if (kind, mode) == ("plain", "plain") else 0)


def test_a_control_character_is_taken_out(house, zhang_wei):
    assert house.wechat.forge("control", zhang_wei.openid)["status"] == 200
    assert rows(house, Attendance) == 1


def test_one_flipped_byte_is_refused(house, zhang_wei):
    answer = house.wechat.forge("flip", zhang_wei.openid)
    assert answer["status"] == 403


def test_stale_and_replayed_requests_are_refused_and_counted(house, zhang_wei):
    zhang_wei.says("帮助")
    assert house.wechat.forge("replay", zhang_wei.openid)["status"] == 403
    assert house.wechat.forge("old", zhang_wei.openid)["status"] == 403
    page = urllib.request.urlopen(f"{house.url}/metrics").read().decode()
    assert 'assistant_refused_total{check="replay"} 1.0' in page
    assert 'assistant_refused_total{check="stale"} 1.0' in page


@pytest.mark.parametrize("kind", KINDS_WITH_ANSWERS)
def test_every_kind_of_message_is_answered(house, wang_fang, kind):
    answers = {
        "image": wang_fang.sends_image,
        "voice": wang_fang.sends_voice,
        "video": wang_fang.sends_video,
        "link": wang_fang.sends_link,
        "location": lambda: wang_fang.sends_location(34.75, 113.62),
    }
    assert answers.get(kind, lambda: wang_fang.sends(kind, MediaId="m", Title="t"))()


def test_voice_with_text_is_a_command_and_voice_without_gets_a_hint(house, zhang_wei):
    assert zhang_wei.sends_voice("签到。").startswith("签到成功")
    assert "转文字" in zhang_wei.sends_voice()


@pytest.mark.parametrize(
    "event",
    [
        "LOCATION", "VIEW", "view_miniprogram", "scancode_push", "scancode_waitmsg", "pic_sysphoto",
        "pic_photo_or_album", "pic_weixin", "location_select", "MASSSENDJOBFINISH", "PUBLISHJOBFINISH",
        "subscribe_msg_popup_event", "subscribe_msg_change_event", "subscribe_msg_sent_event", "kf_create_session",
        "kf_close_session", "kf_switch_session", "user_enter_tempsession", "user_info_modified",
        "user_authorization_revoke", "user_authorization_cancellation", "wxa_media_check",
        "qualification_verify_success", "verify_expired", "annual_renew", "never_heard_of",
    ],
)  # fmt: skip
def test_every_event_is_taken(house, wang_fang, event):
    """Events nobody handles are stored and answered with silence (wechat-platform.md §2)."""
    before = rows(house, InboxMessage)
    assert wang_fang.event(event, EventKey="k") == ""
    assert rows(house, InboxMessage) == before + 1


def test_an_unknown_kind_of_message_is_kept_and_answered_with_silence(house, wang_fang):
    assert wang_fang.sends("hologram", Depth="3") == ""
    assert rows(house, InboxMessage) == 1


def test_words_that_break_xml_come_back_whole(house, wang_fang):
    assert wang_fang.says("]]><b>&𬀩😀").startswith("没有看懂“]]><b>&𬀩😀”")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(house, method):
    request = urllib.request.Request(f"{house.url}/wechat", method=method, data=b"x")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 405


def test_somebody_who_leaves_in_the_middle_is_refused_and_counted(house):
    host, port = house.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(b"POST /wechat HTTP/1.1\r\nHost: bot\r\nContent-Length: 100\r\n\r\n<xml>")
    until = time.monotonic() + 10
    while (
        'assistant_refused_total{check="cut"} 1.0'
        not in urllib.request.urlopen(f"{house.url}/metrics").read().decode()
    ):
        assert time.monotonic() < until
    assert rows(house, InboxMessage) == 0


def _post(house: Any, body: bytes, query: str) -> int:
    request = urllib.request.Request(f"{house.url}/wechat?{query}", data=body, headers={"Content-Type": "text/xml"})
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as refused:
        assert b"Traceback" not in refused.read()
        return refused.code


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=400), query=st.text("abcdefgxyz0123456789=&%_", max_size=60))
def test_no_input_whatever_makes_an_error_of_ours(house, body, query):
    assert _post(house, body, query) in {400, 403}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.one_of(
        st.binary(max_size=300),
        st.text(max_size=200).map(
            lambda t: f"<xml><FromUserName>o</FromUserName><MsgType>{t}</MsgType></xml>".encode()
        ),
    )
)
def test_no_signed_body_whatever_makes_an_error_of_ours(plain_house, body):
    """Plain mode: whoever has the token may still not make us fall."""
    at, nonce = str(int(plain_house.clock().timestamp())), str(time.monotonic_ns())
    signed = signature(plain_house.settings.wechat.token, at, nonce)
    assert _post(plain_house, body, f"signature={signed}&timestamp={at}&nonce={nonce}") in {200, 400}


@pytest.fixture
def plain_house(open_house):
    return open_house(mode="plain")


def test_a_phone_that_sends_without_end_is_told_to_wait_and_nobody_else_is(open_house):
    """F138: what comes too fast is neither stored nor handled."""
    house = open_house(messages_per_minute=10)
    zhang_wei, li_na = house.phone("张伟"), house.phone("李娜")
    said = [zhang_wei.says("帮助") for _ in range(12)]
    assert all(answer.startswith("可以办的事") for answer in said[:10])
    assert said[10] == said[11] == "发消息太频繁了，请等 60 秒再试。刚才这一次没有执行。情况紧急请直接拨打 110。"
    assert li_na.says("签到").startswith("签到成功")
    with house.database.reading() as session:
        taken = sa.select(sa.func.count()).where(InboxMessage.openid == zhang_wei.openid)
        assert session.scalar(taken) == 10
    house.now("2026-11-27T09:01")
    assert zhang_wei.says("签到").startswith("签到成功")


def test_what_wechat_reports_by_itself_does_not_count(open_house):
    house = open_house(messages_per_minute=10)
    zhang_wei = house.phone("张伟")
    for n in range(20):
        zhang_wei.event("TEMPLATESENDJOBFINISH", MsgID=str(n), Status="success")
    assert zhang_wei.says("签到").startswith("签到成功")
