"""Web authorisation, JS-SDK ticket, and what belongs to mini programs (§4.11, §4.12, §4.14)."""

import base64
import hashlib
import hmac
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from simulator.account import Account, is_loopback
from simulator.api.call import Call, Json, Raw, Route
from simulator.cast import CAST
from simulator.errors import WeChatError
from simulator.world import Code

CODE_SECONDS = 300
REFRESH_SECONDS = 30 * 86_400
TOKEN_SECONDS = 7200
CHECK_CHARACTERS = 2500
ACTIVE_SECONDS = 2 * 3600
LABELS = {"赌博": 20006, "色情": 20002, "诈骗": 20008, "广告代发": 10001}


def issue(call: Call, openid: str, app_id: str, scope: str, seconds: float = CODE_SECONDS) -> str:
    """A code or token that stands for a person."""
    code = secrets.token_hex(16)
    call.world.codes[code] = Code(openid, app_id, scope, call.world.now() + seconds)
    return code


def authorize(call: Call) -> Raw:
    """The page a person is sent to; here the first of the cast, or ``openid``, agrees at once."""
    target = call.query.get("redirect_uri", "")
    account = call.world.official
    allowed = is_loopback(target) or call.world.allow_remote
    if call.query.get("appid") != account.app_id or not target or not allowed:
        return Raw("text/plain; charset=utf-8", "10003 redirect_uri 域名与后台配置不一致".encode(), 400)
    scope = call.query.get("scope", "snsapi_base")
    code = issue(call, call.query.get("openid") or CAST[0].openid, account.app_id, scope)
    scheme, host, path, query, _ = urlsplit(target)
    pairs = [*parse_qsl(query), ("code", code), ("state", call.query.get("state", ""))]
    return Raw(status=302, location=urlunsplit((scheme, host, path, urlencode(pairs), "")))


def _application(call: Call, account: Account) -> None:
    if not call.query.get("appid"):
        raise WeChatError(41002)
    if call.query["appid"] != account.app_id:
        raise WeChatError(40013)


def _redeem(call: Call, account: Account, name: str) -> Code:
    _application(call, account)
    if not call.query.get("secret"):
        raise WeChatError(41004)
    if call.query["secret"] != account.app_secret:
        raise WeChatError(40125)
    return _code(call, account, call.query.get(name), used=40163 if name == "code" else 40029)


def _code(call: Call, account: Account, given: str | None, *, used: int) -> Code:
    if not given:
        raise WeChatError(41008)
    code = call.world.codes.get(given)
    if code is None or code.app_id != account.app_id:
        raise WeChatError(40029)
    if code.used:
        raise WeChatError(used)
    if code.expires_at < call.world.now():
        raise WeChatError(42003 if used == 40163 else 40029)
    code.used = True
    return code


def _may_authorise(call: Call) -> None:
    if not (call.world.official.verified and call.world.official.account_type == "service"):
        raise WeChatError(48001)


def access_token(call: Call) -> Json:
    """A person's own token for a code that works once."""
    _may_authorise(call)
    code = _redeem(call, call.world.official, "code")
    return _pair(call, code) | {"openid": code.openid, "scope": code.scope}


def _pair(call: Call, code: Code) -> Json:
    token = issue(call, code.openid, code.app_id, f"token:{code.scope}", TOKEN_SECONDS)
    refresh = issue(call, code.openid, code.app_id, f"refresh:{code.scope}", REFRESH_SECONDS)
    return {"access_token": token, "expires_in": TOKEN_SECONDS, "refresh_token": refresh}


def refresh_token(call: Call) -> Json:
    """A fresh token for the same person."""
    _application(call, call.world.official)
    code = call.world.codes.get(call.query.get("refresh_token", ""))
    if code is None or not code.scope.startswith("refresh:"):
        raise WeChatError(40030)
    if code.expires_at < call.world.now():
        raise WeChatError(42002)
    scope = code.scope.removeprefix("refresh:")
    token = issue(call, code.openid, code.app_id, f"token:{scope}", TOKEN_SECONDS)
    answer = {"access_token": token, "expires_in": TOKEN_SECONDS, "openid": code.openid, "scope": scope}
    return answer | {"refresh_token": call.query["refresh_token"]}


def _person(call: Call) -> Code:
    code = call.world.codes.get(call.query.get("access_token", ""))
    if code is None or not code.scope.startswith("token:"):
        raise WeChatError(40001)
    if code.expires_at < call.world.now():
        raise WeChatError(42001)
    if call.query.get("openid") != code.openid:
        raise WeChatError(40003)
    return code


