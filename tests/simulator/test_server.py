"""The server as a whole: page, control calls, faults, forgeries, state, command line."""

import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simulator.cli import main
from simulator.errors import Refused
from simulator.forgeries import KINDS
from simulator.page import STATIC
from simulator.phone import LocalWeChat, Phone, Unreachable
from simulator.testing import running
from tests.simulator.echo_bot import EchoBot
from tests.simulator.test_error_codes import NOTICE, SECRET

Api = Callable[..., Any]
CUSTOM, TEMPLATE = "/cgi-bin/message/custom/send", "/cgi-bin/message/template/send"


def token(api_call: Api) -> str:
    body = {"grant_type": "client_credential", "appid": "wxf0a1b2c3d4e5f607", "secret": SECRET}
    return str(api_call("/cgi-bin/stable_token", body)["access_token"])


def write(api_call: Api, openid: str, text: str = "您好") -> int:
    body = {"touser": openid, "msgtype": "text", "text": {"content": text}}
    return int(api_call(CUSTOM, body, access_token=token(api_call))["errcode"])


def notify(api_call: Api, openid: str) -> Any:
    body = {"touser": openid, "template_id": "SIM-notice", "data": NOTICE, "url": "https://example.com/"}
    return api_call(TEMPLATE, body, access_token=token(api_call))


