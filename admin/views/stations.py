"""服务站: hours, whether they are open today, who is on duty; coverage by county with the empty cells shown."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import PICTURES, STATIONS
from admin.views.context import Console
from clock import beijing_date
from models import PictureOf
from services import figures, pictures, scope, station_lists, stations
from services.rhythm import calendar


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/stations", endpoint="stations")
    @section(STATIONS)
    def every() -> str:
        seen, at = visitor().scope, console.now()
        words, county = request.args.get("q", "").strip()[:64], paging.number_of("county")
        with console.database.reading() as session:
            question = station_lists.matching(seen, county, words)
            page = paging.page(session, question, "个服务站")
            rows = session.scalars(question.offset(page.start).limit(paging.SIZE)).all()
            holidays = calendar(session, console.settings.calendar).holidays
            return render_template(
                "console/stations.html", page=page, words=words, county=county,
                lines=station_lists.lines(session, rows, holidays, at),
                counties=figures.counties(session, seen), coverage=station_lists.coverage(session, seen),
            )  # fmt: skip

    @pages.get("/stations/<int:station_id>")
    @section(STATIONS)
    def station(station_id: int) -> str:
        at = console.now()
        with console.database.reading() as session:
            found = scope.station(session, visitor().scope, station_id)
            holidays = calendar(session, console.settings.calendar).holidays
            today = stations.say_today(stations.on(found.hours, beijing_date(at), holidays), at)
            return render_template(
                "console/station.html", station=found, today=today, week=stations.week(found.hours),
                lawyers=station_lists.lawyers(session, found.id, beijing_date(at)),
                branch=station_lists.branch_of(session, found),
                pictures=pictures.of(session, PictureOf.STATION, found.id),
                may_picture=bool(visitor().scope.roles & PICTURES.roles),
            )  # fmt: skip
