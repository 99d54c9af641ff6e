"""统计: four figures that people would rather look at than read; each number opens to its rows."""

from __future__ import annotations

from flask import Blueprint, render_template

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import FIGURES
from admin.views.context import Console
from models import BranchKind, SendState
from services import figures


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/figures", endpoint="figures")
    @section(FIGURES)
    def every() -> str:
        seen, at = visitor().scope, console.now()
        on = paging.day("on", seen.on)
        with console.database.reading() as session:
            return render_template(
                "console/figures.html", kinds=list(BranchKind), states=list(SendState),
                on=on,
                is_today=on == seen.on, places=figures.branches_by_place(session, seen, on),
                weeks=figures.attendance_by_week(session, seen, at),
                matters=figures.cases_by_matter(session, seen), campaigns=figures.campaigns(session, seen),
            )  # fmt: skip
