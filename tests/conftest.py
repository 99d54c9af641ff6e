"""The cast and the stage: the whole bot and the local WeChat in this process, on a database of each test's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

import app
import config
import demo
import schema
from bot.desk import Desk
from bot.router import Router
from clock import parse_instant
from models import Database, Vault
from scheduler.clockwork import Clockwork, Decision
from scheduler.delivery import Delivery
from services.meetings import rhythm
from simulator import testing
from simulator.phone import LocalWeChat, Phone
from tests.serving import served
from web.entrance import Entrance

SECRET = "a secret for tests, forty characters long"
#: A Friday morning with study day in every branch.
FRIDAY = "2026-11-27T09:00"
LOADED_AT = parse_instant("2026-11-23T08:00")
CAST = {
    "张伟": "ZhangWei", "孙丽": "SunLi", "李娜": "LiNa", "王芳": "WangFang", "陈刚": "ChenGang", "赵敏": "ZhaoMin", "何静": "HeJing",
}  # fmt: skip


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, at: str = FRIDAY) -> None:
        self.at = parse_instant(at)

    def __call__(self) -> datetime:
        return self.at


class Front:
    """One web server for the whole run; each test puts its own application behind it."""

    def __init__(self) -> None:
        self.application: Any = None
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.application(scope, receive, send)


class Pages:
    """The pages, made when the first one is asked for: most tests only talk."""

    def __init__(self, parts: app.Parts) -> None:
        self._parts = parts

    @cached_property
    def _made(self) -> Flask:
        return app.pages(self._parts)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self._made(environ, start_response)


class House:
    """The bot as it runs, with its clock in our hand."""

    def __init__(
        self, parts: app.Parts, wechat: LocalWeChat, clock: Clock, front: Front, router: Router | None = None
    ) -> None:
        self.parts, self.wechat, self.clock = parts, wechat, clock
        self.database, self.settings, self.metrics = parts.database, parts.settings, parts.metrics
        self.desk: Desk = parts.desk(router)
        self.delivery: Delivery = parts.delivery()
        self.clockwork: Clockwork = parts.clockwork()
        self.url = front.url
        front.application = Entrance(app.doors(parts, self.desk), Pages(parts), threads=4)

    def phone(self, name: str) -> Phone:
        """Somebody of the cast by name, or any openid."""
        return self.wechat.phone(demo.cast.openid_of(CAST[name]) if name in CAST else name)

    def now(self, iso: str) -> None:
        """Set the clock of the bot and of WeChat; Beijing time."""
        self.clock.at = parse_instant(iso)
        self.wechat.clock.set(iso, freeze=True)

    def tick(self) -> list[Decision]:
        """Let the clock ring now."""
        return self.clockwork.tick(self.clock.at)

    def deliver(self) -> int:
        """Send all that is due now, and hear how it went."""
        sent = self.delivery.run_until_empty()
        self.wechat.settle()
        return sent

    def stop(self) -> None:
        self.desk.stop()
        self.delivery.stop()
        self.database.close()


def settings(database_url: str, sending: dict[str, Any] | None = None, **wechat: Any) -> config.Settings:
    """The example's settings on another database, with parts of `wechat` and `sending` changed."""
    loaded = _example()
    database = loaded.database.model_copy(update={"url": database_url})
    # Tests wait for nothing: the pace has tests of its own.
    quick = loaded.sending.model_copy(update={"per_second": 2000.0, "connections": 16, **(sending or {})})
    # A phone of a test speaks as fast as it can, while the clock stands.
    account = loaded.wechat.model_copy(update={"messages_per_minute": 100_000, **wechat})
    return loaded.model_copy(update={"database": database, "wechat": account, "sending": quick})


@cache
def _example() -> config.Settings:
    example = {"BOT_CONFIG": str(config.ROOT / "config.example.yaml"), "BOT_SERVER__SECRET_KEY": SECRET}
    return config.load(example)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A database file with tables, demo data and eight weeks of gatherings; tests copy it."""
    path = tmp_path_factory.mktemp("stage") / "stage.db"
    furnish(f"sqlite:///{path}")
    return path


def furnish(url: str, people_per_branch: int = 8) -> None:
    """Fill an empty database: tables, demo data, eight weeks of gatherings."""
    database = Database(url, Vault(SECRET))
    schema.upgrade(database)
    demo.load(database, at=LOADED_AT, people_per_branch=people_per_branch)
    given = settings(url)
    with database.transaction() as session:
        rhythm.seed_holidays(session)
        rhythm.plan(session, rhythm.calendar(session, given.calendar), given.study_day, LOADED_AT)
    database.close()


@pytest.fixture(scope="session")
def local_wechat() -> Iterator[LocalWeChat]:
    with testing.running() as wechat:
        yield wechat


@pytest.fixture(scope="session")
def front() -> Iterator[Front]:
    front = Front()
    with served(front) as front.url:
        yield front


@pytest.fixture
def database(stage: Path, tmp_path: Path) -> Iterator[Database]:
    """A filled database of the test's own."""
    path = tmp_path / "bot.db"
    shutil.copyfile(stage, path)
    filled = Database(f"sqlite:///{path}", Vault(SECRET))
    yield filled
    filled.close()


@pytest.fixture
def open_house(
    stage: Path, tmp_path: Path, local_wechat: LocalWeChat, front: Front
) -> Iterator[Callable[..., House]]:
    """Opens the house, with other WeChat settings if the test wants them."""
    opened: list[House] = []

    def open_(
        router: Any = None, url: str | None = None, sending: dict[str, Any] | None = None, **wechat: Any
    ) -> House:
        path = tmp_path / "bot.db"
        if url is None and not path.exists():
            shutil.copyfile(stage, path)
        local_wechat.reset()
        clock = Clock()
        given = settings(url or f"sqlite:///{path}", sending, api_base_url=local_wechat.url, **wechat)
        parts = app.make(given, clock)
        house = House(parts, local_wechat, clock, front, router)
        opened.append(house)
        local_wechat.settings(callback_url=f"{house.url}/wechat", mode=given.wechat.mode)
        house.now(FRIDAY)
        return house

    yield open_
    for house in opened:
        house.stop()
    local_wechat.heal()


@pytest.fixture
def house(open_house: Callable[..., House]) -> House:
    return open_house()


@pytest.fixture
def zhang_wei(house: House) -> Phone:
    """A member, bound."""
    return house.phone("张伟")


@pytest.fixture
def sun_li(house: House) -> Phone:
    """A member of two branches."""
    return house.phone("孙丽")


@pytest.fixture
def li_na(house: House) -> Phone:
    """Secretary of Zhang Wei's branch."""
    return house.phone("李娜")


@pytest.fixture
def wang_fang(house: House) -> Phone:
    """A citizen, known to nobody."""
    return house.phone("王芳")


@pytest.fixture
def chen_gang(house: House) -> Phone:
    """A lawyer on duty in 金水区."""
    return house.phone("陈刚")


@pytest.fixture
def zhao_min(house: House) -> Phone:
    """Of the city office."""
    return house.phone("赵敏")


@pytest.fixture
def he_jing(house: House) -> Phone:
    """Of the city office too: the second person."""
    return house.phone("何静")
