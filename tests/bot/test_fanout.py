"""Many calls at once: each is sent at most once and answered exactly once, and what is said of it is true."""

from __future__ import annotations

import datetime
import ipaddress
import json
import random
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.client import stable_token
from bot.fanout import Answer, Call, Fanout, Outcome, Overfull, pool
from bot.fanout.connection import Connection
from bot.fanout.response import ResponseReader, Unreadable
from simulator import testing
from simulator.account import Account
from simulator.phone import LocalWeChat
from tests.bot import unreliable
from tests.bot.unreliable import BEHAVIOURS, OK, chunked, response

TEMPLATE = "/cgi-bin/message/template/send"
TOKEN = "99_token-that-nobody-may-read"
PATIENCE = 60.0


class Answers(list[Answer]):
    """All answers in the order they came; `+=` is atomic, so the sending thread may write while we wait."""

    @property
    def outcomes(self) -> Counter[Outcome]:
        return Counter(answer.outcome for answer in self)

    def of(self, number: int) -> Answer:
        (found,) = (answer for answer in self if answer.call.tag == number)
        return found


@contextmanager
def sending(url: str, **given) -> Iterator[tuple[Fanout, Answers]]:
    answers = Answers()
    with closing(Fanout(url, answers.extend, **{"connections": 8, "timeout_seconds": 20.0} | given)) as fanout:
        yield fanout, answers


def call(number: int, do: str = "ok") -> Call:
    return Call(TEMPLATE, json.dumps({"id": number, "do": do}).encode(), number)


def send(fanout: Fanout, *calls: Call) -> None:
    fanout.submit(calls, TOKEN)
    assert fanout.drain(PATIENCE)


def is_each_answered_once(answers: Answers, count: int) -> bool:
    return sorted(answer.call.tag for answer in answers) == list(range(count))


@pytest.fixture
def host():
    with unreliable.running() as host:
        yield host


@pytest.fixture
def dead_url():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


# --- one call, every way it can go ---------------------------------------------------------------------------


AT_ONCE = [name for name in BEHAVIOURS if name != "hang"]
#: The second of two answers to one call, if it comes after the next call is written, is nobody's to tell from its own.
BY_BYTES = [name for name in AT_ONCE if name != "twice"]


@pytest.mark.parametrize(("do", "bytewise"), [(do, False) for do in AT_ONCE] + [(do, True) for do in BY_BYTES])
def test_what_is_said_of_a_call_is_what_happened(host, do, bytewise):
    host.bytewise = bytewise
    with sending(host.url, connections=1) as (fanout, answers):
        send(fanout, call(0, do))
        # A call that is written while the host is hanging up cannot be told from one that was read.
        assert not BEHAVIOURS[do][1] or host.cuts.acquire(timeout=PATIENCE)
        send(fanout, call(1))
    assert answers.of(0).outcome is BEHAVIOURS[do][2]
    assert answers.of(1).result == json.loads(OK), "the next call is none the worse for it"
    assert host.received == {0: 1, 1: 1}


def test_a_call_without_an_answer_may_have_left(host):
    with sending(host.url, timeout_seconds=0.2) as (fanout, answers):
        send(fanout, call(0, "hang"))
    assert answers.outcomes == {Outcome.MAY_HAVE_LEFT: 1}
    assert "没有及时" in answers[0].detail


def test_an_answer_carries_status_and_result(host):
    with sending(host.url) as (fanout, answers):
        send(fanout, call(0, "refused token"), call(1, "bad gateway"))
    assert answers.of(0).result["errcode"] == 40001
    assert (answers.of(1).status, answers.of(1).result, answers.of(1).detail) == (502, {}, "HTTP 502")


def test_a_host_that_refuses_gets_nothing_and_everybody_is_told(dead_url):
    with sending(dead_url, connections=32) as (fanout, answers):
        send(fanout, *map(call, range(2000)))
        send(fanout, call(2000))
    assert is_each_answered_once(answers, 2001)
    assert answers.outcomes == {Outcome.NEVER_LEFT: 2001}


