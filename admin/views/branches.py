"""组织: branches by county and kind, today or as they were on a day, and one branch with what it lacks."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import BRANCHES, ELECTIONS, ELECTIONS_WRITE, GROUPING, KEEPING
from admin.views.context import Console
from models import BranchKind
from services import figures, scope
from services.elections import lists
from services.membership import flows, terms
from services.organisation import branch_history, branches, organisations, party_groups

DISSOLVED, NO_SECRETARY = "dissolved", "secretary"


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/branches", endpoint="branches")
    @section(BRANCHES)
    def every() -> str:
        seen = visitor().scope
        kind, county, on = paging.chosen("kind", BranchKind), asked_county(), paging.day("on", seen.on)
        words, lacking = request.args.get("q", "").strip()[:64], request.args.get("lacking", "")
        question = (
            branches.dissolved(seen, words)
            if lacking == DISSOLVED
            else branches.matching(seen, kind, county, words, on, without_secretary=lacking == NO_SECRETARY)
        )
        with console.database.reading() as session:
            page = paging.page(session, question, "个支部")
            rows = session.scalars(question.offset(page.start).limit(paging.SIZE)).all()
            return render_template(
                "console/branches.html", page=page, lines=branches.lines(session, rows, on),
                places=figures.branches_by_place(session, seen, on), kinds=list(BranchKind), kind=kind, county=county,
                words=words, lacking=lacking, on=on, is_today=on == seen.on,
                may_found=bool(seen.roles & KEEPING.roles),
            )  # fmt: skip

    @pages.get("/branches/<int:branch_id>")
    @section(BRANCHES)
    def branch(branch_id: int) -> str:
        seen = visitor().scope
        with console.database.reading() as session:
            found = scope.branch(session, seen, branch_id)
            is_own = seen.groups_branch(found)
            shows = bool(seen.roles & ELECTIONS.roles) and (seen.is_city or is_own)
            return render_template(
                "console/branch.html", profile=branches.profile(session, found, console.now()),
                events=branch_history.events(session, found), end=branch_history.end_of(session, found),
                relations=organisations.relations(session, found), groups=party_groups.of(session, branch_id, seen.on),
                may_keep=seen.keeps_branch(found) and bool(seen.roles & KEEPING.roles),
                may_group=seen.groups_branch(found) and bool(seen.roles & GROUPING.roles),
                may_see_elections=shows, may_elect=shows and is_own and bool(seen.roles & ELECTIONS_WRITE.roles),
                elections=lists.of_branch(session, branch_id) if shows else [],
                posts=terms.of_branch(session, branch_id, seen.on), mobile=flows.of_branch(session, branch_id, seen.on),
            )  # fmt: skip


def asked_county() -> int:
    """The county that the address asks for; -1 is the city level."""
    return branches.CITY_LEVEL if request.args.get("county") == "city" else paging.number_of("county")
