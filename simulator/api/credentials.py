"""Tokens, and the helpers about network and quota (§4.1)."""

import re

from simulator.account import Account
from simulator.api.call import Call, Json, Route
from simulator.errors import WeChatError

# Path → its usual limits; filled from the table of contents.
LIMITS: dict[str, tuple[int | None, int | None]] = {}


def _who(call: Call, app_id: object, secret: object) -> Account:
    if not app_id:
        raise WeChatError(41002)
    if not secret:
        raise WeChatError(41004)
    account = call.world.account(app_id)
    if account is None:
        raise WeChatError(40013)
    if not isinstance(secret, str) or not re.fullmatch(r"[0-9a-f]{32}", secret):
        raise WeChatError(40125)
    if secret != account.app_secret:
        raise WeChatError(40001, "appsecret is wrong")
    return account


def classic(call: Call) -> Json:
    """A new token each time."""
    if call.query.get("grant_type") != "client_credential":
        raise WeChatError(40002)
    account = _who(call, call.query.get("appid"), call.query.get("secret"))
    call.world.quotas.use(account.app_id, call.path, 2000, None)
    token, seconds = call.world.tokens.classic(account.app_id)
    return {"access_token": token, "expires_in": seconds}


def stable(call: Call) -> Json:
    """The same token as long as it is good, unless forced."""
    if call.body.get("grant_type") != "client_credential":
        raise WeChatError(40002)
    account = _who(call, call.body.get("appid"), call.body.get("secret"))
    call.world.quotas.use(account.app_id, call.path, 500_000, 10_000)
    token, seconds = call.world.tokens.stable(account.app_id, force=call.body.get("force_refresh") is True)
    return {"access_token": token, "expires_in": seconds}


def callback_addresses(_: Call) -> Json:
    """Where pushes come from: this machine."""
    return {"ip_list": ["127.0.0.1", "127.0.0.0/8"]}


def api_addresses(_: Call) -> Json:
    """Where the API is: this machine."""
    return {"ip_list": ["127.0.0.1"]}


def check_callback(call: Call) -> Json:
    """The network check of the callback address."""
    if not call.account.callback_url:
        raise WeChatError(40201)
    action = call.text("action", 40202)
    if action not in ("dns", "ping", "all"):
        raise WeChatError(40202)
    if call.text("check_operator", 40203) not in ("CHINANET", "UNICOM", "CAP", "DEFAULT"):
        raise WeChatError(40203)
    dns = [{"ip": "127.0.0.1", "real_operator": "DEFAULT"}]
    ping = [{"ip": "127.0.0.1", "from_operator": "DEFAULT", "package_loss": "0%", "time": "0.1ms"}]
    return {key: rows for key, rows in {"dns": dns, "ping": ping}.items() if action in (key, "all")}


def _metered(path: str) -> tuple[int | None, int | None]:
    if not path.startswith("/") or path.startswith("/sns/"):
        raise WeChatError(76003)
    if path not in LIMITS:
        raise WeChatError(76021)
    return LIMITS[path]


def quota(call: Call) -> Json:
    """How much of a call's quota is used."""
    path = call.text("cgi_path", 76003)
    meter = call.world.quotas.usage(call.account.app_id, path, _metered(path))
    daily = meter.daily if meter.daily is not None else 500_000
    answer: Json = {"quota": {"daily_limit": daily, "used": meter.used, "remain": max(0, daily - meter.used)}}
    if meter.per_minute is not None:
        answer["rate_limit"] = {"call_count": meter.per_minute, "refresh_second": 60}
    return answer


def clear_quota(call: Call) -> Json:
    """All counters to nought; ten times a month together with version 2."""
    if call.body.get("appid") != call.account.app_id:
        raise WeChatError(40013)
    call.world.quotas.clear(call.account.app_id)
    return {}


def clear_quota_v2(call: Call) -> Json:
    """The same by secret instead of token; form or JSON or query."""
    given = call.body if call.raw else call.query
    call.world.quotas.clear(_who(call, given.get("appid"), given.get("appsecret")).app_id)
    return {}


def clear_one_quota(call: Call) -> Json:
    """One path's counter to nought; fifty times a month."""
    path = call.text("cgi_path", 76003)
    _metered(path)
    call.world.quotas.clear(call.account.app_id, path)
    return {}


def request_of(call: Call) -> Json:
    """What a failed call asked and was told, by its rid."""
    seen = call.world.rids.get(call.text("rid"))
    if seen is None:
        raise WeChatError(40097, "rid")
    return {"request": seen}


ROUTES = [
    Route("GET", "/cgi-bin/token", classic),
    Route("POST", "/cgi-bin/stable_token", stable),
    Route("GET", "/cgi-bin/getcallbackip", callback_addresses, "basic"),
    Route("GET", "/cgi-bin/get_api_domain_ip", api_addresses, "basic"),
    Route("POST", "/cgi-bin/callback/check", check_callback, "basic"),
    Route("POST", "/cgi-bin/openapi/quota/get", quota, "basic"),
    Route("POST", "/cgi-bin/clear_quota", clear_quota, "basic"),
    Route("POST", "/cgi-bin/clear_quota/v2", clear_quota_v2),
    Route("POST", "/cgi-bin/openapi/quota/clear", clear_one_quota, "basic"),
    Route("POST", "/cgi-bin/openapi/rid/get", request_of, "basic"),
]