def test_a_host_without_an_address_gets_nothing():
    with sending("http://there-is-no.invalid") as (fanout, answers):
        send(fanout, call(0))
    assert answers.outcomes == {Outcome.NEVER_LEFT: 1}


def test_a_host_that_does_not_take_the_connection_gets_nothing():
    """Its queue of connections is full: the handshake goes on without end."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        with sending(f"http://127.0.0.1:{port}", connect_timeout_seconds=0.3) as (fanout, answers):
            send(fanout, call(0))
        for one in crowd:
            one.close()
    assert answers.outcomes == {Outcome.NEVER_LEFT: 1}


# --- connections ---------------------------------------------------------------------------------------------


def test_connections_are_opened_as_they_are_needed_and_used_again(host):
    with sending(host.url, connections=8) as (fanout, answers):
        for number in range(20):
            send(fanout, call(number))
        assert host.connections == 1, "one at a time needs one"
        send(fanout, *map(call, range(20, 1020)))
    assert host.connections <= 8
    assert is_each_answered_once(answers, 1020)
    assert answers.outcomes == {Outcome.ANSWERED: 1020}


def test_a_connection_that_was_closed_while_it_rested_costs_no_call(host):
    with sending(host.url, connections=4) as (fanout, answers):
        for number in range(25):
            send(fanout, *(call(4 * number + one) for one in range(4)))
            host.hang_up()
    assert answers.outcomes == {Outcome.ANSWERED: 100}
    assert set(host.received.values()) == {1}


def test_a_goodbye_that_the_loop_has_not_heard_costs_no_call(host, monkeypatch):
    """The host hangs up while the loop is kept busy with handing over answers; calls are waiting."""
    # Few enough that a slow machine, too, hands them over because they are many and not because it is time.
    monkeypatch.setattr(pool, "FLUSH_ANSWERS", 4)
    answers, full = Answers(), []

    def hear(batch: list[Answer]) -> None:
        answers.extend(batch)
        if len(batch) == 4 and not full:
            full.append(batch)
            host.hang_up()

    with closing(Fanout(host.url, hear, connections=1)) as fanout:
        send(fanout, *map(call, range(100)))
    assert full
    assert answers.outcomes == {Outcome.ANSWERED: 100}
    assert host.connections == 2


@pytest.mark.parametrize("do", ["page", "no JSON object", "no text", "too long", "twice", "no HTTP", "huge"])
def test_who_does_not_speak_as_wechat_does_is_not_spoken_to_again(host, do):
    """The rest of what it says would be taken for the next answer."""
    with sending(host.url, connections=1) as (fanout, _):
        send(fanout, call(0, do))
        send(fanout, call(1))
    assert host.connections == 2


@pytest.mark.parametrize("do", ["ok", "chunked", "continue", "refused token", "bad gateway", "elsewhere"])
def test_a_proper_response_leaves_the_connection_as_good_as_it_was(host, do):
    with sending(host.url, connections=1) as (fanout, _):
        send(fanout, call(0, do))
        send(fanout, call(1))
    assert host.connections == 1


def test_what_nobody_asked_for_is_nobodys_answer(host):
    with sending(host.url, connections=1) as (fanout, answers):
        send(fanout, call(0))
        host.blurt(response(b'{"errcode":43004}'))
        send(fanout, call(1))
    assert answers.of(1).result["errcode"] == 0
    assert host.connections == 2


def test_something_unread_is_noticed():
    """The host's goodbye, or words that nobody asked for."""
    for last_words in (b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            connection = Connection(None, ours)
            assert connection.is_quiet()
            theirs.sendall(last_words)
            theirs.close()
            assert not connection.is_quiet()


def test_a_host_that_slams_every_door_is_not_stormed():
    """It takes connections and cuts them at once: one call for each connection is risked, and a few attempts more."""

    async def slam(_: object) -> bool:
        return False

    with unreliable.running(greeting=slam) as host, sending(host.url, connections=128) as (fanout, answers):
        send(fanout, *map(call, range(2000)))
    assert is_each_answered_once(answers, 2000)
    assert answers.outcomes[Outcome.NEVER_LEFT] > 2000 - 128 - 8
    assert answers.outcomes.keys() <= {Outcome.NEVER_LEFT, Outcome.MAY_HAVE_LEFT}
    assert host.connections < 128 + 8


def test_a_host_that_falls_silent_is_not_fed_all_that_waits(host):
    with sending(host.url, connections=4, timeout_seconds=0.1) as (fanout, answers):
        send(fanout, *(call(number, "hang") for number in range(500)))
    assert is_each_answered_once(answers, 500)
    assert host.received.total() < 20, "the rest was given back"


def test_when_the_host_comes_back_so_do_the_calls():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with sending(f"http://127.0.0.1:{bound.getsockname()[1]}") as (fanout, answers):
            send(fanout, call(0))
            with unreliable.running(at=bound):
                send(fanout, *map(call, range(1, 100)))
    assert answers.of(0).outcome is Outcome.NEVER_LEFT
    assert answers.outcomes == {Outcome.NEVER_LEFT: 1, Outcome.ANSWERED: 99}


# --- many calls, all kinds of trouble -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_each_call_is_answered_once_whatever_happens(host, seed):
    """What never left is sent again, as the engine does: nobody gets anything twice by that."""
    rolls = random.Random(seed)
    common = ["ok"] * 40 + ["hang"] + AT_ONCE
    calls = [call(number, rolls.choice(common)) for number in range(400)]
    left = Counter()
    with sending(host.url, connections=16, timeout_seconds=0.5) as (fanout, answers):
        while calls:
            send_by_and_by(fanout, calls, rolls, host)
            assert sorted(a.call.tag for a in answers) == sorted(c.tag for c in calls)
            for answer in answers:
                is_true(answer, host.received[answer.call.tag])
            left += answers.outcomes
            calls = [answer.call for answer in answers if answer.outcome is Outcome.NEVER_LEFT]
            answers.clear()
    del left[Outcome.NEVER_LEFT]
    assert left.total() == 400
    assert left[Outcome.ANSWERED] > 150


def send_by_and_by(fanout: Fanout, calls: list[Call], rolls: random.Random, host: unreliable.Host) -> None:
    """In portions, while the host now and then closes every connection it has."""
    rest = calls[:]
    while rest:
        size = rolls.randrange(1, 60)
        fanout.submit(rest[:size], TOKEN)
        del rest[:size]
        if rolls.random() < 0.2:
            host.hang_up()
    assert fanout.drain(PATIENCE)
    assert fanout.waiting == 0


def is_true(answer: Answer, received: int) -> None:
    """What is said of a call agrees with what the host saw of it."""
    told = (answer, received)
    expected = BEHAVIOURS[json.loads(answer.call.body)["do"]][2]
    assert received <= 1, told
    if answer.outcome is Outcome.NEVER_LEFT:
        assert received == 0, told
    elif answer.outcome is not Outcome.MAY_HAVE_LEFT:
        assert (received, answer.outcome) == (1, expected), told


# --- tokens and secrets --------------------------------------------------------------------------------------


def test_a_call_goes_out_with_the_token_of_the_moment_it_is_written(host):
    with sending(host.url, connections=1) as (fanout, answers):
        send(fanout, call(0, "refused token"))
        fanout.token = "new&token"
        fanout.submit([call(1)], fanout.token)
        assert fanout.drain(PATIENCE)
    assert host.tokens == [TOKEN, "new%26token"]
    assert [answer.token for answer in answers] == [TOKEN, "new&token"], "so that the right one is replaced"


def test_nothing_shows_the_token(host, dead_url):
    with capture_logs() as logged:
        for url in (host.url, dead_url):
            with sending(url, timeout_seconds=0.2) as (fanout, answers):
                send(fanout, call(0), call(1, "hang"), call(2, "no HTTP"), call(3, "cut before"))
                assert TOKEN not in repr([*answers, fanout])
    assert any(line["event"] == "fanout.connection_failed" for line in logged)
    assert TOKEN not in repr(logged)


# --- the doors -----------------------------------------------------------------------------------------------


def test_what_cannot_be_queued_is_refused_whole(host):
    with sending(host.url, most_waiting=10) as (fanout, answers):
        with pytest.raises(Overfull, match="10 条"):
            fanout.submit([call(number) for number in range(11)], TOKEN)
        assert fanout.waiting == 0
        send(fanout, *map(call, range(10)))
    assert is_each_answered_once(answers, 10)


def test_closing_tells_what_left_from_what_did_not(host):
    with sending(host.url, connections=3) as (fanout, answers):
        fanout.submit([call(number, "hang") for number in range(50)], TOKEN)
        assert not fanout.drain(0.3)
        fanout.close()
        fanout.close()
        with pytest.raises(RuntimeError):
            fanout.submit([call(50)], TOKEN)
    assert is_each_answered_once(answers, 50)
    assert answers.outcomes == {Outcome.MAY_HAVE_LEFT: 3, Outcome.NEVER_LEFT: 47}
    assert all((answer.outcome is Outcome.MAY_HAVE_LEFT) == (answer.call.tag in host.received) for answer in answers)


def test_a_caller_that_fails_does_not_stop_the_sending(host):
    heard = []

    def fail(answers: list[Answer]) -> None:
        heard.extend(answers)
        raise ValueError("the caller's own fault")

    with closing(Fanout(host.url, fail, connections=2)) as fanout:
        send(fanout, *map(call, range(3)))
        send(fanout, *map(call, range(3, 6)))
    assert is_each_answered_once(Answers(heard), 6)


def test_many_threads_may_submit_at_once(host):
    with sending(host.url) as (fanout, answers):
        ranges = [range(100 * one, 100 * one + 100) for one in range(8)]
        threads = [threading.Thread(target=fanout.submit, args=([*map(call, r)], TOKEN)) for r in ranges]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert fanout.drain(PATIENCE)
    assert is_each_answered_once(answers, 800)


@pytest.mark.parametrize("address", ["ftp://127.0.0.1", "api.weixin.qq.com", "http://"])
def test_an_address_that_is_none_is_refused_at_once(address):
    with pytest.raises(ValueError, match="address"):
        Fanout(address, print, connections=1)


# --- TLS -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody has signed but itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "host")])
    at = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(at - datetime.timedelta(days=1))
        .not_valid_after(at + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "host.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def sealed_host(certificate):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with unreliable.running(tls=tls) as host:
        yield host


def test_over_tls_everything_is_the_same(sealed_host, certificate):
    trusting = ssl.create_default_context(cafile=certificate)
    with sending(sealed_host.url, tls=trusting, connections=4) as (fanout, answers):
        for number, do in enumerate(AT_ONCE):
            send(fanout, call(number, do))
        send(fanout, *map(call, range(len(AT_ONCE), 200)))
    assert is_each_answered_once(answers, 200)
    for answer in answers:
        is_true(answer, sealed_host.received[answer.call.tag])
    assert answers.outcomes[Outcome.ANSWERED] >= 200 - len(AT_ONCE)


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def test_a_host_that_cannot_prove_its_name_gets_nothing(sealed_host):
    descriptors = open_files()
    with sending(sealed_host.url) as (fanout, answers):
        for number in range(5):
            send(fanout, call(number))
    assert answers.outcomes == {Outcome.NEVER_LEFT: 5}
    assert sealed_host.received == {}
    assert open_files() <= descriptors


# --- responses in pieces -------------------------------------------------------------------------------------

WHOLE = {
    "with a length": response(),
    "in chunks": chunked(OK),
    "after an interim one": b"HTTP/1.1 100 Continue\r\n\r\n" + response(),
    "the last one": response(OK, "200 OK", "Connection: close"),
    "an error": response(b"<html>", "502 Bad Gateway"),
    "empty": response(b"", "204 No Content"),
}


def read(pieces: list[bytes]) -> tuple[int, bytes, bool]:
    reader = ResponseReader()
    for piece in pieces:
        assert not reader.is_whole
        reader.feed(piece)
    assert reader.is_whole
    return reader.status, bytes(reader.body), reader.is_reusable


@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_a_response_reads_the_same_however_it_is_split(name, data):
    whole = WHOLE[name]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1))))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert read(pieces) == read([whole])


