"""Pictures of a station: put up, changed, taken down, and shown to those who may see the station (F035, F138)."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
import sqlalchemy as sa
from PIL import Image

from models import AuditEntry, County, Picture, PictureOf, Station
from services.organisation import pictures
from tests.photographs import bomb, photo


@pytest.fixture
def station(office):
    with office.database.reading() as session:
        return session.scalar(
            sa.select(Station.id).join(County).where(County.name == "金水区").order_by(Station.id).limit(1)
        )


def page_of(station: int) -> str:
    return f"/console/stations/{station}/pictures"


def upload(visitor, station, raw, alt="服务站大门", path=None, name="photo.jpg"):
    page = visitor.open(page_of(station)).get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    fields = {"csrf_token": token, "alt": alt, **({"picture": (BytesIO(raw), name)} if raw is not None else {})}
    return visitor.client.post(path or page_of(station), data=fields, content_type="multipart/form-data")


def count(office):
    with office.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Picture))


def test_a_picture_is_put_up_and_served_as_what_it_is(office, station):
    visitor = office.visitor("office")
    assert upload(visitor, station, photo(), name="../../evil.php").status_code == 302
    page = visitor.open(f"/console/stations/{station}").get_data(as_text=True)
    [address] = re.findall(r'src="(/console/pictures/[0-9a-f]{32}\.jpg)" alt="服务站大门"', page)
    answer = visitor.open(address)
    assert (answer.status_code, answer.content_type) == (200, "image/jpeg")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    with Image.open(BytesIO(answer.data)) as seen:
        assert not seen.getexif()


@pytest.mark.parametrize(
    ("raw", "alt", "says"),
    [
        (b"<?php system($_GET[0]);", "门", "不是 JPG"),
        (bomb(), "门", "图片太大"),
        (b"", "门", "请选一张图片"),
        (None, "门", "请选一张图片"),
        (photo(), "", "请写明图片上是什么"),
        (photo(), "<script>alert(1)</script>" * 9, "说明太长"),
    ],
)
def test_what_is_wrong_is_said_at_the_field_and_what_was_typed_stays(office, station, raw, alt, says):
    answer = upload(office.visitor("office"), station, raw, alt)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert re.search(rf'role="alert">[^<]*{says}', page)
    assert "<script>alert" not in page
    assert alt[:1] in page
    assert count(office) == 0


def test_a_file_of_a_hundred_megabytes_is_not_read(office, station):
    answer = upload(office.visitor("office"), station, b"\xff\xd8\xff" + b"\0" * 30_000_000)
    assert answer.status_code == 413
    assert "文件太大" in answer.get_data(as_text=True)


def test_it_is_changed_and_taken_down_after_a_question(office, station):
    visitor = office.visitor("office")
    upload(visitor, station, photo())
    with office.database.reading() as session:
        [row] = pictures.of(session, PictureOf.STATION, station)
    one = f"{page_of(station)}/{row.id}"
    assert upload(visitor, station, None, "大门䶮", path=one).status_code == 302
    assert upload(visitor, station, b"nothing", "大门", path=one).status_code == 422
    assert "确定吗" in visitor.open(f"{one}/remove").get_data(as_text=True)
    assert count(office) == 1
    assert visitor.send(f"{one}/remove").status_code == 302
    assert count(office) == 0
    with office.database.reading() as session:
        said = session.execute(
            sa.select(AuditEntry.act, AuditEntry.details).where(AuditEntry.act.startswith("picture."))
        ).all()
    assert said == [
        ("picture.add", "服务站大门"),
        ("picture.change", "服务站大门 → 大门䶮"),
        ("picture.remove", "大门䶮"),
    ]


def test_another_countys_pictures_are_neither_changed_nor_seen(office, station):
    with office.database.transaction() as session:
        other = session.scalar(sa.select(Station.id).join(County).where(County.name == "登封市").limit(1))
        foreign = pictures.add(session, PictureOf.STATION, other, photo(), "门", office.clock.at, by=None)
        own = pictures.add(session, PictureOf.STATION, station, photo(), "门", office.clock.at, by=None)
    county = office.visitor("county")
    assert county.open(f"/console/pictures/{own.name}.jpg").status_code == 200
    for path in (page_of(other), f"/console/pictures/{foreign.name}.jpg", f"{page_of(other)}/{foreign.id}/remove"):
        assert county.open(path).status_code == 404, path
    # Nor by way of one's own station.
    assert county.open(f"{page_of(station)}/{foreign.id}/remove").status_code == 404
    assert county.send(f"{page_of(station)}/{foreign.id}/remove", on=page_of(station)).status_code == 404
    assert upload(county, station, None, "新的", path=f"{page_of(station)}/{foreign.id}").status_code == 404


def test_those_who_only_look_find_no_form(office, station):
    for name in ("secretary", "auditor"):
        visitor = office.visitor(name)
        assert visitor.open(page_of(station)).status_code == 404, name
    assert office.visitor().open("/console/pictures/x.jpg").status_code == 302
    assert office.visitor("auditor").open("/console/pictures/x.jpg").status_code == 404
