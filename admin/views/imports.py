"""导入: a table is sent, looked through off the request, shown as what it would change, and written when one says so."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin import pages as paging
from admin.guard import section, uploads, visitor
from admin.navigation import IMPORTS
from admin.views.context import Console
from clock import beijing_date
from errors import Misunderstood, NotFound, RuleBroken
from models import Import, ImportKind, ImportState
from services import dues, scope
from services.tables import import_runs, imports
from services.tables.import_runs import Sent

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: What a form has beside its file.
_FORM_BYTES = 64 * 1024


def register(pages: Blueprint, console: Console) -> None:
    _sending(pages, console)
    _standing(pages, console)
    _papers(pages, console)


def _sending(pages: Blueprint, console: Console) -> None:
    def listed(says: str = "") -> str:
        seen = visitor().scope
        question = import_runs.listed(seen)
        with console.database.reading() as session:
            page = paging.page(session, question, "次导入")
            rows = session.scalars(question.offset(page.start).limit(paging.SIZE)).all()
            return render_template(
                "console/imports.html", page=page, rows=rows, kinds=imports.kinds(seen), says=says,
                kind=request.form.get("kind", ""), sheet=request.form.get("sheet", "")[:64],
                most=import_runs.MAX_BYTES >> 20,
            )  # fmt: skip

    @pages.get("/imports", endpoint="imports")
    @section(IMPORTS)
    def every() -> str:
        return listed()

    @pages.post("/imports")
    @section(IMPORTS)
    @uploads(import_runs.MAX_BYTES + _FORM_BYTES)
    def upload() -> Response | tuple[str, int]:
        try:
            sent = _sent()
            with console.database.transaction() as session:
                number = import_runs.receive(session, visitor().scope, sent, console.now())
        except Misunderstood as error:
            return listed(str(error)), 422
        return redirect(url_for("console.brought", import_id=number))


def _sent() -> Sent:
    """What the form brings. Raises Misunderstood without a file, NotFound for a kind that there is not."""
    kind = next((each for each in ImportKind if each == request.form.get("kind")), None)
    if kind is None:
        raise Misunderstood("请选要导入什么。")
    file = request.files.get("file")
    if file is None or not file.filename:
        raise Misunderstood("请选一个文件：.xlsx 工作簿或 CSV。")
    return Sent(kind, file.filename, request.form.get("sheet", "").strip(), file.read(import_runs.MAX_BYTES + 1))


def _standing(pages: Blueprint, console: Console) -> None:
    def found(session: Session, import_id: int) -> Import:
        return scope.brought(session, visitor().scope, import_id)

    @pages.get("/imports/<int:import_id>")
    @section(IMPORTS)
    def brought(import_id: int) -> Response:
        with console.database.reading() as session:
            row = found(session, import_id)
            shown = render_template(
                "console/brought.html",
                row=row,
                preview=import_runs.preview(row),
                late=_is_late(session, row, console.now()),
            )
        answer = make_response(shown)
        # The buttons and the tables stand outside of what refreshes itself: another state brings the whole page anew.
        if request.args.get("was", row.state) != row.state:
            answer.headers["HX-Refresh"] = "true"
        return answer

    @pages.post("/imports/<int:import_id>/apply")
    @section(IMPORTS)
    def apply_import(import_id: int) -> Response:
        try:
            with console.database.transaction() as session:
                row = found(session, import_id)
                import_runs.ask_to_apply(session, visitor().scope, row, request.form.get("digest", ""))
        except RuleBroken as error:
            flash(str(error))
        return redirect(url_for("console.brought", import_id=import_id))

    @pages.post("/imports/<int:import_id>/drop")
    @section(IMPORTS)
    def drop_import(import_id: int) -> Response:
        try:
            with console.database.transaction() as session:
                import_runs.drop(session, visitor().scope, found(session, import_id), console.now())
            flash("已放弃，文件已删除；要用随时可以重新上传。")
        except RuleBroken as error:
            flash(str(error))
        return redirect(url_for("console.imports"))


def _is_late(session: Session, row: Import, at: datetime) -> bool:
    """Whether there is nobody to work at what is to be worked at."""
    is_waiting = row.state in {ImportState.UPLOADED, ImportState.APPLYING}
    is_left = is_waiting and row.held_until is None and at - row.uploaded_at > import_runs.TRY_AGAIN
    return is_left and not dues.watched(session, at)["scheduler"]


def _papers(pages: Blueprint, console: Console) -> None:
    @pages.post("/imports/template")
    @section(IMPORTS)
    def import_template() -> Response:
        kind = next((each for each in imports.kinds(visitor().scope) if each == request.form.get("kind")), None)
        if kind is None:
            raise NotFound(scope.OUTSIDE)
        return _download(imports.template(kind), f"template-{kind}.xlsx")

    @pages.post("/imports/<int:import_id>/errors")
    @section(IMPORTS)
    def import_errors(import_id: int) -> Response:
        with console.database.reading() as session:
            row = scope.brought(session, visitor().scope, import_id)
            paper = import_runs.errors(session, row)
        return _download(paper, f"errors-{import_id}-{beijing_date(console.now())}.xlsx")


def _download(content: bytes, name: str) -> Response:
    return Response(content, mimetype=XLSX, headers={"Content-Disposition": f'attachment; filename="{name}"'})
