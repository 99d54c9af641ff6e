"""The doorbell: heard by one of many, and when it is broken nothing is lost (pitfall 12, F141)."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterator

import pytest
import redis

from scheduler.bell import MOST_UNHEARD, Bell
from tests import servers

PATIENCE_SECONDS = 20.0


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    try:
        with servers.valkey(durable=False) as url:
            yield str(url)
    except servers.Missing as missing:
        warnings.warn(f"NOT TESTED ON REDIS: {missing}", stacklevel=1)
        pytest.skip(str(missing))


@pytest.fixture(params=["in this process", "on Redis"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "in this process":
        return ""
    address = str(request.getfixturevalue("valkey"))
    redis.Redis.from_url(address).flushall()
    return address


def test_a_ring_is_heard(url):
    bell, heard = Bell(url), threading.Event()
    bell.listen(heard.set)
    assert bell.ring()
    assert heard.wait(PATIENCE_SECONDS)
    bell.stop()


def test_rings_that_nobody_hears_do_not_pile_up(url):
    bell = Bell(url)
    for _ in range(10):
        bell.ring(50)
    assert bell._unheard() == MOST_UNHEARD
    bell.stop()


def test_two_senders_are_rung_for_in_two_processes_of_one_redis(valkey):
    redis.Redis.from_url(valkey).flushall()
    ringer, first, second = Bell(valkey), Bell(valkey), Bell(valkey)
    both = threading.Barrier(3)
    for bell in (first, second):
        bell.listen(lambda: both.wait(PATIENCE_SECONDS))
    ringer.ring(2)
    both.wait(PATIENCE_SECONDS)
    for bell in (ringer, first, second):
        bell.stop()


def test_an_emptied_redis_is_rung_again(valkey):
    bell, heard = Bell(valkey), threading.Semaphore(0)
    bell.listen(heard.release)
    bell.ring()
    assert heard.acquire(timeout=PATIENCE_SECONDS)
    redis.Redis.from_url(valkey).flushall()
    bell.ring()
    assert heard.acquire(timeout=PATIENCE_SECONDS)
    bell.stop()


def test_without_redis_the_bell_says_so_at_once_and_does_not_raise():
    bell = Bell("redis://127.0.0.1:1/0")
    began = time.monotonic()
    assert not bell.ring()
    assert time.monotonic() - began < PATIENCE_SECONDS
    bell.stop()


def test_work_that_fails_does_not_silence_the_bell(url):
    bell, heard = Bell(url), threading.Event()
    failed = threading.Event()

    def work() -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("the database was away")
        heard.set()

    bell.listen(work)
    bell.ring()
    assert failed.wait(PATIENCE_SECONDS)
    bell.ring()
    assert heard.wait(PATIENCE_SECONDS)
    bell.stop()
