"""人员: lists with masked numbers, one person whole, a number shown for a reason."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import PEOPLE, PHONES, ROLL, ROLL_OFFICE
from admin.views.context import Console
from errors import Misunderstood
from models import Direction, Duty, Role
from services import figures, scope
from services.membership import changes, flows, merging, roster, terms


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was wrong with which form of a person's page, and with which field of it, if with one alone."""

    form: str
    says: str
    field: str = ""


NOTHING_WRONG = Wrong("", "")


def shown(console: Console, person_id: int, *, phone: str = "", wrong: Wrong = NOTHING_WRONG) -> str:
    """The page of one person, with what was typed into the form that was wrong."""
    seen, at = visitor().scope, console.now()
    with console.database.reading() as session:
        person = scope.person(session, seen, person_id)
        whole = roster.whole(session, person, at)
        return render_template(
            "console/person.html", whole=whole, phone=phone, wrong=wrong,
            opens=scope.branches_among(session, seen, [each.branch_id for each in whole.affiliations]),
            typed=request.form, may_reveal=bool(seen.roles & PHONES.roles),
            may_change=bool(seen.roles & ROLL.roles) and scope.is_own_person(session, seen, person_id),
            may_appoint=bool(seen.roles & ROLL_OFFICE.roles), directions=list(Direction), duties=list(Duty),
            branch_roles=terms.BRANCH_ROLES, flows=flows.of_person(session, person_id),
            changed=changes.of_person(session, person_id), may_undo_all=seen.holds(Role.OFFICE), today=seen.on,
            soon=terms.months_from(seen.on, terms.WITHIN_MONTHS), also=merging.others(session, person_id),
        )  # fmt: skip


def register(pages: Blueprint, console: Console) -> None:
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
                may_change=bool(seen.roles & ROLL.roles),
            )  # fmt: skip

    @pages.get("/people/<int:person_id>")
    @section(PEOPLE)
    def person(person_id: int) -> str | Response:
        with console.database.reading() as session:
            into = merging.survivor(session, person_id)
        return shown(console, person_id) if into is None else redirect(url_for("console.person", person_id=into))

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
            return shown(console, person_id, wrong=Wrong("phone", str(error))), 422
        return shown(console, person_id, phone=phone)
