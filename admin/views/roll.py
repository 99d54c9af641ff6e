"""The roll as it is changed at the desk: somebody new, names and numbers, branches, flows; each with its date, and undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import ROLL
from admin.views.context import Console
from admin.views.people import Wrong, shown
from clock import beijing_date
from errors import AssistantError, Misunderstood, NotFound, RuleBroken
from models import Change, ChangeKind, Direction, Person
from services import scope
from services.custody import retention
from services.elections import records
from services.membership import changes, flows, roll
from services.membership.flows import Elsewhere

Act = Callable[[Session, Person, datetime], Change | None]
T = TypeVar("T")
#: More than this of a field is not kept.
KEPT = 200


def register(pages: Blueprint, console: Console) -> None:
    _new(pages, console)
    _belonging(pages, console)
    _flowing(pages, console)
    _mending(pages, console)


def said(name: str) -> str:
    """A field as it was typed."""
    return request.form.get(name, "").strip()[:KEPT]


def do(console: Console, person_id: int, form: str, act: Act) -> Response | tuple[str, int]:
    """Do something with a person of one's own and come back to their page; what is wrong is said at the form."""
    me, at = visitor(), console.now()
    try:
        with console.database.transaction() as session:
            change = act(session, scope.own_person(session, me.scope, person_id), at)
            words = "没有改动。" if change is None else f"已办：{change.says}。"
            is_still_here = scope.is_own_person(session, me.scope, person_id)
    except (Misunderstood, RuleBroken) as error:
        # What is wrong with a field that the form does not have is said above the form.
        field = error.about if error.about in request.form else ""
        return shown(console, person_id, wrong=Wrong(form, str(error), field)), 422
    flash(words)
    # Whoever has left one's own branches has no page there any more; the change can still be undone from its list.
    return redirect(url_for("console.person", person_id=person_id) if is_still_here else url_for("console.changes"))


def at(field: str, ask: Callable[[], T]) -> T:
    """What `ask` gives; what it refuses is about that field."""
    try:
        return ask()
    except AssistantError as error:
        error.about = field
        raise


def _new(pages: Blueprint, console: Console) -> None:
    def form(typed: dict[str, str], wrong: dict[str, str]) -> str:
        with console.database.reading() as session:
            own = roll.own_branches(session, visitor().scope, "", limit=2)
        first = {"branch": own[0].name if len(own) == 1 else "", "since": str(beijing_date(console.now()))}
        return render_template("console/new_person.html", typed=first | typed, wrong=wrong)

    @pages.get("/people/new")
    @section(ROLL)
    def new_person() -> str:
        return form({}, {})

    @pages.post("/people/new")
    @section(ROLL)
    def add_person() -> Response | tuple[str, int]:
        me, at, wrong = visitor(), console.now(), dict[str, str]()
        typed = {name: said(name) for name in ("name", "phone", "branch", "since")}
        try:
            with console.database.transaction() as session:
                branch = checked(wrong, "branch", lambda: roll.branch_called(session, me.scope, typed["branch"]))
                since = checked(wrong, "since", lambda: roll.read_day(typed["since"], "加入支部的日期", at))
                checked(wrong, "name", lambda: roll.read_name(typed["name"]))
                number = checked(
                    wrong, "phone", lambda: roll.read_new_phone(session, typed["phone"], me.scope.people)
                )
                if wrong or branch is None or since is None:
                    return form(typed, wrong), 422
                if not number:
                    roll.must_be_another(session, typed["name"], branch)
                person = roll.add(session, typed["name"], number or "", at, by=me.person_id, within=me.scope.people)
                roll.join(session, person, branch, since, at, by=me.person_id)
                person_id = person.id
        except RuleBroken as error:
            return form(typed, {error.about or "name": str(error)}), 422
        flash(f"已登记：{typed['name']}。绑定微信请书记在聊天里发“邀请 姓名”，把邀请码告诉本人。")
        return redirect(url_for("console.person", person_id=person_id))

    @pages.post("/people/<int:person_id>/edit")
    @section(ROLL)
    def edit_person(person_id: int) -> Response | tuple[str, int]:
        me = visitor()

        def act(session: Session, person: Person, now: datetime) -> Change | None:
            within = me.scope.people
            at("name", lambda: roll.read_name(said("name")))
            at("new_phone", lambda: roll.read_new_phone(session, said("new_phone"), within, person.id))
            return roll.edit(
                session, person, said("name"), said("new_phone"), said("why"), now, by=me.person_id, within=within
            )

        return do(console, person_id, "edit", act)


def checked(wrong: dict[str, str], name: str, ask: Callable[[], T]) -> T | None:
    """What `ask` gives; what it refuses is noted at the field."""
    try:
        return ask()
    except AssistantError as error:
        wrong[name] = str(error)
        return None


