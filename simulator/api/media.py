"""QR codes, short keys and temporary media (§4.4, §4.10)."""

import io
import secrets
from typing import Any

import segno

from simulator.api.call import Call, Json, Raw, Route
from simulator.errors import WeChatError

TEMPORARY_SECONDS, USUAL_SECONDS = 2_592_000, 60
MEDIA_SECONDS = 3 * 86_400
MEGABYTE = 1024 * 1024
LARGEST = {"image": 10 * MEGABYTE, "voice": 2 * MEGABYTE, "video": 10 * MEGABYTE, "thumb": 64 * 1024}
ENDINGS = {
    "image": ("png", "jpg", "jpeg", "gif"),
    "voice": ("amr", "mp3"),
    "video": ("mp4",),
    "thumb": ("jpg", "jpeg"),
}


def _scene(action: str, scene: Json) -> str:
    if action in ("QR_STR_SCENE", "QR_LIMIT_STR_SCENE"):
        text = scene.get("scene_str")
        if not isinstance(text, str) or not 1 <= len(text) <= 64:
            raise WeChatError(40129)
        return text
    most = 100_000 if action == "QR_LIMIT_SCENE" else 2**32 - 1
    number = scene.get("scene_id")
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
        raise WeChatError(40129)
    return str(number)


def create_qr(call: Call) -> Json:
    """A QR code with a scene, for a while or for good."""
    action = call.text("action_name")
    if action not in ("QR_SCENE", "QR_STR_SCENE", "QR_LIMIT_SCENE", "QR_LIMIT_STR_SCENE"):
        raise WeChatError(40035, "action_name")
    scene = _scene(action, call.part("action_info", 40129).get("scene") or {})
    ticket = "gQ" + secrets.token_urlsafe(48)
    answer: Json = {"ticket": ticket}
    ends = None
    if "LIMIT" not in action:
        seconds = min(call.number("expire_seconds", USUAL_SECONDS), TEMPORARY_SECONDS)
        ends, answer["expire_seconds"] = call.world.now() + seconds, seconds
    answer["url"] = f"http://weixin.qq.com/q/{secrets.token_urlsafe(18)}"
    call.world.qr_codes[ticket] = {"scene": scene, "ends": ends, "url": answer["url"], "ticket": ticket}
    call.world.tell({"type": "qr"})
    return answer


def show_qr(call: Call) -> Raw:
    """The picture of a ticket."""
    code = call.world.qr_codes.get(call.query.get("ticket", ""))
    if code is None or (code["ends"] is not None and code["ends"] < call.world.now()):
        return Raw(status=404)
    picture = io.BytesIO()
    segno.make(code["url"], error="m").save(picture, kind="png", scale=8)
    return Raw("image/png", picture.getvalue())


def shorten(call: Call) -> Json:
    """A short key for up to 4 KB of text."""
    text = call.text("long_data")
    if not 1 <= len(text.encode()) <= 4096:
        raise WeChatError(40035, "long_data")
    seconds = call.number("expire_seconds", TEMPORARY_SECONDS)
    if not 1 <= seconds <= TEMPORARY_SECONDS:
        raise WeChatError(40035, "expire_seconds")
    key = secrets.token_hex(8)[:15]
    kept = {"long_data": text, "create_time": int(call.world.now()), "expire_seconds": seconds}
    call.world.short_keys[key] = kept
    return {"short_key": key}


def fetch(call: Call) -> Json:
    """What stands behind a short key."""
    kept = call.world.short_keys.get(call.text("short_key"))
    if kept is None or kept["create_time"] + kept["expire_seconds"] < call.world.now():
        raise WeChatError(40035, "short_key")
    return dict(kept)


def upload(call: Call) -> Json:
    """A temporary file: three days."""
    kind = call.query.get("type", "")
    if kind not in LARGEST:
        raise WeChatError(40004)
    if call.upload is None:
        raise WeChatError(41005)
    if not call.upload.data:
        raise WeChatError(44001)
    if len(call.upload.data) > LARGEST[kind]:
        raise WeChatError(40006 if kind != "image" else 45001)
    if call.upload.filename.rpartition(".")[2].lower() not in ENDINGS[kind]:
        raise WeChatError(40005)
    media_id = keep(call, call.upload.content_type, call.upload.data)
    key = "thumb_media_id" if kind == "thumb" else "media_id"
    return {"type": kind, key: media_id, "created_at": int(call.world.now())}


def keep(call: Call, content_type: str, data: bytes) -> str:
    """Store bytes under a new media_id."""
    media_id = secrets.token_urlsafe(48)
    call.world.media[media_id] = (content_type, data, call.world.now())
    return media_id


def known_media(call: Call, media_id: Any) -> None:
    """Refuse (40007) what was not uploaded, or over three days ago."""
    kept = call.world.media.get(media_id) if isinstance(media_id, str) else None
    if kept is None or kept[2] + MEDIA_SECONDS < call.world.now():
        raise WeChatError(40007)


def download(call: Call) -> Json | Raw:
    """A temporary file back; a video as an address."""
    media_id = call.query.get("media_id")
    if not media_id:
        raise WeChatError(41006)
    known_media(call, media_id)
    content_type, data, _ = call.world.media[media_id]
    if content_type.startswith("video/"):
        return {"video_url": f"http://127.0.0.1/_sim/media/{media_id}"}
    return Raw(content_type, data)


ROUTES = [
    Route("POST", "/cgi-bin/qrcode/create", create_qr, "qrcode", daily=100_000),
    Route("GET", "/cgi-bin/showqrcode", show_qr),
    Route("POST", "/cgi-bin/shorten/gen", shorten, "shorten", daily=10_000),
    Route("POST", "/cgi-bin/shorten/fetch", fetch, "shorten", daily=10_000),
    Route("POST", "/cgi-bin/media/upload", upload, "media", daily=5000),
    Route("GET", "/cgi-bin/media/get", download, "media", daily=10_000),
    Route("GET", "/cgi-bin/media/get/jssdk", download, "media", daily=10_000),
]
