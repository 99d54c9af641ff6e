"""The way out: every call has one answer, a refused token costs one renewal, and nothing tells a secret (F009, F016)."""

from __future__ import annotations

import json
import multiprocessing
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

import app
from bot.door import Door
from bot.fanout import Answer, Call, Outcome
from bot.tokens import TokenUnavailable
from models import Credential
from tests.conftest import settings

TEMPLATE, CUSTOMER, TOKEN = (
    "/cgi-bin/message/template/send", "/cgi-bin/message/custom/send", "/cgi-bin/stable_token",
)  # fmt: skip
DATA = {"thing1": "标题", "thing2": "正文", "thing3": "市法学会", "time4": "2026年11月27日 09:00"}


@pytest.fixture
def open_door(house) -> Iterator[Any]:
    """Opens doors of the official account; each is the way out of one sender."""
    opened: list[Door] = []

    def open_(connections: int = 8, timeout_seconds: float = 2.0, base_url: str = "") -> Door:
        wechat = house.settings.wechat
        client = app._client(wechat, wechat.app_id, wechat.app_secret, house.database, house.parts.now, house.metrics)
        door = Door(client.keeper, base_url or house.wechat.url, connections, timeout_seconds)
        opened.append(door)
        return door

    yield open_
    for door in opened:
        door.close()


def template(openid: str, once: str = "1") -> Call:
    data = {name: {"value": value} for name, value in DATA.items()}
    body = {"touser": openid, "template_id": "SIM-notice", "client_msg_id": once, "data": data}
    return Call(TEMPLATE, json.dumps(body, ensure_ascii=False).encode())


def words(openid: str) -> Call:
    return Call(CUSTOMER, json.dumps({"touser": openid, "msgtype": "text", "text": {"content": "x"}}).encode())


def hear(door: Door, calls: list[Call]) -> list[Answer]:
    door.send(calls)
    answers: list[Answer] = []
    while door.under_way:
        answers += door.answers(0.05)
    return answers


def errcodes(answers: list[Answer]) -> list[int]:
    return [answer.result.get("errcode", 0) for answer in answers]


def test_each_call_is_answered_once_and_arrives(house, open_door):
    people = [f"oDoor{n:03d}".ljust(28, "0") for n in range(50)]
    house.wechat.add_followers(people)
    calls = [template(openid) for openid in people]
    answers = hear(open_door(), calls)
    assert sorted(id(a.call) for a in answers) == sorted(map(id, calls))
    assert set(errcodes(answers)) == {0}
    assert house.wechat.counts(path=TEMPLATE)["most"] == 1


def test_the_same_id_reaches_a_person_once(open_door, zhang_wei):
    hear(open_door(), [template(zhang_wei.openid, "x"), template(zhang_wei.openid, "x")])
    assert len(zhang_wei.received()) == 1


def test_without_a_token_nothing_leaves(house, open_door, zhang_wei):
    house.wechat.inject(TOKEN, 40164)
    with pytest.raises(TokenUnavailable, match="白名单"):
        open_door().send([template(zhang_wei.openid)])
    assert house.wechat.calls(TEMPLATE) == 0


def test_however_many_meet_a_token_that_has_died_it_is_renewed_once(house, open_door):
    """Pitfall 1: two hundred calls are under way when WeChat stops taking the token."""
    people = [f"oDoor{n:03d}".ljust(28, "0") for n in range(200)]
    house.wechat.add_followers(people)
    door = open_door(connections=32)
    hear(door, [template(people[0], "first")])
    fetched = house.wechat.calls(TOKEN)
    house.wechat.expire_tokens(kill=True)
    answers = hear(door, [template(openid) for openid in people])
    assert set(errcodes(answers)) == {0}
    assert house.wechat.calls(TOKEN) == fetched + 1
    assert house.wechat.counts(path=TEMPLATE)["most"] <= 2


def test_eight_senders_with_an_expired_token_make_one_token_call(house, open_door, zhang_wei):
    """Each with a keeper of its own, as eight processes have; the database is what they share."""
    doors = [open_door(connections=2) for _ in range(8)]
    fetched = house.wechat.calls(TOKEN)
    together = threading.Barrier(8)

    def send(number: int) -> list[int]:
        together.wait()
        return errcodes(hear(doors[number], [template(zhang_wei.openid, f"n{number}")]))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(send, range(8))) == [[0]] * 8
    assert house.wechat.calls(TOKEN) == fetched + 1


