"""人员: lists with masked numbers, one person whole, a number shown for a reason."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import PEOPLE, PHONES
from admin.views.context import Console
from errors import Misunderstood
from models import Role
from services import figures, roster, scope


def register(pages: Blueprint, console: Console) -> None:
    def shown(person_id: int, *, phone: str = "", says: str = "") -> str:
        seen = visitor().scope
        with console.database.reading() as session:
            person = scope.person(session, seen, person_id)
            return render_template(
                "console/person.html", whole=roster.whole(session, person, console.now()), phone=phone, says=says,
                reason=request.form.get("reason", ""), may_reveal=bool(seen.roles & PHONES.roles),
            )  # fmt: skip

    @pages.get("/people", endpoint="people")
    @section(PEOPLE)
    def every() -> str:
        seen = visitor().scope
        words, bound = request.args.get("q", "").strip()[:64], request.args.get("bound", "")
        role, county, branch = paging.chosen("role", Role), paging.number_of("county"), paging.number_of("branch")
        with console.database.reading() as session:
            of = scope.branch(session, seen, branch) if branch else None
            bound = bound if bound in {"yes", "no"} else ""
            question = roster.matching(session, seen, words, county, branch, role, bound)
            page = paging.page(session, question, "人")
            rows = session.scalars(question.offset(page.start).limit(paging.SIZE)).all()
            return render_template(
                "console/people.html", page=page, lines=roster.lines(session, rows, seen.on), words=words,
                bound=bound, role=role, roles=list(Role), county=county, branch=of,
                counties=figures.counties(session, seen),
            )  # fmt: skip

    @pages.get("/people/<int:person_id>")
    @section(PEOPLE)
    def person(person_id: int) -> str:
        return shown(person_id)

    @pages.post("/people/<int:person_id>/phone")
    @section(PHONES)
    def show_phone(person_id: int) -> str | tuple[str, int]:
        me = visitor()
        try:
            with console.database.transaction() as session:
                found = scope.person(session, me.scope, person_id)
                reason = request.form.get("reason", "")[:200]
                phone = roster.reveal_phone(session, found, reason, console.now(), by=me.person_id)
        except Misunderstood as error:
            return shown(person_id, says=str(error)), 422
        return shown(person_id, phone=phone)
