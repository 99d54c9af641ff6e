"""The local WeChat, a tiny bot, and hands to call the API with."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulator import api
from simulator.api.call import Call, Upload
from simulator.phone import LocalWeChat, Phone
from simulator.testing import running
from simulator.world import World
from tests.simulator.echo_bot import EchoBot, running_bot


class Caller:
    """Calls the API inside the process: quick, and with the clock at hand."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.pushes: list[tuple[str, dict[str, Any]]] = []
        self.world.post = lambda _account, fields, openid: self.pushes.append((openid, fields))
        self.token = self.world.tokens.stable(self.world.official.app_id)[0]
        self.mini_token = self.world.tokens.stable(self.world.mini.app_id)[0]

    def get(self, path: str, *, token: str | None = None, **query: str) -> Any:
        return self._call("GET", path, query, b"", token)

    def post(self, path: str, body: Any = None, *, token: str | None = None, **query: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self._call("POST", path, query, raw, token)

    def upload(self, kind: str, name: str, data: bytes) -> Any:
        query = {"access_token": self.token, "type": kind}
        call = Call(self.world, "POST", "/cgi-bin/media/upload", query, b"", Upload(name, "image/png", data))
        return api.answer(call)

    def _call(self, method: str, path: str, query: dict[str, str], raw: bytes, token: str | None) -> Any:
        if token != "":
            query = {"access_token": token or self.token, **query}
        return api.answer(Call(self.world, method, path, query, raw))


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest.fixture(scope="session")
def _bot() -> Iterator[tuple[EchoBot, str]]:
    with running_bot() as pair:
        yield pair


@pytest.fixture(scope="session")
def _wechat() -> Iterator[LocalWeChat]:
    with running() as wechat:
        yield wechat


@pytest.fixture
def bot(_bot: tuple[EchoBot, str]) -> EchoBot:
    _bot[0].__init__()  # type: ignore[misc]
    return _bot[0]


@pytest.fixture
def wechat(_wechat: LocalWeChat, _bot: tuple[EchoBot, str], bot: EchoBot) -> LocalWeChat:
    _wechat.reset()
    _wechat.settings(callback_url=_bot[1], mode="safe", account_type="service", verified=True)
    _wechat.settings(delivery_events=True, patience=5)
    return _wechat


@pytest.fixture
def zhang_wei(wechat: LocalWeChat) -> Phone:
    return wechat.phone("张伟")


@pytest.fixture
def api_call(wechat: LocalWeChat) -> Callable[..., Any]:
    """The API over HTTP: api_call(path, body, query…)."""
    import http.client
    from urllib.parse import urlencode

    connection = http.client.HTTPConnection("127.0.0.1", int(wechat.url.rpartition(":")[2]), timeout=10)

    def call(path: str, body: Any = None, **query: str) -> Any:
        raw = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        connection.request("GET" if raw is None else "POST", f"{path}?{urlencode(query)}", raw)
        return json.loads(connection.getresponse().read())

    return call
