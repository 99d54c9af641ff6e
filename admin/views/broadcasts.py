"""群发: what was written, what waits for a second person, what went to many."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, render_template
from sqlalchemy.orm import joinedload

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import BROADCASTS, DECIDING, WRITING
from admin.views.context import Console
from models import Broadcast, CampaignState
from services import figures
from services.sending import broadcasts, campaigns


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
                campaigns=figures.campaigns(session, seen), may_write=bool(seen.roles & WRITING.roles),
                halted={row.name: row for row in campaigns.halted(session)}, states=CampaignState,
                waiting=broadcasts.to_approve(session, seen.person_id) if seen.roles & DECIDING.roles else [],
            )  # fmt: skip

    @pages.get("/broadcasts/approvals")
    @section(DECIDING)
    def approvals() -> str:
        with console.database.reading() as session:
            waiting = broadcasts.to_approve(session, visitor().person_id)
            labels = {row.id: broadcasts.audience_label(session, row) for row in waiting}
            return render_template("console/approvals.html", rows=waiting, labels=labels)
