"""The production server, `python app.py web`, as it stands before the door: what it hands in, and what it does not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

import clock
import demo
import schema
from bot.webhook import MAX_BODY_BYTES
from models import Database, Vault
from simulator import testing
from tests.conftest import SECRET
from tests.test_kill import Bot, openid

HEAD = b"POST /wechat?timestamp=1 HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bot, Any]]:
    folder = tmp_path_factory.mktemp("web")
    with testing.running() as wechat:
        bot = Bot(folder, wechat.url, "web")
        database = Database(bot.database_url, Vault(SECRET))
        schema.upgrade(database)
        at = clock.now()
        demo.load(database, at=at, people_per_branch=1)
        demo.load_members(database, 6002, at=at)
        demo.open_now(database, at=at)
        database.close()
        wechat.settings(callback_url=f"{bot.url}/wechat")
        bot.start()
        yield bot, wechat
        bot.kill()


def answer(bot: Bot, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", bot.port), 10) as connection:
        connection.settimeout(10)
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def chunked(body: bytes) -> bytes:
    pieces = [body[i : i + 1000] for i in range(0, len(body), 1000)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def test_a_member_checks_in(web):
    _, wechat = web
    assert wechat.phone(openid(6001)).says("签到").startswith("签到成功")


@pytest.mark.parametrize(("extra", "status"), [(0, b" 403 "), (1, b" 413 ")])
def test_a_body_is_read_to_the_limit_and_not_beyond(web, extra, status):
    """At the limit it is read whole and refused for its age; one byte more is too many, said or not beforehand."""
    bot, _ = web
    body = b"x" * (MAX_BODY_BYTES + extra)
    said = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    unsaid = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body)
    assert status in answer(bot, said).splitlines()[0]
    assert status in answer(bot, unsaid).splitlines()[0]


def test_other_methods_are_told_which_are_allowed(web):
    bot, _ = web
    told = answer(bot, HEAD.replace(b"POST", b"PUT") + b"Content-Length: 0\r\n\r\n").lower()
    assert b" 405 " in told.splitlines()[0]
    assert b"allow: get, post" in told
