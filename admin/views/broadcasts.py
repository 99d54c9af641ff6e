"""群发: what was written, and what became of every notice to many, down to one person."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, render_template
from sqlalchemy.orm import joinedload

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import BROADCASTS
from admin.views.context import Console
from errors import NotFound
from models import Broadcast, SendState
from services import broadcasts, figures, scope


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/broadcasts", endpoint="broadcasts")
    @section(BROADCASTS)
    def every() -> str:
        seen = visitor().scope
        question = (
            sa.select(Broadcast)
            .options(joinedload(Broadcast.author))
            .where(seen.broadcasts)
            .order_by(Broadcast.id.desc())
        )
        with console.database.reading() as session:
            page = paging.page(session, question, "条群发")
            rows = session.scalars(question.offset(page.start).limit(paging.SIZE)).all()
            keys = [broadcasts.campaign(row.id) for row in rows]
            return render_template(
                "console/broadcasts.html", page=page, rows=rows, campaign=broadcasts.campaign,
                counted={each.key: each for each in figures.campaigns(session, seen, keys)},
                campaigns=figures.campaigns(session, seen),
            )  # fmt: skip

    @pages.get("/broadcasts/report/<key>")
    @section(BROADCASTS)
    def report(key: str) -> str:
        seen, state = visitor().scope, paging.chosen("state", SendState)
        with console.database.reading() as session:
            found = figures.campaigns(session, seen, [key])
            if not found:
                raise NotFound(scope.OUTSIDE)
            number = key.removeprefix("broadcast:")
            row = scope.broadcast(session, seen, int(number)) if key != number and number.isdigit() else None
            question = figures.recipients(seen, key, state)
            page = paging.page(session, question, "人")
            return render_template(
                "console/report.html", campaign=found[0], state=state, states=list(SendState), page=page,
                broadcast=row, audience=broadcasts.audience_label(session, row) if row else "",
                rows=session.scalars(question.offset(page.start).limit(paging.SIZE)).all(),
            )  # fmt: skip