@pytest.mark.parametrize("more", [response(), response()[:10], b"\x00"])
def test_what_follows_a_response_spoils_the_connection(more):
    reader = ResponseReader()
    reader.feed(response() + more)
    assert (reader.is_whole, reader.status, bytes(reader.body)) == (True, 200, OK)
    assert not reader.is_reusable


@given(st.binary(max_size=200), st.integers(0, 60))
def test_no_bytes_break_the_reader(junk, kept):
    """Either it is a response or it is not: nothing else comes out of it."""
    reader = ResponseReader()
    try:
        reader.feed(response()[:kept] + junk)
    except Unreadable:
        assert not reader.is_whole


# --- the local WeChat ----------------------------------------------------------------------------------------


def notice(number: int) -> Call:
    fields = {"thing1": "会议", "thing2": "周五开会", "thing3": "市法学会", "time4": "2026年11月13日 08:30"}
    body = {
        "touser": f"oSimBulk{number:020d}",
        "template_id": "SIM-notice",
        "client_msg_id": f"notice-{number}",
        "data": {name: {"value": value} for name, value in fields.items()},
    }
    return Call(TEMPLATE, json.dumps(body, ensure_ascii=False).encode(), number)


@pytest.fixture
def wechat():
    with testing.running(delivery_events=False) as wechat:
        wechat.add_followers(400)
        yield wechat