def test_eight_processes_with_an_expired_token_make_one_token_call(house):
    with house.database.transaction() as session:
        session.execute(sa.delete(Credential))
    fetched = house.wechat.calls(TOKEN)
    # They are made of one that has everything loaded.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    together, got = context.Barrier(8), context.SimpleQueue()
    given = house.database.url.render_as_string(hide_password=False), house.wechat.url, together, got
    processes = [context.Process(target=_ask_for_a_token, args=given) for _ in range(8)]
    for process in processes:
        process.start()
    tokens = {got.get() for _ in processes}
    for process in processes:
        process.join()
    assert len(tokens) == 1
    assert house.wechat.calls(TOKEN) == fetched + 1


def _ask_for_a_token(database_url: str, wechat_url: str, together: Any, got: Any) -> None:
    """One process of those eight."""
    parts = app.make(settings(database_url, api_base_url=wechat_url))
    together.wait(60)
    got.put(parts.clients["official"].keeper.get())


def test_a_token_that_is_refused_for_ever_ends_in_two_renewals_and_an_open_circuit(house, open_door):
    """Pitfall 2: however many calls there are, and however often they are made."""
    people = [f"oDoor{n:03d}".ljust(28, "0") for n in range(40)]
    door = open_door()
    house.wechat.inject(TEMPLATE, 40001)
    for _ in range(4):
        try:
            answers = hear(door, [template(openid) for openid in people])
        except TokenUnavailable:
            continue
        assert set(errcodes(answers)) == {40001}
    assert house.wechat.calls(TOKEN) <= 2
    with pytest.raises(TokenUnavailable):
        door.send([template(people[0])])


@pytest.mark.parametrize("make", [template, words])
@pytest.mark.parametrize("kind", ["hang_after", "drop_after", "hang", "drop"])
def test_an_answer_that_is_lost_may_have_left(house, open_door, zhang_wei, make, kind):
    """From here a call that was done and one that was not look alike."""
    zhang_wei.says("帮助")
    call = make(zhang_wei.openid)
    house.wechat.inject(call.path, kind=kind, times=1)
    [answer] = hear(open_door(timeout_seconds=0.5), [call])
    assert answer.outcome is Outcome.MAY_HAVE_LEFT
    assert len(zhang_wei.received()) == (1 if kind.endswith("after") else 0)


def test_a_page_that_is_not_wechats_is_no_success(house, open_door, zhang_wei):
    """A proxy's page with status 200: nobody knows whether the message left."""
    house.wechat.inject(TEMPLATE, 200, kind="http", times=1)
    [answer] = hear(open_door(), [template(zhang_wei.openid)])
    assert answer.outcome is Outcome.MAY_HAVE_LEFT


def test_a_refused_connection_has_certainly_not_left(open_door, zhang_wei):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        [answer] = hear(open_door(base_url=address), [template(zhang_wei.openid)])
    assert answer.outcome is Outcome.NEVER_LEFT


def test_closed_while_calls_are_out_every_call_still_has_its_answer(house, open_door, zhang_wei):
    door = open_door(connections=2)
    house.wechat.inject(TEMPLATE, kind="hang")
    door.send([template(zhang_wei.openid, str(n)) for n in range(10)])
    answers = door.answers(0.2)
    door.close()
    while door.under_way:
        answers += door.answers(0.1)
    assert len(answers) == 10
    assert {a.outcome for a in answers} <= {Outcome.MAY_HAVE_LEFT, Outcome.NEVER_LEFT}


def test_an_answer_does_not_tell_the_token(house, open_door, zhang_wei, capsys):
    house.wechat.inject(TEMPLATE, 45009, times=1)
    door = open_door()
    [answer] = hear(door, [template(zhang_wei.openid)])
    with house.database.reading() as session:
        token = session.get_one(Credential, house.settings.wechat.app_id).token
    output = capsys.readouterr()
    assert token not in repr(answer) + repr(door) + output.out + output.err
