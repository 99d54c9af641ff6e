"""Reading responses off a connection, in whatever pieces they come."""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

#: WeChat's answers have a few hundred bytes; who sends more than this is not WeChat.
LARGEST_RESPONSE_BYTES = 1024 * 1024
INTERIM = range(100, 200)
SWITCHING_PROTOCOLS = 101
FRAMES = (b"content-length", b"transfer-encoding")


class Unreadable(Exception):
    """What came is no response we take; the sentence says why."""


class ResponseReader:
    """One response after another: `forget` before each, `feed` until it `is_whole`."""

    status: int
    body: bytearray
    is_whole: bool
    #: Whether the connection may carry another call.
    is_reusable: bool

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.forget()

    def forget(self) -> None:
        """Begin with the next response."""
        self.status = self._received = 0
        self.body = bytearray()
        self.is_whole = self._is_framed = False
        self.is_reusable = True

    def feed(self, data: bytes) -> None:
        """Take the next piece. Raises Unreadable, unless the response was whole before the trouble began."""
        self._received += len(data)
        if self._received > LARGEST_RESPONSE_BYTES:
            raise Unreadable("回答太长")
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self.is_reusable = False
            if not self.is_whole:
                raise Unreadable("回答不是 HTTP") from None

    def end(self) -> bool:
        """The connection has ended: the proper end of a response without a length, and only of such a one."""
        self.is_reusable = False
        self.is_whole = self.is_whole or (self.status != 0 and not self._is_framed)
        return self.is_whole

    # --- what the parser says; once the response is whole, the rest is not ours ---------------------------

    def on_message_begin(self) -> None:
        """A second response to one call spoils the connection."""
        if self.is_whole:
            self.is_reusable = False

    def on_header(self, name: bytes, _: bytes) -> None:
        """Whether the response says where it ends."""
        if name.lower() in FRAMES:
            self._is_framed = True

    def on_headers_complete(self) -> None:
        """The status is known."""
        if not self.is_whole:
            self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if not self.is_whole:
            self.body += body

    def on_message_complete(self) -> None:
        """The response is whole, unless it was only an interim one (100 Continue)."""
        if self.is_whole:
            return
        if self.status in INTERIM and self.status != SWITCHING_PROTOCOLS:
            self.status, self._is_framed = 0, False
            return
        self.is_whole = True
        self.is_reusable = self._parser.should_keep_alive()