def token_of(wechat: LocalWeChat) -> str:
    account = Account()
    return stable_token(wechat.url, account.app_id, account.app_secret, 5.0).token


def test_everybody_gets_a_notice_once(wechat):
    wechat.latency(0.02, path=TEMPLATE)
    with sending(wechat.url, connections=32) as (fanout, answers):
        fanout.submit([notice(number) for number in range(400)], token_of(wechat))
        assert fanout.drain(PATIENCE)
    assert answers.outcomes == {Outcome.ANSWERED: 400}
    assert {answer.result["errcode"] for answer in answers} == {0}
    assert len({answer.result["msgid"] for answer in answers}) == 400
    counts = wechat.counts(path=TEMPLATE)
    assert (counts["people"], counts["total"], counts["most"]) == (400, 400, 1)


def test_with_a_bad_line_nobody_is_said_to_have_a_notice_who_has_none(wechat):
    for kind in ("drop", "drop_after", "hang", "hang_after"):
        wechat.inject(TEMPLATE, kind=kind, percent=4, seed=7)
    with sending(wechat.url, connections=32, timeout_seconds=0.5) as (fanout, answers):
        fanout.submit([notice(number) for number in range(400)], token_of(wechat))
        assert fanout.drain(PATIENCE)
    assert is_each_answered_once(answers, 400)
    got = wechat.counts(path=TEMPLATE)["counts"]
    for answer in answers:
        times = got.get(f"oSimBulk{answer.call.tag:020d}", 0)
        assert times == 1 if answer.outcome is Outcome.ANSWERED else times <= 1
    assert 0 < answers.outcomes[Outcome.MAY_HAVE_LEFT] < 150
