"""活动: what branches hold, day by day, and the roll of one gathering, by name and never by diligence (P1)."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa
from flask import Blueprint, render_template, request
from sqlalchemy.orm import joinedload

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import GATHERINGS
from admin.views.context import Console
from clock import beijing_date
from models import Branch, Gathering, GatheringState
from services import figures, scope
from services.meetings import gatherings
from services.organisation import branch_history, branches


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/gatherings", endpoint="gatherings")
    @section(GATHERINGS)
    def every() -> str:
        seen, today = visitor().scope, beijing_date(console.now())
        start = _day("from") or today - timedelta(days=today.weekday())
        end = _day("to") or start + timedelta(days=6)
        county = paging.number_of("county")
        question = (
            sa.select(Gathering)
            .options(joinedload(Gathering.branch))
            .join(Branch, Branch.id == Gathering.branch_id)
            .where(
                seen.gatherings,
                Gathering.state == GatheringState.PLANNED,
                Gathering.held_on.between(start, end),
                Branch.county_id == county if county else sa.true(),
            )
            .order_by(Gathering.held_on, Branch.county_id, Branch.name, Gathering.opens_at)
        )
        with console.database.reading() as session:
            page = paging.page(session, question, "场活动")
            rows = session.scalars(question.offset(page.start).limit(paging.SIZE)).all()
            return render_template(
                "console/gatherings.html", page=page, held=branches.held(session, rows), start=start, end=end,
                county=county, counties=figures.counties(session, seen),
            )  # fmt: skip

    @pages.get("/gatherings/<int:gathering_id>")
    @section(GATHERINGS)
    def gathering(gathering_id: int) -> str:
        with console.database.reading() as session:
            scope.gathering(session, visitor().scope, gathering_id)
            roll = gatherings.roll(session, gathering_id)
            key = roll.gathering.branch_id, roll.gathering.held_on
            names = branch_history.names_on(session, [key])
            return render_template("console/gathering.html", roll=roll, called_then=names.get(key, ""))


def _day(name: str) -> date | None:
    """A date from the address; anything else counts as not given."""
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None
