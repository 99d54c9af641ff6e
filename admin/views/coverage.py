"""覆盖: counties, their townships, the villages of each, and where a liaison point is missing (F023, F134)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import COVERAGE, COVERAGE_CHANGE
from admin.views.context import Console
from errors import Misunderstood, RuleBroken
from models import LiaisonPoint, Township
from services import scope
from services.fields import Fields
from services.organisation import coverage, kept, liaison

Answer = Response | str | tuple[str, int]


def register(pages: Blueprint, console: Console) -> None:
    _looking(pages, console)
    _adding(pages, console)
    _removing(pages, console)
    _points(pages, console)
    _ending(pages, console)


def _may_change(county_id: int) -> bool:
    seen = visitor().scope
    return seen.keeps_county(county_id) and bool(seen.roles & COVERAGE_CHANGE.roles)


def _county_page(session: Session, county_id: int, says: str = "") -> str:
    seen = visitor().scope
    county = scope.county(session, seen, county_id)
    return render_template(
        "console/coverage_county.html", county=county, rows=coverage.by_township(session, county.id, seen.on),
        gaps=coverage.gaps(session, county.id, seen.on), says=says, said=request.form.get("names", ""),
        may_change=_may_change(county.id),
    )  # fmt: skip


def _township_page(session: Session, township: Township, says: str = "", shown: tuple[int, str] = (0, "")) -> str:
    return render_template(
        "console/coverage_township.html", township=township, says=says, said=request.form.get("names", ""),
        places=coverage.of_township(session, township.id, visitor().scope.on), shown=shown,
        may_change=_may_change(township.county_id),
    )  # fmt: skip


def _looking(pages: Blueprint, console: Console) -> None:
    @pages.get("/coverage", endpoint="coverage")
    @section(COVERAGE)
    def every() -> str:
        seen = visitor().scope
        on = paging.day("on", seen.on)
        with console.database.reading() as session:
            rows = coverage.by_county(session, seen, on)
        return render_template("console/coverage.html", rows=rows, on=on)

    @pages.get("/coverage/counties/<int:county_id>")
    @section(COVERAGE)
    def coverage_county(county_id: int) -> str:
        with console.database.reading() as session:
            return _county_page(session, county_id)

    @pages.get("/coverage/townships/<int:township_id>")
    @section(COVERAGE)
    def coverage_township(township_id: int) -> str:
        with console.database.reading() as session:
            return _township_page(session, scope.township(session, visitor().scope, township_id))


def _adding(pages: Blueprint, console: Console) -> None:
    @pages.post("/coverage/counties/<int:county_id>/townships")
    @section(COVERAGE_CHANGE)
    def add_townships(county_id: int) -> Answer:
        me = visitor()
        try:
            with console.database.transaction() as session:
                county = kept.county(session, me.scope, county_id)
                wanted = liaison.names(request.form.get("names", ""), "乡镇、街道名称")
                many = liaison.add_townships(session, county, wanted, console.now(), by=me.person_id)
        except Misunderstood as error:
            with console.database.reading() as session:
                return _county_page(session, county_id, str(error)), 422
        flash(_added(many, len(wanted), "乡镇（街道）"))
        return redirect(url_for("console.coverage_county", county_id=county_id))

    @pages.post("/coverage/townships/<int:township_id>/villages")
    @section(COVERAGE_CHANGE)
    def add_villages(township_id: int) -> Answer:
        me = visitor()
        try:
            with console.database.transaction() as session:
                township = kept.township(session, me.scope, township_id)
                wanted = liaison.names(request.form.get("names", ""), "村、社区名称")
                many = liaison.add_villages(session, township, wanted, console.now(), by=me.person_id)
        except Misunderstood as error:
            with console.database.reading() as session:
                return _township_page(session, scope.township(session, me.scope, township_id), str(error)), 422
        flash(_added(many, len(wanted), "村（社区）"))
        return redirect(url_for("console.coverage_township", township_id=township_id))


def _added(many: int, wanted: int, what: str) -> str:
    return f"新登记 {many} 个{what}" + (f"，{wanted - many} 个本来就有。" if many < wanted else "。")


def _removing(pages: Blueprint, console: Console) -> None:
    @pages.post("/coverage/townships/<int:township_id>/remove")
    @section(COVERAGE_CHANGE)
    def remove_township(township_id: int) -> Answer:
        me = visitor()
        with console.database.transaction() as session:
            township = kept.township(session, me.scope, township_id)
            liaison.remove_township(session, township, console.now(), by=me.person_id)
        flash(f"已删除“{township.name}”。")
        return redirect(url_for("console.coverage_county", county_id=township.county_id))

    @pages.post("/coverage/villages/<int:village_id>/remove")
    @section(COVERAGE_CHANGE)
    def remove_village(village_id: int) -> Answer:
        me = visitor()
        with console.database.transaction() as session:
            village = kept.village(session, me.scope, village_id)
            liaison.remove_village(session, village, console.now(), by=me.person_id)
        flash(f"已删除“{village.name}”。")
        return redirect(url_for("console.coverage_township", township_id=village.township_id))


def _points(pages: Blueprint, console: Console) -> None:
    def point_form(village_id: int, wrong: dict[str, str], said: Mapping[str, str]) -> str:
        with console.database.reading() as session:
            village = kept.village(session, visitor().scope, village_id)
            return render_template("console/point.html", village=village, wrong=wrong, said=said)

    @pages.get("/coverage/villages/<int:village_id>/point")
    @section(COVERAGE_CHANGE)
    def open_point(village_id: int) -> str:
        return point_form(village_id, {}, {"since_on": visitor().scope.on.isoformat()})

    @pages.post("/coverage/villages/<int:village_id>/point", endpoint="open_point_send")
    @section(COVERAGE_CHANGE)
    def opened(village_id: int) -> Answer:
        me = visitor()
        to, form = liaison.read(request.form, me.scope.on)
        if form.wrong:
            return point_form(village_id, form.wrong, request.form), 422
        try:
            with console.database.transaction() as session:
                village = kept.village(session, me.scope, village_id)
                liaison.open_point(session, village, to, console.now(), by=me.person_id)
        except RuleBroken as error:
            return point_form(village_id, {"since_on": str(error)}, request.form), 422
        flash(f"“{village.name}”设了联络点。")
        return redirect(url_for("console.coverage_township", township_id=village.township_id))


def _ending(pages: Blueprint, console: Console) -> None:
    @pages.route("/coverage/points/<int:point_id>/end", methods=["GET", "POST"])
    @section(COVERAGE_CHANGE)
    def end_point(point_id: int) -> Answer:
        form = Fields(request.form)

        def end(session: Session, point: LiaisonPoint) -> str:
            liaison.close_point(session, point, why, console.now(), by=visitor().person_id)
            return f"“{point.village.name}”的联络点已结束；可以恢复。"

        with console.database.reading() as session:
            point = kept.point(session, visitor().scope, point_id)
            why = form.reason("reason", "结束的原因", "联系人调离") if request.method == "POST" else ""
            if form.wrong or request.method == "GET":
                page = render_template("console/point_end.html", point=point, wrong=form.wrong, said=request.form)
                return (page, 422) if form.wrong else page
        return _attempt(console, point_id, end)

    @pages.post("/coverage/points/<int:point_id>/resume")
    @section(COVERAGE_CHANGE)
    def resume_point(point_id: int) -> Answer:
        def resume(session: Session, point: LiaisonPoint) -> str:
            liaison.resume_point(session, point, console.now(), by=visitor().person_id)
            return f"“{point.village.name}”的联络点已恢复。"

        return _attempt(console, point_id, resume)

    @pages.post("/coverage/points/<int:point_id>/phone")
    @section(COVERAGE_CHANGE)
    def show_point_phone(point_id: int) -> Answer:
        me, says, number = visitor(), "", ""
        with console.database.transaction() as session:
            point = kept.point(session, me.scope, point_id)
            try:
                said = request.form.get("reason", "")
                number = liaison.reveal_phone(session, point, said, console.now(), by=me.person_id)
            except Misunderstood as error:
                says = str(error)
            township = scope.township(session, me.scope, point.village.township_id)
            page = _township_page(session, township, says, (point.id, number))
        return (page, 422) if says else page


def _attempt(console: Console, point_id: int, act: Callable[[Session, LiaisonPoint], str]) -> Answer:
    """Do it in one transaction; what a rule forbids is said where one comes back to."""
    try:
        with console.database.transaction() as session:
            point = kept.point(session, visitor().scope, point_id)
            township_id = point.village.township_id
            flash(act(session, point))
    except RuleBroken as error:
        flash(str(error))
    return redirect(url_for("console.coverage_township", township_id=township_id))