def raw(wechat: LocalWeChat, method: str, path: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", int(wechat.url.rpartition(":")[2]), timeout=5)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    response.body = response.read()  # type: ignore[attr-defined]
    connection.close()
    return response


def test_what_was_pushed_is_in_the_chat_and_in_the_journal(
    wechat: LocalWeChat, zhang_wei: Phone, api_call: Api
) -> None:
    zhang_wei.says("你好")
    mark = zhang_wei.mark()
    assert write(api_call, zhang_wei.openid, "已收到") == 0
    notify(api_call, zhang_wei.openid)
    texts = [line["text"] for line in zhang_wei.received(since=mark)]
    assert texts[0] == "已收到"
    assert texts[1].splitlines()[:2] == ["工作通知", "标题：会议"]
    assert zhang_wei.wait_for("已收到", timeout=0)
    assert "access_token" not in json.dumps(wechat.sent())
    assert wechat.counts(TEMPLATE)["counts"] == {zhang_wei.openid: 1}
    assert wechat.calls(TEMPLATE) == 1


def test_the_delivery_result_reaches_the_bot(
    wechat: LocalWeChat, zhang_wei: Phone, bot: EchoBot, api_call: Api
) -> None:
    wechat.deliveries("failed:user block", openid=zhang_wei.openid)
    msgid = notify(api_call, zhang_wei.openid)["msgid"]
    wechat.settle()
    push = bot.pushes[-1]
    assert (push["Event"], push["Status"]) == ("TEMPLATESENDJOBFINISH", "failed:user block")
    assert push["MsgID"] == str(msgid)


def test_windows_follow_the_clock(wechat: LocalWeChat, zhang_wei: Phone, api_call: Api) -> None:
    zhang_wei.says("你好")
    wechat.clock.advance(hours=47)
    assert write(api_call, zhang_wei.openid) == 0
    wechat.clock.advance(hours=1, minutes=1)
    assert write(api_call, zhang_wei.openid) == 45015
    zhang_wei.clicks("HELP")
    assert [write(api_call, zhang_wei.openid) for _ in range(4)] == [0, 0, 0, 45047]
    refused = [one["errcode"] for one in wechat.sent(zhang_wei.openid)]
    assert refused == [0, 45015, 0, 0, 0, 45047]


def test_the_clock_stamps_what_is_pushed(wechat: LocalWeChat, zhang_wei: Phone, bot: EchoBot) -> None:
    wechat.clock.set("2026-11-13T08:30", freeze=True)
    zhang_wei.says("签到")
    assert bot.pushes[-1]["CreateTime"] == bot.queries[-1]["timestamp"] == "1794529800"
    wechat.clock.real()


def test_faults_on_demand(wechat: LocalWeChat, zhang_wei: Phone, api_call: Api) -> None:
    zhang_wei.says("你好")
    wechat.inject(CUSTOM, 45009, times=2)
    assert [write(api_call, zhang_wei.openid) for _ in range(3)] == [45009, 45009, 0]
    wechat.inject("*", 40001)
    assert api_call("/cgi-bin/getcallbackip")["errcode"] == 40001
    wechat.heal()
    wechat.inject(TEMPLATE, 45011, percent=50, seed=7)
    codes = [notify(api_call, zhang_wei.openid)["errcode"] for _ in range(40)]
    assert 8 < codes.count(45011) < 32
    wechat.heal()
    wechat.inject(TEMPLATE, 502, kind="http", times=1)
    assert raw(wechat, "POST", TEMPLATE, b"{}").status == 502


@pytest.mark.parametrize(("kind", "done"), [("drop", 0), ("drop_after", 1)])
def test_a_broken_connection(wechat: LocalWeChat, zhang_wei: Phone, api_call: Api, kind: str, done: int) -> None:
    access_token = token(api_call)
    wechat.inject(TEMPLATE, kind=kind, times=1)
    body = {"touser": zhang_wei.openid, "template_id": "SIM-notice", "data": NOTICE}
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        api_call(TEMPLATE, body, access_token=access_token)
    assert wechat.counts(TEMPLATE)["total"] == done


@pytest.mark.parametrize("mode", ["plain", "compatible", "safe"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_forgery_is_sent_and_answered(wechat: LocalWeChat, bot: EchoBot, mode: str, kind: str) -> None:
    wechat.settings(mode=mode)
    result = wechat.forge(kind)
    assert result["status"] in (200, 403)
    if kind in ("flip_signature", "flip-signature", "token", "unsigned", "empty"):
        assert result["refused"] or mode == "plain"
    if kind == "replay":
        assert bot.bodies[-1] == bot.bodies[-2]
        assert bot.queries[-1] == bot.queries[-2]


def test_a_consent_window(wechat: LocalWeChat, zhang_wei: Phone, bot: EchoBot, api_call: Api) -> None:
    zhang_wei.accepts("SIM-notice", "SIM-consultation-update")
    assert bot.pushes[-1]["Event"] == "subscribe_msg_popup_event"
    body = {"touser": zhang_wei.openid, "template_id": "SIM-notice", "data": NOTICE}
    sends = [api_call("/cgi-bin/message/subscribe/bizsend", body, access_token=token(api_call)) for _ in range(2)]
    assert [one["errcode"] for one in sends] == [0, 0]
    with pytest.raises(Refused, match="没有这个模板"):
        zhang_wei.accepts("nothing")


def test_someone_who_left_cannot_write(zhang_wei: Phone) -> None:
    zhang_wei.unfollows()
    with pytest.raises(Refused, match="已取消关注"):
        zhang_wei.says("在吗")
    assert zhang_wei.follows() == "欢迎关注"
    assert zhang_wei.says("在吗") == "收到:在吗"


def test_the_mini_programs_own_side(wechat: LocalWeChat, api_call: Api) -> None:
    openid = "oMiniZhangWei000000000000000"
    codes = wechat.login_code(openid, phone="13800000000")
    query = {"appid": "wxa1b2c3d4e5f60718", "secret": "fedcba9876543210fedcba9876543210"}
    asked = query | {"js_code": codes["code"], "grant_type": "authorization_code"}
    assert api_call("/sns/jscode2session", **asked)["openid"] == openid
    assert api_call("/sns/jscode2session", **asked)["errcode"] == 40029
    mine = api_call("/cgi-bin/stable_token", query | {"grant_type": "client_credential"})["access_token"]
    number = api_call("/wxa/business/getuserphonenumber", {"code": codes["phone_code"]}, access_token=mine)
    assert number["phone_info"]["purePhoneNumber"] == "13800000000"


def test_json_pushes_of_a_mini_program(wechat: LocalWeChat, bot: EchoBot) -> None:
    url = wechat.settings()["callback_url"]
    wechat.settings(mini={"callback_url": url, "format": "json", "mode": "plain"})
    seen: list[bytes] = []
    bot.respond = lambda query, body: (seen.append(body), (200, "text/plain", b"success"))[1]  # type: ignore[method-assign]
    phone = wechat.phone("oMiniZhangWei000000000000000", mini=True)
    assert phone.says("你好") == ""
    phone.accepts("SIM-notice")
    phone.accepts("SIM-notice", "SIM-consultation-update")
    del bot.respond
    wechat.settings(mini={"callback_url": "", "format": "xml", "mode": "safe"})
    message, one, two = (json.loads(body) for body in seen)
    assert (message["Content"], type(message["MsgId"])) == ("你好", int)
    assert one["List"]["PopupScene"] == "1"
    assert isinstance(one["CreateTime"], str)
    assert len(two["List"]) == 2


def test_the_page_is_strict_and_needs_nobody_else(wechat: LocalWeChat) -> None:
    for path in ("/", "/sandbox"):
        page = raw(wechat, "GET", path)
        assert page.status == 200
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "本地微信" in page.body.decode()  # type: ignore[attr-defined]
    for name in re.findall(r'"/static/([\w.]+)"', (STATIC / "index.html").read_text()):
        assert raw(wechat, "GET", f"/static/{name}").status == 200
    assert raw(wechat, "GET", "/static/../server.py").status in (400, 404)


def test_the_page_names_no_foreign_host_and_builds_no_html() -> None:
    for path in STATIC.iterdir():
        text = path.read_text()
        hosts = set(re.findall(r"https?://([\w.-]+)", text))
        assert hosts <= {"www.w3.org", "example.com"}, path
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="):
            assert word not in text, (path, word)


def test_other_sites_cannot_drive_it(wechat: LocalWeChat) -> None:
    host = wechat.url.removeprefix("http://")
    assert raw(wechat, "GET", "/_sim/people", Host="evil.example").status == 403
    kind = {"Content-Type": "application/json"}
    assert raw(wechat, "POST", "/_sim/reset", b"{}", Origin="http://evil.example", **kind).status == 403
    assert raw(wechat, "POST", "/_sim/reset", b"{}", **{"Content-Type": "text/plain"}).status == 415
    assert raw(wechat, "POST", "/_sim/reset", b"{}", Origin=f"http://{host}", **kind).status == 200
    assert raw(wechat, "POST", "/_sim/nothing", b"{}", **kind).status == 400
    assert raw(wechat, "POST", "/_sim/clock", b"[", **kind).status == 400


def test_a_slow_request_in_pieces_and_two_at_once(wechat: LocalWeChat) -> None:
    import socket

    one = b"POST /cgi-bin/stable_token HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
    with socket.create_connection(("127.0.0.1", int(wechat.url.rpartition(":")[2])), timeout=5) as client:
        for piece in (one[:10], one[10:60], one[60:] + one + b"GET /_sim/clock HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"):
            client.sendall(piece)
        heard = b""
        while b'"iso"' not in heard:
            heard += client.recv(65536)
    assert heard.count(b'"errcode":40002') == 2


def test_multipart_upload_over_http(wechat: LocalWeChat, api_call: Api) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="media"; filename="a.png"\r\nContent-Type: image/png\r\n\r\nPNG\r\n--x--\r\n'
    path = f"/cgi-bin/media/upload?type=image&access_token={token(api_call)}"
    answer = json.loads(raw(wechat, "POST", path, body, **{"Content-Type": "multipart/form-data; boundary=x"}).body)  # type: ignore[attr-defined]
    back = raw(wechat, "GET", f"/cgi-bin/media/get?access_token={token(api_call)}&media_id={answer['media_id']}")
    assert back.body == b"PNG"  # type: ignore[attr-defined]


def test_state_survives_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    with running(state=state) as first:
        first.settings(callback_url="http://127.0.0.1:9/")
        first.phone("李娜").unfollows()
        first.phone("张伟").says("记得我吗")
    state.write_text(state.read_text() + '{"line": ["torn')
    with running(state=state) as second:
        assert second.phone("张伟").chat()[0]["text"] == "记得我吗"
        following = {one["nickname"]: one["subscribed"] for one in second.people()}
        assert not following["李娜"]
        assert following["张伟"]


def test_many_followers_and_counts(wechat: LocalWeChat) -> None:
    assert wechat.add_followers(1000) == 1007
    assert wechat.add_followers(["oSomebody0000000000000000001"]) == 1008


def run(wechat: LocalWeChat, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["--url", wechat.url, *arguments])
    return result.exit_code, result.output.strip()


def test_the_command_line(wechat: LocalWeChat, zhang_wei: Phone, bot: EchoBot) -> None:
    assert run(wechat, "say", "张伟", "签到") == (0, "收到:签到")
    assert run(wechat, "say", zhang_wei.openid, "签到", "--retry", "3") == (0, "\n".join(["收到:签到"] * 3))
    assert run(wechat, "say", "张伟", "签到", "--retry", "3", "--count") == (0, "3 1")
    assert run(wechat, "say", "张伟", "签到", "--lose-reply", "1")[1].endswith("收到:签到")
    assert run(wechat, "click", "张伟", "HELP") == (0, "菜单:HELP")
    assert run(wechat, "scan", "张伟", "branch-7") == (0, "")
    assert run(wechat, "voice", "张伟", "--recognition", "咨询") == (0, "收到:voice")
    assert run(wechat, "location", "张伟", "30.45,114.87") == (0, "收到:location")
    assert run(wechat, "event", "张伟", "VIEW", "EventKey=https://example.com/") == (0, "")
    assert run(wechat, "popup", "张伟", "SIM-notice", "accept") == (0, "")
    assert run(wechat, "tap", "张伟", "满意", "--id", "5") == (0, "收到:满意")
    assert run(wechat, "verify", "--mode", "aes") == (0, "ok")
    assert run(wechat, "forge", "flip-signature")[1].startswith("403 ")
    assert "张伟" in run(wechat, "people")[1]
    assert "收到:签到" in run(wechat, "chat", "张伟")[1]
    assert run(wechat, "sent", "--count") == (0, "0 0 0")
    assert run(wechat, "clock", "set", "2026-11-13T08:30") == (0, "2026-11-13T08:30:00+08:00")
    assert run(wechat, "clock", "advance", "48h")[1].startswith("2026-11-15T08:30")
    assert run(wechat, "clock", "real")[0] == 0
    assert json.loads(run(wechat, "settings", "verified=false")[1])["verified"] is False
    assert json.loads(run(wechat, "inject", CUSTOM, "--code", "45015", "--times", "2")[1])["faults"]
    assert run(wechat, "inject", "--clear")[0] == 0
    assert json.loads(run(wechat, "say", "张伟", "好", "--json")[1])["outcome"] == "reply"
    assert run(wechat, "unfollow", "张伟") == (0, "")
    code, output = run(wechat, "say", "张伟", "在吗")
    assert (code, output) == (1, "Error: 此人已取消关注，要先重新关注")
    assert run(wechat, "follow", "张伟") == (0, "欢迎关注")
    assert run(wechat, "say", "nobody", "x")[0] == 1
    assert run(wechat, "dance")[0] == 2
    bot.answer = lambda _: (500, "text/plain", b"")
    assert run(wechat, "say", "张伟", "在吗")[0] == 1


def test_no_server_is_one_sentence() -> None:
    code, output = run(LocalWeChat("http://127.0.0.1:9"), "people")
    assert code == 1
    assert len(output.splitlines()) == 1
    with pytest.raises(Unreachable):
        LocalWeChat("http://127.0.0.1:9").people()


def test_every_command_has_help_in_both_languages() -> None:
    for name, command in main.commands.items():  # type: ignore[attr-defined]
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0
        assert re.search(r"[一-鿿].*/ ", command.help or ""), name
