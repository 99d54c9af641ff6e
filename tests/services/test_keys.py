"""Personal words stand under data keys that can be exchanged while everything runs (P5, issue 4 point 8)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, StatementError

import config
import schema
from models import (
    Database,
    Person,
    Unreadable,
    Vault,
)
from services import audit
from services.custody import keys
from tests import servers
from tests.conftest import SECRET, furnish
from tests.filling import AT, add_row

NEW_SECRET = "another secret for tests, also forty long"


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def furnished(request, tmp_path) -> Iterator[str]:
    """A database in which every encrypted column holds something."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'bot.db'}"
        if request.param != "sqlite":
            try:
                url = str(servers.fresh_database(stack.enter_context(getattr(servers, request.param)(durable=False))))
            except servers.Missing as missing:
                warnings.warn(f"NOT TESTED ON {request.param.upper()}: {missing}", stacklevel=1)
                pytest.skip(str(missing))
        furnish(url, people_per_branch=2)
        yield url


@pytest.fixture
def open_database() -> Iterator[Callable[..., Database]]:
    opened: list[Database] = []

    def open_(url: str, *secrets: str) -> Database:
        opened.append(Database(url, Vault(*(secrets or (SECRET,)))))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


def fill(database: Database) -> None:
    """Something in every encrypted column, whatever tables come to be: a row that cannot be made fails here."""
    with database.transaction() as session:
        for each in keys.columns():
            if not session.scalar(sa.select(sa.func.count()).where(each.table.c[each.name].is_not(None))):
                add_row(session, each.table, {each.name: f"机密 {each.says} 𬀩"})


def everything(database: Database) -> list[tuple[str, list[object]]]:
    """All that a rotation seals anew, as it can be read."""
    with database.reading() as session:
        return [
            (
                each.says,
                list(session.scalars(sa.select(each.table.c[each.name]).order_by(*each.table.primary_key.columns))),
            )
            for each in keys.resealed()
        ]


def rotate(database: Database) -> str:
    with database.transaction() as session:
        mark = keys.rotate(session, database.vault, AT).mark
    database.vault.forget()
    return mark


def sealed_under(database: Database) -> dict[str, set[str]]:
    """Column → the marks its rows begin with."""
    found: dict[str, set[str]] = {}
    with database.reading() as session:
        for mark, by_column in keys.counted(session).items():
            for column in by_column:
                found.setdefault(column, set()).add(mark)
    return found


def test_every_encrypted_column_is_found_from_the_tables_and_sealed_anew(furnished, open_database):
    database = open_database(furnished)
    fill(database)
    before = everything(database)
    assert all(any(values) for _column, values in before), "a column that holds nothing proves nothing"
    mark = rotate(database)
    assert sum(done.rows for done in keys.reseal(database)) > 1000
    after = sealed_under(database)
    assert set(after) == {each.says for each in keys.columns()}
    assert {column: marks for column, marks in after.items() if column != "audit.details"} == {
        each.says: {mark} for each in keys.resealed()
    }
    # Triggers guard the audit; what it says stays under the key of its day and can be read.
    assert mark not in after["audit.details"]
    assert everything(database) == before
    with database.reading() as session:
        assert keys.left(session, database.vault.current_mark) == 0


def test_a_process_that_was_running_reads_what_is_new_and_then_seals_with_it(furnished, open_database, monkeypatch):
    one, other = open_database(furnished), open_database(furnished)
    old = other.vault.current_mark
    mark = rotate(one)
    with one.transaction() as session:
        person = session.scalars(sa.select(Person).limit(1)).one()
        person.phone = "19900007777"
    with other.reading() as session:
        assert session.get_one(Person, person.id).phone == "19900007777"
    assert other.vault.current_mark.hex() == mark != old.hex()
    # A process that reads nothing new hears of the key as well, by looking now and then.
    third = open_database(furnished)
    assert third.vault.current_mark.hex() == mark
    newest = rotate(one)
    assert third.vault.current_mark.hex() == mark, "it has just looked"
    monkeypatch.setattr("models.vault.REFRESH_SECONDS", 0.0)
    assert third.vault.current_mark.hex() == newest


def test_words_written_meanwhile_are_neither_lost_nor_put_back(furnished, open_database):
    """Two threads write while everything is sealed anew: what they wrote last is what is there."""
    database, writers = open_database(furnished), open_database(furnished)
    with database.reading() as session:
        ids = list(
            session.scalars(sa.select(Person.id).where(Person.phone.is_not(None)).order_by(Person.id).limit(60))
        )
    said: dict[int, str] = {}
    stop = threading.Event()

    def write(mine: list[int]) -> None:
        n = 0
        while not stop.is_set():
            n, who = n + 1, mine[n % len(mine)]
            with writers.transaction() as session:
                session.execute(sa.update(Person.__table__).where(Person.id == who).values(phone=f"199{n:08d}"))
            said[who] = f"199{n:08d}"

    threads = [threading.Thread(target=write, args=(ids[part::2],)) for part in (0, 1)]
    for thread in threads:
        thread.start()
    rotate(database)
    for _done in keys.reseal(database):
        pass
    stop.set()
    for thread in threads:
        thread.join(30)
    writers.vault.forget()
    for _done in keys.reseal(database):
        pass
    with database.reading() as session:
        assert keys.left(session, database.vault.current_mark) == 0
        assert dict(session.execute(sa.select(Person.id, Person.phone).where(Person.id.in_(said))).all()) == said


