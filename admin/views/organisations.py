"""组织体系: one tree from the leading group down to the branches, 隶属 and 指导 shown apart (F022, F024)."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin.guard import section, visitor
from admin.navigation import TREE, TREE_CHANGE
from admin.views.context import Console
from models import BranchKind, Organisation, OrganisationKind
from services import figures
from services.fields import CITY_LEVEL
from services.organisation import kept, organisations, party_groups

Answer = Response | str | tuple[str, int]


def register(pages: Blueprint, console: Console) -> None:
    def save(organisation_id: int | None) -> Answer:
        me = visitor()
        with console.database.transaction() as session:
            row = _row(session, organisation_id)
            to, form = organisations.read(session, request.form, me.scope, row)
            if to is None:
                return _form(session, row, form.wrong, request.form), 422
            organisations.save(session, row, to, console.now(), by=me.person_id)
        flash(f"已保存“{to.name}”。")
        return redirect(url_for("console.organisations"))

    @pages.get("/organisations", endpoint="organisations")
    @section(TREE)
    def tree() -> str:
        seen = visitor().scope
        with console.database.reading() as session:
            above = organisations.above(session, seen)
            return render_template(
                "console/organisations.html", kinds=list(BranchKind),
                city=[row for row in above if row.county_id is None],
                leading={row.county_id: row for row in above if row.county_id is not None},
                places=figures.branches_by_place(session, seen, seen.on),
                groups=party_groups.by_place(session), may_change=bool(seen.roles & TREE_CHANGE.roles),
                kept=[row.id for row in above if seen.keeps_county(row.county_id)],
            )  # fmt: skip

    @pages.get("/organisations/new")
    @section(TREE_CHANGE)
    def new_organisation() -> str:
        with console.database.reading() as session:
            return _form(session, None, {}, {})

    @pages.post("/organisations/new", endpoint="new_organisation_send")
    @section(TREE_CHANGE)
    def add() -> Answer:
        return save(None)

    @pages.get("/organisations/<int:organisation_id>")
    @section(TREE_CHANGE)
    def edit_organisation(organisation_id: int) -> str:
        with console.database.reading() as session:
            row = kept.organisation(session, visitor().scope, organisation_id)
            said = {
                "kind": row.kind.value, "name": row.name, "county": str(row.county_id or CITY_LEVEL),
                "belongs_to": row.belongs_to, "guided_by": row.guided_by,
            }  # fmt: skip
            return _form(session, row, {}, said)

    @pages.post("/organisations/<int:organisation_id>", endpoint="edit_organisation_send")
    @section(TREE_CHANGE)
    def change(organisation_id: int) -> Answer:
        return save(organisation_id)


def _row(session: Session, organisation_id: int | None) -> Organisation | None:
    """Raises NotFound for what is not the visitor's to change."""
    if organisation_id is None:
        return None
    return kept.organisation(session, visitor().scope, organisation_id)


def _form(session: Session, row: Organisation | None, wrong: dict[str, str], said: object) -> str:
    seen = visitor().scope
    return render_template(
        "console/organisation_form.html", row=row, wrong=wrong, said=said, kinds=list(OrganisationKind),
        counties=figures.counties_to_keep(session, seen), keeps_city=seen.keeps_city,
    )  # fmt: skip
