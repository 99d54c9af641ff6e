"""支部的建立、变更、合并、撤销、恢复: a form or a page that says in numbers what will happen, a reason, then the act (F034)."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin.guard import section, visitor
from admin.navigation import KEEPING
from admin.views.context import Console
from errors import Misunderstood, RuleBroken
from models import Branch, BranchKind
from services import figures
from services.fields import CITY_LEVEL, Fields
from services.organisation import branch_ending, branches, kept, lifecycle

Answer = Response | str | tuple[str, int]


def register(pages: Blueprint, console: Console) -> None:
    _founding(pages, console)
    _changing(pages, console)
    _ending(pages, console)
    _restoring(pages, console)


def _founding(pages: Blueprint, console: Console) -> None:
    @pages.get("/branches/new")
    @section(KEEPING)
    def found_branch() -> str:
        with console.database.reading() as session:
            return _form(session, None, {}, {"county": request.args.get("county", "")})

    @pages.post("/branches/new", endpoint="found_branch_send")
    @section(KEEPING)
    def found() -> Answer:
        try:
            with console.database.transaction() as session:
                to, why, form = lifecycle.read(session, request.form, visitor().scope, None)
                if to is None:
                    return _form(session, None, form.wrong, request.form), 422
                branch = lifecycle.found(session, to, why, console.now(), by=visitor().person_id)
        except RuleBroken as error:
            with console.database.reading() as session:
                return _form(session, None, {"name": str(error)}, request.form), 422
        flash(f"已建立“{to.name}”。接着登记书记和党员。")
        return redirect(url_for("console.branch", branch_id=branch.id))


def _changing(pages: Blueprint, console: Console) -> None:
    @pages.get("/branches/<int:branch_id>/edit")
    @section(KEEPING)
    def edit_branch(branch_id: int) -> str:
        with console.database.reading() as session:
            branch = kept.branch(session, visitor().scope, branch_id)
            said = {
                "name": branch.name, "kind": branch.kind.value, "room": branch.room,
                "county": str(branch.county_id or CITY_LEVEL),
            }  # fmt: skip
            return _form(session, branch, {}, said)

    @pages.post("/branches/<int:branch_id>/edit", endpoint="edit_branch_send")
    @section(KEEPING)
    def change(branch_id: int) -> Answer:
        me = visitor()
        try:
            with console.database.transaction() as session:
                branch = kept.branch(session, me.scope, branch_id)
                to, why, form = lifecycle.read(session, request.form, me.scope, branch)
                if to is None:
                    return _form(session, branch, form.wrong, request.form), 422
                flash(f"已改：{lifecycle.change(session, branch, to, why, console.now(), by=me.person_id)}。")
        except (Misunderstood, RuleBroken) as error:
            with console.database.reading() as session:
                branch = kept.branch(session, me.scope, branch_id)
                return _form(session, branch, {"name": str(error)}, request.form), 422
        return redirect(url_for("console.branch", branch_id=branch_id))


def _form(session: Session, branch: Branch | None, wrong: dict[str, str], said: object) -> str:
    seen = visitor().scope
    return render_template(
        "console/branch_form.html", branch=branch, wrong=wrong, said=said, kinds=list(BranchKind),
        counties=figures.counties_to_keep(session, seen), keeps_city=seen.keeps_city,
    )  # fmt: skip


def _ending(pages: Blueprint, console: Console) -> None:
    def sure(session: Session, branch: Branch, into: Branch | None, wrong: dict[str, str], *, merges: bool) -> str:
        planned = None
        if into is not None or not merges:
            planned = branch_ending.plan(session, branch, into, console.now())
        return render_template(
            "console/branch_end.html", branch=branch, into=into, planned=planned, merges=merges, wrong=wrong,
            said=request.values, others=branches.beside(session, visitor().scope, branch) if merges else [],
        )  # fmt: skip

    def end(branch_id: int, *, merges: bool) -> Answer:
        """A GET shows what would happen; a POST with a reason does it."""
        me = visitor()

        def attempt(session: Session) -> Answer:
            branch = kept.branch(session, me.scope, branch_id)
            into, wrong = None, {}
            if merges and (said := request.values.get("into", "")):
                try:
                    into = lifecycle.target(session, me.scope, branch, said)
                except Misunderstood as error:
                    wrong["into"] = str(error)
            elif merges and request.method == "POST":
                wrong["into"] = "请写明并入哪个支部。"
            if request.method == "GET":
                return sure(session, branch, into, wrong, merges=merges)
            form = Fields(request.form)
            why = form.reason("reason", "合并的原因" if merges else "撤销的原因", "人数不足，按市委批复合并")
            if wrong or form.wrong:
                return sure(session, branch, into, {**wrong, **form.wrong}, merges=merges), 422
            lifecycle.end(session, branch, into, why, console.now(), by=me.person_id)
            flash(f"“{branch.name}”已{f'并入“{into.name}”' if into is not None else '撤销'}；可以恢复。")
            return redirect(url_for("console.branch", branch_id=branch_id))

        return _in_words(console, branch_id, attempt)

    @pages.route("/branches/<int:branch_id>/merge", methods=["GET", "POST"])
    @section(KEEPING)
    def merge_branch(branch_id: int) -> Answer:
        return end(branch_id, merges=True)

    @pages.route("/branches/<int:branch_id>/dissolve", methods=["GET", "POST"])
    @section(KEEPING)
    def dissolve_branch(branch_id: int) -> Answer:
        return end(branch_id, merges=False)


def _restoring(pages: Blueprint, console: Console) -> None:
    @pages.route("/branches/<int:branch_id>/restore", methods=["GET", "POST"])
    @section(KEEPING)
    def restore_branch(branch_id: int) -> Answer:
        me = visitor()

        def attempt(session: Session) -> Answer:
            branch = kept.branch(session, me.scope, branch_id)
            form = Fields(request.form)
            why = form.reason("reason", "恢复的原因", "撤销有误") if request.method == "POST" else ""
            if form.wrong or request.method == "GET":
                planned = branch_ending.plan_return(session, branch, console.now())
                page = render_template(
                    "console/branch_restore.html", branch=branch, planned=planned, wrong=form.wrong, said=request.form
                )
                return (page, 422) if form.wrong else page
            done = lifecycle.restore(session, branch, why, console.now(), by=me.person_id)
            flash(f"已恢复“{branch.name}”，{done.people} 人回到本支部。")
            return redirect(url_for("console.branch", branch_id=branch_id))

        return _in_words(console, branch_id, attempt)


def _in_words(console: Console, branch_id: int, attempt: Callable[[Session], Answer]) -> Answer:
    """Do it in one transaction; what a rule forbids is said on the branch's own page."""
    try:
        with console.database.transaction() as session:
            return attempt(session)
    except RuleBroken as error:
        flash(str(error))
        return redirect(url_for("console.branch", branch_id=branch_id))
