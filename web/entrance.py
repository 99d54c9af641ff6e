"""What the server calls: WeChat's doors, and behind them Flask with all that people look at (docs/decisions/0008)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from a2wsgi import WSGIMiddleware
from a2wsgi.asgi_typing import ASGIApp, HTTPScope, Receive, Send

Door = Callable[[HTTPScope, Receive, Send], Awaitable[None]]
Pages = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Entrance:
    """An ASGI application. A callback waits as a coroutine; a page has a thread to itself, `threads` at a time."""

    def __init__(self, doors: Mapping[str, Door], pages: Pages, threads: int) -> None:
        self._doors = doors
        self._pages: ASGIApp = WSGIMiddleware(pages, workers=threads)  # type: ignore[arg-type]

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        door = self._doors.get(scope["path"])
        if door is not None:
            await door(scope, receive, send)
            return

        async def hear() -> Any:
            # One server hands in a future, where the bridge to Flask wants a coroutine.
            return await receive()

        await self._pages(scope, hear, send)
