"""导出: all rows of a list as it is chosen and scoped, for a reason, masked, marked, noted in the audit (F137)."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import sqlalchemy as sa
from flask import Blueprint, current_app, g, render_template, request, send_file
from werkzeug.datastructures import ImmutableMultiDict, MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BuildError
from werkzeug.wrappers import Response

from admin import listings, pages
from admin.guard import section, visitor
from admin.listings import Listing, Reading
from admin.navigation import EXPORTS, PHONES
from admin.views.context import Console
from clock import beijing, beijing_date
from errors import Misunderstood, NotFound
from services import audit, scope
from services.fields import clean
from services.tables import csv_files, workbooks
from services.tables.sheets import Table

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Question = sa.Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Paper:
    """What is about to be handed out."""

    listing: Listing
    question: Question
    #: What was chosen on the page, in the words of its address.
    chosen: Mapping[str, str]
    #: Where one came from.
    back: str

    @property
    def filter(self) -> str:
        return "，".join(f"{name}={value}" for name, value in self.chosen.items()) or "全部"


def register(of: Blueprint, console: Console) -> None:
    def shown(name: str, says: str = "") -> str:
        paper = _asked(name)
        with console.database.reading() as session:
            counted = sa.select(sa.func.count()).select_from(paper.question.order_by(None).subquery())
            total = session.scalar(counted) or 0
        return render_template(
            "console/export.html", paper=paper, total=total, says=says, reason=request.form.get("reason", ""),
            may_reveal=_may_reveal(paper),
        )  # fmt: skip

    @of.get("/export/<name>", endpoint="export")
    @section(EXPORTS)
    def ask(name: str) -> str:
        return shown(name)

    @of.post("/export/<name>")
    @section(EXPORTS)
    def hand_out(name: str) -> Response | tuple[str, int]:
        try:
            why = audit.reason(request.form.get("reason", "")[:200], "导出的用途", "报送本月工作情况")
        except Misunderstood as error:
            return shown(name, str(error)), 422
        paper = _asked(name)
        is_unmasked = request.form.get("whole") == "yes" and _may_reveal(paper)
        kind = "csv" if request.form.get("form") == "csv" else "xlsx"
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the answer closes it
        count = _written(console, paper, file, why, kind=kind, is_unmasked=is_unmasked)
        with console.database.transaction() as session:
            act = "export.unmasked" if is_unmasked else "export"
            details = f"{paper.listing.title} {count} 行（{kind}）；范围：{paper.filter}；用途：{why}"
            audit.note(session, console.now(), visitor().person_id, act, f"list:{name}", details)
        file.seek(0)
        as_name = f"{name}-{beijing_date(console.now())}.{kind}"
        return send_file(file, XLSX if kind == "xlsx" else "text/csv", as_attachment=True, download_name=as_name)


class _Heard(ImmutableMultiDict[str, str]):
    """An address that knows what of it the page has read: nothing else has chosen anything."""

    def __init__(self, said: MultiDict[str, str]) -> None:
        super().__init__(said)
        self._read: set[str] = set()

    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # type: ignore[override]
        self._read.add(key)
        return super().get(key, default, type) if type is not None else super().get(key, default)

    def chosen(self, *, every: bool = False) -> dict[str, str]:
        """What was chosen, in one line each; the page's number is no choice."""
        return {
            key: clean(value)
            for key, value in self.items()
            if key != "page" and value and (every or key in self._read)
        }


def _may_reveal(paper: _Paper) -> bool:
    return paper.listing.has_phones and bool(visitor().scope.roles & PHONES.roles)


def _asked(name: str) -> _Paper:
    """What the list's page would show, asked of the page itself. Raises NotFound where the page is not theirs."""
    endpoint = f"console.{name}"
    listing = listings.LISTS.get(endpoint)
    view: Any = current_app.view_functions.get(endpoint)
    if listing is None or view is None or not view.section.roles & visitor().scope.roles:
        raise NotFound(scope.OUTSIDE)
    heard = _Heard(request.args)
    back, parts = _page(endpoint, heard.chosen(every=True))
    request.args, g.is_export = heard, True
    try:
        view(**parts)
    except pages.Asked as asked:
        return _Paper(listing, asked.question, heard.chosen(), back)
    finally:
        g.is_export = False
    raise NotFound(scope.OUTSIDE)


def _page(endpoint: str, chosen: Mapping[str, str]) -> tuple[str, Mapping[str, Any]]:
    """The page's own address, and its parts as its rule reads them. Raises NotFound."""
    adapter = current_app.create_url_adapter(request)
    try:
        assert adapter is not None
        address = adapter.build(endpoint, MultiDict(chosen))
        found, parts = adapter.match(address.partition("?")[0], method="GET")
    except (BuildError, HTTPException):
        raise NotFound(scope.OUTSIDE) from None
    if found != endpoint:
        raise NotFound(scope.OUTSIDE)
    return address, parts


def _written(console: Console, paper: _Paper, file: BinaryIO, why: str, *, kind: str, is_unmasked: bool) -> int:
    """Write the rows and whose they are; returns how many."""
    at, who, listing = console.now(), visitor().account.person.name, paper.listing
    phones = ("手机号未隐去，" if is_unmasked else "手机号已隐去，") if listing.has_phones else ""
    mark = (
        f"法学会助手导出 {listing.title}（{paper.filter}），{beijing(at):%Y-%m-%d %H:%M}（北京时间），由 {who} 导出，"
        f"{phones}用途：{why}"
    )
    with console.database.reading() as listed, console.database.reading() as session:
        found = listings.found(listed, paper.question)
        rows = listings.rows(listing, found, Reading(session, at, is_unmasked))
        if kind == "csv":
            return csv_files.write_to(file, Table(listing.columns, rows, listing.as_text), mark)
        return workbooks.write_to(
            file, [workbooks.table(listing.title, listing.columns, listing.widths, rows)], mark, who
        )
