"""Nothing of an uploaded file is kept but what can be seen in it (F138)."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from errors import Misunderstood, NotFound, RuleBroken
from models import PictureOf
from services.organisation import pictures
from tests.filling import AT
from tests.photographs import GPS, MAKER, bomb, photo

STATION = PictureOf.STATION


def test_the_place_the_phone_and_the_remark_are_gone_and_the_picture_is_not():
    raw = photo()
    with Image.open(BytesIO(raw)) as before:
        assert before.getexif().get_ifd(GPS), "the photograph of this test says where it was taken"
    image, width, height = pictures.drawn(raw)
    with Image.open(BytesIO(image)) as kept:
        assert (kept.format, kept.size, kept.mode) == ("JPEG", (width, height), "RGB")
        assert not kept.getexif()
        assert set(kept.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert kept.getpixel((10, 10))[0] > 200
    for secret in (MAKER.encode(), b"secret remark", b"Exif"):
        assert secret not in image


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_each_kind_is_told_by_its_bytes(kind):
    image, *size = pictures.drawn(photo(kind=kind))
    assert image.startswith(b"\xff\xd8\xff")
    assert size == [640, 480]


def test_what_hangs_behind_a_picture_goes():
    image, *_size = pictures.drawn(photo() + b"PK\x03\x04<script>alert(1)</script>")
    assert b"script" not in image
    assert b"PK\x03\x04" not in image


def test_a_photograph_taken_upright_stands_upright():
    image, width, height = pictures.drawn(photo(640, 480, orientation=6))
    assert (width, height) == (480, 640)
    with Image.open(BytesIO(image)) as kept:
        assert kept.getpixel((470, 320))[0] > 200, "red was above and is on the right"


def test_a_big_one_is_made_smaller():
    _image, width, height = pictures.drawn(photo(4000, 3000))
    assert (width, height) == (1600, 1200)


GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "请选一张图片"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "不是 JPG"),
        (b"%PDF-1.7", "不是 JPG"),
        (b"MZ" + b"\0" * 5000, "不是 JPG"),
        (GIF, "不是 JPG"),
        (photo()[:500], "不是 JPG"),
        (photo()[:3000] + b"\0" * 40, "不是 JPG"),
        (photo(kind="PNG")[:-60], "不是 JPG"),
        (bomb(), "图片太大"),
        (bomb(6400), "图片太大"),
        (photo(100, 100), "图片太小"),
        (b"\xff\xd8\xff" + b"\0" * pictures.MOST_BYTES, "图片太大"),
    ],
    ids=[
        "nothing",
        "svg",
        "pdf",
        "exe",
        "gif",
        "cut",
        "torn",
        "cut-png",
        "bomb",
        "many-pixels",
        "small",
        "many-bytes",
    ],
)
def test_what_is_not_a_picture_is_refused_in_one_sentence(raw, says):
    with pytest.raises(Misunderstood, match=says):
        pictures.drawn(raw)


def test_an_owner_has_so_many_and_nobody_touches_anothers(database):
    with database.transaction() as session:
        rows = [pictures.add(session, STATION, 1, photo(), f"第 {n} 张", AT, by=None) for n in range(6)]
        with pytest.raises(RuleBroken, match="最多放 6 张"):
            pictures.add(session, STATION, 1, photo(), "再一张", AT, by=None)
        pictures.add(session, PictureOf.BRAND, 1, photo(), "品牌", AT, by=None)
        assert len({row.name for row in rows}) == 6
        with pytest.raises(NotFound):
            pictures.remove(session, STATION, 2, rows[0].id, AT, by=None)
        with pytest.raises(NotFound):
            pictures.get(session, PictureOf.BRAND, 1, rows[0].id)
        pictures.remove(session, STATION, 1, rows[0].id, AT, by=None)
        assert len(pictures.of(session, STATION, 1)) == 5


def test_another_picture_has_another_name_and_other_words_do_not(database):
    with database.transaction() as session:
        row = pictures.add(session, STATION, 1, photo(), "大门", AT, by=None)
        name, seen = row.name, row.image
        pictures.replace(session, STATION, 1, row.id, b"", "大门䶮𬀩", AT, by=None)
        assert (row.name, row.image, row.alt) == (name, seen, "大门䶮𬀩")
        pictures.replace(session, STATION, 1, row.id, photo(500, 500), "大门", AT, by=None)
        assert row.name != name
        assert row.width == 500


@pytest.mark.parametrize("said", ["", "  ", "\u200b\u200e", "字" * 61])
def test_without_words_or_with_too_many_it_is_not_taken(said):
    with pytest.raises(Misunderstood):
        pictures.read_alt(said)
