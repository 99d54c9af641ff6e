"""Where calls go: how one reads on the wire, and how a connection is made."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

#: So many connections share one look at the name server, and for how long.
ADDRESSES_GOOD_FOR_SECONDS = 30.0


class Host:
    """One scheme, name and port. Raises ValueError for an address that is none."""

    def __init__(self, base_url: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http(s) address: {base_url}")
        self.name = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        self._place = parts.netloc.rpartition("@")[2]
        self._prefix = parts.path.rstrip("/")
        self._heads: dict[str, bytes] = {}
        self._heads_token = ""
        self._looking_up = asyncio.Lock()
        self._addresses: list[Any] = []
        self._addresses_until = 0.0
        self._turn = itertools.count()

    def request(self, path: str, token: str, body: bytes) -> bytes:
        """The whole POST, with the token in its query."""
        if token != self._heads_token:
            self._heads, self._heads_token = {}, token
        head = self._heads.get(path) or self._head(path)
        return b"%s%d\r\n\r\n%s" % (head, len(body), body)

    def _head(self, path: str) -> bytes:
        address = f"{self._prefix}{quote(path)}?access_token={quote(self._heads_token, safe='')}"
        lines = (
            f"POST {address} HTTP/1.1",
            f"Host: {self._place}",
            "Accept: application/json",
            "Content-Type: application/json; charset=utf-8",
            "Content-Length: ",
        )
        self._heads[path] = "\r\n".join(lines).encode()
        return self._heads[path]

    async def connect(self, carrying: Callable[[socket.socket], asyncio.Protocol], timeout_seconds: float) -> None:
        """Open a connection for the protocol that `carrying` makes of its socket. Raises OSError."""
        loop = asyncio.get_running_loop()
        name = self.name if self._tls else None
        async with asyncio.timeout(timeout_seconds):
            raw = await self._reach()
            try:
                await loop.create_connection(lambda: carrying(raw), sock=raw, ssl=self._tls, server_hostname=name)
            except BaseException:
                # The transport has closed the descriptor by now, and its number may already be somebody else's.
                raw.detach()
                raise

    async def _reach(self) -> socket.socket:
        """A connected socket to the next address that takes one; each attempt begins at another."""
        addresses = await self._resolved()
        first = next(self._turn) % len(addresses)
        refused: OSError | None = None
        for family, kind, protocol, _, address in addresses[first:] + addresses[:first]:
            raw = socket.socket(family, kind, protocol)
            raw.setblocking(False)
            try:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await asyncio.get_running_loop().sock_connect(raw, address)
            except BaseException as error:
                raw.close()
                if not isinstance(error, OSError):
                    raise
                refused = error
            else:
                return raw
        raise refused or OSError("no address")

    async def _resolved(self) -> list[Any]:
        """The host's addresses; looking them up happens in a thread and once for all who ask."""
        loop = asyncio.get_running_loop()
        async with self._looking_up:
            if loop.time() >= self._addresses_until:
                found = await loop.getaddrinfo(self.name, self._port, type=socket.SOCK_STREAM)
                self._addresses, self._addresses_until = list(found), loop.time() + ADDRESSES_GOOD_FOR_SECONDS
        return self._addresses
