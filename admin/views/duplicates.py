"""重复人员: entries that may be one person, side by side; told apart for good, or merged and taken apart again (F031)."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import DUPLICATES, DUPLICATES_DECIDE
from admin.views.context import Console
from errors import Misunderstood, RuleBroken
from services import audit, scope
from services.membership import duplicates, merging, roster


def register(pages: Blueprint, console: Console) -> None:
    _looking(pages, console)
    _deciding(pages, console)


def _compared(console: Console, first_id: int, second_id: int, wrong: dict[str, str] | None = None) -> str:
    seen, at = visitor().scope, console.now()
    with console.database.reading() as session:
        both = duplicates.both(session, seen, first_id, second_id)
        return render_template(
            "console/compare.html", both=[roster.whole(session, each, at) for each in both], wrong=wrong or {},
            weights=merging.weights(session, both[0].id, both[1].id), may_act=_may_act(),
            told_apart=duplicates.is_told_apart(session, both[0].id, both[1].id), typed=request.form,
        )  # fmt: skip


def _looking(pages: Blueprint, console: Console) -> None:
    @pages.get("/duplicates", endpoint="duplicates")
    @section(DUPLICATES)
    def every() -> str:
        with_namesakes = request.args.get("namesakes") == "yes"
        question = duplicates.pairs(visitor().scope, with_namesakes=with_namesakes)
        with console.database.reading() as session:
            page = paging.page(session, question, "对")
            found = session.execute(question.offset(page.start).limit(paging.SIZE)).all()
            pairs = duplicates.shown(session, list(found))
        return render_template(
            "console/duplicates.html", page=page, pairs=pairs, namesakes="yes" if with_namesakes else ""
        )

    @pages.get("/duplicates/<int:first_id>/<int:second_id>")
    @section(DUPLICATES)
    def compare(first_id: int, second_id: int) -> str:
        return _compared(console, first_id, second_id)


def _deciding(pages: Blueprint, console: Console) -> None:
    @pages.post("/duplicates/<int:first_id>/<int:second_id>/apart")
    @section(DUPLICATES_DECIDE)
    def tell_apart(first_id: int, second_id: int) -> Response:
        me = visitor()
        with console.database.transaction() as session:
            low, high = duplicates.both(session, me.scope, first_id, second_id)
            if request.form.get("again"):
                duplicates.ask_again(session, low, high, console.now(), by=me.person_id)
            else:
                duplicates.tell_apart(session, low, high, console.now(), by=me.person_id)
        flash("已重新列为疑似。" if request.form.get("again") else "已记下：不是同一个人，不再列出。")
        return redirect(url_for("console.compare", first_id=first_id, second_id=second_id))

    @pages.post("/duplicates/<int:first_id>/<int:second_id>/merge")
    @section(DUPLICATES_DECIDE)
    def merge_people(first_id: int, second_id: int) -> Response | str | tuple[str, int]:
        """First what would happen, in numbers; the same form with `sure` does it."""
        me, at = visitor(), console.now()
        try:
            with console.database.transaction() as session:
                duplicates.both(session, me.scope, first_id, second_id)
                numbers = _kept_first(first_id, second_id)
                keep, gone = (scope.own_person(session, me.scope, each) for each in numbers)
                why = audit.reason(request.form.get("why", "")[:200], *merging.WHY)
                if not request.form.get("sure"):
                    foreseen = merging.foresee(session, keep, gone, at)
                    return render_template(
                        "console/merge_sure.html", keep=keep, gone=gone, why=why, foreseen=foreseen
                    )
                change = merging.merge(session, keep, gone, why, at, by=me.person_id)
                says = change.says
        except (Misunderstood, RuleBroken) as error:
            return _compared(console, first_id, second_id, {error.about: str(error)}), 422
        flash(f"已合并：{says}。要分开，在“最近的改动”里撤销。")
        return redirect(url_for("console.person", person_id=numbers[0]))


def _kept_first(*numbers: int) -> tuple[int, ...]:
    """The entry that is to stay, and the other. Raises Misunderstood."""
    said = request.form.get("keep", "")
    if said not in map(str, numbers):
        error = Misunderstood("请选保留哪一条。")
        error.about = "keep"
        raise error
    return tuple(sorted(numbers, key=lambda each: str(each) != said))


def _may_act() -> bool:
    return bool(visitor().scope.roles & DUPLICATES_DECIDE.roles)
