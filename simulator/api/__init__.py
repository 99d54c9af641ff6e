"""What WeChat offers, as a table of contents, and the steps every call goes through."""

from typing import Any

from simulator.account import may
from simulator.api import credentials, customer, mass, media, menu, templates, users, web
from simulator.api.call import Call, Json, Raw, Route
from simulator.errors import WeChatError
from simulator.world import World

ROUTES: dict[str, Route] = {
    route.path: route
    for room in (credentials, menu, users, media, customer, templates, mass, web)
    for route in room.ROUTES
}
credentials.LIMITS.update({one.path: (one.daily, one.per_minute) for one in ROUTES.values() if one.needs})
# Calls that only read answer without errcode, except these.
SAYING_OK = ("/wxaapi/", "/cgi-bin/ticket/")


def answer(call: Call, forced: int | None = None) -> Json | Raw:
    """Do a call and say what WeChat would say; ``forced`` is an errcode put in force for a drill."""
    route = ROUTES.get(call.path)
    try:
        if route is None:
            raise WeChatError(40066)
        if forced is not None:
            raise WeChatError(forced)
        _admit(call, route)
        result = route.handler(call)
    except WeChatError as error:
        return _refuse(call, route, error)
    except (AttributeError, KeyError, TypeError, ValueError):
        # A value of the wrong kind somewhere inside the body.
        return _refuse(call, route, WeChatError(40035))
    if route.records:
        openids = mass.openids_of(call.body) if call.openids is None else call.openids
        if openids:
            call.world.sent(call.path, openids, call.raw, code=0, msgid=call.msgid, status=call.status)
    if isinstance(result, Raw) or "access_token" in result:
        return result
    says_ok = call.method == "POST" or not result or call.path.startswith(SAYING_OK)
    return {"errcode": 0, "errmsg": "ok", **result} if says_ok else result


def _admit(call: Call, route: Route) -> None:
    """Method, token, capability, quota: in this order."""
    if call.method != route.method:
        raise WeChatError(43001 if route.method == "GET" else 43002)
    if not route.needs:
        return
    token = call.query.get("access_token")
    if not token:
        raise WeChatError(41001)
    world: World = call.world
    account = world.account(world.tokens.check(token))
    if account is None:
        raise WeChatError(40001)
    if not may(account, route.needs):
        raise WeChatError(48001)
    world.quotas.use(account.app_id, call.path, route.daily, route.per_minute)
    call.account = account


def _refuse(call: Call, route: Route | None, error: WeChatError) -> Json:
    rid = call.world.rid()
    refusal: dict[str, Any] = {"errcode": error.code, "errmsg": f"{error.text} rid: {rid}", **error.extra}
    shown = call.raw[:4096].decode("utf-8", "replace")
    if "secret" in shown:
        shown = ""
    asked = {"invoke_time": int(call.world.now()), "request_url": call.path, "request_body": shown}
    call.world.remember_rid(rid, asked | {"response_body": str(refusal)})
    if route is not None and route.records:
        call.world.sent(call.path, _meant_for(call), call.raw, code=error.code, msgid=0, status="")
    return refusal


def _meant_for(call: Call) -> tuple[str, ...]:
    try:
        return mass.openids_of(call.body)
    except WeChatError:
        return ()
