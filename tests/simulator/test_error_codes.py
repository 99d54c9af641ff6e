"""Every error code that the local WeChat's rooms can produce is provoked here, and has a text."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import simulator
from simulator.api import ROUTES
from simulator.api.call import Raw
from simulator.cast import CAST
from simulator.errors import TEXTS
from tests.simulator.conftest import Caller

ZHANG, SUN, LI = (person.openid for person in CAST[:3])
NOTICE = {
    "thing1": {"value": "会议"},
    "thing2": {"value": "周五开会"},
    "thing3": {"value": "市法学会"},
    "time4": {"value": "2026年11月13日 08:30"},
}
TEMPLATE = "/cgi-bin/message/template/send"
CUSTOM = "/cgi-bin/message/custom/send"
MASS = "/cgi-bin/message/mass/send"
SECRET = "0123456789abcdef0123456789abcdef"
APP, MINI = "wxf0a1b2c3d4e5f607", "wxa1b2c3d4e5f60718"
STRANGER = "oNobody000000000000000000000"


def template(c: Caller, **changes: Any) -> Any:
    return c.post(TEMPLATE, {"touser": ZHANG, "template_id": "SIM-notice", "data": NOTICE} | changes)


def custom(c: Caller, kind: str = "text", part: Any = None, openid: str = ZHANG, **more: Any) -> Any:
    c.world.people.meet(openid).open_window("message", (5, 60.0), c.world.now())
    body = {"touser": openid, "msgtype": kind, kind: {"content": "好"} if part is None else part}
    return c.post(CUSTOM, body, **more)


def switched(c: Caller, flag: str) -> Caller:
    setattr(c.world.people.meet(ZHANG), flag, True)
    return c


def unfollowed(c: Caller) -> Caller:
    c.world.unfollow(c.world.people.meet(ZHANG))
    return c


def later(c: Caller, seconds: float) -> Caller:
    c.world.clock.advance(seconds)
    return c


def menu(c: Caller, *buttons: Any) -> Any:
    return c.post("/cgi-bin/menu/create", {"button": list(buttons)})


def under(c: Caller, *buttons: Any) -> Any:
    return menu(c, {"name": "更多", "sub_button": list(buttons)})


def click(**changes: Any) -> dict[str, Any]:
    return {"type": "click", "name": "帮助", "key": "K"} | changes


def mass(c: Caller, touser: Any = (ZHANG, SUN), **more: Any) -> Any:
    touser = list(touser) if isinstance(touser, tuple) else touser
    return c.post(MASS, {"touser": touser, "msgtype": "text", "text": {"content": "好"}} | more)


def token(c: Caller, **query: str) -> Any:
    good = {"grant_type": "client_credential", "appid": APP, "secret": SECRET}
    return c.get("/cgi-bin/token", token="", **(good | query))


def tag(c: Caller, name: str = "党员") -> Any:
    return c.post("/cgi-bin/tags/create", {"tag": {"name": name}})


def tagging(c: Caller, openids: list[str], number: int = 100) -> Any:
    return c.post("/cgi-bin/tags/members/batchtagging", {"openid_list": openids, "tagid": number})


def many_tags(c: Caller, count: int) -> Caller:
    for number in range(count):
        tag(c, f"t{number}")
    return c


def full_of_tags(c: Caller) -> Caller:
    many_tags(c, 21)
    c.world.people.meet(ZHANG).tags.extend(range(100, 120))
    return c


def big_tag(c: Caller, monkeypatch: pytest.MonkeyPatch | None = None) -> Any:
    tag(c)
    for number in range(100_001):
        c.world.people.meet(f"oBulk{number:023d}").tags.append(100)
    return c.post("/cgi-bin/tags/delete", {"tag": {"id": 100}})


def limited(c: Caller, daily: int | None, per_minute: int | None) -> Any:
    c.world.quotas.limit("/cgi-bin/user/info", daily, per_minute)
    return [c.get("/cgi-bin/user/info", openid=ZHANG) for _ in range(2)][-1]


def cleared(c: Caller, path: str) -> Any:
    return [c.post(path, {"appid": APP}) for _ in range(11)][-1]


def oauth(c: Caller, code: str | None, **query: str) -> Any:
    given = {"appid": APP, "secret": SECRET, "grant_type": "authorization_code"} | query
    return c.get("/sns/oauth2/access_token", token="", **(given | ({"code": code} if code else {})))


def authorised(c: Caller) -> str:
    answer = c.get(
        "/connect/oauth2/authorize", token="", appid=APP, redirect_uri="http://127.0.0.1:8000/x", state="s"
    )
    return re.search(r"code=(\w+)", answer.location)[1]  # type: ignore[index]


def used_code(c: Caller) -> str:
    code = authorised(c)
    oauth(c, code)
    return code


def old_code(c: Caller) -> str:
    code = authorised(c)
    c.world.clock.advance(301)
    return code


def refreshed(c: Caller, old: bool) -> Any:
    refresh = oauth(c, authorised(c))["refresh_token"] if old else "none"
    c.world.clock.advance(31 * 86_400)
    return c.get("/sns/oauth2/refresh_token", token="", appid=APP, refresh_token=refresh)


def checked(c: Caller, **changes: Any) -> Any:
    c.world.mini_people.meet(ZHANG)
    body = {"openid": ZHANG, "scene": 1, "version": 2, "content": "好"} | changes
    return c.post("/wxa/msg_sec_check", body, token=c.mini_token)


def upload_and_forget(c: Caller) -> Any:
    media_id = c.upload("image", "a.png", b"x")["media_id"]
    c.world.clock.advance(3 * 86_400 + 1)
    c.token = c.world.tokens.stable(APP)[0]
    return c.get("/cgi-bin/media/get", media_id=media_id)


def newtmpl(c: Caller, **changes: Any) -> Any:
    body = {"tid": "401", "kidList": [1, 2], "sceneDesc": "通知"} | changes
    return c.post("/wxaapi/newtmpl/addtemplate", body)


def added(c: Caller, **changes: Any) -> Any:
    body = {"template_id_short": "TM00015", "keyword_name_list": ["订单号"]} | changes
    return c.post("/cgi-bin/template/api_add_template", body)


def unlinked(c: Caller) -> Any:
    return menu(c, {"type": "miniprogram", "name": "x", "url": "https://a.cn", "appid": "wx1", "pagepath": "p"})


def bizsend(c: Caller, token: str | None = None, path: str = "bizsend", **changes: Any) -> Any:
    body = {"touser": ZHANG, "template_id": "SIM-notice", "data": NOTICE} | changes
    c.world.mini_people.meet(ZHANG)
    return c.post(f"/cgi-bin/message/subscribe/{path}", body, token=token)


def typing(c: Caller, times: int = 1, command: str = "Typing") -> Any:
    custom(c)
    body = {"touser": ZHANG, "command": command}
    return [c.post("/cgi-bin/message/custom/typing", body) for _ in range(times)][-1]


def no_callback(c: Caller) -> Any:
    c.world.official = replace(c.world.official, callback_url="")
    return c.post("/cgi-bin/callback/check", {"action": "all", "check_operator": "DEFAULT"})


def twice_to_all(c: Caller) -> Any:
    body = {"filter": {"is_to_all": True}, "msgtype": "text", "text": {"content": "a"}}
    c.post("/cgi-bin/message/mass/sendall", body | {"clientmsgid": "1"})
    return c.post("/cgi-bin/message/mass/sendall", body | {"clientmsgid": "2"})


def killed(c: Caller, *, kill: bool) -> Any:
    c.world.tokens.expire(killed=kill)
    return c.get("/cgi-bin/tags/get")


def unverified(c: Caller) -> Any:
    c.world.official = replace(c.world.official, verified=False)
    return template(c)


def too_many_templates(c: Caller) -> Any:
    return [added(c) for _ in range(22)][-1]


def too_many_new(c: Caller) -> Any:
    return [newtmpl(c) for _ in range(47)][-1]


def article(n: int = 1, **changes: Any) -> dict[str, Any]:
    return {"articles": [{"title": "t", "url": "https://a.cn"} | changes] * n}


CASES: dict[int, Callable[[Caller], Any]] = {
    40001: lambda c: killed(c, kill=True),
    40002: lambda c: token(c, grant_type="x"),
    40003: lambda c: template(c, touser=STRANGER),
    40004: lambda c: c.upload("dance", "a.png", b"x"),
    40005: lambda c: c.upload("image", "a.exe", b"x"),
    40006: lambda c: c.upload("thumb", "a.jpg", b"x" * 65_537),
    40007: upload_and_forget,
    40008: lambda c: custom(c, "dance"),
    40013: lambda c: token(c, appid="wx0000000000000000"),
    40014: lambda c: c.get("/cgi-bin/tags/get", token="short!"),
    40016: lambda c: menu(c),
    40017: lambda c: menu(c, click(type="dance")),
    40018: lambda c: menu(c, click(name="六个字的名字")),
    40019: lambda c: menu(c, click(key="k" * 129)),
    40020: lambda c: menu(c, {"type": "view", "name": "x", "url": "https://a.cn/" + "x" * 1024}),
    40022: lambda c: under(c, {"name": "x", "sub_button": [click()]}),
    40023: lambda c: under(c, *[click()] * 6),
    40024: lambda c: under(c, click(type="dance")),
    40025: lambda c: under(c, click(name="名" * 21)),
    40026: lambda c: under(c, click(key="")),
    40027: lambda c: under(c, {"type": "view", "name": "x", "url": ""}),
    40029: lambda c: oauth(c, "nothing"),
    40030: lambda c: refreshed(c, old=False),
    40031: lambda c: tagging(c, [])["errcode"] == 40031 or mass(c, "all"),
    40032: lambda c: mass(c, tuple([ZHANG] * 10_001)),
    40033: lambda c: c.post("/cgi-bin/menu/create", b'{"button":[{"name":"\\u4f60"}]}'),
    40035: lambda c: custom(c, "wxcard", {}),
    40037: lambda c: template(c, template_id="nothing"),
    40055: lambda c: menu(c, {"type": "view", "name": "x", "url": "javascript:1"}),
    40059: lambda c: c.post("/cgi-bin/message/mass/get", {"msg_id": 7}),
    40066: lambda c: c.get("/cgi-bin/nothing"),
    40097: lambda c: c.post("/cgi-bin/openapi/rid/get", {"rid": "x"}),
    40125: lambda c: token(c, secret="x"),
    40129: lambda c: c.post("/cgi-bin/qrcode/create", {"action_name": "QR_SCENE", "action_info": {"scene": {}}}),
    40130: lambda c: mass(c, (ZHANG,)),
    40132: lambda c: c.post("/cgi-bin/message/mass/preview", {"towxname": "x"}),
    40163: lambda c: oauth(c, used_code(c)),
    40166: lambda c: menu(c, {"type": "miniprogram", "name": "x", "url": "https://a.cn", "pagepath": "p"}),
    40201: no_callback,
    40202: lambda c: c.post("/cgi-bin/callback/check", {"action": "x", "check_operator": "DEFAULT"}),
    40203: lambda c: c.post("/cgi-bin/callback/check", {"action": "all", "check_operator": "x"}),
    40246: lambda c: added(c, keyword_name_list=None),
    41001: lambda c: c.get("/cgi-bin/tags/get", token=""),
    41002: lambda c: token(c, appid=""),
    41004: lambda c: token(c, secret=""),
    41005: lambda c: c.post("/cgi-bin/media/upload", b"x", type="image"),
    41006: lambda c: c.get("/cgi-bin/media/get"),
    41008: lambda c: oauth(c, None),
    41009: lambda c: c.get("/cgi-bin/user/info"),
    41030: lambda c: bizsend(c, c.mini_token, "send", page="/index"),
    42001: lambda c: killed(c, kill=False),
    42002: lambda c: refreshed(c, old=True),
    42003: lambda c: oauth(c, old_code(c)),
    43001: lambda c: c.post("/cgi-bin/tags/get"),
    43002: lambda c: c.get(TEMPLATE),
    43004: lambda c: template(unfollowed(c)),
    43019: lambda c: template(switched(c, "blacklisted")),
    43101: bizsend,
    44001: lambda c: c.upload("image", "a.png", b""),
    44002: lambda c: c.post(TEMPLATE, b""),
    44003: lambda c: custom(c, "news", {"articles": []}),
    44004: lambda c: custom(c, "text", {"content": ""}),
    45001: lambda c: c.upload("image", "a.png", b"x" * (10 * 1024 * 1024 + 1)),
    45002: lambda c: custom(c, "text", {"content": "字" * 683}),
    45003: lambda c: custom(c, "news", article(title="")),
    45005: lambda c: custom(c, "news", article(url="https://a.cn/" + "x" * 1024)),
    45008: lambda c: custom(c, "news", article(2)),
    45009: lambda c: limited(c, 1, None),
    45011: lambda c: limited(c, None, 1),
    45015: lambda c: c.post(CUSTOM, {"touser": ZHANG, "msgtype": "text", "text": {"content": "x"}}),
    45026: too_many_templates,
    45028: twice_to_all,
    45047: lambda c: [custom(c)] + [c.post(CUSTOM, {"touser": ZHANG, "msgtype": "text", "text": {"content": "x"}}) for _ in range(5)],
    45056: lambda c: tag(many_tags(c, 100)),
    45057: big_tag,
    45058: lambda c: c.post("/cgi-bin/tags/delete", {"tag": {"id": 2}}),
    45059: lambda c: tagging(full_of_tags(c), [ZHANG], 120),
    45064: unlinked,
    45065: lambda c: [mass(c, clientmsgid="a"), mass(later(c, 61), clientmsgid="a")],
    45066: lambda c: [mass(c, clientmsgid="a"), mass(c, clientmsgid="a")],
    45067: lambda c: mass(c, clientmsgid="a" * 65),
    45072: lambda c: typing(c, command="x"),
    45080: lambda c: c.post("/cgi-bin/message/custom/typing", {"touser": ZHANG, "command": "Typing"}),
    45081: lambda c: typing(c, 2),
    45098: lambda c: custom(c, "msgmenu", {"list": []}),
    45099: lambda c: custom(c, "msgmenu", {"list": [{"id": "1", "content": "x" * 257}]}),
    45157: lambda c: [tag(c), tag(c)],
    45158: lambda c: tag(c, "十一个汉字的标签名称长"),
    45159: lambda c: tagging(c, [ZHANG], 999),
    46003: lambda c: c.get("/cgi-bin/menu/get"),
    47001: lambda c: c.post(TEMPLATE, b"{"),
    47002: lambda c: c.post(TEMPLATE, b'{"touser":"\\u4f60"}'),
    47003: lambda c: template(c, data=NOTICE | {"thing3": {"value": "二十一个字二十一个字二十一个字二十一个字多"}}),
    48001: unverified,
    48002: lambda c: custom(switched(c, "refuses_messages")),
    48006: lambda c: cleared(c, "/cgi-bin/clear_quota"),
    48008: lambda c: c.post(CUSTOM, {"touser": c.world.mini_people.meet(ZHANG).openid, "msgtype": "news"}, token=c.mini_token),
    49003: lambda c: [tag(c), tagging(c, [STRANGER])],
    61010: lambda c: checked(c),
    76003: lambda c: c.post("/cgi-bin/openapi/quota/get", {"cgi_path": "/sns/userinfo"}),
    76021: lambda c: c.post("/cgi-bin/openapi/quota/get", {"cgi_path": "/cgi-bin/nothing"}),
    87009: lambda c: c.get("/wxa/checksession", token=c.mini_token, openid=ZHANG, signature="x"),
    200012: too_many_new,
    200014: lambda c: newtmpl(c, tid="0"),
    200020: lambda c: newtmpl(c, kidList=[1]),
    200021: lambda c: newtmpl(c, sceneDesc="说" * 16),
}  # fmt: skip


@pytest.mark.parametrize("code", CASES)
def test_a_code_is_provoked(caller: Caller, code: int) -> None:
    answer = CASES[code](caller)
    if isinstance(answer, list):
        answer = answer[-1]
    if answer is True:
        return
    assert answer["errcode"] == code
    assert re.search(r" rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$", answer["errmsg"])
    assert TEXTS[code].split("\\")[0] in answer["errmsg"]


def test_no_code_is_left_out() -> None:
    root = Path(simulator.__file__).parent
    files = [*root.glob("api/*.py"), *(root / f"{name}.py" for name in ("people", "tokens", "quotas", "fields"))]
    found = set()
    for path in files:
        found |= set(map(int, re.findall(r"(?<![\d_])(?:[4-8]\d{4}|2000\d\d)(?![\d_])", path.read_text())))
    quota_limits_and_tag_size = {10_000}
    assert found - quota_limits_and_tag_size - {86_400} == set(CASES)


def test_every_refusal_can_be_looked_up(caller: Caller) -> None:
    refusal = template(caller, template_id="nothing")
    rid = refusal["errmsg"].rpartition("rid: ")[2]
    request = caller.post("/cgi-bin/openapi/rid/get", {"rid": rid})["request"]
    assert request["request_url"] == TEMPLATE
    assert caller.token not in str(request)


WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = [
    "touser",
    "template_id",
    "data",
    "msgtype",
    "text",
    "news",
    "filter",
    "button",
    "tag",
    "tagid",
    "openid_list",
]


@given(st.sampled_from(sorted(ROUTES)), st.dictionaries(st.sampled_from(NAMES), WRONG | st.just(ZHANG), max_size=6))
def test_no_body_breaks_a_call(path: str, body: dict[str, Any]) -> None:
    caller = Caller()
    method = caller.get if ROUTES[path].method == "GET" else caller.post
    answer = method(path) if ROUTES[path].method == "GET" else method(path, body)
    assert isinstance(answer, dict | Raw)
    if isinstance(answer, dict) and "errcode" in answer:
        assert answer["errcode"] in TEXTS
