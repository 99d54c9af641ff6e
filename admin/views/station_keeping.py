"""服务站的登记、修改、关停、恢复 (F035)."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin.guard import section, visitor
from admin.navigation import STATIONS_CHANGE
from admin.views.context import Console
from errors import Misunderstood, RuleBroken
from models import Offer, Station
from services import figures
from services.fields import Fields
from services.organisation import branches, kept, station_keeping, station_lists

Answer = Response | str | tuple[str, int]


def register(pages: Blueprint, console: Console) -> None:
    _writing(pages, console)
    _shutting(pages, console)


def _writing(pages: Blueprint, console: Console) -> None:
    def save(station_id: int | None) -> Answer:
        me, chosen = visitor(), request.form.getlist("offer")
        try:
            with console.database.transaction() as session:
                row = _row(session, station_id)
                to, form = station_keeping.read(session, request.form, chosen, me.scope, row)
                if to is None:
                    return _form(session, row, form.wrong, request.form, chosen), 422
                station_keeping.save(session, row, to, console.now(), by=me.person_id)
        except Misunderstood as error:
            with console.database.reading() as session:
                return _form(session, _row(session, station_id), {"name": str(error)}, request.form, chosen), 422
        flash(f"已保存“{to.name}”，群众马上能查到。")
        if station_id is None:
            return redirect(url_for("console.stations", q=to.name))
        return redirect(url_for("console.station", station_id=station_id))

    @pages.get("/stations/new")
    @section(STATIONS_CHANGE)
    def new_station() -> str:
        with console.database.reading() as session:
            return _form(session, None, {}, {}, [])

    @pages.post("/stations/new", endpoint="new_station_send")
    @section(STATIONS_CHANGE)
    def add() -> Answer:
        return save(None)

    @pages.get("/stations/<int:station_id>/edit")
    @section(STATIONS_CHANGE)
    def edit_station(station_id: int) -> str:
        with console.database.reading() as session:
            row = kept.station(session, visitor().scope, station_id)
            branch = station_lists.branch_of(session, row)
            said = {
                "name": row.name, "county": str(row.county_id), "address": row.address, "phone": row.phone,
                "hours": row.hours, "latitude": str(row.latitude), "longitude": str(row.longitude),
                "branch": branch.name if branch else "",
            }  # fmt: skip
            return _form(session, row, {}, said, row.services.split())

    @pages.post("/stations/<int:station_id>/edit", endpoint="edit_station_send")
    @section(STATIONS_CHANGE)
    def change(station_id: int) -> Answer:
        return save(station_id)


def _row(session: Session, station_id: int | None) -> Station | None:
    """Raises NotFound for what is not the visitor's to change."""
    return None if station_id is None else kept.station(session, visitor().scope, station_id)


def _form(
    session: Session, row: Station | None, wrong: dict[str, str], said: Mapping[str, str], chosen: list[str]
) -> str:
    seen = visitor().scope
    return render_template(
        "console/station_form.html", row=row, wrong=wrong, said=said, chosen=chosen, offers=list(Offer),
        counties=figures.counties_to_keep(session, seen), like_this=station_keeping.LIKE_THIS,
        branches=branches.of_stations(session, seen),
    )  # fmt: skip


def _shutting(pages: Blueprint, console: Console) -> None:
    def sure(station_id: int, wrong: dict[str, str], said: Mapping[str, str]) -> str:
        with console.database.reading() as session:
            row = kept.station(session, visitor().scope, station_id)
            lawyers = station_lists.lawyers(session, row.id, visitor().scope.on)
            return render_template("console/station_shut.html", row=row, wrong=wrong, said=said, lawyers=len(lawyers))

    @pages.get("/stations/<int:station_id>/shut")
    @section(STATIONS_CHANGE)
    def shut_station(station_id: int) -> str:
        return sure(station_id, {}, {"since_on": visitor().scope.on.isoformat()})

    @pages.post("/stations/<int:station_id>/shut", endpoint="shut_station_send")
    @section(STATIONS_CHANGE)
    def shut(station_id: int) -> Answer:
        me, form = visitor(), Fields(request.form)
        since_on = form.coming_day("since_on", "关停日期")
        why = form.reason("reason", "关停的原因", "房屋修缮")
        if form.wrong:
            return sure(station_id, form.wrong, request.form), 422
        try:
            with console.database.transaction() as session:
                row = kept.station(session, me.scope, station_id)
                station_keeping.shut(session, row, since_on, why, console.now(), by=me.person_id)
        except (Misunderstood, RuleBroken) as error:
            return sure(station_id, {"since_on": str(error)}, request.form), 422
        flash(f"“{row.name}”从 {since_on} 起关停；可以恢复。")
        return redirect(url_for("console.station", station_id=station_id))

    @pages.post("/stations/<int:station_id>/reopen")
    @section(STATIONS_CHANGE)
    def reopen_station(station_id: int) -> Answer:
        me = visitor()
        with console.database.transaction() as session:
            row = kept.station(session, me.scope, station_id)
            station_keeping.reopen(session, row, console.now(), by=me.person_id)
        flash(f"“{row.name}”恢复开放。")
        return redirect(url_for("console.station", station_id=station_id))
