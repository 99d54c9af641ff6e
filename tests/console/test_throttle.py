"""Whoever asks too often waits, is told how long, and only they (F138)."""

from __future__ import annotations

from datetime import timedelta

import pytest

import app
import windows
from admin import throttle
from clock import parse_instant
from tests.conftest import settings
from windows import Rate, Windows

AT = parse_instant("2026-11-27T09:00")
RATE = Rate("试", 3, timedelta(minutes=1))


def test_a_window_moves():
    counted = Windows()
    for second in (0, 10, 20):
        assert counted.wait(RATE, "a", AT + timedelta(seconds=second)) is None
    assert counted.wait(RATE, "a", AT + timedelta(seconds=30)) == timedelta(seconds=30)
    assert counted.wait(RATE, "b", AT + timedelta(seconds=30)) is None
    assert counted.wait(RATE, "a", AT + timedelta(seconds=60)) is None, "the first one is a minute ago"
    assert counted.wait(RATE, "a", AT + timedelta(seconds=61)) == timedelta(seconds=9)


def test_those_who_never_come_again_are_forgotten(monkeypatch):
    monkeypatch.setattr(windows, "MOST_COUNTED", 10)
    counted = Windows()
    for n in range(100):
        counted.wait(RATE, str(n), AT)
    assert len(counted._done) == 10


@pytest.mark.parametrize(
    ("wait", "said"),
    [(0.2, "请等 1 秒再试"), (59.1, "请等 60 秒再试"), (119.9, "请等 2 分钟再试"), (3000, "请等 50 分钟再试")],
)
def test_how_long_is_said_as_people_say_it(wait, said):
    assert said in windows.say(RATE, timedelta(seconds=wait))


def test_every_page_that_has_a_rate_of_its_own_is_there(office):
    assert set(throttle.OF) | throttle.UNCOUNTED <= set(office.app.view_functions)


def test_somebody_who_looks_at_numbers_all_day_has_to_wait(office):
    visitor = office.visitor("office")
    path = "/console/people/1/phone"
    said = [visitor.send(path, on="/console/people/1", reason="核对电话号码") for _ in range(throttle.REVEALS.times)]
    assert {answer.status_code for answer in said} == {200}
    refused = visitor.send(path, on="/console/people/1", reason="核对电话号码")
    assert refused.status_code == 429
    assert "查看手机号和咨询内容太频繁了，请等 60 分钟再试" in refused.get_data(as_text=True)
    assert refused.headers["Retry-After"] == "3600"
    assert visitor.open("/console/people").status_code == 200
    assert office.visitor("secretary").open("/console/").status_code == 200


def test_searches_are_counted_and_typing_fast_is_none(office):
    visitor = office.visitor("office")
    answers = [visitor.open(f"/console/search?q={n}").status_code for n in range(throttle.SEARCHES.times + 1)]
    assert answers[:-1] == [200] * throttle.SEARCHES.times
    assert answers[-1] == 429
    office.clock.at += timedelta(minutes=1)
    assert visitor.open("/console/search?q=x").status_code == 200


def test_codes_for_scanning_are_not_for_the_asking(office):
    """Nobody has come in yet: an address has so many."""
    visitor = office.visitor()
    answers = [visitor.send("/console/login/scan", on="/console/login").status_code for _ in range(11)]
    assert answers[-1] == 429


@pytest.mark.parametrize(("proxies", "seen"), [(0, "10.0.0.1"), (1, "203.0.113.7"), (2, "198.51.100.9")])
def test_behind_proxies_of_ours_the_address_is_whose_it_is(office_stage, tmp_path, proxies, seen):
    """What stands before the entries of our own proxies was written by whoever asked, and is not believed."""
    import shutil

    from tests.conftest import Clock
    from tests.console.conftest import Office

    path = tmp_path / "bot.db"
    shutil.copyfile(office_stage, path)
    given = settings(f"sqlite:///{path}")
    given = given.model_copy(update={"server": given.server.model_copy(update={"trusted_proxies": proxies})})
    clock = Clock()
    office = Office(app.make(given, clock), clock)
    visitor = office.visitor()
    visitor.client.environ_base["REMOTE_ADDR"] = "10.0.0.1"
    visitor.client.environ_base["HTTP_X_FORWARDED_FOR"] = "127.0.0.1, 198.51.100.9, 203.0.113.7"
    visitor.log_in("office")
    assert seen in visitor.open("/console/mine").get_data(as_text=True)
    office.database.close()