SCRIPT = """
import os, signal, sys
from models import Database, Vault
from services.custody import keys
database = Database(sys.argv[1], Vault(sys.argv[2]))
for n, done in enumerate(keys.reseal(database)):
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_in_the_middle_it_is_begun_again_and_ends(furnished, open_database):
    database = open_database(furnished)
    before = everything(database)
    rotate(database)
    with database.reading() as session:
        many = keys.left(session, database.vault.current_mark)
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT, furnished, SECRET], cwd=config.ROOT, env={**os.environ}, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    with database.reading() as session:
        assert 0 < keys.left(session, database.vault.current_mark) < many
    assert everything(database) == before
    for _done in keys.reseal(database):
        pass
    with database.reading() as session:
        assert keys.left(session, database.vault.current_mark) == 0
    assert everything(database) == before


def test_the_secret_is_exchanged_by_wrapping_the_keys_anew(database, open_database):
    url = str(database.url)
    rotate(database)
    found = database.vault.index("19900001234")
    both = open_database(url, NEW_SECRET, SECRET)
    before = everything(both)
    with both.transaction() as session:
        assert keys.rewrap(session, both.vault, AT) == 3
        assert keys.rewrap(session, both.vault, AT) == 0
    alone = open_database(url, NEW_SECRET)
    assert everything(alone) == before
    # A number is found by the same digest as before.
    assert alone.vault.index("19900001234") == found == both.vault.index("19900001234")
    with pytest.raises(Unreadable, match="former_secret_keys"):
        everything(open_database(url, SECRET))


def test_whoever_runs_on_goes_on_when_the_keys_cannot_be_read_again(database, open_database, monkeypatch):
    """The database does not answer just now, or the keys were wrapped by a secret that comes with the next start."""
    running = open_database(str(database.url))
    sealed = running.vault.seal("词䶮")
    monkeypatch.setattr("models.vault.REFRESH_SECONDS", 0.0)
    both = open_database(str(database.url), NEW_SECRET, SECRET)
    with both.transaction() as session:
        keys.rewrap(session, both.vault, AT)
    assert both.vault.open(running.vault.seal("词𬀩")) == "词𬀩"

    def fails():
        raise OperationalError("SELECT", {}, Exception("too many connections"))

    monkeypatch.setattr(running.vault, "_stored", fails)
    assert both.vault.open(running.vault.seal("词·")) == "词·"
    assert running.vault.open(sealed) == "词䶮"


def test_the_wrong_secret_says_what_to_do(database, open_database):
    other = open_database(str(database.url), "a secret that nobody has ever used here, long")
    with pytest.raises(Unreadable, match="恢复原来的 server.secret_key"), other.reading() as session:
        session.scalars(sa.select(Person.phone).where(Person.phone.is_not(None))).first()
    with pytest.raises(StatementError, match="恢复原来的"), other.transaction() as session:
        audit.note(
            session, AT, None, "backup", "x", "nothing may be sealed with a key that is not the installation's"
        )


def test_what_was_encrypted_before_there_was_a_table_is_read_without_touching_a_row(tmp_path, open_database):
    """An installation of the version before: its rows stay as they are, byte for byte."""
    database = open_database(f"sqlite:///{tmp_path / 'old.db'}")
    schema.upgrade(database, "0004")
    first, _index = database.vault.first_keys
    names = ("name", "phone", "phone_index", "search_key", "is_fictional")
    people = sa.table("people", *map(sa.column, names))
    index = database.vault.index("19900001234")
    sealed = first.seal(b"19900001234")
    with database.transaction() as session:
        values = ("郑䶮", sealed, index, "", False)
        session.execute(sa.insert(people).values(dict(zip(names, values, strict=True))))
    schema.upgrade(database)
    again = open_database(str(database.url))
    with again.reading() as session:
        assert session.scalar(sa.select(Person.phone)) == "19900001234"
        assert session.scalar(sa.select(people.c.phone)) == sealed
        assert session.scalar(sa.select(Person.phone_index)) == again.vault.index("19900001234") == index
        assert [key.mark for key in keys.every(session)] == [each.mark.hex() for each in again.vault.first_keys]


def test_after_a_rotation_nobody_goes_back_to_a_version_that_could_not_read(database):
    schema.downgrade(database, "0004")
    schema.upgrade(database)
    database.vault.forget()
    rotate(database)
    with pytest.raises(Exception, match="不能退回"):
        schema.downgrade(database, "0004")
    schema.downgrade(database, "base")


def test_no_message_asks_for_a_key(house, zhang_wei):
    """Keys are read once; afterwards sealing and opening ask the database nothing."""
    zhang_wei.says("帮助")
    asked: list[int] = []
    house.database.vault._stored = lambda: asked.append(1) or ()
    zhang_wei.says("签到")
    zhang_wei.says("我的")
    assert asked == []
