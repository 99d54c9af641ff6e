"""Ordinary calls to WeChat: every refusal becomes one sentence in Chinese, and no secret is ever told (F016)."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest

from bot.client import CallFailed, Client
from errors import AssistantError
from models import Credential

ADDRESSES = "/cgi-bin/getcallbackip"


@pytest.fixture
def client(house) -> Client:
    return house.parts.clients["official"]


@pytest.fixture
def impatient(open_house) -> Any:
    """A house whose calls wait for half a second."""
    return open_house(timeout_seconds=0.5)


def test_a_refused_connection_is_said_in_words(house):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    official = house.parts.clients["official"]
    away = Client(official.app_id, official.keeper, address, 1.0)
    with pytest.raises(CallFailed, match="连不上"):
        away.menu()


def test_a_token_refused_once_is_replaced_and_the_call_made_again(house, client):
    client.callback_addresses()
    house.wechat.expire_tokens()
    assert client.callback_addresses()
    assert house.wechat.calls(ADDRESSES) == 3


def test_a_token_refused_for_ever_is_never_a_loop(house, client):
    house.wechat.inject(ADDRESSES, 40001)
    with pytest.raises(AssistantError):
        client.callback_addresses()
    assert house.wechat.calls(ADDRESSES) <= 2


# --- what is never told --------------------------------------------------------------------------------------


def test_no_log_line_and_no_exception_tells_a_secret(impatient, capsys, caplog):
    """wechatpy and requests both put the address of a call, with its token, into what they raise."""
    caplog.set_level(logging.DEBUG)
    client = impatient.parts.clients["official"]
    client.callback_addresses()
    with impatient.database.reading() as session:
        token = session.get_one(Credential, client.app_id).token
    told = []
    for kind, code in (("error", 45009), ("error", 40001), ("http", 502), ("drop", -1), ("hang", -1)):
        impatient.wechat.heal()
        impatient.wechat.inject(ADDRESSES, code, kind=kind)
        impatient.wechat.inject("/cgi-bin/menu/get", code, kind=kind)
        for call in (client.callback_addresses, client.menu):
            try:
                call()
            except Exception as error:
                told += [str(error), repr(error), repr(error.__cause__), repr(error.__context__ and error.args)]
                assert error.__cause__ is None
                assert error.__suppress_context__ or error.__context__ is None
    impatient.wechat.inject("/cgi-bin/stable_token", kind="drop")
    told.append(repr(client.keeper))
    output = capsys.readouterr()
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith(("urllib3", "hypothesis"))]
    everything = "\n".join([*told, output.out, output.err, *ours])
    assert "额度" in everything, "we look at the right place"
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
