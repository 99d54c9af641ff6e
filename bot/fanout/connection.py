"""One long-lived HTTP/1.1 connection: one call at a time, never two under way."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any, Protocol

from bot.fanout.calls import Answer, Call, Outcome
from bot.fanout.response import ResponseReader, Unreadable

GLANCE = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)


class Owner(Protocol):
    """Who is told what happens on a connection."""

    def opened(self, connection: Connection) -> None: ...

    def answered(self, connection: Connection, answer: Answer) -> None: ...

    def lost(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """Carries calls one after another: so many were `written`, so many of them brought a response (`carried`)."""

    def __init__(self, owner: Owner, raw: socket.socket) -> None:
        self._owner = owner
        self._raw = raw
        self._response = ResponseReader()
        self._transport: asyncio.Transport | None = None
        self._call: Call | None = None
        self._token = ""
        #: When its call was written or its rest began, by the loop's clock.
        self.since = 0.0
        self.written = 0
        self.carried = 0

    @property
    def is_open(self) -> bool:
        """Whether it could carry a call, as far as the loop has heard."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_new(self) -> bool:
        """Whether it has neither carried a call nor rested yet."""
        return self.since == 0.0

    def is_quiet(self) -> bool:
        """Whether nothing lies unread in the socket: not even the end, which would mean that the host has hung up."""
        try:
            self._raw.recv(1, GLANCE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def send(self, call: Call, request: bytes, token: str, at: float) -> None:
        """Write a call; from here on it may have left."""
        assert self._transport is not None
        self._call, self._token, self.since = call, token, at
        self._response.forget()
        self.written += 1
        self._transport.write(request)

    def give_up(self, why: str) -> None:
        """End the call under way as one that may have left; the connection goes with it."""
        self.close()
        self._answer(Outcome.MAY_HAVE_LEFT, detail=why)

    def close(self) -> None:
        """Nobody needs the connection any more. At once: between calls there is nothing left to say, TLS or not."""
        if self._transport is not None:
            self._transport.abort()

    # --- what the loop says ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open, the TLS handshake included."""
        # uvloop's TLS transport is an asyncio.Transport in all but name.
        self._transport = transport  # type: ignore[assignment]
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """A piece of a response."""
        if self._call is None:
            # Nobody asked, so this must not be taken for the answer to the next call.
            return self.close()
        try:
            self._response.feed(data)
        except Unreadable as error:
            return self.give_up(str(error))
        if self._response.is_whole:
            self._finish()
        return None

    def connection_lost(self, _: Exception | None) -> None:
        """It has ended."""
        self._transport = None
        if self._call is not None and self._response.end():
            self._finish()
        elif self._call is not None:
            self._answer(Outcome.MAY_HAVE_LEFT, detail="连接在回答之前断开")
        self._owner.lost(self)

    # --- how a call ends ---------------------------------------------------------------------------------

    def _finish(self) -> None:
        self.carried += 1
        response = self._response
        result = _as_object(response.body) if response.status == 200 else {}
        # Who did not speak WeChat's language may go on talking: the next call must not hear that.
        if result is None or not response.is_reusable:
            self.close()
        if response.status != 200:
            self._answer(Outcome.STATUS, response.status, detail=f"HTTP {response.status}")
        elif result is None:
            self._answer(Outcome.MAY_HAVE_LEFT, 200, detail="回答不是微信的格式")
        else:
            self._answer(Outcome.ANSWERED, 200, result)

    def _answer(
        self, outcome: Outcome, status: int | None = None, result: dict[str, Any] | None = None, detail: str = ""
    ) -> None:
        call, self._call = self._call, None
        if call is not None:
            self._owner.answered(self, Answer(call, outcome, status, result or {}, detail, self._token))


def _as_object(body: bytearray) -> dict[str, Any] | None:
    try:
        result = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return result if isinstance(result, dict) else None
