"""What is ready to be written, kept aside until it is: neither in memory nor where anybody could read it."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from io import SEEK_END
from typing import Any

from models.vault import Key

_LENGTH_BYTES = 4


class Spool:
    """Things in a file that has no name, sealed under a key that is nowhere else: whoever dies takes both along."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever made the spool closes it
        self._key = Key.new()

    def put(self, thing: object) -> None:
        """Behind all the others."""
        sealed = self._key.seal(pickle.dumps(thing))
        self._file.seek(0, SEEK_END)
        self._file.write(len(sealed).to_bytes(_LENGTH_BYTES) + sealed)

    def __iter__(self) -> Iterator[Any]:
        """Everything again, one thing at a time."""
        self._file.seek(0)
        while length := self._file.read(_LENGTH_BYTES):
            sealed = self._file.read(int.from_bytes(length))
            yield pickle.loads(self._key.open(sealed))  # noqa: S301 - the seal says that it is our own

    def close(self) -> None:
        self._file.close()
