"""Followers, remarks and tags (§4.3)."""

from typing import Any

from simulator.api.call import Call, Json, Route
from simulator.errors import WeChatError
from simulator.people import Follower

PAGE = 10_000
TAGS, TAGS_A_USER, TAG_BYTES, TAGGING = 100, 20, 30, 50
FIRST_TAG = 100
RESERVED = {0, 1, 2}
BIG_TAG = 100_000


def _info(follower: Follower) -> Json:
    if not follower.subscribed:
        return {"subscribe": 0, "openid": follower.openid, "tagid_list": []}
    return {
        "subscribe": 1,
        "openid": follower.openid,
        "nickname": "",
        "sex": 0,
        "language": "zh_CN",
        "city": "",
        "province": "",
        "country": "",
        "headimgurl": "",
        "subscribe_time": follower.since,
        "remark": follower.remark,
        "groupid": 0,
        "tagid_list": follower.tags,
        "subscribe_scene": "ADD_SCENE_QR_CODE" if follower.scene else "ADD_SCENE_SEARCH",
        "qr_scene": int(follower.scene) if follower.scene.isdigit() else 0,
        "qr_scene_str": "" if follower.scene.isdigit() else follower.scene,
    }


def _known(call: Call, openid: Any, code: int = 40003) -> Follower:
    follower = call.people.get(openid)
    if follower is None:
        raise WeChatError(code)
    return follower


def info(call: Call) -> Json:
    """One person; since 2021 without name and picture."""
    if not call.query.get("openid"):
        raise WeChatError(41009)
    return _info(_known(call, call.query["openid"]))


def many(call: Call) -> Json:
    """Up to a hundred people."""
    wanted = call.body.get("user_list")
    if not isinstance(wanted, list) or not wanted:
        raise WeChatError(40031)
    if len(wanted) > 100:
        raise WeChatError(40032)
    people = [_known(call, one.get("openid") if isinstance(one, dict) else None) for one in wanted]
    return {"user_info_list": [_info(one) for one in people]}


def _page(openids: list[str], after: str) -> tuple[list[str], str]:
    start = 0
    if after:
        if after not in openids:
            raise WeChatError(40003)
        start = openids.index(after) + 1
    page = openids[start : start + PAGE]
    return page, page[-1] if page else ""


def followers(call: Call) -> Json:
    """All openids, ten thousand at a time."""
    everyone = call.people.following()
    page, following = _page(everyone, call.query.get("next_openid", ""))
    answer: Json = {"total": len(everyone), "count": len(page), "next_openid": following}
    return answer | ({"data": {"openid": page}} if page else {})


def remark(call: Call) -> Json:
    """The account's own note on a person, shown to nobody else."""
    follower, text = _known(call, call.body.get("openid")), call.text("remark")
    if len(text) >= 30:
        raise WeChatError(40035, "remark too long")
    follower.remark = text
    return {}


def _tag_name(call: Call) -> str:
    name = call.part("tag").get("name")
    if not isinstance(name, str) or not name.strip():
        raise WeChatError(45157)
    if len(name.encode()) > TAG_BYTES:
        raise WeChatError(45158)
    return name


def _tag_id(call: Call, given: Any) -> int:
    number = int(given) if isinstance(given, int | str) and str(given).isdigit() else -1
    if number not in call.world.tags:
        raise WeChatError(45159)
    return number


def create_tag(call: Call) -> Json:
    """A new tag."""
    name = _tag_name(call)
    if name in call.world.tags.values():
        raise WeChatError(45157)
    if len(call.world.tags) >= TAGS:
        raise WeChatError(45056)
    number = max(call.world.tags, default=FIRST_TAG - 1) + 1
    call.world.tags[number] = name
    return {"tag": {"id": number, "name": name}}


def _tagged(call: Call, number: int) -> list[str]:
    return [one.openid for one in call.people if number in one.tags]


def tags(call: Call) -> Json:
    """Every tag with its head count."""
    counts = [(number, name, len(_tagged(call, number))) for number, name in call.world.tags.items()]
    return {"tags": [{"id": number, "name": name, "count": count} for number, name, count in counts]}


