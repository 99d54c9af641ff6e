"""A host that misbehaves on demand: what a call's body asks for under `do` is what happens to it."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from bot.fanout import Outcome

OK = b'{"errcode":0,"errmsg":"ok"}'
Writer = asyncio.StreamWriter
Greeting = Callable[[Writer], Awaitable[bool]]


def response(body: bytes = OK, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """A response whose length may be a lie."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(body: bytes) -> bytes:
    """Each byte a chunk of its own."""
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


#: The bytes answered, whether the connection is then cut, and what must be said of the call.
BEHAVIOURS: dict[str, tuple[bytes, bool, Outcome]] = {
    "ok": (response(), False, Outcome.ANSWERED),
    "closing": (response(OK, "200 OK", "Connection: close"), True, Outcome.ANSWERED),
    "cut after": (response(), True, Outcome.ANSWERED),
    "chunked": (chunked(OK), False, Outcome.ANSWERED),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + response(), False, Outcome.ANSWERED),
    "no length": (b"HTTP/1.1 200 OK\r\n\r\n" + OK, True, Outcome.ANSWERED),
    "twice": (response() + response(b'{"errcode":1}'), False, Outcome.ANSWERED),
    "refused token": (response(b'{"errcode":40001,"errmsg":"invalid credential"}'), False, Outcome.ANSWERED),
    "bad gateway": (response(b"<html>Bad Gateway</html>", "502 Bad Gateway"), False, Outcome.STATUS),
    "elsewhere": (response(b"", "302 Found", "Location: http://127.0.0.1:1/"), False, Outcome.STATUS),
    "switching": (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", False, Outcome.STATUS),
    "cut before": (b"", True, Outcome.MAY_HAVE_LEFT),
    "cut in the head": (response()[:20], True, Outcome.MAY_HAVE_LEFT),
    "cut in the body": (response()[:-5], True, Outcome.MAY_HAVE_LEFT),
    "cut in a chunk": (chunked(OK)[:-5], True, Outcome.MAY_HAVE_LEFT),
    "too short": (response(length=len(OK) + 100), True, Outcome.MAY_HAVE_LEFT),
    "too long": (response(length=len(OK) - 5), False, Outcome.MAY_HAVE_LEFT),
    "huge": (response(b'{"x":"' + b"x" * 2_000_000 + b'"}'), False, Outcome.MAY_HAVE_LEFT),
    "endless head": (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 400_000, False, Outcome.MAY_HAVE_LEFT),
    "page": (response(b"<html>login</html>"), False, Outcome.MAY_HAVE_LEFT),
    "no JSON object": (response(b"[0]"), False, Outcome.MAY_HAVE_LEFT),
    "deep JSON": (response(b"[" * 100_000), False, Outcome.MAY_HAVE_LEFT),
    "no text": (response(b'{"errmsg":"\xff"}'), False, Outcome.MAY_HAVE_LEFT),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", False, Outcome.MAY_HAVE_LEFT),
    "hang": (b"", False, Outcome.MAY_HAVE_LEFT),
}


class Host:
    """Runs in a thread; remembers which calls it received, by their `id`, and with which token."""

    def __init__(self, greeting: Greeting | None, tls: ssl.SSLContext | None, at: socket.socket | None) -> None:
        self.received: Counter[int] = Counter()
        self.tokens: list[str] = []
        self.connections = 0
        self.bytewise = False
        #: Released once for each connection that was cut because a call asked for it.
        self.cuts = threading.Semaphore(0)
        self._greeting = greeting
        self._tls = tls
        self._socket = at or socket.create_server(("127.0.0.1", 0))
        self._writers: set[Writer] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._socket.getsockname()[1]}"

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(10)

    def hang_up(self) -> None:
        """Close every connection, as a server does with those that have been idle; back when it is done."""
        self._to_all(lambda writer: writer.close())

    def blurt(self, data: bytes) -> None:
        """Say something on every connection that nobody asked for."""
        self._to_all(lambda writer: writer.write(data))

    def _to_all(self, act: Callable[[Writer], None]) -> None:
        async def run() -> None:
            for writer in self._writers:
                act(writer)
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, sock=self._socket, ssl=self._tls, backlog=512)
        self._ready.set()
        await self._ending.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            if self._greeting is None or await self._greeting(writer):
                while await self._one(reader, writer):
                    pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: Writer) -> bool:
        """Answer one call as it asks; False when the connection is to be cut."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.partition("Content-Length: ")[2].partition("\r\n")[0])
        asked = json.loads(await reader.readexactly(length))
        self.received[asked["id"]] += 1
        self.tokens.append(head.partition("access_token=")[2].partition(" ")[0])
        data, is_cut, _ = BEHAVIOURS[asked["do"]]
        for piece in _bytes_of(data) if self.bytewise and len(data) < 5000 else [data]:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if asked["do"] == "hang":
            await reader.read()
        if is_cut:
            # What was written arrives first: this is the end of a connection, not its destruction.
            writer.close()
            await writer.wait_closed()
            self.cuts.release()
        return not is_cut


def _bytes_of(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


@contextmanager
def running(
    greeting: Greeting | None = None, tls: ssl.SSLContext | None = None, at: socket.socket | None = None
) -> Iterator[Host]:
    """A host on a port of its own, or at a socket that is bound already; `greeting` says whether to go on."""
    host = Host(greeting, tls, at)
    host.start()
    try:
        yield host
    finally:
        host.stop()
