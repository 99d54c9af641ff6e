"""WeChat's XML: written and read back whole, read as others read it, and nothing beyond messages."""

from __future__ import annotations

import pytest
import wechatpy
from hypothesis import given
from hypothesis import strategies as st

from bot import markup
from bot.crypto import Refused
from bot.messages import Message
from bot.replies import as_xml

ANY = st.text(max_size=60) | st.lists(
    st.sampled_from(["]]>", "]", ">", "<![CDATA[", "&", "<", "&amp;", "\x00", "\x1f", "\n", "\t", "\r", "签到", "👍"])
).map("".join)
FORBIDDEN = {chr(c) for c in range(0x20)} - {"\t", "\n", "\r"} | {"\ufffe", "\uffff"}


def kept(text: str) -> str:
    """What XML 1.0 can carry; a parser reads every line end as a line feed."""
    allowed = "".join(c for c in text if c not in FORBIDDEN and not 0xD800 <= ord(c) <= 0xDFFF)
    return allowed.replace("\r\n", "\n").replace("\r", "\n")


@given(ANY)
def test_what_is_written_is_read_back(text):
    body = f"<xml><Content>{markup.cdata(text)}</Content></xml>".encode()
    assert markup.read(body) == {"Content": kept(text)}


@given(ANY, ANY, ANY)
def test_every_field_of_a_reply_survives(to, sender, content):
    """A closing mark cannot break out of any field."""
    message = Message(to, sender, "text", "", "", "", 0, {})
    fields = markup.read(as_xml(content, message, 1700000000))
    assert fields == {
        "ToUserName": kept(sender).strip(),
        "FromUserName": kept(to).strip(),
        "CreateTime": "1700000000",
        "MsgType": "text",
        "Content": kept(content),
    }


def test_only_the_content_keeps_its_white_space():
    assert markup.read(b"<xml><Event>\n <![CDATA[ x ]]>\n</Event><Content> x </Content></xml>") == {
        "Event": "x",
        "Content": " x ",
    }


def test_a_control_character_from_a_phone_is_taken_out():
    assert markup.read("<xml><Content>签\x08到\x00</Content></xml>".encode()) == {"Content": "签到"}


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("a DTD", b'<!DOCTYPE xml SYSTEM "file:///etc/passwd"><xml><a>1</a></xml>'),
        ("an empty DTD", b"<!DOCTYPE xml><xml><a>1</a></xml>"),
        ("an entity", b'<!DOCTYPE xml [<!ENTITY a "b">]><xml><a>&a;</a></xml>'),
        ("a file", b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><a>&a;</a></xml>'),
        ("laughs", b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><xml><a>&b;</a></xml>'),
    ],
)
def test_a_dtd_is_refused_before_it_means_anything(what, body):
    with pytest.raises(Refused) as refused:
        markup.read(body)
    assert refused.value.check == "doctype", what
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"", b"hello", b"<xml>", b"<xml/>", b"<xml></xml>", b"<xml>text</xml>", b"<xml><a>&b;</a></xml>",
        b"<xml><a></xml></a>", b"\xff\xfe", b"<xml><a>\xff</a></xml>", b"<a/><b/>", b"<xml><a>1</a></xml>x",
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(body):
    with pytest.raises(Refused) as refused:
        markup.read(body)
    assert refused.value.check == "xml"


@given(st.binary(max_size=80) | st.text("<>/xmla&;![]CDT \"'=", max_size=80).map(str.encode))
def test_no_bytes_do_anything_but_be_read_or_refused(body):
    try:
        assert isinstance(markup.read(body), dict)
    except Refused as refused:
        assert refused.status == 400


def test_depth_is_bounded():
    def nested(depth: int) -> bytes:
        return b"<xml>" + b"<a>" * depth + b"1" + b"</a>" * depth + b"</xml>"

    assert markup.read(nested(markup.MAX_DEPTH - 1))
    with pytest.raises(Refused):
        markup.read(nested(markup.MAX_DEPTH))
    with pytest.raises(Refused):
        markup.read(nested(10_000))


