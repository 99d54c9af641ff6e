"""Calls to WeChat: every refusal becomes a typed result in Chinese, and no secret is ever told (F016)."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest

from bot import errcodes
from bot.client import CallFailed, Client, NotSent, Sent
from bot.errcodes import Reaction
from models import Credential

TEMPLATE, CUSTOMER = "/cgi-bin/message/template/send", "/cgi-bin/message/custom/send"
DATA = {"thing1": "标题", "thing2": "正文", "thing3": "市法学会", "time4": "2026年11月27日 09:00"}


@pytest.fixture
def client(house) -> Client:
    return house.parts.clients["official"]


@pytest.fixture
def impatient(open_house) -> Any:
    """A house whose calls wait for half a second."""
    return open_house(timeout_seconds=0.5)


def template(client: Client, phone: Any, once: str = "1") -> Sent | NotSent:
    return client.send_template(phone.openid, "SIM-notice", DATA, once)


def send(client: Client, path: str, phone: Any) -> Sent | NotSent:
    return template(client, phone) if path == TEMPLATE else client.send_text(phone.openid, "您好")


def test_a_template_message_arrives_and_has_an_id(client, zhang_wei):
    sent = template(client, zhang_wei)
    assert isinstance(sent, Sent)
    assert sent.msgid
    assert "标题" in zhang_wei.wait_for("标题")["text"]


def test_a_customer_message_arrives_inside_the_window(client, zhang_wei):
    assert isinstance(refused := client.send_text(zhang_wei.openid, "您好"), NotSent)
    assert refused.code.code == 45015
    zhang_wei.says("帮助")
    assert client.send_text(zhang_wei.openid, "您好") == Sent(None)
    zhang_wei.wait_for("您好")


def test_the_same_id_reaches_a_person_once(house, client, zhang_wei):
    template(client, zhang_wei, "x")
    template(client, zhang_wei, "x")
    assert len(zhang_wei.received()) == 1


@pytest.mark.parametrize("path", [TEMPLATE, CUSTOMER])
@pytest.mark.parametrize(
    ("code", "reaction", "says"),
    [
        (43004, Reaction.SKIP, "没有关注"),
        (43101, Reaction.SKIP, "订阅"),
        (45015, Reaction.SKIP, "48 小时"),
        (45047, Reaction.SKIP, "条数已用完"),
        (45009, Reaction.WAIT, "额度已用完"),
        (48001, Reaction.STOP, "没有这项权限"),
        (40003, Reaction.SKIP, "openid"),
        (40037, Reaction.STOP, "模板"),
        (47003, Reaction.FIX, "模板里有一项"),
        (45168, Reaction.SKIP, "不允许的词"),
        (99999, Reaction.FIX, "99999"),
    ],
)
def test_every_refusal_is_a_result_with_reason_and_next_step(house, client, zhang_wei, path, code, reaction, says):
    house.wechat.inject(path, code, times=1)
    zhang_wei.says("帮助")
    result = send(client, path, zhang_wei)
    assert isinstance(result, NotSent)
    assert (result.code.code, result.code.reaction) == (code, reaction)
    assert says in result.code.reason
    assert result.code.next_step
    assert not result.may_have_left, "WeChat said no"
    assert zhang_wei.received() == []


@pytest.mark.parametrize("path", [TEMPLATE, CUSTOMER])
@pytest.mark.parametrize("kind", ["hang_after", "drop_after", "hang", "drop"])
def test_an_answer_that_is_lost_may_have_left(impatient, path, kind):
    """From here a call that was done and one that was not look alike."""
    phone = impatient.phone("张伟")
    phone.says("帮助")
    client = impatient.parts.clients["official"]
    client.callback_addresses()
    impatient.wechat.inject(path, kind=kind, times=1)
    result = send(client, path, phone)
    assert isinstance(result, NotSent)
    assert result.may_have_left
    assert result.code is errcodes.TIMED_OUT
    assert len(phone.received()) == (1 if kind.endswith("after") else 0)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_broken_server_may_have_acted(house, client, zhang_wei, status):
    house.wechat.inject(TEMPLATE, status, kind="http", times=1)
    result = template(client, zhang_wei)
    assert isinstance(result, NotSent)
    assert result.code.may_have_gone_out
    assert f"HTTP {status}" in result.code.reason


def test_a_page_that_is_not_wechats_is_no_success(house, client, zhang_wei, monkeypatch):
    """A proxy's page with status 200: nobody knows whether the message left."""
    house.wechat.inject(TEMPLATE, 200, kind="http", times=1)
    result = template(client, zhang_wei)
    assert isinstance(result, NotSent)
    assert result.may_have_left


