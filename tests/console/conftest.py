"""A desk in the office: the console in this process, with the demonstration's accounts and a clock in our hand."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from playwright.sync_api import Browser

import app
from demo import logins as demo_logins
from models import Account, Database, Vault
from services.entry import second_factor
from tests.conftest import LOADED_AT, SECRET, Clock, settings
from tests.console.browser import Missing, browser


@pytest.fixture(scope="session")
def office_stage(stage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stage with console accounts; made once, their passwords take their time."""
    path = tmp_path_factory.mktemp("office") / "office.db"
    shutil.copyfile(stage, path)
    database = Database(f"sqlite:///{path}", Vault(SECRET))
    demo_logins.open_accounts(database, at=LOADED_AT)
    database.close()
    return path


class Compiled(BytecodeCache):
    """Templates as they were compiled for the console before."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._known:
            bucket.bytecode_from_string(self._known[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._known[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


class Office:
    """The console and its clock."""

    def __init__(self, parts: app.Parts, clock: Clock) -> None:
        self.parts, self.clock, self.database = parts, clock, parts.database
        self.app = app.pages(parts)
        self.app.jinja_env.bytecode_cache = COMPILED

    def code(self, name: str) -> str:
        """What the phone of an account shows now."""
        with self.database.reading() as session:
            return second_factor.code_at(
                session.scalars(sa.select(Account).where(Account.name == name)).one(), self.clock.at
            )

    def visitor(self, name: str | None = None) -> Visitor:
        """Somebody at a browser of their own; with a name, logged in."""
        visitor = Visitor(self.app.test_client(), self)
        if name is not None:
            visitor.log_in(name)
        return visitor


class Visitor:
    """Somebody who opens pages and sends forms."""

    def __init__(self, client: FlaskClient, office: Office) -> None:
        self.client, self.office = client, office

    def open(self, path: str, **kwargs):
        return self.client.get(path, **kwargs)

    def send(self, path: str, on: str | None = None, **fields: str):
        """Send a form as it stands on a page (the same address, unless another page has it)."""
        page = self.client.get(on or path, follow_redirects=True).get_data(as_text=True)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        return self.client.post(path, data={**fields, "csrf_token": token[1] if token else ""})

    def log_in(self, name: str, password: str = demo_logins.PASSWORD) -> None:
        assert self.send("/console/login", name=name, password=password).status_code == 302
        assert self.send("/console/login/code", code=self.office.code(name)).status_code == 302
        # The next code of this account is another one.
        self.office.clock.at += timedelta(seconds=30)


@pytest.fixture
def office(office_stage: Path, tmp_path: Path) -> Iterator[Office]:
    path = tmp_path / "bot.db"
    shutil.copyfile(office_stage, path)
    clock = Clock()
    office = Office(app.make(settings(f"sqlite:///{path}"), clock), clock)
    yield office
    office.database.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of one file; where none is installed, that is said."""
    try:
        with browser() as opened:
            yield opened
    except Missing as missing:
        warnings.warn(f"NOT TESTED IN A BROWSER: {missing}", stacklevel=1)
        pytest.skip(str(missing))
