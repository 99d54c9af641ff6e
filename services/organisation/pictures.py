"""Pictures that the society shows, drawn anew when they come in: nothing of the file is kept but what can be seen.

Where a photograph was taken, by which phone, what somebody hung behind it: none of that passes (F138). Kind and size are
told from the bytes, never from a name; they are looked at before a single pixel is unpacked.
"""

from __future__ import annotations

import secrets
import struct
import unicodedata
import warnings
from datetime import datetime
from io import BytesIO

import sqlalchemy as sa
from PIL import Image
from PIL.Image import DecompressionBombError, DecompressionBombWarning
from sqlalchemy.orm import Session, undefer

from errors import Misunderstood, NotFound, RuleBroken
from models import Picture, PictureOf
from services import audit

MOST_BYTES = 8 * 1024 * 1024
MOST_PIXELS = 40_000_000
FEWEST_SIDE = 200
#: The longer side, as it is kept: enough for a page, small enough for a phone.
LONGEST_SIDE = 1600
QUALITY = 82
FORMATS = ("JPEG", "PNG", "WEBP")
CONTENT_TYPE = "image/jpeg"
MOST_OF_ONE = 6
LONGEST_ALT = 60

NOT_A_PICTURE = "这个文件不是 JPG、PNG 或 WebP 图片。请换一张照片；截图也可以。"
TOO_BIG = (
    f"图片太大：最多 {MOST_BYTES // 1024 // 1024} MB、{MOST_PIXELS // 10_000} 万像素。请用手机“编辑”缩小后再传。"
)
TOO_SMALL = f"图片太小：宽和高都要在 {FEWEST_SIDE} 像素以上。"


def drawn(raw: bytes) -> tuple[bytes, int, int]:
    """A picture drawn anew as JPEG, its width and height. Raises Misunderstood with one sentence."""
    if not raw:
        raise Misunderstood("请选一张图片。")
    if len(raw) > MOST_BYTES:
        raise Misunderstood(TOO_BIG)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DecompressionBombWarning)
            return _drawn(raw)
    except (DecompressionBombError, DecompressionBombWarning):
        raise Misunderstood(TOO_BIG) from None
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, struct.error):
        raise Misunderstood(NOT_A_PICTURE) from None


def _drawn(raw: bytes) -> tuple[bytes, int, int]:
    with Image.open(BytesIO(raw), formats=FORMATS) as opened:
        width, height = opened.size
        if width * height > MOST_PIXELS:
            raise Misunderstood(TOO_BIG)
        if min(width, height) < FEWEST_SIDE:
            raise Misunderstood(TOO_SMALL)
        upright = _upright(opened)
        upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        plain = Image.new("RGB", upright.size, "white")
        seen = upright.convert("RGBA")
        plain.paste(seen, mask=seen.getchannel("A"))
    out = BytesIO()
    plain.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue(), *plain.size


#: How a picture was held, by its tag, and what sets it upright.
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def _upright(opened: Image.Image) -> Image.Image:
    """As it was held: afterwards nothing tells which way is up. Tags that cannot be read are those of no camera."""
    try:
        turn = _TURNS.get(opened.getexif().get(_ORIENTATION, 1))
    except Exception:
        turn = None
    return opened.transpose(turn) if turn is not None else opened.copy()


def read_alt(said: str) -> str:
    """What a picture shows, in words. Raises Misunderstood without any."""
    words = " ".join("".join(c for c in said if unicodedata.category(c) not in {"Cc", "Cf"}).split())
    if not words:
        raise Misunderstood("请写明图片上是什么，例如“服务站大门”；看不见图片的人靠它。")
    if len(words) > LONGEST_ALT:
        raise Misunderstood(f"说明太长：最多 {LONGEST_ALT} 个字。")
    return words


# --- of an owner ---------------------------------------------------------------------------------------------


def of(session: Session, kind: PictureOf, owner_id: int) -> list[Picture]:
    """An owner's pictures, without their bytes, in the order in which they came."""
    return list(
        session.scalars(
            sa.select(Picture).where(Picture.owner_kind == kind, Picture.owner_id == owner_id).order_by(Picture.id)
        )
    )


def add(
    session: Session, kind: PictureOf, owner_id: int, raw: bytes, alt: str, at: datetime, *, by: int | None
) -> Picture:
    """One more. Whether `by` may change the owner is asked by the caller. Raises Misunderstood, RuleBroken."""
    if len(of(session, kind, owner_id)) >= MOST_OF_ONE:
        raise RuleBroken(f"最多放 {MOST_OF_ONE} 张图片；请先换掉或删除一张。")
    words, (image, width, height) = read_alt(alt), drawn(raw)
    picture = Picture(
        name=secrets.token_hex(16), owner_kind=kind, owner_id=owner_id, alt=words, width=width, height=height,
        image=image, made_at=at, made_by=by,
    )  # fmt: skip
    session.add(picture)
    session.flush()
    audit.note(session, at, by, "picture.add", f"{kind}:{owner_id}", words)
    return picture


def replace(
    session: Session, kind: PictureOf, owner_id: int, picture_id: int, raw: bytes, alt: str, at: datetime,
    *, by: int | None,
) -> Picture:  # fmt: skip
    """Another picture in the place of one, or other words for the same. Raises NotFound, Misunderstood."""
    picture = get(session, kind, owner_id, picture_id)
    before, picture.alt = picture.alt, read_alt(alt)
    if raw:
        picture.image, picture.width, picture.height = drawn(raw)
        # Browsers keep a picture by its name.
        picture.name, picture.made_at, picture.made_by = secrets.token_hex(16), at, by
    what = f"{before} → {picture.alt}" if before != picture.alt else picture.alt
    audit.note(session, at, by, "picture.change", f"{kind}:{owner_id}", what)
    return picture


def remove(
    session: Session, kind: PictureOf, owner_id: int, picture_id: int, at: datetime, *, by: int | None
) -> None:
    """Raises NotFound."""
    picture = get(session, kind, owner_id, picture_id)
    session.delete(picture)
    audit.note(session, at, by, "picture.remove", f"{kind}:{owner_id}", picture.alt)


def get(session: Session, kind: PictureOf, owner_id: int, picture_id: int) -> Picture:
    """One of an owner's. Raises NotFound, for another's as for none."""
    picture = session.scalar(
        sa.select(Picture).where(Picture.id == picture_id, Picture.owner_kind == kind, Picture.owner_id == owner_id)
    )
    if picture is None:
        raise NotFound("没有这张图片。")
    return picture


def by_name(session: Session, name: str) -> Picture:
    """A picture with its bytes, to be shown. Raises NotFound."""
    picture = session.scalar(sa.select(Picture).options(undefer(Picture.image)).where(Picture.name == name))
    if picture is None:
        raise NotFound("没有这张图片。")
    return picture
