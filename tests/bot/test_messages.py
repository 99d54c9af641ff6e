"""What makes two callbacks the same message (F005), and what is read from each shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import markup
from bot.crypto import Refused
from bot.messages import Message

TEXT = {
    "ToUserName": "gh_1", "FromUserName": "oA", "CreateTime": "1719800001", "MsgType": "text",
    "Content": "签到", "MsgId": "24600000000000001",
}  # fmt: skip
CLICK = {
    "ToUserName": "gh_1", "FromUserName": "oA", "CreateTime": "1719800001", "MsgType": "event",
    "Event": "CLICK", "EventKey": "CHECK_IN",
}  # fmt: skip
FINISHED = {**CLICK, "Event": "TEMPLATESENDJOBFINISH", "EventKey": "", "MsgID": "36", "Status": "success"}


def key(fields: dict[str, Any], **changes: Any) -> str:
    return Message.of({**fields, **changes}).key


def test_a_retry_is_the_same_message():
    assert key(TEXT) == key(dict(TEXT))
    assert key(CLICK) == key(dict(reversed(CLICK.items())))


def test_the_id_and_the_sender_make_a_message_not_its_words():
    """WxJava#333: two people can get the same MsgId; pitfall 5: the same words again are a new request."""
    assert key(TEXT, FromUserName="oB") != key(TEXT)
    assert key(TEXT, MsgId="24600000000000002") != key(TEXT)
    assert key(TEXT, ToUserName="gh_2") != key(TEXT)
    assert key(TEXT, Content="其他", CreateTime="1") == key(TEXT)


@pytest.mark.parametrize(
    "change",
    [{"EventKey": "LEAVE"}, {"Event": "VIEW"}, {"CreateTime": "1719800002"}, {"FromUserName": "oB"}, {"Ticket": "g"}],
)
def test_an_event_is_known_by_who_when_what_and_about_what(change):
    assert key(CLICK, **change) != key(CLICK)


def test_two_jobs_that_end_in_one_second_are_two_events():
    assert key(FINISHED, MsgID="37") != key(FINISHED)
    assert key(FINISHED) == key(dict(FINISHED))


def test_two_consents_in_one_second_are_two_events():
    popup = {**CLICK, "Event": "subscribe_msg_popup_event", "EventKey": ""}
    assert key(popup, List={"TemplateId": "A"}) != key(popup, List={"TemplateId": "B"})


def test_a_message_without_an_id_is_known_by_its_words_too():
    bare = {k: v for k, v in TEXT.items() if k != "MsgId"}
    assert key(bare) == key(dict(bare))
    assert key(bare, Content="请假") != key(bare)


@given(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))
def test_parts_cannot_be_shifted_into_one_another(sender, event_key, other_sender, other_key):
    one = Message("gh", sender, "event", "click", event_key, "", 1, {})
    two = Message("gh", other_sender, "event", "click", other_key, "", 1, {})
    if "\x1f" not in sender + event_key + other_sender + other_key:
        assert (one.key == two.key) == ((sender, event_key) == (other_sender, other_key))


@pytest.mark.parametrize(
    ("event", "event_key", "scene"),
    [
        ("subscribe", "qrscene_checkin", "checkin"),
        ("subscribe", "qrscene_qrscene_x", "qrscene_x"),
        ("subscribe", "", ""),
        ("subscribe", "last_trade_no_4200", ""),
        ("SCAN", "checkin", "checkin"),
        ("SCAN", "qrscene_x", "qrscene_x"),
        ("CLICK", "qrscene_x", ""),
    ],
)
def test_a_scene_loses_one_prefix_and_only_when_somebody_follows(event, event_key, scene):
    assert Message.of({**CLICK, "Event": event, "EventKey": event_key}).scene == scene


def test_the_name_of_an_event_is_read_in_any_case():
    assert {Message.of({**CLICK, "Event": e}).label for e in ("CLICK", "click", "Click")} == {"event:click"}


def test_recognised_speech_is_what_was_said():
    assert Message.of({**TEXT, "MsgType": "voice", "Recognition": " 我要咨询 "}).content == "我要咨询"
    assert Message.of({**TEXT, "MsgType": "voice", "Content": "x"}).content == ""


def test_a_location_that_is_reported_is_not_answered_but_one_that_is_sent_is():
    assert not Message.of({**CLICK, "Event": "LOCATION"}).takes_reply
    assert Message.of({**TEXT, "MsgType": "location"}).takes_reply


# --- mini programs: JSON (§1.8) ------------------------------------------------------------------------------


def test_a_mini_programs_text_is_read_from_json():
    body = (
        '{"ToUserName":"gh_m","FromUserName":"oA","CreateTime":1719800001,"MsgType":"text",'
        '"Content":"签到","MsgId":24600000000000001}'
    )
    message = Message.of(json.loads(body))
    assert (message.content, message.created_at, message.label) == ("签到", 1719800001, "text")
    assert message.key == key(TEXT, ToUserName="gh_m"), "a number and its digits are one id"


def test_an_id_that_is_no_number_is_kept_as_it_is():
    cloud = "49d72d67b16d115e7935ac386f2f0fa41535298877_1555684067"
    assert key(TEXT, MsgId=cloud) != key(TEXT, MsgId=cloud.partition("_")[0])


@pytest.mark.parametrize("consents", [{"TemplateId": "A"}, [{"TemplateId": "A"}, {"TemplateId": "B"}]])
def test_one_consent_is_an_object_and_several_are_a_list(consents):
    fields = {**CLICK, "CreateTime": "1719800001", "Event": "subscribe_msg_popup_event", "List": consents}
    assert Message.of(fields).label == "event:subscribe_msg_popup_event"
    assert Message.from_json(Message.of(fields).as_json()).key == Message.of(fields).key


@pytest.mark.parametrize("nothing", [None, [], {}, [None]])
def test_a_field_that_holds_no_word_is_empty(nothing):
    message = Message.of({**TEXT, "Content": nothing, "CreateTime": nothing})
    assert (message.content, message.created_at) == ("", 0)


@pytest.mark.parametrize("missing", ["FromUserName", "MsgType"])
@pytest.mark.parametrize("value", ["", None, [], {"a": 1}])
def test_who_and_what_must_be_told(missing, value):
    with pytest.raises(Refused):
        Message.of({**TEXT, missing: value})
    with pytest.raises(Refused):
        Message.of({k: v for k, v in TEXT.items() if k != missing})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*TEXT, "Event", "EventKey", "MsgID", "Ticket", "List", "Recognition", "InfoType", "AppId"])


@given(st.dictionaries(NAMES, JSON, max_size=10))
def test_whatever_fields_come_they_are_read_or_refused(fields):
    try:
        message = Message.of(fields)
    except Refused:
        return
    assert len(message.key) == 32
    assert len(message.label) <= 48
    assert Message.from_json(message.as_json()).key == message.key


def test_xml_and_json_of_one_message_have_one_key():
    xml = "".join(f"<{k}>{markup.cdata(v)}</{k}>" for k, v in TEXT.items())
    assert Message.of(markup.read(f"<xml>{xml}</xml>".encode())).key == key(TEXT)
