"""Keeps personal words unreadable at rest: AES-256-GCM under data keys, which stand in a table, wrapped by the
installation's secret (docs/decisions/0019)."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.exc import SQLAlchemyError

from errors import AssistantError

KEY_BYTES = 32
KEY_ID_BYTES = 4
NONCE_BYTES = 12
#: A process that was running when a new key was made seals with it after so long at the latest.
REFRESH_SECONDS = 20.0

DAMAGED = "有一段加密内容已损坏，无法读出。"
OTHER_KEY = (
    "数据库里的内容是用另一个 server.secret_key 加密的：请恢复原来的 server.secret_key（或 data/secret.key）；"
    "要换新的，把原来的写进 server.former_secret_keys，再运行 python app.py keys rewrap。"
)


class Unreadable(AssistantError):
    """A sealed text that none of the keys opens: the secret key was changed or lost, or the data is damaged."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of 256 bits; its mark, the first bytes of its digest, stands before everything sealed with it."""

    secret: bytes = field(repr=False)
    mark: bytes
    cipher: AESGCM = field(repr=False)

    @classmethod
    def of(cls, secret: bytes) -> Key:
        return cls(secret, hashlib.sha256(secret).digest()[:KEY_ID_BYTES], AESGCM(secret))

    @classmethod
    def new(cls) -> Key:
        return cls.of(os.urandom(KEY_BYTES))

    def seal(self, plain: bytes) -> bytes:
        """Mark, nonce, and the encrypted bytes with their tag."""
        nonce = os.urandom(NONCE_BYTES)
        return self.mark + nonce + self.cipher.encrypt(nonce, plain, None)

    def open(self, sealed: bytes) -> bytes:
        """Raises Unreadable."""
        nonce, rest = sealed[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES], sealed[KEY_ID_BYTES + NONCE_BYTES :]
        try:
            return self.cipher.decrypt(nonce, rest, None)
        except InvalidTag:
            raise Unreadable(DAMAGED) from None


@dataclass(frozen=True, slots=True)
class Ring:
    """The data keys as a process knows them: one seals, all open; one makes digests."""

    current: Key
    texts: dict[bytes, Key]
    index: Key
    read_at: float


#: A data key as it is stored: whether it is the index key's, and its wrapped bytes; the oldest comes first.
Stored = tuple[bool, bytes]


class Vault:
    """Seals and opens texts, and wraps the keys that do. Former secrets only unwrap what they once wrapped."""

    def __init__(self, secret: str, *former: str) -> None:
        self._secrets = (secret, *former)
        self._wrapping = [Key.of(_derive(each, b"wrapping")) for each in self._secrets]
        # Before keys were kept in a table they followed from the secret; the oldest sealed what is there.
        oldest = former[-1] if former else secret
        self._derived = Key.of(_derive(oldest, b"texts")), Key.of(_derive(oldest, b"index"))
        self._stored: Callable[[], Sequence[Stored]] = tuple
        self._ring: Ring | None = None
        self._reading = threading.Lock()

    # --- texts -----------------------------------------------------------------------------------------------

    def seal(self, text: str) -> bytes:
        """The text under the key in use."""
        return self._fresh().current.seal(text.encode())

    def open(self, sealed: bytes) -> str:
        """The text again. Raises Unreadable."""
        mark = bytes(sealed[:KEY_ID_BYTES])
        # Somebody else has made a new key since we looked: then this is how we hear of it.
        key = self._known().texts.get(mark) or self._read().texts.get(mark)
        if key is None:
            raise Unreadable(OTHER_KEY)
        return key.open(bytes(sealed)).decode()

    def index(self, text: str) -> str:
        """A keyed digest by which an encrypted value (a phone number) can be found without being readable."""
        return hmac.new(self._known().index.secret, text.encode(), hashlib.sha256).hexdigest()

    # --- keys ------------------------------------------------------------------------------------------------

    @property
    def current_mark(self) -> bytes:
        """What stands before everything that is sealed now."""
        return self._fresh().current.mark

    @property
    def first_keys(self) -> tuple[Key, Key]:
        """Of texts and of digests, as they follow from the secret: what an installation begins with."""
        return self._derived

    def wrap(self, key: Key) -> bytes:
        """A data key, to be stored."""
        return self._wrapping[0].seal(key.secret)

    def unwrap(self, wrapped: bytes) -> Key:
        """The data key again. Raises Unreadable when it was wrapped under a secret that is not known here."""
        for each in self._wrapping:
            if each.mark == wrapped[:KEY_ID_BYTES]:
                return Key.of(each.open(wrapped))
        raise Unreadable(OTHER_KEY)

    def unwraps(self, wrapped: bytes) -> bool:
        """Whether a stored key is under a secret that is known here."""
        return wrapped[:KEY_ID_BYTES] in {each.mark for each in self._wrapping}

    def is_wrapped_now(self, wrapped: bytes) -> bool:
        """Whether a stored key is under the present secret, and not under a former one."""
        return wrapped[:KEY_ID_BYTES] == self._wrapping[0].mark

    def signing_keys(self, purpose: str) -> list[str]:
        """One for each secret, the present one first; they follow from the secrets alone, so there may be no database."""
        return [
            hmac.new(_derive(each, b"index"), purpose.encode(), hashlib.sha256).hexdigest() for each in self._secrets
        ]

    def read_from(self, stored: Callable[[], Sequence[Stored]]) -> None:
        """Where the data keys are kept; they are read when they are first needed."""
        self._stored, self._ring = stored, None

    def require_openable(self) -> None:
        """Raises Unreadable when the keys of this database are under a secret that is not known here."""
        self._known()

    def forget(self) -> None:
        """Read the keys anew: they are others from now on (a backup was restored, a key was made)."""
        self._ring = None

    def _known(self) -> Ring:
        return self._ring or self._read()

    def _fresh(self) -> Ring:
        """The ring, read again now and then; one thread does that, the others go on with what they have."""
        ring = self._ring
        if ring is None:
            return self._read()
        if monotonic() - ring.read_at > REFRESH_SECONDS and self._reading.acquire(blocking=False):
            try:
                return self._read()
            except (SQLAlchemyError, Unreadable):
                # The database is busy, or the keys were wrapped anew by a secret that we hear of at the next start: what
                # we have opens and seals as before.
                self._ring = replace(ring, read_at=monotonic())
                return ring
            finally:
                self._reading.release()
        return ring

    def _read(self) -> Ring:
        stored = self._stored()
        texts = [wrapped for is_index, wrapped in stored if not is_index]
        digests = [wrapped for is_index, wrapped in stored if is_index]
        first_text, first_index = self._derived
        # The newest has to open; an older one under a secret that nobody knows any more is missed when it is asked for.
        current = self.unwrap(texts[-1]) if texts else first_text
        known = [self.unwrap(each) for each in texts if any(each[:KEY_ID_BYTES] == w.mark for w in self._wrapping)]
        index = self.unwrap(digests[-1]) if digests else first_index
        opens = {key.mark: key for key in (*known, current)}
        self._ring = Ring(current, opens, index, monotonic())
        return self._ring


def _derive(secret: str, purpose: bytes) -> bytes:
    return hmac.new(secret.encode(), b"law-society-assistant:" + purpose, hashlib.sha256).digest()
