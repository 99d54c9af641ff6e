"""设置: what the system does by itself, why, by which line of the work report, and who may change it (P4)."""

from __future__ import annotations

from flask import Blueprint, render_template

from admin.guard import section
from admin.navigation import RULES
from admin.settled import lines
from admin.views.context import Console
from clock import beijing_date
from services import rhythm


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/settings", endpoint="rules")
    @section(RULES)
    def every() -> str:
        with console.database.reading() as session:
            calendar = rhythm.calendar(session, console.settings.calendar)
        year = beijing_date(console.now()).year
        return render_template(
            "console/rules.html", groups=lines(console.settings), rules=console.rules,
            warnings=[said for each in (year, year + 1) for said in calendar.warnings(each)],
        )  # fmt: skip
