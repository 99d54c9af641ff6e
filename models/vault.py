"""Keeps personal words unreadable at rest: AES-256-GCM with keys derived from the installation's secret."""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from errors import AssistantError

KEY_ID_BYTES = 4
NONCE_BYTES = 12


class Unreadable(AssistantError):
    """A sealed text that none of the keys opens: the secret key was changed or lost, or the data is damaged."""


class Vault:
    """Seals and opens texts. The first secret seals; the others only open what was sealed before a rotation."""

    def __init__(self, secret: str, *former: str) -> None:
        self._ciphers: dict[bytes, AESGCM] = {}
        for each in (secret, *former):
            key = _derive(each, b"texts")
            self._ciphers[hashlib.sha256(key).digest()[:KEY_ID_BYTES]] = AESGCM(key)
        self._current = next(iter(self._ciphers))
        self._index_key = _derive(secret, b"index")

    def seal(self, text: str) -> bytes:
        """Key id, nonce, and the encrypted text with its tag."""
        nonce = os.urandom(NONCE_BYTES)
        return self._current + nonce + self._ciphers[self._current].encrypt(nonce, text.encode(), None)

    def open(self, sealed: bytes) -> str:
        """The text again. Raises Unreadable."""
        cipher = self._ciphers.get(bytes(sealed[:KEY_ID_BYTES]))
        if cipher is None:
            raise Unreadable("有内容是用另一把密钥加密的：请恢复原来的 server.secret_key 或 data/secret.key。")
        nonce = sealed[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES]
        try:
            return cipher.decrypt(nonce, sealed[KEY_ID_BYTES + NONCE_BYTES :], None).decode()
        except InvalidTag:
            raise Unreadable("有一段加密内容已损坏，无法读出。") from None

    def index(self, text: str) -> str:
        """A keyed digest by which an encrypted value (a phone number) can be found without being readable."""
        return hmac.new(self._index_key, text.encode(), hashlib.sha256).hexdigest()


def _derive(secret: str, purpose: bytes) -> bytes:
    return hmac.new(secret.encode(), b"law-society-assistant:" + purpose, hashlib.sha256).digest()
