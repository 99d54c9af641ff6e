"""发到哪了: one campaign while it goes, what can be done about it, and the fates that nobody knows (F105, F106)."""

from __future__ import annotations

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin import steering
from admin.guard import section, visitor
from admin.navigation import BROADCASTS, WRITING
from admin.views.context import Console
from errors import NotFound
from services import figures, scope
from services.sending import campaigns


def register(pages: Blueprint, console: Console) -> None:
    _steering(pages, console)
    _unknown(pages, console)


def _steering(pages: Blueprint, console: Console) -> None:
    def standing(session: Session, key: str) -> steering.Standing:
        return steering.standing(session, visitor().scope, key, console.now(), console.settings.sending)

    @pages.get("/broadcasts/progress/<key>")
    @section(BROADCASTS)
    def progress(key: str) -> Response:
        with console.database.reading() as session:
            now = standing(session, key)
        answer = make_response(render_template("console/progress.html", now=now, may_act=_may_act(now)))
        # The buttons stand outside of what refreshes itself: when others are due, the whole page comes anew.
        if request.args.get("was", now.mark) != now.mark:
            answer.headers["HX-Refresh"] = "true"
        return answer

    @pages.get("/broadcasts/progress/<key>/<act>")
    @section(WRITING)
    def ask_act(key: str, act: str) -> str | Response:
        """Is it really meant? With the figures of this moment."""
        with console.database.reading() as session:
            scope.steered(session, visitor().scope, key)
            now, asked = standing(session, key), steering.named(act)
        if not any(each is asked for each in now.acts):
            flash(f"现在不能“{asked.label}”：{now.state.label}。")
            return redirect(url_for("console.progress", key=key))
        return render_template("console/sure.html", now=now, act=asked)

    @pages.post("/broadcasts/progress/<key>/<act>")
    @section(WRITING)
    def do_act(key: str, act: str) -> Response:
        with console.database.transaction() as session:
            scope.steered(session, visitor().scope, key)
            standing(session, key)
            flash(steering.named(act).do(session, key, console.now(), visitor().person_id))
        return redirect(url_for("console.progress", key=key))


def _unknown(pages: Blueprint, console: Console) -> None:
    @pages.get("/broadcasts/unknown", endpoint="unknown_fates")
    @section(BROADCASTS)
    def unknown() -> str:
        seen, key = visitor().scope, request.args.get("campaign", "") or None
        with console.database.reading() as session:
            rows = campaigns.unknown(session, key, within=seen.outgoing)
            kinds = {
                each.key: each for each in figures.campaigns(session, seen, list({row.campaign for row in rows}))
            }
        return render_template(
            "console/unknown.html", rows=rows, kinds=kinds, may_act=bool(seen.roles & WRITING.roles)
        )

    @pages.post("/broadcasts/messages/<int:row_id>/resolve")
    @section(WRITING)
    def resolve(row_id: int) -> Response:
        said = request.form.get("arrived", "")
        with console.database.transaction() as session:
            row = scope.message(session, visitor().scope, row_id)
            name = row.person.name if row.person else "群众"
            if said not in {"yes", "no"}:
                raise NotFound("请选“已收到”或“重发”。")
            arrived = said == "yes"
            campaigns.resolve_unknown(session, row_id, console.now(), arrived=arrived, by=visitor().person_id)
        flash(f"{name}：{'记为已收到' if arrived else '再发一次'}。")
        return redirect(url_for("console.unknown_fates"))


def _may_act(now: steering.Standing) -> bool:
    return now.is_theirs and bool(visitor().scope.roles & WRITING.roles)
