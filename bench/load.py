"""The storm itself: requests made beforehand, sent over keep-alive connections by one thread with one epoll.

It costs a quarter of what a bare granian needs for fixed bytes, so it is not what is measured; every run
records its share (load_cpu_us).
"""

from __future__ import annotations

import gc
import re
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.wire import CHUNKED, HEAD_END, Account, Wrong, check, post

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CLOSING = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
# WeChat hangs up after five seconds and shows its own excuse.
PATIENCE_SECONDS = 5.0
CONNECT_SECONDS = 10.0
READ_BYTES = 65536


@dataclass(frozen=True)
class Volley:
    """What came of one go at the callback; an index is that of the request."""

    seconds: float
    cpu_seconds: float
    sent: int
    responses: list[bytes | None]
    latencies: list[float]


@dataclass(frozen=True)
class Verdict:
    acknowledged: int
    failures: Counter[str]
    latencies: list[float]


class _Connection:
    __slots__ = ("began", "index", "received", "socket")

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self.index = -1
        self.began = 0.0
        self.received = b""


def openid(number: int) -> str:
    return f"oDemo{number:023d}"


def check_ins(account: Account, port: int, path: str, numbers: Sequence[int]) -> list[bytes]:
    """One 签到 from each of these people, signed and sealed this very second."""
    first_id = time.time_ns() // 1000 * 10**5
    host = f"127.0.0.1:{port}"
    return [post(account, host, path, openid(n), "签到", first_id + n) for n in numbers]


def fire(port: int, requests: Sequence[bytes], connections: int, limit_seconds: float) -> Volley:
    """Send the requests in order, one at a time on each connection; begin no new one after the limit."""
    volley = _Volley(port, requests, limit_seconds)
    gc.collect()
    gc.disable()
    try:
        return volley.run(min(connections, len(requests)))
    finally:
        gc.enable()
        volley.close()


def judge(account: Account, numbers: Sequence[int], volley: Volley, phrase: str) -> Verdict:
    """Decrypt and check every reply, after the clock has stopped."""
    failures: Counter[str] = Counter()
    latencies = []
    for number, response, latency in zip(numbers[: volley.sent], volley.responses, volley.latencies, strict=False):
        if response is None:
            failures["no answer"] += 1
            continue
        latencies.append(latency)
        try:
            check(account, response, openid(number), phrase)
        except Wrong as wrong:
            failures[str(wrong)] += 1
        else:
            if latency > PATIENCE_SECONDS:
                failures["right, but later than five seconds"] += 1
    late = failures["right, but later than five seconds"]
    acknowledged = volley.sent - failures.total() + late
    return Verdict(acknowledged, +failures, sorted(latencies))


class _Volley:
    def __init__(self, port: int, requests: Sequence[bytes], limit_seconds: float) -> None:
        self._address = ("127.0.0.1", port)
        self._requests = requests
        self._limit = limit_seconds
        self._poll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        self._responses: list[bytes | None] = [None] * len(requests)
        self._latencies = [0.0] * len(requests)
        self._sent = 0
        self._waiting = 0
        self._until = 0.0

    def run(self, connections: int) -> Volley:
        opened = [self._open() for _ in range(connections)]
        began = last = time.perf_counter()
        worked = time.process_time()
        self._until = began + self._limit
        for connection in opened:
            self._next(connection)
        while self._waiting and time.perf_counter() < self._until + 2 * PATIENCE_SECONDS:
            for descriptor, _ in self._poll.poll(0.2):
                if self._receive(self._connections[descriptor]):
                    last = time.perf_counter()
        return Volley(last - began, time.process_time() - worked, self._sent, self._responses, self._latencies)

    def close(self) -> None:
        for connection in self._connections.values():
            connection.socket.close()
        self._poll.close()

    def _open(self) -> _Connection:
        opened = socket.create_connection(self._address, CONNECT_SECONDS)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setblocking(False)
        connection = _Connection(opened)
        self._connections[opened.fileno()] = connection
        self._poll.register(opened, select.EPOLLIN)
        return connection

    def _next(self, connection: _Connection) -> None:
        now = time.perf_counter()
        if self._sent == len(self._requests) or now >= self._until:
            # Servers that take only so many connections let the next one in when this one leaves.
            return self._drop(connection)
        connection.index, connection.began, connection.received = self._sent, now, b""
        self._sent += 1
        self._waiting += 1
        try:
            connection.socket.sendall(self._requests[connection.index])
        except OSError:
            self._give_up(connection)
        return None

    def _receive(self, connection: _Connection) -> bool:
        try:
            data = connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        received = connection.received = connection.received + data
        if not _is_whole(received, closed=not data):
            if not data:
                self._give_up(connection)
            return False
        self._latencies[connection.index] = time.perf_counter() - connection.began
        self._responses[connection.index] = received
        self._waiting -= 1
        if not data or CLOSING.search(received, 0, received.find(HEAD_END)):
            self._drop(connection)
            connection = self._open()
        self._next(connection)
        return True

    def _give_up(self, connection: _Connection) -> None:
        """The server hung up on a request: that one has failed, the next goes out on a new connection."""
        self._waiting -= 1
        self._drop(connection)
        if self._sent < len(self._requests) and time.perf_counter() < self._until:
            self._next(self._open())

    def _drop(self, connection: _Connection) -> None:
        del self._connections[connection.socket.fileno()]
        self._poll.unregister(connection.socket)
        connection.socket.close()


def _is_whole(data: bytes, closed: bool) -> bool:
    end = data.find(HEAD_END)
    if end < 0:
        return False
    if found := LENGTH.search(data, 0, end):
        return len(data) >= end + len(HEAD_END) + int(found[1])
    if CHUNKED.search(data, 0, end):
        return data.endswith(b"0" + HEAD_END)
    return closed


def percentiles(latencies: Sequence[float], *wanted: float) -> Iterator[float]:
    """Of sorted latencies in seconds, in milliseconds; 100 is the longest."""
    for percent in wanted:
        yield (latencies[min(len(latencies) - 1, int(len(latencies) * percent / 100))] * 1000 if latencies else 0.0)
