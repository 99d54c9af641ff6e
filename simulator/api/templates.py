"""Template messages and subscription notifications (§4.6–§4.8), and the templates themselves."""

import secrets
from dataclasses import replace
from typing import Any

from simulator import fields
from simulator.account import LIBRARY, Template
from simulator.api.call import Call, Json, Route
from simulator.errors import WeChatError

TEMPLATES_AT_ONCE = 25
NEWTMPL_AT_ONCE = 50
ONCE_SECONDS = 600  # how long a client_msg_id is remembered (§4.6)
CLIENT_MSG_ID_BYTES = 32
BLOCKED = "failed:user block"


def _template(call: Call) -> Template:
    template = call.world.templates.get(call.body.get("template_id", ""))
    if template is None:
        raise WeChatError(40037)
    return template


def _check_jump(call: Call) -> None:
    mini = call.body.get("miniprogram")
    if mini and (not isinstance(mini, dict) or mini.get("appid") != call.world.mini.app_id):
        raise WeChatError(40013, "miniprogram")


def send(call: Call) -> Json:
    """A template message; what became of it follows as TEMPLATESENDJOBFINISH."""
    follower = call.people.addressee(call.body.get("touser"))
    template = _template(call)
    fields.check(template, call.body.get("data"))
    if "miniprogram" in call.body:
        _check_jump(call)
    earlier = _earlier(call, follower.openid)
    if earlier:
        call.openids = ()
        return {"msgid": earlier}
    call.msgid = next(call.world.msgids)
    _remember(call, follower.openid)
    blocked = follower.blocks_templates or follower.refuses_messages
    call.status = BLOCKED if blocked else _fate(call, follower.openid)
    if call.world.delivery_events:
        finished = {"Event": "TEMPLATESENDJOBFINISH", "MsgID": call.msgid, "Status": call.status}
        call.world.post(call.account, finished, follower.openid)
    return {"msgid": call.msgid}


def _fate(call: Call, openid: str) -> str:
    delivery = call.world.delivery
    if openid in delivery.by_openid:
        return delivery.by_openid[openid]
    unlucky = delivery.percent and secrets.randbelow(10_000) < delivery.percent * 100
    return delivery.status if unlucky else "success"


def _earlier(call: Call, openid: str) -> int:
    given = call.body.get("client_msg_id")
    if not given:
        return 0
    if not isinstance(given, str) or len(given.encode()) > CLIENT_MSG_ID_BYTES:
        raise WeChatError(40035, "client_msg_id")
    msgid, at = call.world.client_msg_ids.get((openid, given), (0, 0.0))
    return msgid if call.world.now() - at < ONCE_SECONDS else 0


def _remember(call: Call, openid: str) -> None:
    given, ids = call.body.get("client_msg_id"), call.world.client_msg_ids
    if not given:
        return
    now = call.world.now()
    ids[openid, given] = (call.msgid, now)
    ids.move_to_end((openid, given))
    while now - next(iter(ids.values()))[1] >= ONCE_SECONDS:
        ids.popitem(last=False)


def notify(call: Call) -> Json:
    """A subscription notification: one accepted popup, one message. The person need not follow."""
    follower = call.people.get(call.body.get("touser"))
    if follower is None:
        raise WeChatError(40003)
    template = _template(call)
    fields.check(template, call.body.get("data"))
    page = call.body.get("page") or ""
    if not isinstance(page, str) or (call.account.is_mini and page.startswith(("/", "http"))):
        raise WeChatError(41030)
    if not call.account.is_mini:
        _check_jump(call)
    follower.spend_consent(template.id, long_term=template.type == 3)
    call.msgid = next(call.world.msgids)
    status = call.world.delivery.by_openid.get(follower.openid)
    if status and status != "success":  # only failures are reported later (§2.4)
        call.status = status
        row = {"TemplateId": template.id, "MsgID": call.msgid, "ErrorCode": 1, "ErrorStatus": status}
        fields_sent = {"Event": "subscribe_msg_sent_event", "SubscribeMsgSentEvent": {"List": [row]}}
        call.world.post(call.account, fields_sent, follower.openid)
    return {"msgid": call.msgid} if call.account.is_mini else {}


def send_once(call: Call) -> Json:
    """The one-time subscription message of §4.8."""
    follower = call.people.get(call.body.get("touser"))
    if follower is None:
        raise WeChatError(40003)
    template = _template(call)
    if not 1 <= len(call.text("title", 47003)) <= 15:
        raise WeChatError(47003, "title invalid")
    content: Any = call.part("data", 47003).get("content")
    if not isinstance(content, dict) or not 1 <= len(str(content.get("value", ""))) <= 200:
        raise WeChatError(47003, "data.content.value invalid")
    follower.spend_consent(template.id, long_term=False)
    return {}


def listed(call: Call) -> Json:
    """Every private template, with the key names in its content."""
    rows = [
        {
            "template_id": one.id,
            "title": one.title,
            "primary_industry": "",
            "deputy_industry": "",
            "content": one.content,
            "example": one.example,
        }
        for one in call.world.templates.values()
    ]
    return {"template_list": rows}


