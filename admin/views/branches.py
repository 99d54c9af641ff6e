"""组织: the tree by county and kind, and one branch with what it lacks."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import BRANCHES
from admin.views.context import Console
from models import BranchKind
from services import branches, figures, flows, scope, terms


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/branches", endpoint="branches")
    @section(BRANCHES)
    def every() -> str:
        seen = visitor().scope
        kind, county = paging.chosen("kind", BranchKind), _county()
        words = request.args.get("q", "").strip()[:64]
        lacking = request.args.get("lacking") == "secretary"
        with console.database.reading() as session:
            question = branches.matching(seen, kind, county, words, without_secretary=lacking)
            page = paging.page(session, question, "个支部")
            rows = session.scalars(question.offset(page.start).limit(paging.SIZE)).all()
            return render_template(
                "console/branches.html", page=page, lines=branches.lines(session, rows, seen.on),
                places=figures.branches_by_place(session, seen), kinds=list(BranchKind), kind=kind, county=county,
                words=words, lacking=lacking,
            )  # fmt: skip

    @pages.get("/branches/<int:branch_id>")
    @section(BRANCHES)
    def branch(branch_id: int) -> str:
        with console.database.reading() as session:
            found = scope.branch(session, visitor().scope, branch_id)
            on = visitor().scope.on
            return render_template(
                "console/branch.html", profile=branches.profile(session, found, console.now()),
                posts=terms.of_branch(session, branch_id, on), mobile=flows.of_branch(session, branch_id, on),
            )  # fmt: skip


def _county() -> int:
    return branches.CITY_LEVEL if request.args.get("county") == "city" else paging.number_of("county")