def test_a_refused_connection_has_certainly_not_left(house, monkeypatch, zhang_wei):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    official = house.parts.clients["official"]
    away = Client(official.app_id, official._keeper, address, 1.0)
    for result in (template(away, zhang_wei), away.send_text(zhang_wei.openid, "x")):
        assert isinstance(result, NotSent)
        assert result.code is errcodes.UNREACHABLE
        assert not result.may_have_left
    with pytest.raises(CallFailed, match="连不上"):
        away.menu()


def test_without_a_token_nothing_has_left_and_the_reason_is_kept(house, client, zhang_wei):
    house.wechat.inject("/cgi-bin/stable_token", 40164)
    result = template(client, zhang_wei)
    assert isinstance(result, NotSent)
    assert result.code is errcodes.UNREACHABLE
    assert "白名单" in result.detail
    assert house.wechat.calls(TEMPLATE) == 0


def test_a_token_refused_once_is_replaced_and_the_call_made_again(house, client, zhang_wei):
    client.callback_addresses()
    house.wechat.expire_tokens()
    assert isinstance(template(client, zhang_wei), Sent)
    assert house.wechat.calls(TEMPLATE) == 2
    assert house.wechat.counts(path=TEMPLATE)["most"] == 1


def test_a_token_refused_for_ever_is_never_a_loop(house, client, zhang_wei):
    house.wechat.inject(TEMPLATE, 40001)
    assert isinstance(template(client, zhang_wei), NotSent)
    assert house.wechat.calls(TEMPLATE) <= 2


# --- what is never told --------------------------------------------------------------------------------------


def test_no_log_line_and_no_exception_tells_a_secret(impatient, capsys, caplog):
    """wechatpy and requests both put the address of a call, with its token, into what they raise."""
    caplog.set_level(logging.DEBUG)
    client = impatient.parts.clients["official"]
    phone = impatient.phone("张伟")
    client.callback_addresses()
    with impatient.database.reading() as session:
        token = session.get_one(Credential, client.app_id).token
    told = []
    for kind, code in (("error", 45009), ("error", 40001), ("http", 502), ("drop", -1), ("hang", -1)):
        impatient.wechat.heal()
        impatient.wechat.inject(CUSTOMER, code, kind=kind)
        impatient.wechat.inject("/cgi-bin/menu/get", code, kind=kind)
        told.append(repr(client.send_text(phone.openid, "x")))
        try:
            client.menu()
        except Exception as error:
            told += [str(error), repr(error), repr(error.__cause__), repr(error.__context__ and error.args)]
            assert error.__cause__ is None
            assert error.__suppress_context__ or error.__context__ is None
    impatient.wechat.inject("/cgi-bin/stable_token", kind="drop")
    told.append(repr(client._keeper))
    output = capsys.readouterr()
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith(("urllib3", "hypothesis"))]
    everything = "\n".join([*told, output.out, output.err, *ours])
    assert "45009" in everything, "we look at the right place"
    assert token not in everything
    assert impatient.settings.wechat.app_secret not in everything


# --- what the account shows ----------------------------------------------------------------------------------


def test_the_menu_that_is_published_can_be_read_back(house, client):
    from bot import menu
    from handlers.menu import MENU

    assert client.menu() is None
    client.publish_menu(menu.payload(MENU))
    assert [b["name"] for b in client.menu()["button"]] == [b.name for b in MENU]


def test_a_code_is_drawn_for_a_scene(house, client):
    assert client.qr_ticket("checkin", 60).startswith("http")
    assert house.wechat.qr_codes()[-1]["scene"] == "checkin"


def test_templates_are_listed(client):
    assert "SIM-notice" in {t["template_id"] for t in client.templates()}