def _pick(template: Template, kept: list[str], template_id: str) -> Template:
    return replace(template, id=template_id, fields={key: template.fields[key] for key in kept})


def add(call: Call) -> Json:
    """A template from the library, with the keywords named."""
    template = LIBRARY.get(call.text("template_id_short", 40037))
    if template is None:
        raise WeChatError(40037)
    labels = call.body.get("keyword_name_list")
    kept = [key for key, label in template.fields.items() if isinstance(labels, list) and label in labels]
    if not isinstance(labels, list) or not labels or len(kept) != len(labels):
        raise WeChatError(40246)
    if len(call.world.templates) >= TEMPLATES_AT_ONCE:
        raise WeChatError(45026)
    return {"template_id": _adopt(call, _pick(template, kept, secrets.token_urlsafe(32)))}


def _adopt(call: Call, template: Template) -> str:
    call.world.templates[template.id] = template
    return template.id


def delete(call: Call) -> Json:
    """A private template goes."""
    if call.world.templates.pop(call.text("template_id", 40037), None) is None:
        raise WeChatError(40037)
    return {}


def newtmpl(call: Call) -> Json:
    """The same templates in the words of the newtmpl calls."""
    rows = [
        {
            "priTmplId": one.id,
            "title": one.title,
            "content": one.content,
            "example": one.example,
            "type": one.type,
            "keywordEnumValueList": [
                {"keywordCode": f"{key}.DATA", "enumValueList": list(values)} for key, values in one.values.items()
            ],
        }
        for one in call.world.templates.values()
    ]
    return {"data": rows}


def newtmpl_add(call: Call) -> Json:
    """A template from the library by tid, with two to five keywords by number."""
    template, kids = LIBRARY.get(str(call.body.get("tid"))), call.body.get("kidList")
    if template is None:
        raise WeChatError(200014)
    keys = list(template.fields)
    if not isinstance(kids, list) or not 2 <= len(kids) <= 5:
        raise WeChatError(200020)
    if not all(kid in range(1, len(keys) + 1) for kid in kids):
        raise WeChatError(200020)
    if not 1 <= len(call.text("sceneDesc", 200021, "")) <= 15:
        raise WeChatError(200021)
    if len(call.world.templates) >= NEWTMPL_AT_ONCE:
        raise WeChatError(200012)
    picked = _pick(template, [keys[kid - 1] for kid in kids], secrets.token_urlsafe(32))
    return {"priTmplId": _adopt(call, picked)}


def newtmpl_delete(call: Call) -> Json:
    """A template goes."""
    if call.world.templates.pop(call.text("priTmplId", 200014), None) is None:
        raise WeChatError(200014)
    return {}


def categories(_: Call) -> Json:
    """The service categories of the account."""
    return {"data": [{"id": 616, "name": "政务民生"}]}


def titles(call: Call) -> Json:
    """The library's titles."""
    rows = [{"tid": tid, "title": one.title, "type": one.type, "categoryId": "616"} for tid, one in LIBRARY.items()]
    start = int(call.query.get("start") or 0)
    return {"count": len(rows), "data": rows[start : start + int(call.query.get("limit") or 30)]}


def keywords(call: Call) -> Json:
    """The keywords of a library template with their rules."""
    template = LIBRARY.get(call.query.get("tid", ""))
    if template is None:
        raise WeChatError(200014)
    rows = [
        {"kid": number, "name": label, "rule": fields.prefix_of(key)}
        for number, (key, label) in enumerate(template.fields.items(), start=1)
    ]
    return {"count": len(rows), "data": rows}


ROUTES = [
    Route("POST", "/cgi-bin/message/template/send", send, "template", daily=100_000, records=True),
    Route("GET", "/cgi-bin/template/get_all_private_template", listed, "template"),
    Route("POST", "/cgi-bin/template/api_add_template", add, "template"),
    Route("POST", "/cgi-bin/template/del_private_template", delete, "template"),
    Route("POST", "/cgi-bin/message/subscribe/bizsend", notify, "subscribe", records=True),
    Route("POST", "/cgi-bin/message/subscribe/send", notify, "mini", daily=10_000_000, records=True),
    Route("POST", "/cgi-bin/message/template/subscribe", send_once, "one_time", daily=100_000, records=True),
    Route("GET", "/wxaapi/newtmpl/gettemplate", newtmpl, "newtmpl"),
    Route("POST", "/wxaapi/newtmpl/addtemplate", newtmpl_add, "newtmpl"),
    Route("POST", "/wxaapi/newtmpl/deltemplate", newtmpl_delete, "newtmpl"),
    Route("GET", "/wxaapi/newtmpl/getcategory", categories, "newtmpl"),
    Route("GET", "/wxaapi/newtmpl/getpubtemplatetitles", titles, "newtmpl"),
    Route("GET", "/wxaapi/newtmpl/getpubtemplatekeywords", keywords, "newtmpl"),
]
