"""Tokens, windows, fields, templates and mass messages: the rules with the clock at hand (§4)."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.account import MATRIX, Account, may
from simulator.cast import CAST
from simulator.clock import parse_instant
from simulator.errors import Refused
from simulator.fields import valid
from tests.simulator.conftest import Caller
from tests.simulator.test_error_codes import CUSTOM, MASS, NOTICE, SECRET, bizsend, template

APP, MINI = "wxf0a1b2c3d4e5f607", "wxa1b2c3d4e5f60718"
ZHANG, SUN, LI, WANG = (person.openid for person in CAST[:4])


def classic(c: Caller) -> str:
    query = {"grant_type": "client_credential", "appid": APP, "secret": SECRET}
    return str(c.get("/cgi-bin/token", token="", **query)["access_token"])


def stable(c: Caller, *, force: bool = False) -> dict[str, Any]:
    body = {"grant_type": "client_credential", "appid": APP, "secret": SECRET, "force_refresh": force}
    answer: dict[str, Any] = c.post("/cgi-bin/stable_token", body, token="")
    return answer


def works(c: Caller, token: str) -> bool:
    return "errcode" not in c.get("/cgi-bin/tags/get", token=token)


def test_a_classic_token_lives_five_minutes_beside_its_successor(caller: Caller) -> None:
    first, second = classic(caller), classic(caller)
    assert first != second
    assert works(caller, first)
    caller.world.clock.advance(299)
    assert works(caller, first)
    caller.world.clock.advance(2)
    assert not works(caller, first)
    assert works(caller, second)


def test_the_two_kinds_of_token_are_isolated(caller: Caller) -> None:
    token = stable(caller)["access_token"]
    classic(caller)
    classic(caller)
    caller.world.clock.advance(400)
    assert works(caller, token)


def test_a_stable_token_stays_the_same_until_five_minutes_before_its_end(caller: Caller) -> None:
    caller.world.clock.set(caller.world.now(), freeze=True)
    caller.world.clock.advance(7200)
    first = stable(caller)
    assert first["expires_in"] == 7200
    caller.world.clock.advance(6890)
    assert stable(caller) == {"access_token": first["access_token"], "expires_in": 310}
    caller.world.clock.advance(11)
    second = stable(caller)
    assert second["access_token"] != first["access_token"]
    assert works(caller, first["access_token"])
    caller.world.clock.advance(300)
    assert not works(caller, first["access_token"])


def test_force_kills_at_once_but_not_within_thirty_seconds_and_twenty_times_a_day(caller: Caller) -> None:
    caller.world.clock.set(parse_instant("2026-11-13T08:00"), freeze=True)
    first = stable(caller)["access_token"]
    second = stable(caller, force=True)["access_token"]
    assert first != second
    assert not works(caller, first)
    assert stable(caller, force=True)["access_token"] == second
    for _ in range(19):
        caller.world.clock.advance(31)
        assert "access_token" in stable(caller, force=True)
    caller.world.clock.advance(31)
    assert stable(caller, force=True)["errcode"] == 45009
    caller.world.clock.advance(86_400)
    assert "access_token" in stable(caller, force=True)


def test_a_mini_programs_token_is_not_the_accounts(caller: Caller) -> None:
    assert caller.get("/cgi-bin/tags/get", token=caller.mini_token)["errcode"] == 48001
    assert bizsend(caller, caller.mini_token)["errcode"] == 48001
    assert bizsend(caller, path="send")["errcode"] == 48001


def say(c: Caller, openid: str = ZHANG) -> int:
    return int(c.post(CUSTOM, {"touser": openid, "msgtype": "text", "text": {"content": "您好"}})["errcode"])


@pytest.mark.parametrize(("kind", "window", "allowed"), [("message", (5, 48 * 3600.0), 5), ("action", (3, 60.0), 3)])
def test_a_window_holds_so_many_messages_for_so_long(
    caller: Caller, kind: str, window: tuple[int, float], allowed: int
) -> None:
    caller.world.clock.set(caller.world.now(), freeze=True)
    person = caller.world.people.meet(ZHANG)
    assert say(caller) == 45015
    person.open_window(kind, window, caller.world.now())
    assert [say(caller) for _ in range(allowed + 1)] == [0] * allowed + [45047]
    person.open_window(kind, window, caller.world.now())
    caller.world.clock.advance(window[1] - 1)
    caller.token = stable(caller)["access_token"]
    assert say(caller) == 0
    caller.world.clock.advance(1)
    assert say(caller) == 45015


GOOD = {
    "thing1": ["学习党章", "a" * 20, "😀" * 20, "A&B <c>"],
    "number1": ["1", "-3.14", "9" * 32],
    "letter1": ["abcXYZ"],
    "symbol1": ["!?#"],
    "character_string1": ["C20261113-001", "~" * 32],
    "time1": ["15:01", "2024年7月1日 15:01", "2026年11月13日 08:30~17:00", "2026-11-13 08:30:00"],
    "date1": [
        "2024年7月1日",
        "2024-07-01",
        "2024/07/01",
        "2024.07.01",
        "2024年7月1日~2024年7月3日",
        "2024年7月1日 15:01",
    ],
    "amount1": ["12.50元", "¥100", "0"],
    "phone_number1": ["13800000000", "+86-0713-8888888"],
    "car_number1": ["鄂J12345", "鄂J1234挂"],
    "name1": ["张伟", "欧阳·买买提", "John Smith"],
    "phrase1": ["已回复", "处理中啊呀"],
    "unknown9": ["anything at all"],
}
BAD = {
    "thing1": ["", "字" * 21, "两\n行", " ", "\x07"],
    "number1": ["一", "9" * 33, "1,000"],
    "letter1": ["abc1", "字"],
    "symbol1": ["!!!!!!", "a"],
    "character_string1": ["编号1", "x" * 33],
    "time1": ["25:00", "2024年7月1日", "2024年2月30日 08:00", "明天"],
    "date1": ["2024年13月1日", "2024-02-30", "15:01", "x"],
    "amount1": ["一百", "12345678901", "$$1"],
    "phone_number1": ["1" * 18, "电话"],
    "car_number1": ["鄂J1234567"],
    "name1": ["名" * 11, "n" * 21, "张伟1"],
    "phrase1": ["已回复了你呀", "ok", "已回复1"],
    "enum1": ["没有的值"],
}
PAIRS_GOOD = [(key, value) for key, values in GOOD.items() for value in values]
PAIRS_BAD = [(key, value) for key, values in BAD.items() for value in values]


@pytest.mark.parametrize(("key", "value"), PAIRS_GOOD)
def test_a_value_wechat_takes(key: str, value: str) -> None:
    assert valid(key, value)


@pytest.mark.parametrize(("key", "value"), PAIRS_BAD)
def test_a_value_wechat_refuses(key: str, value: str) -> None:
    assert not valid(key, value, ("列出的值",))


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=40))
def test_thing_is_counted_in_characters(text: str) -> None:
    assert valid("thing1", text) == (len(text) <= 20)


@given(st.text(max_size=40))
def test_no_value_crashes_a_rule(text: str) -> None:
    for key in [*GOOD, *BAD]:
        assert isinstance(valid(key, text), bool)


def test_the_field_is_named_and_every_key_is_needed(caller: Caller) -> None:
    answer = template(caller, data={key: value for key, value in NOTICE.items() if key != "thing3"})
    assert answer["errmsg"].startswith("argument invalid! data.thing3.value invalid rid: ")
    assert template(caller, data=NOTICE | {"first": {"value": "x" * 99}})["errcode"] == 0


def test_a_client_msg_id_is_sent_once_within_ten_minutes(caller: Caller) -> None:
    first = template(caller, client_msg_id="n-1")["msgid"]
    assert template(caller, client_msg_id="n-1")["msgid"] == first
    assert template(caller, client_msg_id="n-1", touser=SUN)["msgid"] != first
    assert caller.world.journal.counts("/cgi-bin/message/template/send")[ZHANG] == 1
    caller.world.clock.advance(601)
    assert template(caller, client_msg_id="n-1")["msgid"] != first


def test_every_template_message_is_reported_later(caller: Caller) -> None:
    caller.world.people.meet(SUN).blocks_templates = True
    caller.world.delivery.by_openid[LI] = "failed: system failed"
    sent = [template(caller, touser=openid)["msgid"] for openid in (ZHANG, SUN, LI)]
    reported = [(openid, push["MsgID"], push["Status"]) for openid, push in caller.pushes]
    statuses = ["success", "failed:user block", "failed: system failed"]
    assert reported == list(zip([ZHANG, SUN, LI], sent, statuses, strict=True))
    assert len(caller.world.journal.chat(ZHANG)) == 1
    assert not caller.world.journal.chat(SUN)


def test_a_consent_is_one_message_and_a_long_term_one_stays(caller: Caller) -> None:
    person = caller.world.people.meet(ZHANG)
    update = {
        "character_string1": {"value": "C1"},
        "phrase2": {"value": "已回复"},
        "thing3": {"value": "请查看"},
        "time4": {"value": "2026年11月13日 10:00"},
    }
    once = {"template_id": "SIM-consultation-update", "data": update}
    person.credits["SIM-consultation-update"] = 2
    assert [bizsend(caller, **once)["errcode"] for _ in range(3)] == [0, 0, 43101]
    person.long_term.add("SIM-notice")
    assert [bizsend(caller)["errcode"] for _ in range(3)] == [0, 0, 0]
    caller.world.unfollow(person)
    assert bizsend(caller)["errcode"] == 0


def test_a_mass_message_counts_whom_it_reached(caller: Caller) -> None:
    caller.world.people.meet(SUN).refuses_messages = True
    caller.world.delivery.by_openid[LI] = "failed"
    body = {
        "touser": [ZHANG, SUN, LI, "oNobody000000000000000000000"],
        "msgtype": "text",
        "text": {"content": "通知"},
    }
    answer = caller.post(MASS, body)
    assert answer["errmsg"] == "send job submission success"
    _, push = caller.pushes[-1]
    counts = [push[name] for name in ("TotalCount", "FilterCount", "SentCount", "ErrorCount")]
    assert counts == [4, 2, 1, 1]
    assert caller.post("/cgi-bin/message/mass/get", {"msg_id": answer["msg_id"]})["msg_status"] == "SEND_SUCCESS"


def test_four_mass_messages_a_month(caller: Caller) -> None:
    caller.world.clock.set(parse_instant("2026-11-20T08:00"), freeze=True)
    caller.token = stable(caller)["access_token"]
    for number in range(6):
        if number == 5:
            caller.world.clock.set(parse_instant("2026-12-01T00:00"), freeze=True)
            caller.token = stable(caller)["access_token"]
        text = {"content": f"第{number}次"}
        assert caller.post(MASS, {"touser": [ZHANG, SUN], "msgtype": "text", "text": text})["errcode"] == 0
    assert [push["SentCount"] for _, push in caller.pushes] == [2, 2, 2, 2, 0, 2]


@pytest.mark.parametrize("needs", MATRIX)
@pytest.mark.parametrize("column", range(4))
def test_the_capability_matrix(needs: str, column: int) -> None:
    account = Account(account_type="service" if column > 1 else "subscription", verified=bool(column % 2))
    assert may(account, needs) == (MATRIX[needs][column] == "1")


def test_settings_are_checked() -> None:
    for changes in ({"mode": "x"}, {"nothing": 1}, {"verified": "yes"}, {"encoding_aes_key": "x"}):
        with pytest.raises(Refused):
            Account().with_changes(changes)
    for url in ("http://example.com/wechat", "http://127.0.0.1.example.com/", "ftp://127.0.0.1/", "file:///x"):
        with pytest.raises(Refused):
            Account().with_changes({"callback_url": url})
    assert Account().with_changes({"callback_url": "http://example.com/"}, allow_remote=True)


def test_quotas_count_and_clear(caller: Caller) -> None:
    caller.get("/cgi-bin/user/info", openid=ZHANG)
    asked = {"cgi_path": "/cgi-bin/user/info"}
    quota = caller.post("/cgi-bin/openapi/quota/get", asked)["quota"]
    assert quota == {"daily_limit": 500_000, "used": 1, "remain": 499_999}
    caller.post("/cgi-bin/clear_quota", {"appid": APP})
    assert caller.post("/cgi-bin/openapi/quota/get", asked)["quota"]["used"] == 0


def test_people_tags_and_pages(caller: Caller) -> None:
    caller.post("/cgi-bin/tags/create", {"tag": {"name": "党员"}})
    caller.post("/cgi-bin/tags/members/batchtagging", {"openid_list": [ZHANG, SUN], "tagid": 100})
    assert caller.get("/cgi-bin/tags/get")["tags"] == [{"id": 100, "name": "党员", "count": 2}]
    info = caller.get("/cgi-bin/user/info", openid=ZHANG)
    assert (info["subscribe"], info["nickname"], info["tagid_list"]) == (1, "", [100])
    for number in range(10_005):
        caller.world.people.meet(f"oSimBulk{number:020d}")
    page = caller.get("/cgi-bin/user/get", next_openid="")
    rest = caller.get("/cgi-bin/user/get", next_openid=page["next_openid"])
    assert (page["total"], page["count"], rest["count"]) == (10_012, 10_000, 12)
    assert caller.get("/cgi-bin/user/get", next_openid=rest["next_openid"])["count"] == 0


def test_qr_codes_menus_and_short_keys(caller: Caller) -> None:
    body = {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "branch-7"}}}
    made = caller.post("/cgi-bin/qrcode/create", body)
    assert made["expire_seconds"] == 60
    picture = caller.get("/cgi-bin/showqrcode", token="", ticket=made["ticket"])
    assert picture.data.startswith(b"\x89PNG")
    caller.world.clock.advance(61)
    assert caller.get("/cgi-bin/showqrcode", token="", ticket=made["ticket"]).status == 404
    menu = {"button": [{"type": "click", "name": "帮助", "key": "HELP"}]}
    assert caller.post("/cgi-bin/menu/create", menu)["errcode"] == 0
    assert caller.get("/cgi-bin/menu/get")["menu"]["button"][0]["key"] == "HELP"
    assert caller.get("/cgi-bin/get_current_selfmenu_info")["is_menu_open"] == 1
    assert caller.get("/cgi-bin/menu/delete")["errcode"] == 0
    key = caller.post("/cgi-bin/shorten/gen", {"long_data": "长" * 100})["short_key"]
    assert re.fullmatch(r"\w{15}", key)
    assert caller.post("/cgi-bin/shorten/fetch", {"short_key": key})["long_data"] == "长" * 100


def test_media_come_back(caller: Caller) -> None:
    media_id = caller.upload("image", "a.png", b"\x89PNG")["media_id"]
    assert caller.get("/cgi-bin/media/get", media_id=media_id).data == b"\x89PNG"


def test_authorisation_ticket_and_templates(caller: Caller) -> None:
    ticket = caller.get("/cgi-bin/ticket/getticket", type="jsapi")
    assert ticket["errcode"] == 0
    assert caller.get("/cgi-bin/ticket/getticket", type="jsapi")["ticket"] == ticket["ticket"]
    listed = caller.get("/cgi-bin/template/get_all_private_template")["template_list"]
    assert [one["template_id"] for one in listed] == [
        "SIM-study-day-notice",
        "SIM-notice",
        "SIM-consultation-update",
        "SIM-consultation-assigned",
    ]
    assert re.findall(r"{{(\w+)\.DATA}}", listed[0]["content"]) == ["thing1", "time2", "thing3", "thing4"]
    assert [one["type"] for one in caller.get("/wxaapi/newtmpl/gettemplate")["data"]] == [2, 3, 2, 2]
    refused = caller.get("/connect/oauth2/authorize", token="", appid=APP, redirect_uri="https://example.com/")
    assert refused.status == 400
