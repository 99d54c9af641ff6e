"""Signatures and the envelope: WeChat's own examples, every kind of damage, and another library's opinion."""

from __future__ import annotations

import base64
import json
import os
import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import WeChatSigner

from bot import replies
from bot.crypto import Envelope, Refused, is_same, signature

KEY, APP_ID, TOKEN = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wxf0a1b2c3d4e5f607", "localwechat"
OTHER_KEY = "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba"
ENVELOPE = Envelope(KEY, APP_ID)

# wechat-platform.md §1.5, the official vector.
OFFICIAL = Envelope("A" * 43, "wxba5fad812f8e6fb9")
GOOD_LUCK = b'{"demo_resp":"good luck"}'
GOOD_LUCK_SEALED = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="


def sealed(clear: bytes, key: str = KEY) -> str:
    """Any bytes, enciphered as they are."""
    raw = base64.b64decode(key + "=")
    encryptor = Cipher(AES(raw), CBC(raw[:16])).encryptor()
    return base64.b64encode(encryptor.update(clear) + encryptor.finalize()).decode()


def laid_out(message: bytes, receive_id: bytes = APP_ID.encode(), pad: bytes | None = None) -> bytes:
    clear = b"r" * 16 + struct.pack(">I", len(message)) + message + receive_id
    missing = 32 - len(clear) % 32
    return clear + (bytes([missing]) * missing if pad is None else pad)


