"""任期: posts of branches given, prolonged and ended on a person's page, and the list of terms that end soon (F027)."""

from __future__ import annotations

from datetime import date, datetime

from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import ROLL_OFFICE, TERMS
from admin.views.context import Console
from admin.views.roll import at, do, said
from errors import Misunderstood
from models import Change, Duty, Person, Role
from services import scope
from services.membership import roll, terms


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/terms", endpoint="terms")
    @section(TERMS)
    def every() -> str:
        seen = visitor().scope
        with console.database.reading() as session:
            page = paging.page(session, terms.ending(seen), "项任期")
            found = session.execute(terms.ending(seen).offset(page.start).limit(paging.SIZE)).all()
            return render_template(
                "console/terms.html", page=page, rows=found, today=seen.on, without=terms.without_term(session, seen)
            )

    @pages.post("/people/<int:person_id>/posts")
    @section(ROLL_OFFICE)
    def appoint_post(person_id: int) -> Response | tuple[str, int]:
        me = visitor()

        def act(session: Session, person: Person, now: datetime) -> Change:
            branch = at("branch", lambda: roll.branch_called(session, me.scope, said("branch")))
            return terms.appoint(session, person, branch, _given(now), now, by=me.person_id)

        return do(console, person_id, "appoint", act)

    @pages.post("/people/<int:person_id>/posts/<int:post_id>/term")
    @section(ROLL_OFFICE)
    def prolong_post(person_id: int, post_id: int) -> Response | tuple[str, int]:
        me = visitor()

        def act(session: Session, person: Person, now: datetime) -> Change:
            post = terms.of_person(session, person.id, post_id)
            scope.own_branch(session, me.scope, post.branch_id or 0)
            ends_on, duties = _ends(post.since_on), _duties()
            return terms.prolong(session, post, ends_on, duties, said("why"), now, by=me.person_id)

        return do(console, person_id, f"term-{post_id}", act)

    @pages.post("/people/<int:person_id>/posts/<int:post_id>/end")
    @section(ROLL_OFFICE)
    def end_post(person_id: int, post_id: int) -> Response | tuple[str, int]:
        me = visitor()

        def act(session: Session, person: Person, now: datetime) -> Change:
            post = terms.of_person(session, person.id, post_id)
            scope.own_branch(session, me.scope, post.branch_id or 0)
            on = at("on", lambda: roll.read_day(said("on"), "免职的日期", now))
            return terms.end(session, post, on, said("why"), now, by=me.person_id)

        return do(console, person_id, f"end-{post_id}", act)


def _given(now: datetime) -> terms.Given:
    """What the form says. Raises Misunderstood."""
    role, since = at("role", _role), at("since", lambda: roll.read_day(said("since"), "任职的日期", now))
    duty = next((each for each in Duty if each == said("duty")), None)
    return terms.Given(role, duty, _duties(), since, _ends(since))


def _role() -> Role:
    found = next((each for each in terms.BRANCH_ROLES if each == said("role")), None)
    if found is None:
        raise Misunderstood("请选职务。")
    return found


def _ends(since: date) -> date | None:
    return at("ends", lambda: terms.read_term(said("ends"), since))


def _duties() -> str:
    """One may type more than is allowed, so that this can be said."""
    return at("duties", lambda: terms.read_duties(request.form.get("duties", "")[:2000]))
