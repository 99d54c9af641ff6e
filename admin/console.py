"""Makes the console out of its parts and hangs it into the application."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache
from pathlib import Path

import flask_login
import structlog
from flask import Blueprint, Flask, Response, g, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from admin import guard, login, navigation, showing, views
from admin.views.context import Console
from errors import AssistantError, NotFound
from services import import_runs, scope

log = structlog.get_logger("console")

#: Nothing from other hosts, nothing inline; pictures in style sheets are data.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
STATIC = Path(__file__).with_name("static")


def attach(app: Flask, console: Console) -> None:
    """Mount the console at /console/."""
    pages = Blueprint("console", __name__, url_prefix="/console", template_folder="templates", static_folder="static")
    pages.before_request(views.imports.make_room)
    guard.watch(app, pages, console.settings, console.database, console.now)
    login.register(pages, console.settings, console.database, console.now)
    views.register(pages, console)
    for name, show in showing.FILTERS.items():
        pages.add_app_template_filter(show, name)
    reasons = {rule.name: rule.says for rule in console.rules}
    pages.add_app_template_filter(lambda name: reasons.get(name, name), "rule_name")
    _surround(pages, console)
    _answer_errors(pages, console)

    @pages.get("/<path:_rest>")
    @guard.section(navigation.TODAY)
    def unknown(_rest: str) -> str:
        raise NotFound(scope.OUTSIDE)

    app.register_blueprint(pages)


def _surround(pages: Blueprint, console: Console) -> None:
    @pages.context_processor
    def around() -> dict[str, object]:
        user = flask_login.current_user
        is_in = isinstance(user, guard.Visitor) and user.next_step is None
        return {
            "asset": _asset,
            "at": console.now(),
            "is_large": request.cookies.get(login.LARGE) == "1",
            "is_demo": console.settings.wechat.is_local,
            "may": lambda endpoint: is_in and navigation.may_enter(user.scope.roles, endpoint),
            "menu": navigation.menu(user.scope.roles) if is_in else [],
            "section": g.get("section"),
            "visitor": user if is_in else None,
        }

    @pages.after_request
    def protect(answer: Response) -> Response:
        answer.headers.update(HEADERS)
        if request.endpoint == "console.static":
            answer.headers["Cache-Control"] = f"public, max-age={login.A_YEAR}, immutable"
        else:
            answer.headers["Cache-Control"] = "no-store"
        return answer


def _asset(name: str) -> str:
    """The address of a file, which changes when the file does, so that browsers may keep it for a year."""
    return url_for("console.static", filename=name, v=_digest(name))


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def _answer_errors(pages: Blueprint, console: Console) -> None:
    def page(status: int, title: str, says: str, error_id: str = "") -> tuple[str, int]:
        return render_template("console/error.html", status=status, title=title, says=says, error_id=error_id), status

    @pages.errorhandler(NotFound)
    def not_found(error: NotFound) -> tuple[str, int]:
        user = flask_login.current_user
        with console.database.transaction() as session:
            scope.refuse(session, user.person_id if user.is_authenticated else None, request.path, console.now())
        return page(404, "没有这个页面", str(error))

    @pages.errorhandler(CSRFError)
    def stale(_error: CSRFError) -> tuple[str, int]:
        return page(
            400, "页面过期了", "这一页打开得太久，或登录已经换了人。请返回上一页刷新，再做一次；刚才的操作没有执行。"
        )

    @pages.errorhandler(AssistantError)
    def refused(error: AssistantError) -> tuple[str, int]:
        return page(400, "没有办成", str(error))

    @pages.errorhandler(HTTPException)
    def wrong(error: HTTPException) -> tuple[str, int]:
        if error.code == 404:
            return page(404, "没有这个页面", scope.OUTSIDE)
        if error.code == 413:
            return page(413, "文件太大", f"上传的文件最多 {import_runs.MAX_BYTES >> 20} MB，请分开导入。")
        return page(error.code or 400, "请求不对", "浏览器发来的内容不对，没有执行。请返回上一页再试。")

    @pages.errorhandler(Exception)
    def broken(_error: Exception) -> tuple[str, int]:
        error_id = secrets.token_hex(3)
        log.exception("console.failed", error_id=error_id, path=request.path)
        return page(500, "出错了", "刚才的操作没有完成，我们已经记下。", error_id)
