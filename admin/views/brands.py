"""品牌: twelve counties, their themes, figures and stories (F036)."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin.guard import section, visitor
from admin.navigation import BRANDS, BRANDS_CHANGE
from admin.views.context import Console
from models import StoryKind
from services import scope
from services.organisation import brands, kept

Answer = Response | str | tuple[str, int]


def register(pages: Blueprint, console: Console) -> None:
    _looking(pages, console)
    _telling(pages, console)
    _withdrawing(pages, console)


def _looking(pages: Blueprint, console: Console) -> None:
    def shown(county_id: int, wrong: dict[str, str], said: Mapping[str, str]) -> str:
        seen = visitor().scope
        with console.database.reading() as session:
            county = scope.county(session, seen, county_id)
            lines = brands.lines(session, seen, console.now())
            return render_template(
                "console/brand.html", line=next(line for line in lines if line.county.id == county.id), wrong=wrong,
                said=said, stories=brands.stories(session, county.id),
                may_change=seen.keeps_county(county.id) and bool(seen.roles & BRANDS_CHANGE.roles),
            )  # fmt: skip

    @pages.get("/brands", endpoint="brands")
    @section(BRANDS)
    def every() -> str:
        with console.database.reading() as session:
            lines = brands.lines(session, visitor().scope, console.now())
        return render_template("console/brands.html", lines=lines, themes=brands.themes(lines))

    @pages.get("/brands/<int:county_id>")
    @section(BRANDS)
    def brand(county_id: int) -> str:
        return shown(county_id, {}, {})

    @pages.post("/brands/<int:county_id>")
    @section(BRANDS_CHANGE)
    def rename_brand(county_id: int) -> Answer:
        me = visitor()
        with console.database.transaction() as session:
            county = kept.county(session, me.scope, county_id)
            form = brands.rename(session, county, request.form, console.now(), by=me.person_id)
        if form.wrong:
            return shown(county_id, form.wrong, request.form), 422
        flash("已保存品牌主题。")
        return redirect(url_for("console.brand", county_id=county_id))


def _telling(pages: Blueprint, console: Console) -> None:
    def form(county_id: int, story_id: int, wrong: dict[str, str], said: Mapping[str, str]) -> str:
        with console.database.reading() as session:
            county = kept.county(session, visitor().scope, county_id)
            return render_template(
                "console/story.html", county=county, story_id=story_id, wrong=wrong, said=said, kinds=list(StoryKind)
            )

    @pages.get("/brands/<int:county_id>/stories/new")
    @section(BRANDS_CHANGE)
    def new_story(county_id: int) -> str:
        return form(county_id, 0, {}, {"happened_on": visitor().scope.on.isoformat()})

    @pages.post("/brands/<int:county_id>/stories/new", endpoint="new_story_send")
    @section(BRANDS_CHANGE)
    def write(county_id: int) -> Answer:
        me = visitor()
        with console.database.transaction() as session:
            kept.county(session, me.scope, county_id)
            wrong = brands.write(session, county_id, None, request.form, console.now(), by=me.person_id).wrong
        if wrong:
            return form(county_id, 0, wrong, request.form), 422
        flash("已写好。")
        return redirect(url_for("console.brand", county_id=county_id))

    @pages.get("/stories/<int:story_id>")
    @section(BRANDS_CHANGE)
    def edit_story(story_id: int) -> str:
        with console.database.reading() as session:
            row = kept.story(session, visitor().scope, story_id)
        said = {
            "kind": row.kind.value, "title": row.title, "words": row.words, "happened_on": row.happened_on.isoformat(),
        }  # fmt: skip
        return form(row.county_id, row.id, {}, said)

    @pages.post("/stories/<int:story_id>", endpoint="edit_story_send")
    @section(BRANDS_CHANGE)
    def rewrite(story_id: int) -> Answer:
        me = visitor()
        with console.database.transaction() as session:
            row = kept.story(session, me.scope, story_id)
            wrong = brands.write(session, row.county_id, row, request.form, console.now(), by=me.person_id).wrong
        if wrong:
            return form(row.county_id, story_id, wrong, request.form), 422
        flash("已保存。")
        return redirect(url_for("console.brand", county_id=row.county_id))


def _withdrawing(pages: Blueprint, console: Console) -> None:
    @pages.post("/stories/<int:story_id>/withdraw")
    @section(BRANDS_CHANGE)
    def withdraw_story(story_id: int) -> Answer:
        me = visitor()
        with console.database.transaction() as session:
            row = kept.story(session, me.scope, story_id)
            brands.withdraw(session, row, console.now(), by=me.person_id)
        flash(f"“{row.title}”已撤下；可以放回。")
        return redirect(url_for("console.brand", county_id=row.county_id))

    @pages.post("/stories/<int:story_id>/put-back")
    @section(BRANDS_CHANGE)
    def put_back_story(story_id: int) -> Answer:
        me = visitor()
        with console.database.transaction() as session:
            row = kept.story(session, me.scope, story_id)
            brands.put_back(session, row, console.now(), by=me.person_id)
        flash(f"“{row.title}”已放回。")
        return redirect(url_for("console.brand", county_id=row.county_id))
