"""The HTTP server: WeChat's API, the operator's calls and the phone page on one port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web

from simulator import api, page
from simulator.account import LOOPBACK
from simulator.api.call import Call, Raw, Upload
from simulator.callback import Courier
from simulator.control import Control, operate
from simulator.errors import Refused
from simulator.express import JSON_TYPE, Express
from simulator.injection import Injection
from simulator.world import World, dump

LARGEST_BODY = 32 * 1024 * 1024
SHUTDOWN_SECONDS = 0.2
FLUSH_SECONDS = 1.0
HANGING_SECONDS = 3600.0
JSON_HEADERS = {"Content-Type": JSON_TYPE}


class Server:
    """Answers requests out of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.courier = Courier(world)
        self.control = Control(world, self.courier)
        self.page = page.Page(world)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Sort a request by its path; WeChat's calls come first, they are the many."""
        path = request.path
        if path.startswith("/_sim/"):
            return await self._operate(request, path)
        if path in page.PATHS or path.startswith("/static/"):
            return self.page.file(path)
        return await self._api(request, path)

    async def _api(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        world = self.world
        world.calls[path] = world.calls.get(path, 0) + 1
        call = Call(world, request.method, path, request.query, b"")
        if request.content_type.startswith("multipart/"):
            call.upload = await _uploaded(request)
        elif request.method == "POST":
            call.raw = await request.read()
        injections = world.injections
        if injections.latencies:
            delay = injections.delay(path)
            if delay:
                await asyncio.sleep(delay)
        fault = injections.strike(path) if injections.faults else None
        if fault is not None:
            return await self._strike(request, call, fault)
        return _as_response(api.answer(call))

    async def _strike(self, request: web.BaseRequest, call: Call, fault: Injection) -> web.StreamResponse:
        if fault.kind == "error":
            return _as_response(api.answer(call, forced=fault.code))
        if fault.kind == "http":
            return web.Response(status=fault.code, text="Bad Gateway")
        if fault.kind.endswith("_after"):
            api.answer(call)
        if fault.kind.startswith("hang"):
            await asyncio.sleep(HANGING_SECONDS)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _operate(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        if not self._is_local(request):
            return _as_json({"error": "这个地址只对本机开放"}, 403)
        if path == "/_sim/events":
            return await self.page.events(request)
        if path.startswith("/_sim/media/"):
            return self.page.media(path.rpartition("/")[2])
        raw = await request.read()
        if request.method == "POST" and request.content_type != "application/json":
            return _as_json({"error": "send application/json"}, 415)
        try:
            result = await operate(self.control, request.method, path, request.query, raw)
        except Refused as error:
            return _as_json({"error": str(error)}, 400)
        return _as_json(result)

    def _is_local(self, request: web.BaseRequest) -> bool:
        """Other web sites must not drive us through the browser: our own name, and no foreign origin."""
        if self.world.allow_remote:
            return True
        host = request.headers.get("Host", "")
        origin = request.headers.get("Origin", "")
        return _name(host) in LOOPBACK and (not origin or origin == f"http://{host}")


def _name(host: str) -> str:
    return host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]


def _as_json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=dump(value), status=status, headers=JSON_HEADERS)


def _as_response(answer: Any) -> web.Response:
    if not isinstance(answer, Raw):
        return web.Response(body=dump(answer), headers=JSON_HEADERS)
    headers = {"Content-Type": answer.content_type} | ({"Location": answer.location} if answer.location else {})
    return web.Response(body=answer.data, status=answer.status, headers=headers)


async def _uploaded(request: web.BaseRequest) -> Upload | None:
    """The file in the field ``media``."""
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if isinstance(part, BodyPartReader) and part.name == "media" and part.filename:
            kind = part.headers.get("Content-Type", "application/octet-stream")
            return Upload(part.filename, kind, bytes(await part.read()))
    return None


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    """A request that may be as large as WeChat allows."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=LARGEST_BODY)


@contextlib.asynccontextmanager
async def serving(world: World, host: str, port: int, state: Path | None = None) -> AsyncIterator[int]:
    """Serve until the block ends; gives the port, which is a free one when 0 was asked for."""
    if state is not None:
        world.recall(state)
    server = Server(world)
    library = web.Server(server.handle, request_factory=_request, access_log=None, keepalive_timeout=600)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Express(world, library), host, port, backlog=1024)
    await server.courier.start()
    flushing = asyncio.create_task(_flush(world))
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        flushing.cancel()
        server.page.close()
        listening.close()
        await library.shutdown(SHUTDOWN_SECONDS)
        await server.courier.stop()
        world.journal.close()


async def _flush(world: World) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        world.journal.flush()
