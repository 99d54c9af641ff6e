"""Logging in by scanning with WeChat: a code on this page, a question in the chat, and this browser is in (F136).

Only the browser that was shown the code gets in with it: what the code says is not what the cookie holds.
"""

from __future__ import annotations

import flask_login
import segno
import structlog
from flask import redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from admin.doorway import came_from, onward, remember
from admin.views.context import Console
from errors import AssistantError
from models import ScanLogin, ScanState
from services.entry import scans

log = structlog.get_logger("console")

KEPT_AS = "scan"


def scan(console: Console) -> Response | str | tuple[str, int]:
    """A fresh code. This one page waits for WeChat: only it can make the code, and somebody is waiting for just that."""
    if flask_login.current_user.is_authenticated:
        return redirect(url_for("console.today"))
    if console.scan_code is None:
        return redirect(url_for("console.enter"))
    scene = scans.new_scene()
    try:
        url = console.scan_code(scene, int(scans.GOOD_FOR.total_seconds()))
    except AssistantError as error:
        # Why is for the log: nobody has come in yet.
        log.warning("console.no_scan_code", reason=str(error))
        says = "现在取不到登录码，请用密码登录。"
        return render_template("console/login.html", name="", says=says, may_scan=True), 422
    with console.database.transaction() as writing:
        row, token = scans.begin(writing, scene, url, came_from(), console.now())
    session[KEPT_AS] = token
    return _page(console, row)


def state(console: Console) -> Response | str:
    """How far it is, asked every two seconds by the page, or by its button where scripts are off."""
    token, at = str(session.get(KEPT_AS, "")), console.now()
    with console.database.reading() as reading:
        row = scans.of_browser(reading, token)
    if row is not None and row.state is ScanState.CONFIRMED:
        with console.database.transaction() as writing:
            entered = scans.enter(writing, row, came_from(), at)
        if entered is not None:
            remember(entered)
            return _go(onward())
    if "HX-Request" not in request.headers:
        return _page(console, row) if row is not None else redirect(url_for("console.enter"))
    return render_template("console/scan_state.html", **_facts(row, console))


def _page(console: Console, row: ScanLogin) -> str:
    picture = segno.make(row.url, error="m").svg_inline(scale=6, border=3)
    return render_template("console/scan.html", picture=picture, next=onward(), **_facts(row, console))


def _facts(row: ScanLogin | None, console: Console) -> dict[str, object]:
    is_over = row is None or row.expires_at <= console.now() or row.state in {ScanState.REFUSED, ScanState.USED}
    return {"row": row, "is_over": is_over, "is_refused": row is not None and row.state is ScanState.REFUSED}


def _go(where: str) -> Response:
    if "HX-Request" in request.headers:
        return Response(status=204, headers={"HX-Redirect": where})
    return redirect(where)
