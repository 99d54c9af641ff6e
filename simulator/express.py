"""The fast lane: plain API calls are read and answered here, everything else goes on to the HTTP library.

A measurement sends thousands of messages a second; the library alone would need a core for two thousand.
"""

import asyncio
import functools
import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from simulator import api
from simulator.api.call import Call, Json, Raw
from simulator.injection import Injection
from simulator.world import World, dump

LARGEST_HEAD = 16 * 1024
_START = re.compile(rb"(GET|POST) (/(?:cgi-bin|sns|wxa|wxaapi)/[!-~]*) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,8}) *\r\n", re.IGNORECASE)
_SPECIAL = re.compile(
    rb"\r\n(?:transfer-encoding|expect|upgrade|connection: *close|content-type: *multipart)", re.IGNORECASE
)
_REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 404: "Not Found", 502: "Bad Gateway"}
JSON_TYPE = "application/json; encoding=utf-8"


@functools.lru_cache(maxsize=1024)
def _query(text: str) -> dict[str, str]:
    """The query's values; a client's calls mostly carry the same one, its token."""
    return dict(parse_qsl(text, keep_blank_values=True))


def written(answer: Json | Raw) -> bytes:
    """A whole HTTP response."""
    if not isinstance(answer, Raw):
        body = dump(answer)
        return b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (
            JSON_TYPE.encode(),
            len(body),
            body,
        )
    place = f"Location: {answer.location}\r\n" if answer.location else ""
    head = (
        f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Status')}\r\nContent-Type: {answer.content_type}\r\n"
        f"{place}Content-Length: {len(answer.data)}\r\n\r\n"
    )
    return head.encode() + answer.data


class Express(asyncio.Protocol):
    """One connection. At the first request that is no plain API call it becomes the library's for good."""

    def __init__(self, world: World, library: Callable[[], asyncio.Protocol]) -> None:
        self._world, self._library = world, library
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        """The client has gone; an answer under way is dropped."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """More of a request."""
        self._buffer = self._buffer + data if self._buffer else data
        if not self._busy:
            self._read()

    def _read(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > LARGEST_HEAD:
                self._hand_over()
            return
        head = self._buffer[: end + 4]
        start, length = _START.match(head), _LENGTH.search(head)
        size = int(length[1]) if length else 0
        if start is None or _SPECIAL.search(head) or (start[1] == b"POST" and not length):
            self._hand_over()
        elif len(self._buffer) >= end + 4 + size:
            body, self._buffer = self._buffer[end + 4 : end + 4 + size], self._buffer[end + 4 + size :]
            path, _, query = start[2].decode().partition("?")
            self._serve(Call(self._world, start[1].decode(), path, _query(query), body))

    def _hand_over(self) -> None:
        """From here on the library reads this connection."""
        transport, handler = self._transport, self._library()
        if transport is None:
            return
        transport.set_protocol(handler)
        handler.connection_made(transport)
        handler.data_received(self._buffer)
        self._buffer = b""

    def _serve(self, call: Call) -> None:
        """Do the call, now or after the delay in force; one at a time, so that answers keep their order."""
        world = self._world
        world.calls[call.path] = world.calls.get(call.path, 0) + 1
        injections = world.injections
        delay = injections.delay(call.path) if injections.latencies else 0.0
        self._busy = True
        if delay:
            self._loop.call_later(delay, self._answer, call)
        else:
            self._answer(call)

    def _answer(self, call: Call) -> None:
        faults = self._world.injections
        fault = faults.strike(call.path) if faults.faults else None
        if fault is None:
            self._write(written(api.answer(call)))
        else:
            self._strike(call, fault)

    def _strike(self, call: Call, fault: Injection) -> None:
        if fault.kind.endswith("_after"):
            api.answer(call)
        if fault.kind == "error":
            self._write(written(api.answer(call, forced=fault.code)))
        elif fault.kind == "http":
            self._write(written(Raw("text/plain", b"injected", fault.code)))
        elif fault.kind.startswith("drop") and self._transport is not None:
            self._transport.abort()

    def _write(self, response: bytes) -> None:
        self._busy = False
        if self._transport is None:
            return
        self._transport.write(response)
        if self._buffer:
            self._loop.call_soon(self._read)
