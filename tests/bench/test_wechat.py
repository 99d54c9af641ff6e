"""What a drill relies on: the local WeChat as a process, and its record of who really got what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest
import requests

from bench import wechat
from bench.wechat import ACCOUNT, CUSTOMER, TEMPLATE, Record, Standing, record
from bot.client import stable_token

PEOPLE = [f"oDrill{number:022d}" for number in range(5)]
FIELDS = {"thing1": "会议", "thing2": "周五开会", "thing3": "市法学会", "time4": "2026年11月13日 08:30"}


@pytest.fixture(scope="module")
def standing(tmp_path_factory) -> Iterator[Standing]:
    with wechat.standing(tmp_path_factory.mktemp("wechat"), PEOPLE) as standing:
        yield standing


@pytest.fixture
def send(standing):
    """Send a template message; a follower gets it unless WeChat has seen the same id."""
    standing.wechat.reset()
    standing.wechat.add_followers(PEOPLE)
    token = stable_token(standing.wechat.url, ACCOUNT.app_id, ACCOUNT.app_secret, 5.0).token

    def send(openid: str, once_id: str) -> int:
        data = {name: {"value": value} for name, value in FIELDS.items()}
        body = {"touser": openid, "template_id": "SIM-notice", "client_msg_id": once_id, "data": data}
        url = f"{standing.wechat.url}{TEMPLATE}?access_token={token}"
        return int(requests.post(url, json.dumps(body, ensure_ascii=False).encode(), timeout=10).json()["errcode"])

    return send


def test_a_double_that_wechat_removed_counts_once(standing, send):
    assert [send(PEOPLE[0], "notice-1"), send(PEOPLE[0], "notice-1")] == [0, 0]
    assert record(standing.wechat).times == {PEOPLE[0]: 1}


def test_a_double_that_wechat_did_not_see_counts_twice(standing, send):
    send(PEOPLE[0], "notice-1")
    send(PEOPLE[0], "notice-2")
    send(PEOPLE[1], "notice-3")
    found = record(standing.wechat, TEMPLATE)
    assert found.more_than_once() == [PEOPLE[0]]
    assert found.total == 3
    assert record(standing.wechat, CUSTOMER).total == 0


def test_what_wechat_refused_was_not_got(standing, send):
    assert send("oNobody000000000000000000000", "notice-1") != 0
    assert record(standing.wechat).total == 0


def test_a_call_whose_answer_was_lost_is_in_the_record(standing, send):
    standing.wechat.inject(TEMPLATE, kind="drop_after", times=1)
    with pytest.raises(requests.ConnectionError):
        send(PEOPLE[2], "notice-1")
    assert record(standing.wechat).times == {PEOPLE[2]: 1}


def test_a_record_names_who_is_missing_and_who_was_not_meant():
    found = Record(Counter({"a": 1, "b": 2}))
    assert (found.missing(["a", "c"]), found.unasked(["a", "c"]), found.more_than_once()) == (["c"], ["b"], ["b"])
