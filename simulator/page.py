"""The phone page and its live news."""

import asyncio
import contextlib
import mimetypes
from pathlib import Path
from typing import Any

from aiohttp import web

from simulator.world import World, dump

News = dict[str, Any]
STATIC = Path(__file__).parent / "static"
PATHS = {"/": "index.html", "/sandbox": "index.html", "/favicon.ico": "icon.svg"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
QUEUE = 1000  # news a slow page may lag behind before it must read everything anew
HEARTBEAT_SECONDS = 15.0


class Page:
    """Serves files, uploaded media and a web socket with news."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._files = {path.name: path for path in STATIC.iterdir() if path.is_file()}
        self._queues: set[asyncio.Queue[News | None]] = set()

    def file(self, path: str) -> web.Response:
        """A file of the page, by its bare name."""
        found = self._files.get(PATHS.get(path) or path.removeprefix("/static/"))
        if found is None:
            return web.Response(status=404, text="没有这个页面", headers=HEADERS)
        kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        return web.Response(body=found.read_bytes(), headers=HEADERS | {"Content-Type": kind})

    def media(self, media_id: str) -> web.Response:
        """A picture that the bot uploaded."""
        kind, data, _ = self._world.media.get(media_id, ("", b"", 0.0))
        if not kind.startswith(("image/", "audio/", "video/")) or "svg" in kind:
            return web.Response(status=404, headers=HEADERS)
        return web.Response(body=data, headers=HEADERS | {"Content-Type": kind})

    def _tell(self, news: News) -> None:
        for queue in self._queues:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                news = {"type": "reset"}
            queue.put_nowait(news)

    async def events(self, request: web.BaseRequest) -> web.StreamResponse:
        """News as they happen over a web socket, until the page goes away."""
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS)
        await socket.prepare(request)
        queue: asyncio.Queue[News | None] = asyncio.Queue(QUEUE)
        self._queues.add(queue)
        self._world.watch = self._tell
        telling = asyncio.create_task(_tell_all(socket, queue))
        try:
            async for _ in socket:
                pass  # the page only listens; reading notices when it goes away
        finally:
            telling.cancel()
            self._queues.discard(queue)
            self._world.watch = self._tell if self._queues else None
        return socket

    def close(self) -> None:
        """Send every page home."""
        for queue in self._queues:
            if not queue.full():
                queue.put_nowait(None)


async def _tell_all(socket: web.WebSocketResponse, queue: asyncio.Queue[News | None]) -> None:
    with contextlib.suppress(ConnectionError):
        while (news := await queue.get()) is not None:
            await socket.send_str(dump(news).decode())
        await socket.close()