def update_tag(call: Call) -> Json:
    """Another name for a tag."""
    number, name = call.part("tag").get("id"), _tag_name(call)
    if number in RESERVED:
        raise WeChatError(45058)
    number = _tag_id(call, number)
    if any(name == other and number != at for at, other in call.world.tags.items()):
        raise WeChatError(45157)
    call.world.tags[number] = name
    return {}


def delete_tag(call: Call) -> Json:
    """Delete a tag and take it off everybody."""
    given = call.part("tag").get("id")
    if given in RESERVED:
        raise WeChatError(45058)
    number = _tag_id(call, given)
    if len(_tagged(call, number)) > BIG_TAG:
        raise WeChatError(45057)
    del call.world.tags[number]
    for follower in call.people:
        if number in follower.tags:
            follower.tags.remove(number)
    return {}


def tag_members(call: Call) -> Json:
    """Who carries a tag."""
    number = _tag_id(call, call.body.get("tagid"))
    page, following = _page(_tagged(call, number), call.body.get("next_openid") or "")
    return {"count": len(page), "next_openid": following} | ({"data": {"openid": page}} if page else {})


def _listed(call: Call, most: int) -> list[Follower]:
    openids = call.body.get("openid_list")
    if not isinstance(openids, list) or not openids:
        raise WeChatError(40031)
    if len(openids) > most:
        raise WeChatError(40032)
    people = [_known(call, openid, 49003) for openid in openids]
    if not all(one.subscribed for one in people):
        raise WeChatError(49003)
    return people


def put_tag(call: Call) -> Json:
    """Tag up to fifty people, or none of them."""
    number, people = _tag_id(call, call.body.get("tagid")), _listed(call, TAGGING)
    if any(number not in one.tags and len(one.tags) >= TAGS_A_USER for one in people):
        raise WeChatError(45059)
    for follower in people:
        if number not in follower.tags:
            follower.tags.append(number)
    return {}


def take_tag(call: Call) -> Json:
    """Take a tag off up to fifty people."""
    number = _tag_id(call, call.body.get("tagid"))
    for follower in _listed(call, TAGGING):
        if number in follower.tags:
            follower.tags.remove(number)
    return {}


def tags_of(call: Call) -> Json:
    """The tags of one person."""
    return {"tagid_list": _known(call, call.body.get("openid")).tags}


def blacklist(call: Call) -> Json:
    """Who is on the account's blacklist."""
    listed = [one.openid for one in call.people if one.blacklisted]
    page, following = _page(listed, call.text("begin_openid", default=""))
    return {"total": len(page), "count": len(page), "data": {"openid": page}, "next_openid": following}


def put_on_blacklist(call: Call) -> Json:
    """Hear no more from up to twenty people, and write to them no more."""
    for follower in _listed(call, 20):
        follower.blacklisted = True
    return {}


def take_off_blacklist(call: Call) -> Json:
    """The opposite."""
    for follower in _listed(call, 20):
        follower.blacklisted = False
    return {}


ROUTES = [
    Route("GET", "/cgi-bin/user/info", info, "users", daily=500_000),
    Route("POST", "/cgi-bin/user/info/batchget", many, "users", daily=500_000),
    Route("GET", "/cgi-bin/user/get", followers, "users", daily=500),
    Route("POST", "/cgi-bin/user/info/updateremark", remark, "users", daily=10_000),
    Route("POST", "/cgi-bin/tags/create", create_tag, "users"),
    Route("GET", "/cgi-bin/tags/get", tags, "users"),
    Route("POST", "/cgi-bin/tags/update", update_tag, "users"),
    Route("POST", "/cgi-bin/tags/delete", delete_tag, "users"),
    Route("POST", "/cgi-bin/user/tag/get", tag_members, "users"),
    Route("POST", "/cgi-bin/tags/members/batchtagging", put_tag, "users"),
    Route("POST", "/cgi-bin/tags/members/batchuntagging", take_tag, "users"),
    Route("POST", "/cgi-bin/tags/getidlist", tags_of, "users"),
    Route("POST", "/cgi-bin/tags/members/getblacklist", blacklist, "users"),
    Route("POST", "/cgi-bin/tags/members/batchblacklist", put_on_blacklist, "users"),
    Route("POST", "/cgi-bin/tags/members/batchunblacklist", take_off_blacklist, "users"),
]
