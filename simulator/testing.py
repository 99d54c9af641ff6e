"""A local WeChat inside the test's own process."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simulator.phone import LocalWeChat
from simulator.server import serving
from simulator.world import World

START_SECONDS = 10.0


class _Thread(threading.Thread):
    """Runs the server in a loop of its own."""

    def __init__(self, world: World, host: str, port: int, state: Path | None) -> None:
        super().__init__(name="local-wechat", daemon=True)
        self._world, self._host, self._port, self._state = world, host, port, state
        self.ready = threading.Event()
        self.error: BaseException | None = None
        self.port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self.error = error
        finally:
            self.ready.set()

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        async with serving(self._world, self._host, self._port, self._state) as port:
            self.port = port
            self.ready.set()
            await self._ending.wait()

    def stop(self) -> None:
        if self._loop is not None and self._ending is not None and self.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
        self.join(START_SECONDS)


@contextlib.contextmanager
def running(
    port: int = 0,
    callback_url: str = "",
    *,
    host: str = "127.0.0.1",
    state: Path | None = None,
    allow_remote: bool = False,
    **settings: Any,
) -> Iterator[LocalWeChat]:
    """A server in the background; ``settings`` as in ``LocalWeChat.settings``."""
    world = World(allow_remote=allow_remote)
    thread = _Thread(world, host, port, state)
    thread.start()
    if not thread.ready.wait(START_SECONDS) or thread.error is not None:
        raise RuntimeError("the local WeChat did not start") from thread.error
    wechat = LocalWeChat(f"http://{host}:{thread.port}")
    try:
        wechat.settings(callback_url=callback_url, **settings)
        yield wechat
    finally:
        thread.stop()
