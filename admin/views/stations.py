"""服务站: hours, whether they are open today, who is on duty; coverage by county with the empty cells shown."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import PICTURES, STATIONS, STATIONS_CHANGE
from admin.views.context import Console
from clock import beijing_date
from models import PictureOf
from services import figures, scope
from services.meetings.rhythm import calendar
from services.organisation import pictures, station_keeping, station_lists, stations


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
                counties=figures.counties(session, seen),
                may_keep=bool(seen.roles & STATIONS_CHANGE.roles), coverage=station_lists.coverage(session, seen),
            )  # fmt: skip

    @pages.get("/stations/<int:station_id>")
    @section(STATIONS)
    def station(station_id: int) -> str:
        at = console.now()
        with console.database.reading() as session:
            found = scope.station(session, visitor().scope, station_id)
            holidays = calendar(session, console.settings.calendar).holidays
            on, seen = beijing_date(at), visitor().scope
            shut = stations.closure(session, found.id, on)
            today = "已关停" if shut else stations.say_today(stations.on(found.hours, on, holidays), at)
            return render_template(
                "console/station.html", station=found, today=today, week=stations.week(found.hours),
                lawyers=station_lists.lawyers(session, found.id, on),
                branch=station_lists.branch_of(session, found), offers=stations.offers(found),
                closures=station_keeping.closures(session, found.id),
                may_keep=seen.keeps_county(found.county_id) and bool(seen.roles & STATIONS_CHANGE.roles),
                pictures=pictures.of(session, PictureOf.STATION, found.id),
                may_picture=bool(seen.roles & PICTURES.roles),
            )  # fmt: skip
