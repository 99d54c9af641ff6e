"""One token for everybody: one refresher at a time, never a storm, and red where people look (F008, F009)."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import client as client_module
from bot import leases, tokens
from bot.client import CallFailed, stable_token
from bot.tokens import Fetched, TokenKeeper, TokenUnavailable
from metrics import Metrics
from models import Credential, Lease

TOKEN_CALL = "/cgi-bin/stable_token"
EIGHT = 8


def keeper_of(house: Any, fetch: Any = None, **more: Any) -> TokenKeeper:
    """A keeper as another process would have it."""
    wechat = house.settings.wechat
    fetch = fetch or partial(stable_token, wechat.api_base_url, wechat.app_id, wechat.app_secret, 3.0)
    return TokenKeeper(wechat.app_id, fetch, house.database.transaction, house.clock, Metrics(), **more)


def stored(house: Any) -> Credential:
    with house.database.reading() as session:
        row = session.get(Credential, house.settings.wechat.app_id)
        assert row is not None
        return row


def calls(house: Any) -> int:
    return house.wechat.calls(TOKEN_CALL)


@pytest.fixture(autouse=True)
def no_token_from_before(local_wechat) -> None:
    """The local WeChat outlives a test, and so would its token."""
    local_wechat.expire_tokens(kill=True)


class Source:
    """A token endpoint in our hand: counts, and gives what it is told."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self) -> Fetched:
        self.asked += 1
        answer = self.answers[min(self.asked, len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return Fetched(answer, 7200)


# --- one refresher -------------------------------------------------------------------------------------------


def test_eight_threads_with_an_expired_token_make_one_token_call(house):
    keeper = keeper_of(house)
    old = keeper.get()
    house.now("2026-11-27T12:00")
    before = calls(house)
    with ThreadPoolExecutor(EIGHT) as pool:
        got = list(pool.map(lambda _: keeper.get(), range(EIGHT)))
    assert len(set(got)) == 1
    assert got[0] != old
    assert calls(house) - before == 1


def test_eight_processes_with_an_expired_token_make_one_token_call(house):
    keepers = [keeper_of(house) for _ in range(EIGHT)]
    keepers[0].get()
    house.now("2026-11-27T12:00")
    before = calls(house)
    with ThreadPoolExecutor(EIGHT) as pool:
        got = list(pool.map(lambda keeper: keeper.get(), keepers))
    assert len(set(got)) == 1
    assert calls(house) - before == 1


def test_eight_processes_whose_token_is_refused_make_one_token_call(house):
    source = Source("new")
    keepers = [keeper_of(house, source) for _ in range(EIGHT)]
    keepers[0]._store(Fetched("old", 7200), house.clock())
    with ThreadPoolExecutor(EIGHT) as pool:
        got = list(pool.map(lambda keeper: keeper.replace("old"), keepers))
    assert got == ["new"] * EIGHT
    assert source.asked == 1


def test_the_store_is_read_again_once_the_lease_is_held(house, monkeypatch):
    """Pitfall 1: another process refreshed and gave the lease back between our look and our lease."""
    source, take = Source("mine"), leases.take
    keeper = keeper_of(house, source)

    def late(session: Any, *given: Any) -> bool:
        session.add(
            Credential(
                app_id=keeper._app_id, token="theirs", issued_at=house.clock(), reason="", failures=0,
                expires_at=house.clock() + timedelta(hours=2),
            )
        )  # fmt: skip
        return take(session, *given)

    monkeypatch.setattr(leases, "take", late)
    assert keeper.get() == "theirs"
    assert source.asked == 0


def test_a_token_is_kept_until_five_minutes_before_its_end(house):
    source = Source("first", "second")
    keeper = keeper_of(house, source)
    keeper.get()
    house.now("2026-11-27T10:54")
    assert keeper.get() == "first"
    house.now("2026-11-27T10:56")
    assert keeper.get() == "second"


def test_a_token_in_its_last_minutes_is_not_asked_for_again_and_again(house):
    """Stable tokens come with the seconds that are left, perhaps 300: that is no reason to ask at once (§4.1)."""
    asked: list[int] = []

    def fetch() -> Fetched:
        asked.append(1)
        return Fetched("x", 300)

    keeper = keeper_of(house, fetch)
    for _ in range(5):
        keeper.get()
        keeper._remembered = None
    assert len(asked) == 1


# --- a refresher that dies -----------------------------------------------------------------------------------


def test_a_refresher_that_was_killed_is_replaced_within_its_lease(house):
    keeper, waits = keeper_of(house, Source("new")), []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        house.clock.at += timedelta(seconds=0.5)

    keeper._pause = pause
    with house.database.transaction() as session:
        assert leases.take(session, keeper._lease, "the dead", house.clock(), tokens.LEASE_FOR)
    died = house.clock()
    assert keeper.get() == "new"
    assert waits, "it waited while the lease lasted"
    assert house.clock() - died <= tokens.LEASE_FOR + timedelta(seconds=0.5)
    assert timedelta(seconds=10) >= tokens.LEASE_FOR


def test_a_refresher_that_lives_is_waited_for_and_its_token_used(house):
    keeper, source = None, Source("mine")

    def pause(_seconds: float) -> None:
        other._store(Fetched("theirs", 7200), house.clock())

    keeper, other = keeper_of(house, source, pause=pause), keeper_of(house, Source("theirs"))
    with house.database.transaction() as session:
        leases.take(session, keeper._lease, "another", house.clock(), tokens.LEASE_FOR)
    assert keeper.get() == "theirs"
    assert source.asked == 0


def test_who_waits_too_long_gives_up_in_words(house, monkeypatch):
    monkeypatch.setattr(tokens, "WAIT_FOR_OTHER_SECONDS", 0.2)
    keeper = keeper_of(house, Source("never"))
    with house.database.transaction() as session:
        leases.take(session, keeper._lease, "another", house.clock(), tokens.LEASE_FOR)
    with pytest.raises(TokenUnavailable, match="另一个进程"):
        keeper.get()


def test_the_lease_is_given_back_also_after_a_failure(house):
    keeper = keeper_of(house, Source(TokenUnavailable("没有网")))
    with pytest.raises(TokenUnavailable, match="没有网"):
        keeper.get()
    with house.database.reading() as session:
        assert session.get(Lease, keeper._lease) is None


def test_an_older_token_never_replaces_a_newer_one(house):
    """A refresher that was stopped for a minute wakes up with what it fetched before."""
    keeper = keeper_of(house, Source("x"))
    now = house.clock()
    keeper._store(Fetched("newer", 7200), now)
    keeper._store(Fetched("older", 7200), now - timedelta(seconds=60))
    assert stored(house).token == "newer"
    keeper._store(Fetched("newest", 7200), now + timedelta(seconds=1))
    assert stored(house).token == "newest"


# --- never a storm -------------------------------------------------------------------------------------------


def test_refused_for_ever_means_at_most_two_token_calls(house):
    """F009: two token calls, then the circuit is open, and everybody sees it."""
    house.wechat.inject("/cgi-bin/menu/get", 40001)
    client, before = house.parts.clients["official"], calls(house)
    for _ in range(20):
        with pytest.raises((CallFailed, TokenUnavailable)):
            client.menu()
    assert calls(house) - before <= 2
    assert house.wechat.calls("/cgi-bin/menu/get") <= 2
    assert stored(house).open_until is not None


def test_an_open_circuit_is_red_where_people_look(house):
    house.wechat.inject("/cgi-bin/menu/get", 40001)
    with pytest.raises((CallFailed, TokenUnavailable)):
        house.parts.clients["official"].menu()
    reason = stored(house).reason
    front = urllib.request.urlopen(f"{house.url}/").read().decode()
    assert reason in front
    with urllib.request.urlopen(f"{house.url}/readyz") as ready:
        assert reason in json.dumps(json.loads(ready.read()), ensure_ascii=False)


def test_the_circuit_closes_by_itself_and_one_good_call_forgets_it(house):
    client = house.parts.clients["official"]
    house.wechat.inject("/cgi-bin/menu/get", 40001, times=1)
    with pytest.raises(TokenUnavailable):
        client.menu()
    with pytest.raises(TokenUnavailable, match="已暂停"):
        client.menu()
    house.now("2026-11-27T09:02")
    assert client.menu() is None
    house.now("2026-11-27T12:00")
    client.menu()
    with house.database.reading() as session:
        assert tokens.circuit(session, house.settings.wechat.app_id, house.clock()) is None


def test_each_further_round_of_refusals_waits_longer_up_to_an_hour(house):
    keeper = keeper_of(house, Source("same"))
    keeper._store(Fetched("same", 7200), house.clock())
    pauses = []
    for _ in range(10):
        with pytest.raises(TokenUnavailable):
            keeper.replace("same")
        until = stored(house).open_until
        pauses.append(until - house.clock())
        house.clock.at = until
    assert pauses == sorted(pauses)
    assert pauses[0] == tokens.OPEN_FOR
    assert pauses[-1] == tokens.OPEN_AT_MOST


def test_a_token_that_died_is_replaced_by_one_call_and_nobody_notices(house):
    client = house.parts.clients["official"]
    client.menu()
    house.wechat.expire_tokens()
    before = calls(house)
    client.menu()
    assert calls(house) - before == 1
    assert stored(house).failures == 0


def test_a_refused_token_that_another_process_has_replaced_costs_no_call(house):
    source = Source("third")
    keeper = keeper_of(house, source)
    keeper._store(Fetched("second", 7200), house.clock())
    assert keeper.replace("first") == "second"
    assert source.asked == 0


# --- when there is none to be had ----------------------------------------------------------------------------


def test_a_token_endpoint_that_hangs_is_given_up_in_time(house, monkeypatch):
    monkeypatch.setattr(client_module, "CONNECT_TIMEOUT_SECONDS", 0.2)
    house.wechat.inject(TOKEN_CALL, kind="hang")
    wechat = house.settings.wechat
    done = threading.Event()

    def ask() -> None:
        with pytest.raises(TokenUnavailable, match="连不上"):
            stable_token(wechat.api_base_url, wechat.app_id, wechat.app_secret, 0.3)
        done.set()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask).result(timeout=3)
    assert done.is_set()


def test_the_token_call_cannot_outlast_the_lease(monkeypatch):
    """Else a second refresher would start while the first still waits."""
    given: list[Any] = []

    def post(*_args: Any, **more: Any) -> Any:
        given.append(more["timeout"])
        raise client_module.requests.ConnectionError

    monkeypatch.setattr(client_module.requests, "post", post)
    with pytest.raises(TokenUnavailable):
        stable_token("http://127.0.0.1:1", "wx", "s", 600)
    assert max(given[0]) < tokens.LEASE_FOR.total_seconds()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"code": 40125}, "AppSecret"),
        ({"code": 40164}, "白名单"),
        ({"code": 40001}, "AppSecret"),
        ({"code": 45009}, "额度"),
        ({"kind": "http", "code": 502}, "HTTP 502"),
        ({"kind": "drop"}, "连不上"),
    ],
)
def test_why_there_is_no_token_is_said_in_words_without_the_secret(house, fault, says):
    house.wechat.inject(TOKEN_CALL, **fault)
    with pytest.raises(TokenUnavailable, match=says) as error:
        keeper_of(house).get()
    assert house.settings.wechat.app_secret not in str(error.value)
    assert house.settings.wechat.app_secret not in stored(house).reason


def test_three_failures_open_the_circuit_and_the_fourth_asks_nobody(house):
    source = Source(TokenUnavailable("没有网"))
    keeper = keeper_of(house, source)
    for _ in range(6):
        with pytest.raises(TokenUnavailable):
            keeper.get()
    assert source.asked == tokens.BREAKS_AFTER


def test_the_token_is_not_readable_in_the_file(house):
    token = keeper_of(house).get()
    house.database.engine.dispose()
    path = Path(house.settings.database.url.removeprefix("sqlite:///"))
    raw = b"".join(each.read_bytes() for each in path.parent.iterdir() if each.name.startswith(path.name))
    assert house.settings.wechat.app_id.encode() in raw, "we look into the right file"
    assert token.encode() not in raw
    with house.database.reading() as session:
        assert session.scalar(sa.select(Credential.token)) == token


def test_two_accounts_do_not_share_a_token(house):
    keeper_of(house, Source("official")).get()
    mini = TokenKeeper("wx_mini", Source("mini"), house.database.transaction, house.clock, Metrics())
    assert mini.get() == "mini"
    assert stored(house).token == "official"