def _belonging(pages: Blueprint, console: Console) -> None:
    @pages.post("/people/<int:person_id>/branches")
    @section(ROLL)
    def join_branch(person_id: int) -> Response | tuple[str, int]:
        me = visitor()

        def act(session: Session, person: Person, now: datetime) -> Change:
            branch = at("branch", lambda: roll.branch_called(session, me.scope, said("branch")))
            since = at("since", lambda: roll.read_day(said("since"), "开始的日期", now))
            if not said("as_main"):
                return roll.join(session, person, branch, since, now, by=me.person_id)
            roll.refuse_main_of_others(session, me.scope, person)
            return roll.move_main(session, person, branch, since, said("why"), now, by=me.person_id)

        return do(console, person_id, "join", act)

    @pages.post("/people/<int:person_id>/branches/<int:affiliation_id>/leave")
    @section(ROLL)
    def leave_branch(person_id: int, affiliation_id: int) -> Response | tuple[str, int]:
        me = visitor()

        def act(session: Session, person: Person, now: datetime) -> Change:
            row = roll.affiliation(session, person.id, affiliation_id)
            scope.own_branch(session, me.scope, row.branch_id)
            on = at("on", lambda: roll.read_day(said("on"), "离开的日期", now))
            return roll.leave(session, row, on, said("why"), now, by=me.person_id)

        return do(console, person_id, f"leave-{affiliation_id}", act)


def _flowing(pages: Blueprint, console: Console) -> None:
    @pages.post("/people/<int:person_id>/flows")
    @section(ROLL)
    def record_flow(person_id: int) -> Response | tuple[str, int]:
        me = visitor()

        def act(session: Session, person: Person, now: datetime) -> Change:
            direction = at("direction", _direction)
            branch = at("branch", lambda: roll.branch_called(session, me.scope, said("branch")))
            since = at("since", lambda: roll.read_day(said("since"), "开始的日期", now))
            known = roll.branch_named(session, said("place"))
            other = (
                Elsewhere(known)
                if known is not None
                else Elsewhere(None, at("place", lambda: flows.read_place(said("place"))))
            )
            return flows.record(session, person, branch, direction, other, since, now, by=me.person_id)

        return do(console, person_id, "flow", act)

    @pages.post("/people/<int:person_id>/flows/<int:flow_id>/end")
    @section(ROLL)
    def end_flow(person_id: int, flow_id: int) -> Response | tuple[str, int]:
        me = visitor()

        def act(session: Session, person: Person, now: datetime) -> Change:
            flow = flows.get(session, flow_id)
            if flow.person_id != person.id:
                raise NotFound(scope.OUTSIDE)
            scope.own_branch(session, me.scope, flow.branch_id)
            return flows.finish(
                session, flow, at("on", lambda: roll.read_day(said("on"), "结束的日期", now)), now, by=me.person_id
            )

        return do(console, person_id, f"flow-{flow_id}", act)


def _direction() -> Direction:
    """Which way. Raises Misunderstood."""
    found = next((each for each in Direction if each == said("direction")), None)
    if found is None:
        raise Misunderstood("请选流入还是流出。")
    return found


def _mending(pages: Blueprint, console: Console) -> None:
    def listed(says: str = "") -> str:
        seen = visitor().scope
        with console.database.reading() as session:
            page = paging.page(session, roll.recent(seen), "次改动")
            rows = session.scalars(roll.recent(seen).offset(page.start).limit(paging.SIZE)).all()
            return render_template(
                "console/changes.html", page=page, rows=rows, says=says, undo_days=retention.UNDO_DAYS
            )

    @pages.get("/people/changes", endpoint="changes")
    @section(ROLL)
    def every() -> str:
        return listed()

    @pages.post("/people/changes/<int:change_id>/undo")
    @section(ROLL)
    def undo_change(change_id: int) -> Response | tuple[str, int]:
        me, at = visitor(), console.now()
        try:
            with console.database.transaction() as session:
                change = changes.get(session, change_id, roll.may_undo(me.scope))
                says, person_id = change.says, change.person_id
                _undo(session, change, at, by=me.person_id)
                is_still_here = scope.is_own_person(session, me.scope, person_id)
        except RuleBroken as error:
            return listed(f"{says}：{error}"), 422
        flash(f"已撤销：{says}。")
        here = url_for("console.person", person_id=person_id) if is_still_here else url_for("console.changes")
        return redirect(here)


def _undo(session: Session, change: Change, at: datetime, *, by: int) -> None:
    if change.kind is ChangeKind.ELECTED:
        raise RuleBroken(records.THERE)
    if change.kind in {ChangeKind.FLOWED, ChangeKind.CAME_BACK}:
        flows.recall(session, change, at)
    changes.undo(session, change, at, by=by)
