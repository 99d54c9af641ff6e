"""Mass messages (§4.9)."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from simulator.api.call import Call, Json, Route
from simulator.api.customer import check_message
from simulator.api.media import known_media
from simulator.clock import day_of
from simulator.errors import WeChatError
from simulator.people import Follower

FEWEST, MOST = 2, 10_000
CLIENT_MSG_ID_BYTES = 64
AGAIN_SECONDS = 60


def _text(_: Call, part: Json) -> None:
    if not isinstance(part.get("content"), str) or not part["content"]:
        raise WeChatError(44004)
    if len(part["content"].encode()) > 2048:
        raise WeChatError(45002)


def _media(call: Call, part: Json) -> None:
    known_media(call, part.get("media_id"))


def _images(call: Call, part: Json) -> None:
    ids = part.get("media_ids")
    if not isinstance(ids, list) or not ids:
        raise WeChatError(40007)
    for media_id in ids:
        known_media(call, media_id)


def _card(_: Call, part: Json) -> None:
    if not part.get("card_id"):
        raise WeChatError(40035, "card_id")


KINDS: dict[str, Callable[[Call, Json], None]] = {
    "text": _text,
    "mpnews": _media,
    "voice": _media,
    "image": _media,
    "images": _images,
    "mpvideo": _media,
    "wxcard": _card,
}


def to_list(call: Call) -> Json:
    """To 2–10 000 openids."""
    openids = call.body.get("touser")
    if not isinstance(openids, list) or not all(isinstance(one, str) for one in openids):
        raise WeChatError(40031)
    if len(openids) < FEWEST:
        raise WeChatError(40130)
    if len(openids) > MOST:
        raise WeChatError(40032)
    check_message(call, KINDS)
    known = [call.people.get(openid) for openid in dict.fromkeys(openids)]
    if not any(known):
        raise WeChatError(40003)
    return _submit(call, [one for one in known if one is not None], len(openids))


def to_all(call: Call) -> Json:
    """To everybody, or to a tag. To everybody only once a day."""
    wanted = call.part("filter")
    check_message(call, KINDS)
    everyone = wanted.get("is_to_all") is True
    if not everyone and int(wanted.get("tag_id", -1)) not in call.world.tags:
        raise WeChatError(45159)
    if everyone:
        _once_a_day(call)
    people = [one for one in call.people if one.subscribed]
    if not everyone:
        people = [one for one in people if int(wanted["tag_id"]) in one.tags]
    return _submit(call, people, len(people))


def _once_a_day(call: Call) -> None:
    today = f"{call.account.app_id}:{day_of(call.world.now())}"
    if call.world.mass_to_all.get(today):
        raise WeChatError(45028)
    call.world.mass_to_all[today] = 1


def _same_again(call: Call) -> str:
    """The call's own clientmsgid, or a digest of target and content; refused when it was used."""
    given = call.body.get("clientmsgid")
    if given is None:
        parts = {name: value for name, value in call.body.items() if name != "send_ignore_reprint"}
        given = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    if not isinstance(given, str) or len(given.encode()) > CLIENT_MSG_ID_BYTES:
        raise WeChatError(45067)
    msg_id, at = call.world.mass_seen.get(given, (0, 0.0))
    if msg_id:
        raise WeChatError(45065 if call.world.now() - at >= AGAIN_SECONDS else 45066, msg_id=msg_id)
    return given


def _reaches(follower: Follower) -> bool:
    return follower.subscribed and not follower.blacklisted and not follower.refuses_messages


def _submit(call: Call, people: list[Follower], total: int) -> Json:
    key, now = _same_again(call), call.world.now()
    msg_id = next(call.world.job_ids)
    call.world.mass_seen[key] = (msg_id, now)
    filtered = [one for one in people if _reaches(one) and one.take_mass(now)]
    failing = call.world.delivery.by_openid
    reached = tuple(one.openid for one in filtered if failing.get(one.openid, "success") == "success")
    call.msgid, call.openids = msg_id, reached
    call.world.mass_jobs[msg_id] = "SEND_SUCCESS"
    finished = {
        "Event": "MASSSENDJOBFINISH",
        "MsgID": msg_id,
        "Status": "send success",
        "TotalCount": total,
        "FilterCount": len(filtered),
        "SentCount": len(reached),
        "ErrorCount": len(filtered) - len(reached),
    }
    call.world.post(call.account, finished, people[0].openid if people else "")
    return {"errmsg": "send job submission success", "msg_id": msg_id, "msg_data_id": msg_id + 1}


def state(call: Call) -> Json:
    """How a job stands."""
    msg_id = call.number("msg_id", code=40059)
    if msg_id not in call.world.mass_jobs:
        raise WeChatError(40059)
    return {"msg_id": msg_id, "msg_status": call.world.mass_jobs[msg_id]}


def delete(call: Call) -> Json:
    """Take a job's articles back."""
    msg_id = call.number("msg_id", code=40059)
    if msg_id not in call.world.mass_jobs:
        raise WeChatError(40059)
    call.world.mass_jobs[msg_id] = "DELETE"
    return {}


def preview(call: Call) -> Json:
    """One person sees it first."""
    if call.body.get("towxname"):
        raise WeChatError(40132)
    follower = call.people.addressee(call.body.get("touser"))
    check_message(call, KINDS)
    call.openids, call.msgid = (follower.openid,), next(call.world.job_ids)
    return {"errmsg": "preview success", "msg_id": call.msgid}


def openids_of(body: Any) -> tuple[str, ...]:
    """Whom a send was meant for, for the journal."""
    touser = body.get("touser") if isinstance(body, dict) else None
    if isinstance(touser, str):
        return (touser,)
    return tuple(one for one in touser if isinstance(one, str)) if isinstance(touser, list) else ()


ROUTES = [
    Route("POST", "/cgi-bin/message/mass/send", to_list, "mass_openid", 100, 60, records=True),
    Route("POST", "/cgi-bin/message/mass/sendall", to_all, "mass", 100, 60, records=True),
    Route("POST", "/cgi-bin/message/mass/get", state, "mass"),
    Route("POST", "/cgi-bin/message/mass/delete", delete, "mass", 10),
    Route("POST", "/cgi-bin/message/mass/preview", preview, "mass", 100, records=True),
]
