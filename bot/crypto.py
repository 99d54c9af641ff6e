"""Signatures and the safe mode's envelope (wechat-platform.md §1.3–1.6)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from errors import AssistantError

# The layout pads to 32 bytes although AES has blocks of 16 (§1.5).
PADDING_BLOCK = 32
RANDOM_BYTES = 16


class Refused(AssistantError):
    """A request that WeChat would not have made. `check` names what failed, without any secret, for the log."""

    def __init__(self, check: str, sentence: str, status: int = 403) -> None:
        super().__init__(sentence)
        self.check = check
        self.status = status


def signature(*parts: str) -> str:
    """SHA-1 over the parts sorted as strings (§1.3)."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def is_same(left: str, right: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


class Envelope:
    """Opens and closes what one account's safe mode carries."""

    def __init__(self, encoding_aes_key: str, app_id: str) -> None:
        # Real keys are often not canonical Base64; this decoder is lenient on purpose (§1.5).
        key = base64.b64decode(encoding_aes_key + "=")
        if len(key) != 32:
            raise ValueError("an EncodingAESKey decodes to 32 bytes")
        self._cipher = Cipher(AES(key), CBC(key[:16]))
        self._receive_id = app_id.encode()

    def open(self, encrypted: str) -> bytes:
        """The clear message. Raises Refused when anything about it is not as this account's messages are."""
        try:
            sealed = base64.b64decode(encrypted, validate=True)
            decryptor = self._cipher.decryptor()
            clear = decryptor.update(sealed) + decryptor.finalize()
        except (binascii.Error, ValueError):
            raise Refused("decrypt", "密文格式不对。") from None
        pad = clear[-1] if clear else 0
        if not 1 <= pad <= PADDING_BLOCK or len(clear) < RANDOM_BYTES + 4 + pad:
            raise Refused("padding", "解密后填充不对，多半是 encoding_aes_key 不一致。")
        (length,) = struct.unpack_from(">I", clear, RANDOM_BYTES)
        start = RANDOM_BYTES + 4
        message, receive_id = clear[start : start + length], clear[start + length : -pad]
        if len(message) != length or not hmac.compare_digest(receive_id, self._receive_id):
            raise Refused("app_id", "密文里的 AppID 与 wechat.app_id 不一致。")
        return message

    def close(self, message: bytes, random: bytes | None = None) -> str:
        """The encrypted message as Base64. `random` is for test vectors only."""
        clear = (random or os.urandom(RANDOM_BYTES)) + struct.pack(">I", len(message)) + message + self._receive_id
        pad = PADDING_BLOCK - len(clear) % PADDING_BLOCK
        encryptor = self._cipher.encryptor()
        return base64.b64encode(encryptor.update(clear + bytes([pad]) * pad) + encryptor.finalize()).decode()