def userinfo(call: Call) -> Json:
    """What a person allowed us to see."""
    code = _person(call)
    if code.scope != "token:snsapi_userinfo":
        raise WeChatError(48001)
    return {"openid": code.openid, "nickname": "微信用户", "sex": 0, "headimgurl": "", "privilege": []}


def auth(call: Call) -> Json:
    """Whether a person's token is still good."""
    _person(call)
    return {}


def ticket(call: Call) -> Json:
    """The ticket that signs pages for the JS-SDK; the same one for two hours."""
    kind = call.query.get("type", "")
    if kind not in ("jsapi", "wx_card"):
        raise WeChatError(40097, "type")
    text, ends = call.world.tickets.get(kind, ("", 0.0))
    if ends <= call.world.now():
        text, ends = secrets.token_urlsafe(64), call.world.now() + TOKEN_SECONDS
        call.world.tickets[kind] = (text, ends)
    return {"ticket": text, "expires_in": int(ends - call.world.now())}


def session(call: Call) -> Json:
    """Mini program: a login code for the person and the session key."""
    code = _redeem(call, call.world.mini, "js_code")
    if code.scope != "login":
        raise WeChatError(40029)
    follower = call.world.mini_people.meet(code.openid)
    follower.active_at = call.world.now()
    return {"openid": code.openid, "session_key": session_key(code.openid)}


def session_key(openid: str) -> str:
    """The key of a person's session: Base64 of 16 bytes, the same for the same person."""
    return base64.b64encode(hashlib.sha256(openid.encode()).digest()[:16]).decode()


def check_session(call: Call) -> Json:
    """Whether a session key is still the right one."""
    openid = call.query.get("openid", "")
    right = hmac.new(session_key(openid).encode(), b"", hashlib.sha256).hexdigest()
    if call.query.get("sig_method") != "hmac_sha256" or call.query.get("signature") != right:
        raise WeChatError(87009)
    return {}


def phone_number(call: Call) -> Json:
    """Mini program: the number of a person who agreed; its code is not the login code."""
    code = _code(call, call.world.mini, call.body.get("code"), used=40029)
    if not code.scope.startswith("phone:"):
        raise WeChatError(40029)
    if call.body.get("openid", code.openid) != code.openid:
        raise WeChatError(40013)
    number = code.scope.removeprefix("phone:")
    mark = {"timestamp": int(call.world.now()), "appid": call.account.app_id}
    info = {"phoneNumber": number, "purePhoneNumber": number, "countryCode": "86", "watermark": mark}
    return {"phone_info": info}


def check_text(call: Call) -> Json:
    """Mini program: what people wrote; the errcode is 0 even for bad words."""
    content = call.text("content", 44004)
    if not content:
        raise WeChatError(44004)
    if len(content) > CHECK_CHARACTERS:
        raise WeChatError(45002)
    if call.body.get("version") != 2 or call.body.get("scene") not in (1, 2, 3, 4):
        raise WeChatError(40129)
    follower = call.world.mini_people.get(call.body.get("openid"))
    if follower is None:
        raise WeChatError(40003)
    if call.world.now() - follower.active_at > ACTIVE_SECONDS:
        raise WeChatError(61010)
    label = next((code for word, code in LABELS.items() if word in content), 100)
    suggest = "pass" if label == 100 else "risky"
    detail = {"strategy": "content_model", "errcode": 0, "suggest": suggest, "label": label, "prob": 90}
    result = {"suggest": suggest, "label": label}
    return {"result": result, "detail": [detail], "trace_id": secrets.token_hex(8)}


ROUTES = [
    Route("GET", "/connect/oauth2/authorize", authorize),
    Route("GET", "/sns/oauth2/access_token", access_token),
    Route("GET", "/sns/oauth2/refresh_token", refresh_token),
    Route("GET", "/sns/userinfo", userinfo),
    Route("GET", "/sns/auth", auth),
    Route("GET", "/cgi-bin/ticket/getticket", ticket, "ticket", daily=1_000_000),
    Route("GET", "/sns/jscode2session", session),
    Route("GET", "/wxa/checksession", check_session, "mini"),
    Route("POST", "/wxa/business/getuserphonenumber", phone_number, "mini"),
    Route("POST", "/wxa/msg_sec_check", check_text, "mini", 2_000_000, 4000),
]
