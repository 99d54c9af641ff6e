"""今日: what is due, stuck, waiting, failed, as far as the visitor's scope goes."""

from __future__ import annotations

from flask import Blueprint, render_template

from admin.guard import section, visitor
from admin.navigation import CASES, DECIDING, GATHERINGS, PEOPLE, TASKS, TODAY
from admin.views.context import Console
from services import overview
from services.sending import broadcasts


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/")
    @section(TODAY)
    def today() -> str:
        at, scope = console.now(), visitor().scope
        with console.database.reading() as session:
            shown: dict[str, object] = {}
            if scope.roles & TASKS.roles:
                shown["running"] = overview.running(session, at)
            if scope.roles & CASES.roles:
                shown["cases"] = overview.cases(session, scope, at)
                shown["waiting"] = overview.oldest_waiting(session, scope)
            if scope.roles & GATHERINGS.roles:
                shown["gatherings"], shown["gathering_count"], shown["present"] = overview.today(session, scope, at)
            if scope.roles & DECIDING.roles:
                shown["approvals"] = len(broadcasts.to_approve(session, scope.person_id))
            if scope.roles & PEOPLE.roles:
                shown["claims"] = overview.claims(session, scope)
        return render_template("console/today.html", **shown)
