"""搜索: one box over everything in the visitor's scope."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from admin.guard import section, visitor
from admin.navigation import CASES, PEOPLE, SEARCH
from admin.views.context import Console
from services import search


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/search", endpoint="search")
    @section(SEARCH)
    def find() -> str:
        seen, words = visitor().scope, request.args.get("q", "").strip()[:64]
        with console.database.reading() as session:
            found = search.find(
                session, seen, words,
                with_people=bool(seen.roles & PEOPLE.roles), with_cases=bool(seen.roles & CASES.roles),
            )  # fmt: skip
            return render_template("console/search.html", words=words, found=found)
