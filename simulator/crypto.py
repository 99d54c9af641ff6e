"""Signatures and the message envelope (§1.3, §1.5, §1.6), written on their own to be compared with others."""

import base64
import binascii
import hashlib
import hmac
import secrets
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_CHARACTERS = 43
BLOCK = 32  # WXBizMsgCrypt pads to 32 bytes although AES works in 16 (§1.5).


class BadEnvelope(ValueError):
    """The text cannot be opened with this key, or was not meant for this account."""


def signature(*parts: str) -> str:
    """Lower-case hex SHA-1 of the parts, sorted as bytes and joined (§1.3)."""
    joined = b"".join(sorted(part.encode() for part in parts))
    return hashlib.sha1(joined, usedforsecurity=False).hexdigest()


def same(left: str, right: str) -> bool:
    """Whether two signatures are equal, in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


class Envelope:
    """Seals and opens the ``Encrypt`` field for one account."""

    def __init__(self, encoding_aes_key: str, receive_id: str) -> None:
        if len(encoding_aes_key) != KEY_CHARACTERS:
            raise ValueError(f"EncodingAESKey has {KEY_CHARACTERS} Base64 characters")
        self._key = base64.b64decode(encoding_aes_key + "=")
        self._receive_id = receive_id.encode()

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))

    def seal(self, text: bytes, random: bytes | None = None) -> str:
        """Base64 of the sealed text; ``random`` is 16 bytes, given only by tests."""
        clear = (random or secrets.token_bytes(16)) + struct.pack(">I", len(text)) + text + self._receive_id
        pad = BLOCK - len(clear) % BLOCK
        encryptor = self._cipher().encryptor()
        sealed = encryptor.update(clear + bytes([pad]) * pad) + encryptor.finalize()
        return base64.b64encode(sealed).decode()

    def open(self, sealed: str) -> bytes:
        """The text inside, or BadEnvelope with the reason."""
        try:
            data = base64.b64decode(sealed, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadEnvelope("Encrypt 不是 Base64") from error
        if not data or len(data) % 16:
            raise BadEnvelope("Encrypt 的长度不对")
        decryptor = self._cipher().decryptor()
        return self._unpack(decryptor.update(data) + decryptor.finalize())

    def _unpack(self, clear: bytes) -> bytes:
        pad = clear[-1]
        if not 1 <= pad <= BLOCK or len(clear) - pad < 20:
            raise BadEnvelope("填充不对：密钥不同？")
        content = clear[16:-pad]
        (length,) = struct.unpack(">I", content[:4])
        if length > len(content) - 4:
            raise BadEnvelope("长度字段不对：密钥不同？")
        text, receive_id = content[4 : 4 + length], content[4 + length :]
        if receive_id != self._receive_id:
            raise BadEnvelope("是给另一个 AppID 加密的")
        return text