@pytest.mark.parametrize(
    ("timestamp", "nonce", "expected"),
    [
        ("1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        ("1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
    ],
)
def test_signatures_are_those_of_the_official_examples(timestamp, nonce, expected):
    assert signature("AAAAA", timestamp, nonce) == expected


def test_the_official_envelope_is_made_and_opened_to_the_letter():
    assert OFFICIAL.close(GOOD_LUCK, random=b"707722b803182950") == GOOD_LUCK_SEALED
    assert OFFICIAL.open(GOOD_LUCK_SEALED) == GOOD_LUCK
    signed = signature("AAAAA", "1713424427", "415670741", GOOD_LUCK_SEALED)
    assert signed == "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"


@given(st.lists(st.text(max_size=20), min_size=3, max_size=4))
def test_a_signature_does_not_depend_on_the_order_of_its_parts(parts):
    assert signature(*parts) == signature(*reversed(parts))


def test_only_the_same_signature_is_the_same():
    right = signature("a", "b", "c")
    assert is_same(right, right)
    for wrong in ("", right[:-1], right.upper(), right[:-1] + "g", "签名"):
        assert not is_same(wrong, right)


@given(st.binary(max_size=200))
def test_what_is_closed_can_be_opened(message):
    assert ENVELOPE.open(ENVELOPE.close(message)) == message


@pytest.mark.parametrize("length", range(100))
def test_every_length_around_a_block_survives_and_is_padded_to_thirty_two(length):
    """A block more when it fits already: padding is 1 to 32 bytes, never none."""
    message = os.urandom(length)
    closed = ENVELOPE.close(message)
    assert ENVELOPE.open(closed) == message
    size = len(base64.b64decode(closed))
    assert size % 32 == 0
    assert 1 <= size - (20 + length + len(APP_ID)) <= 32


def test_the_same_message_is_closed_differently_each_time():
    assert ENVELOPE.close(b"x") != ENVELOPE.close(b"x")


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_flipped_byte_is_refused_or_changes_the_text_only(position, flip):
    """CBC has no seal of its own: what the length and the AppID do not show, the signature must (§1.3)."""
    closed = bytearray(base64.b64decode(ENVELOPE.close(b"0123456789" * 3)))
    closed[position % len(closed)] ^= flip
    try:
        opened = ENVELOPE.open(base64.b64encode(bytes(closed)).decode())
    except Refused as refused:
        assert refused.check in {"decrypt", "padding", "app_id"}
    else:
        assert len(opened) == 30


@given(st.one_of(st.text(max_size=120), st.binary(max_size=130).map(lambda b: base64.b64encode(b).decode())))
def test_whatever_comes_is_opened_or_refused_and_nothing_else_happens(encrypted):
    try:
        ENVELOPE.open(encrypted)
    except Refused as refused:
        assert refused.status == 403


@given(st.binary(min_size=32, max_size=160).map(lambda b: b[: len(b) // 16 * 16]))
def test_any_clear_text_under_the_right_key_is_opened_or_refused(clear):
    """Somebody who knows the key by half: lengths and paddings of every kind."""
    try:
        ENVELOPE.open(sealed(clear))
    except Refused as refused:
        assert refused.check in {"padding", "app_id"}


@pytest.mark.parametrize(
    ("what", "encrypted", "check"),
    [
        ("another app", sealed(laid_out(b"x", b"wx0000000000000000")), "app_id"),
        ("a longer app id", sealed(laid_out(b"x", APP_ID.encode() + b"8")), "app_id"),
        ("no app id", sealed(laid_out(b"x", b"")), "app_id"),
        ("another key", sealed(laid_out(b"x"), OTHER_KEY), None),
        ("padding of nothing", sealed(laid_out(b"x" * 10, pad=b"\0" * 16)[:48]), "padding"),
        ("padding too long", sealed(laid_out(b"x" * 9, pad=b"\x21" * 17)), "padding"),
        ("a length beyond the end", sealed(b"r" * 16 + b"\xff\xff\xff\xff" + b"x" * 11 + b"\x01"), "app_id"),
        ("half a block", base64.b64encode(b"x" * 24).decode(), "decrypt"),
        ("nothing", "", "padding"),
        ("no Base64", "<xml>", "decrypt"),
        ("not even ASCII", "密文", "decrypt"),
    ],
)
def test_each_kind_of_damage_is_refused_by_name(what, encrypted, check):
    with pytest.raises(Refused) as refused:
        ENVELOPE.open(encrypted)
    assert check in {None, refused.value.check}, what
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("key", ["", "A" * 42, "A" * 44, "A" * 10, "键" * 43])
def test_a_key_of_another_length_is_refused_at_the_start(key):
    with pytest.raises(ValueError, match=r"."):
        Envelope(key, APP_ID)


def test_a_key_with_spare_bits_is_taken_as_wechat_gives_it():
    """Real keys are often not canonical Base64 (§1.5): the last character's spare bits mean nothing."""
    assert Envelope(KEY[:-1] + "H", APP_ID).open(ENVELOPE.close(b"x")) == b"x"


# --- another library's opinion -------------------------------------------------------------------------------

THEIRS = WeChatCrypto(TOKEN, KEY, APP_ID)
#: XML of every length; wechatpy strips white space at the ends, so there is none.
MESSAGES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), max_size=80).map(
    lambda text: f"<xml><Content><![CDATA[{text.replace(']]>', '')}]]></Content></xml>"
)


@given(MESSAGES)
def test_wechatpy_opens_what_we_close(message):
    body = replies.seal(message.encode(), ENVELOPE, TOKEN, "nonce", 1700000000).decode()
    fields = {k: body.split(f"<{k}><![CDATA[")[1].split("]]>")[0] for k in ("Encrypt", "MsgSignature")}
    asked = f"<xml><ToUserName>gh</ToUserName><Encrypt><![CDATA[{fields['Encrypt']}]]></Encrypt></xml>"
    assert THEIRS.decrypt_message(asked, fields["MsgSignature"], "1700000000", "nonce") == message


@given(MESSAGES)
def test_we_open_what_wechatpy_closes(message):
    import xml.etree.ElementTree as ET

    envelope = ET.fromstring(THEIRS.encrypt_message(message, "nonce", "1700000000"))
    encrypted = envelope.findtext("Encrypt") or ""
    assert ENVELOPE.open(encrypted).decode() == message
    assert envelope.findtext("MsgSignature") == signature(TOKEN, "1700000000", "nonce", encrypted)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=12), min_size=3, max_size=4))
def test_wechatpy_signs_as_we_do(parts):
    signer = WeChatSigner()
    signer.add_data(*parts)
    assert signer.signature == signature(*parts)


def test_the_json_envelope_has_the_names_wechat_reads():
    body = json.loads(replies.seal(b"{}", ENVELOPE, TOKEN, "n", 1700000000, as_json=True))
    assert set(body) == {"Encrypt", "MsgSignature", "TimeStamp", "Nonce"}
    assert body["TimeStamp"] == 1700000000
    assert body["MsgSignature"] == signature(TOKEN, "1700000000", "n", body["Encrypt"])
