"""Signatures and envelopes: official vectors, and against an SDK that is not ours (§1.3, §1.5)."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import WeChatCrypto

from simulator.crypto import BadEnvelope, Envelope, signature

KEY, APP_ID = "A" * 43, "wxba5fad812f8e6fb9"
SEALED = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
ODD_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"  # spare bits that a strict decoder refuses


@pytest.mark.parametrize(
    ("timestamp", "nonce", "expected"),
    [
        ("1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        ("1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
    ],
)
def test_the_official_signatures(timestamp: str, nonce: str, expected: str) -> None:
    assert signature("AAAAA", timestamp, nonce) == expected


def test_the_official_envelope() -> None:
    reply = json.dumps({"demo_resp": "good luck"}, separators=(",", ":")).encode()
    sealed = Envelope(KEY, APP_ID).seal(reply, random=b"707722b803182950")
    assert sealed == SEALED
    assert signature("AAAAA", "1713424427", "415670741", sealed) == "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"
    assert Envelope(KEY, APP_ID).open(SEALED) == reply


@given(st.text(min_size=1, max_size=300).filter(lambda text: "\x00" not in text))
def test_an_envelope_opens_to_what_was_put_in(text: str) -> None:
    envelope = Envelope(ODD_KEY, "wxf0a1b2c3d4e5f607")
    assert envelope.open(envelope.seal(text.encode())) == text.encode()


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=300))
def test_another_sdk_reads_and_writes_the_same(text: str) -> None:
    ours, theirs = Envelope(ODD_KEY, APP_ID), WeChatCrypto("AAAAA", ODD_KEY, APP_ID)
    sealed = ours.seal(f"<xml><a>{len(text)}</a></xml>".encode() + text.encode())
    mark = signature("AAAAA", "1", "2", sealed)
    read = theirs.decrypt_message({"Encrypt": sealed}, mark, "1", "2")
    assert read == f"<xml><a>{len(text)}</a></xml>{text}"
    written = theirs.encrypt_message(text, "2", "1")
    start, end = written.index("<Encrypt><![CDATA[") + 18, written.index("]]></Encrypt>")
    assert ours.open(written[start:end]) == text.encode()


@given(st.binary(max_size=200))
def test_no_garbage_opens(data: bytes) -> None:
    with pytest.raises(BadEnvelope):
        Envelope(KEY, APP_ID).open(base64.b64encode(data).decode())


def test_another_app_or_key_is_refused() -> None:
    sealed = Envelope(KEY, APP_ID).seal(b"x")
    with pytest.raises(BadEnvelope):
        Envelope(KEY, "wx0000000000000000").open(sealed)
    with pytest.raises(BadEnvelope):
        Envelope(ODD_KEY, APP_ID).open(sealed)
    with pytest.raises(BadEnvelope):
        Envelope(KEY, APP_ID).open("not base64!")
    with pytest.raises(ValueError, match="43"):
        Envelope("short", APP_ID)
