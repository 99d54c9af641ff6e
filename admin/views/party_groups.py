"""党小组: the office forms those of its branches, a secretary those of the own branch."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin.guard import section, visitor
from admin.navigation import GROUPING
from admin.views.context import Console
from errors import RuleBroken
from models import Branch, PartyGroup
from services.membership import people
from services.organisation import kept, party_groups

Answer = Response | str | tuple[str, int]


def register(pages: Blueprint, console: Console) -> None:
    _forming(pages, console)
    _ending(pages, console)


def _forming(pages: Blueprint, console: Console) -> None:
    def save(branch_id: int, group_id: int | None) -> Answer:
        me = visitor()
        with console.database.reading() as session:
            branch, group = _named(session, branch_id, group_id)
            name, form = party_groups.read(session, request.form, branch.id, group)
            if form.wrong:
                return _form(session, branch, group, form.wrong), 422
        try:
            with console.database.transaction() as session:
                branch, group = _named(session, branch_id, group_id)
                by, leader = me.person_id, next(iter(_numbers("leader")), 0)
                party_groups.save(session, branch, group, name, _numbers("member"), leader, console.now(), by=by)
        except RuleBroken as error:
            with console.database.reading() as session:
                branch, group = _named(session, branch_id, group_id)
                return _form(session, branch, group, {}, str(error)), 422
        flash(f"已保存“{name}”。")
        return redirect(url_for("console.branch", branch_id=branch.id))

    @pages.get("/branches/<int:branch_id>/party-groups/new")
    @section(GROUPING)
    def new_party_group(branch_id: int) -> str:
        with console.database.reading() as session:
            return _form(session, *_named(session, branch_id, None), {})

    @pages.post("/branches/<int:branch_id>/party-groups/new", endpoint="new_party_group_send")
    @section(GROUPING)
    def form_group(branch_id: int) -> Answer:
        return save(branch_id, None)

    @pages.get("/party-groups/<int:group_id>")
    @section(GROUPING)
    def edit_party_group(group_id: int) -> str:
        with console.database.reading() as session:
            return _form(session, *_named(session, 0, group_id), {})

    @pages.post("/party-groups/<int:group_id>", endpoint="edit_party_group_send")
    @section(GROUPING)
    def edit_group(group_id: int) -> Answer:
        return save(0, group_id)


def _named(session: Session, branch_id: int, group_id: int | None) -> tuple[Branch, PartyGroup | None]:
    """Raises NotFound for what is not the visitor's to form."""
    seen = visitor().scope
    if group_id is None:
        return kept.branch_to_group(session, seen, branch_id), None
    group = kept.party_group(session, seen, group_id)
    return kept.branch_to_group(session, seen, group.branch_id), group


def _numbers(name: str) -> set[int]:
    said = request.form.getlist(name)
    return {int(each) for each in said if each.isascii() and each.isdecimal() and len(each) < 10}


def _form(session: Session, branch: Branch, group: PartyGroup | None, wrong: dict[str, str], says: str = "") -> str:
    on, is_sent = visitor().scope.on, request.method == "POST"
    groups = party_groups.of(session, branch.id, on)
    own = next((each for each in groups if group is not None and each.group.id == group.id), None)
    leader = own.leader.id if own and own.leader else 0
    chosen = {person.id for person in own.members} | {leader} if own else set()
    return render_template(
        "console/party_group.html", branch=branch, group=group, wrong=wrong, says=says,
        members=people.members_of(session, branch.id, on), name=request.form.get("name", group.name if group else ""),
        chosen=_numbers("member") if is_sent else chosen,
        leader=next(iter(_numbers("leader")), 0) if is_sent else leader, elsewhere=_elsewhere(groups, own),
    )  # fmt: skip


def _elsewhere(groups: list[party_groups.Filled], own: party_groups.Filled | None) -> dict[int, str]:
    """Who is in another living group of the branch, and in which."""
    others = [each for each in groups if each is not own and each.group.dissolved_on is None]
    return {
        person.id: each.group.name
        for each in others
        for person in (*each.members, *([each.leader] if each.leader else []))
    }


def _ending(pages: Blueprint, console: Console) -> None:
    @pages.post("/party-groups/<int:group_id>/end")
    @section(GROUPING)
    def end_party_group(group_id: int) -> Answer:
        me = visitor()
        with console.database.transaction() as session:
            group = kept.party_group(session, me.scope, group_id)
            party_groups.end(session, group, console.now(), by=me.person_id)
        flash(f"已撤销“{group.name}”；可以恢复，名单还在。")
        return redirect(url_for("console.branch", branch_id=group.branch_id))

    @pages.post("/party-groups/<int:group_id>/resume")
    @section(GROUPING)
    def resume_party_group(group_id: int) -> Answer:
        me = visitor()
        with console.database.transaction() as session:
            group = kept.party_group(session, me.scope, group_id)
            party_groups.resume(session, group, console.now(), by=me.person_id)
        flash(f"已恢复“{group.name}”。")
        return redirect(url_for("console.branch", branch_id=group.branch_id))
