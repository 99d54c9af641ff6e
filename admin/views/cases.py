"""咨询: the office sees number, state, county, matter and times; the words are opened by their handlers (P5)."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import CASES
from admin.views.context import Console
from models import CaseState, Matter
from services import figures, scope
from services.consulting import case_lists


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/consultations", endpoint="cases")
    @section(CASES)
    def every() -> str:
        seen = visitor().scope
        state, matter = paging.chosen("state", CaseState), paging.chosen("matter", Matter)
        county, is_dangerous = paging.number_of("county"), request.args.get("danger") == "1"
        with console.database.reading() as session:
            question = case_lists.matching(seen, state, county, matter, is_dangerous=is_dangerous)
            page = paging.page(session, question, "件咨询")
            rows = session.scalars(question.offset(page.start).limit(paging.SIZE)).all()
            return render_template(
                "console/cases.html", page=page, rows=rows, state=state, states=list(CaseState), matter=matter,
                matters=list(Matter), county=county, is_dangerous=is_dangerous,
                counties=figures.counties(session, seen),
            )  # fmt: skip

    @pages.get("/consultations/<number>")
    @section(CASES)
    def case(number: str) -> str:
        seen = visitor().scope
        with console.database.reading() as session:
            found = scope.case(session, seen, number)
            return render_template(
                "console/case.html", case=found, events=case_lists.history(session, found), words={},
                may_read=case_lists.may_read(session, seen, found),
            )  # fmt: skip

    @pages.post("/consultations/<number>/words")
    @section(CASES)
    def case_words(number: str) -> str:
        seen = visitor().scope
        with console.database.transaction() as session:
            found = scope.case(session, seen, number)
            words = {step.id: step.words for step in case_lists.read(session, seen, found, console.now())}
        with console.database.reading() as session:
            found = scope.case(session, seen, number)
            events = case_lists.history(session, found)
            return render_template("console/case.html", case=found, events=events, words=words, may_read=True)
