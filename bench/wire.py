"""WeChat's side of the callback: build signed, encrypted messages; check signed, encrypted replies.

Written on its own, after WeChat's description, so that it can find fault with the assistant's cryptography.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode
from xml.etree import ElementTree

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

# WeChat pads to 32, not to AES's 16.
BLOCK = 32
TEXT = (
    "<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName>"
    "<CreateTime>{at}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{words}]]></Content>"
    "<MsgId>{id}</MsgId></xml>"
)
ENVELOPE = "<xml><ToUserName><![CDATA[{to}]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
REQUEST = (
    "POST {path}?{query} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\n"
    "Content-Type: text/xml\r\nContent-Length: {length}\r\n\r\n"
)
HEAD_END = b"\r\n\r\n"
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class Wrong(Exception):
    """A reply that WeChat would not accept, or that is not what was asked for; the text says why."""


@dataclass(frozen=True)
class Account:
    """An official account in safe mode."""

    original_id: str
    app_id: str
    token: str
    encoding_aes_key: str

    @cached_property
    def _cipher(self) -> Cipher[CBC]:
        key = b64decode(self.encoding_aes_key + "=")
        return Cipher(AES(key), CBC(key[:16]))

    def seal(self, words: str) -> str:
        message = words.encode()
        clear = os.urandom(16) + struct.pack(">I", len(message)) + message + self.app_id.encode()
        padding = BLOCK - len(clear) % BLOCK
        encryptor = self._cipher.encryptor()
        return b64encode(encryptor.update(clear + bytes([padding]) * padding) + encryptor.finalize()).decode()

    def unseal(self, sealed: str) -> str:
        decryptor = self._cipher.decryptor()
        try:
            clear = decryptor.update(b64decode(sealed, validate=True)) + decryptor.finalize()
            length = struct.unpack(">I", clear[16:20])[0]
            message, tail = clear[20 : 20 + length].decode(), clear[20 + length :]
        except (ValueError, struct.error) as error:
            raise Wrong(f"not decryptable: {error}") from None
        padding = tail[-1] if tail else 0
        if not 1 <= padding <= BLOCK or tail != self.app_id.encode() + bytes([padding]) * padding:
            raise Wrong("wrong padding or AppID")
        return message

    def signature(self, *parts: str) -> str:
        return hashlib.sha1("".join(sorted([self.token, *parts])).encode()).hexdigest()


def verification(account: Account, path: str, echo: str) -> str:
    """The address WeChat asks when the server configuration is saved."""
    at, nonce = str(int(time.time())), str(int.from_bytes(os.urandom(5)))
    signature = account.signature(at, nonce)
    return f"{path}?" + urlencode({"signature": signature, "timestamp": at, "nonce": nonce, "echostr": echo})


def post(account: Account, host: str, path: str, openid: str, words: str, message_id: int) -> bytes:
    """The whole HTTP request by which one person's words reach the callback, ready for the socket."""
    at, nonce = str(int(time.time())), str(message_id % 10**10)
    text = TEXT.format(to=account.original_id, openid=openid, at=at, words=words, id=message_id)
    sealed = account.seal(text)
    body = ENVELOPE.format(to=account.original_id, sealed=sealed).encode()
    query = (
        f"signature={account.signature(at, nonce)}&timestamp={at}&nonce={nonce}&openid={openid}"
        f"&encrypt_type=aes&msg_signature={account.signature(at, nonce, sealed)}"
    )
    return REQUEST.format(path=path, query=query, host=host, length=len(body)).encode() + body


def check(account: Account, response: bytes, openid: str, phrase: str) -> None:
    """Raise Wrong unless the response is a valid encrypted text to this person that contains the phrase."""
    head, _, body = response.partition(HEAD_END)
    if CHUNKED.search(head):
        body = _joined(body)
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        raise Wrong(f"HTTP {b''.join(status).decode('latin-1')}")
    envelope = _fields(body.decode("utf-8", errors="replace"), "reply")
    sealed, at, nonce = (envelope.get(name, "") for name in ("Encrypt", "TimeStamp", "Nonce"))
    if envelope.get("MsgSignature") != account.signature(at, nonce, sealed):
        raise Wrong("wrong signature")
    reply = _fields(account.unseal(sealed), "decrypted reply")
    if reply.get("ToUserName") != openid or reply.get("FromUserName") != account.original_id:
        raise Wrong("a reply to somebody else")
    if reply.get("MsgType") != "text" or phrase not in reply.get("Content", ""):
        raise Wrong(f"another answer: {reply.get('Content', reply.get('MsgType', ''))[:60]}")


def _fields(text: str, what: str) -> dict[str, str]:
    try:
        return {element.tag: element.text or "" for element in ElementTree.fromstring(text)}
    except ElementTree.ParseError:
        raise Wrong(f"{what} is not XML: {text[:60]!r}") from None


def _joined(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        whole, body = whole + body[:length], body[length + 2 :]
    return whole
