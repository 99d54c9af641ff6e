"""A server in this process, as `run` has one, at an address of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from commands.serving import embedded


@contextmanager
def served(application: Any) -> Iterator[str]:
    """The address under which an ASGI application answers until the block ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        host, port = listening.getsockname()
        server = embedded(application, host, port)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield f"http://{host}:{port}"
        server.should_exit = True
        thread.join(10)
