"""图片: shown by their random names; put up, changed and taken down on the page of their station."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from admin.guard import section, uploads, visitor
from admin.navigation import PICTURES, STATIONS
from admin.views.context import Console
from errors import Misunderstood, RuleBroken
from models import PictureOf
from services import scope
from services.organisation import pictures

#: The form around a picture; what is bigger than a picture may be is told at its field.
MOST_BYTES = pictures.MOST_BYTES + 1024 * 1024


def register(pages: Blueprint, console: Console) -> None:
    of_station = "/stations/<int:station_id>/pictures"
    one = f"{of_station}/<int:picture_id>"
    for rule, endpoint, view, method, marked in (
        ("/pictures/<picture>.jpg", "picture", shown, "GET", section(STATIONS)),
        (of_station, "station_pictures", every, "GET", section(PICTURES)),
        (of_station, "add_picture", add, "POST", section(PICTURES)),
        (one, "change_picture", change, "POST", section(PICTURES)),
        (f"{one}/remove", "ask_remove_picture", ask_remove, "GET", section(PICTURES)),
        (f"{one}/remove", "remove_picture", remove, "POST", section(PICTURES)),
    ):
        guarded = marked(uploads(MOST_BYTES)(partial(view, console)))
        pages.add_url_rule(rule, endpoint, guarded, methods=[method])


def shown(console: Console, picture: str) -> Response:
    """Its bytes, which we drew ourselves, under the type that they have."""
    with console.database.reading() as session:
        found = pictures.by_name(session, picture)
        if found.owner_kind is PictureOf.STATION:
            scope.station(session, visitor().scope, found.owner_id)
        return Response(found.image, mimetype=pictures.CONTENT_TYPE)


def every(console: Console, station_id: int) -> str:
    return _page(console, station_id)


def _page(console: Console, station_id: int, wrong: int = 0, **says: str) -> str:
    """All of a station; `wrong` is the picture whose form is not right, nought for the new one."""
    with console.database.reading() as session:
        station = scope.station(session, visitor().scope, station_id)
        rows = pictures.of(session, PictureOf.STATION, station_id)
    return render_template(
        "console/pictures.html", station=station, rows=rows, wrong=wrong, says=says,
        alt=request.form.get("alt", "")[:200], most=pictures.MOST_OF_ONE,
    )  # fmt: skip


def add(console: Console, station_id: int) -> Answer | tuple[str, int]:
    raw, alt = _sent()
    try:
        with console.database.transaction() as session:
            scope.station(session, visitor().scope, station_id)
            who = visitor().person_id
            pictures.add(session, PictureOf.STATION, station_id, raw, alt, console.now(), by=who)
    except (Misunderstood, RuleBroken) as error:
        return _page(console, station_id, 0, says=str(error)), 422
    flash("图片放上去了；拍摄地点等信息已经去掉。")
    return redirect(url_for("console.station_pictures", station_id=station_id))


def change(console: Console, station_id: int, picture_id: int) -> Answer | tuple[str, int]:
    raw, alt = _sent()
    try:
        with console.database.transaction() as session:
            scope.station(session, visitor().scope, station_id)
            kind, who = PictureOf.STATION, visitor().person_id
            pictures.replace(session, kind, station_id, picture_id, raw, alt, console.now(), by=who)
    except (Misunderstood, RuleBroken) as error:
        return _page(console, station_id, picture_id, says=str(error)), 422
    flash("改好了。")
    return redirect(url_for("console.station_pictures", station_id=station_id))


def ask_remove(console: Console, station_id: int, picture_id: int) -> str:
    with console.database.reading() as session:
        station = scope.station(session, visitor().scope, station_id)
        row = pictures.get(session, PictureOf.STATION, station_id, picture_id)
    return render_template("console/picture_remove.html", station=station, row=row)


def remove(console: Console, station_id: int, picture_id: int) -> Answer:
    with console.database.transaction() as session:
        scope.station(session, visitor().scope, station_id)
        who = visitor().person_id
        pictures.remove(session, PictureOf.STATION, station_id, picture_id, console.now(), by=who)
    flash("图片删除了。")
    return redirect(url_for("console.station_pictures", station_id=station_id))


def _sent() -> tuple[bytes, str]:
    """The file of the form, one byte more than it may have at most, and what was said about it."""
    file = request.files.get("picture")
    return file.stream.read(pictures.MOST_BYTES + 1) if file else b"", request.form.get("alt", "")[:200]