def test_a_thousand_elements_are_refused():
    with pytest.raises(Refused):
        markup.read(b"<xml>" + b"<a>1</a>" * 1000 + b"</xml>")
    assert len(markup.read(b"<xml>" + b"<a>1</a>" * 500 + b"</xml>")["a"]) == 500


def test_a_repeated_name_becomes_a_list_in_its_order():
    assert markup.read(b"<xml><a>1</a><b>x</b><a>2</a><a>3</a></xml>") == {"a": ["1", "2", "3"], "b": "x"}


HEAD = (
    "<ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName>"
    "<FromUserName><![CDATA[oTestUser_00000000000000001A]]></FromUserName><CreateTime>1719800001</CreateTime>"
)


def test_the_answers_in_a_consent_window_are_all_read():
    """§2.4: `List` repeats inside the event's own element."""
    body = (
        f"<xml>{HEAD}<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe_msg_popup_event]]></Event>"
        "<SubscribeMsgPopupEvent>\n"
        "<List><TemplateId><![CDATA[TPL_A]]></TemplateId><SubscribeStatusString><![CDATA[accept]]>"
        "</SubscribeStatusString><PopupScene>2</PopupScene></List>\n"
        "<List><TemplateId><![CDATA[TPL_B]]></TemplateId><SubscribeStatusString><![CDATA[reject]]>"
        "</SubscribeStatusString><PopupScene>2</PopupScene></List>\n</SubscribeMsgPopupEvent></xml>"
    )
    fields = markup.read(body.encode())
    assert fields["SubscribeMsgPopupEvent"] == {
        "List": [
            {"TemplateId": "TPL_A", "SubscribeStatusString": "accept", "PopupScene": "2"},
            {"TemplateId": "TPL_B", "SubscribeStatusString": "reject", "PopupScene": "2"},
        ]
    }
    assert Message.of(fields).label == "event:subscribe_msg_popup_event"


@pytest.mark.parametrize(
    ("inside", "pairs"),
    [
        (
            "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[查订单 20240701]]></Content>"
            "<MsgId>24600000000000001</MsgId>",
            {"content": "Content", "id": "MsgId"},
        ),
        (
            "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[a]]]]><![CDATA[>b]]></Content><MsgId>1</MsgId>",
            {"content": "Content"},
        ),
        (
            "<MsgType><![CDATA[location]]></MsgType><Location_X>31.230416</Location_X>"
            "<Location_Y>121.473701</Location_Y><Scale>15</Scale><Label><![CDATA[上海市黄浦区]]></Label>"
            "<MsgId>24600000000000005</MsgId>",
            {"location_x": "Location_X", "location_y": "Location_Y", "label": "Label", "scale": "Scale"},
        ),
        (
            "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[]]></EventKey>",
            {"event": "Event"},
        ),
        (
            "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[SCAN]]></Event>"
            "<EventKey><![CDATA[shop-42]]></EventKey><Ticket><![CDATA[gQxx8DwAAAAA]]></Ticket>",
            {"ticket": "Ticket", "scene_id": "EventKey"},
        ),
        (
            "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[CLICK]]></Event>"
            "<EventKey><![CDATA[MENU_HELP]]></EventKey>",
            {"key": "EventKey"},
        ),
        (
            "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>"
            "<MsgID>3600000000000000001</MsgID><Status><![CDATA[success]]></Status>",
            {"status": "Status"},
        ),
    ],
)
def test_wechatpy_reads_the_same(inside, pairs):
    body = f"<xml>{HEAD}{inside}</xml>"
    ours = markup.read(body.encode())
    theirs = wechatpy.parse_message(body)
    assert theirs.source == ours["FromUserName"]
    assert theirs.target == ours["ToUserName"]
    for name, element in pairs.items():
        assert str(getattr(theirs, name)) == str(ours[element]), name
