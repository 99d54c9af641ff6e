"""送达报告: what was expected and what came of it, each figure open down to one person (F110, F111)."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request
from sqlalchemy.orm import Session

from admin import pages as paging
from admin import steering
from admin.guard import section, visitor
from admin.navigation import BROADCASTS, WRITING
from admin.views.context import Console
from clock import beijing_date
from errors import Misunderstood, NotFound
from models import SendState
from services import audit, figures, scope
from services.sending import broadcasts, by_hand, delivery_report, report_book
from services.sending.delivery_report import Report, Slice
from services.sending.report_book import BY_HAND, ORDER, REPORT, Asked

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def register(pages: Blueprint, console: Console) -> None:
    _reading(pages, console)
    _handing_out(pages, console)


def _reading(pages: Blueprint, console: Console) -> None:
    @pages.get("/broadcasts/report/<key>")
    @section(BROADCASTS)
    def report(key: str) -> str:
        return _shown(console, key)

    @pages.get("/broadcasts/report/<key>/people")
    @section(BROADCASTS)
    def reached(key: str) -> str:
        state = paging.chosen("state", SendState)
        words = {name: request.args.get(name, "")[:255] for name in ("place", "kind", "way", "reason")}
        with console.database.reading() as session:
            if not figures.campaigns(session, visitor().scope, [key]):
                raise NotFound(scope.OUTSIDE)
            of = Slice((state,) if state else (), **words, within=_within(session, key))
            question = delivery_report.matching(session, key, of)
            page = paging.page(session, question, "人")
            rows = session.execute(question.offset(page.start).limit(paging.SIZE)).all()
        chosen = [*([state.label] if state else []), *filter(None, words.values())]
        people = [delivery_report.reached(row) for row in rows]
        return render_template("console/reached.html", key=key, page=page, rows=people, chosen=chosen)

    @pages.get("/broadcasts/messages/<int:row_id>")
    @section(BROADCASTS)
    def message(row_id: int) -> str:
        me = visitor()
        with console.database.reading() as session:
            row = scope.message(session, me.scope, row_id)
            return render_template("console/message.html", row=row, may_act=bool(me.scope.roles & WRITING.roles))

    @pages.get("/broadcasts/report/<key>/by-hand", endpoint="by_hand")
    @section(BROADCASTS)
    def masked(key: str) -> str:
        return _paper(console, key, "")


def _handing_out(pages: Blueprint, console: Console) -> None:
    """What leaves a trace, and wants a reason."""

    @pages.post("/broadcasts/report/<key>/workbook")
    @section(WRITING)
    def workbook(key: str) -> Response | tuple[str, int]:
        try:
            asked = _asked(console, "导出的用途", "报送本月工作情况")
        except Misunderstood as error:
            return _shown(console, key, str(error)), 422
        # Read without holding anybody up, however long the workbook takes.
        with console.database.reading() as session:
            report = _found(session, key)
            content = report_book.write(session, report, asked.mark(report, REPORT), _within(session, key))
        with console.database.transaction() as session:
            asked.note(session, report, REPORT, f"{report.whole.total} 人")
        name = f"report-{key.replace(':', '-')}-{beijing_date(asked.at)}.xlsx"
        return Response(content, mimetype=XLSX, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    @pages.post("/broadcasts/report/<key>/by-hand", endpoint="by_hand_numbers")
    @section(WRITING)
    def numbers(key: str) -> str | tuple[str, int]:
        try:
            whole = _asked(console, "为什么要看全号", "逐个打电话告知", is_unmasked=True)
        except Misunderstood as error:
            return _paper(console, key, str(error)), 422
        return _paper(console, key, "", whole)


def _found(session: Session, key: str) -> Report:
    """The report of a campaign over the people of the scope. Raises NotFound."""
    if not figures.campaigns(session, visitor().scope, [key]):
        raise NotFound(scope.OUTSIDE)
    return delivery_report.report(session, key, _within(session, key))


def _asked(console: Console, what: str, example: str, *, is_unmasked: bool = False) -> Asked:
    """Who asks, and why. Raises Misunderstood without a reason."""
    me = visitor()
    why = audit.reason(request.form.get("reason", "")[:200], what, example)
    return Asked(console.now(), me.account.person.name, why, me.person_id, is_unmasked)


def _shown(console: Console, key: str, says: str = "") -> str:
    me = visitor()
    with console.database.reading() as session:
        report = _found(session, key)
        row = steering.broadcast_of(session, me.scope, key)
        states = [state for state in ORDER if report.whole.counted.get(state)]
        return render_template(
            "console/report.html", report=report, states=states, ways=report_book.ways(report), says=says,
            broadcast=row, label=broadcasts.audience_label(session, row) if row else "",
            reason=request.form.get("reason", ""), may_export=bool(me.scope.roles & WRITING.roles),
        )  # fmt: skip


def _paper(console: Console, key: str, says: str, whole: Asked | None = None) -> str:
    """Those to be told by hand in one place, branch by branch; with whole numbers for somebody who said why."""
    with console.database.reading() as session:
        report, within = _found(session, key), _within(session, key)
        places = by_hand.places(session, report, within)
        asked = request.values.get("place", "")
        place = asked if asked in places else next(iter(places), "")
        at, is_unmasked = console.now(), whole is not None
        lists = list(
            by_hand.lists(session, key, at, is_unmasked=is_unmasked, within=within, place=place) if places else ()
        )
    if whole is not None:
        with console.database.transaction() as session:
            many = sum(len(each.people) for each in lists)
            whole.note(session, report, BY_HAND, f"{place}，{len(lists)} 个支部，{many} 人")
    return render_template(
        "console/by_hand.html", report=report, lists=lists, places=places, place=place, says=says, why=by_hand.why,
        columns=by_hand.COLUMNS,
        reason=request.form.get("reason", ""), mark=whole.mark(report, BY_HAND) if whole else "",
        may_reveal=bool(visitor().scope.roles & WRITING.roles),
    )  # fmt: skip


def _within(session: Session, key: str) -> scope.Condition | None:
    """The visitor's part of a campaign; None for the whole of what is theirs."""
    seen = visitor().scope
    is_theirs = seen.is_city or steering.broadcast_of(session, seen, key) is not None
    return None if is_theirs else seen.outgoing
