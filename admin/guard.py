"""A login before everything: who is there, whether the page is theirs, and a trace when it is not.

Nothing is open by default. A view that is neither named here nor marked with its section is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import flask_login
from flask import Blueprint, Flask, current_app, g, redirect, request, url_for
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response

from admin.navigation import MINE, TODAY, Section
from clock import Now, beijing_date
from config import Settings
from errors import NotFound
from models import AccountSession, Database
from services import scope
from services.entry import logins
from services.scope import Scope

#: Before a login, and between its two halves; everything else wants a section.
OPEN = frozenset({"console.static", "console.enter", "console.large_type", "console.scan", "console.scan_state"})
HALFWAY = frozenset({"console.code", "console.password", "console.phone", "console.leave"})

View = TypeVar("View", bound=Callable[..., Any])


class Ticket(flask_login.UserMixin):  # type: ignore[misc]
    """What the cookie keeps: the token of a session."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_id(self) -> str:
        return self.token


class Visitor(Ticket):
    """Who sits before the screen: their session, their account, and what their posts open to them."""

    def __init__(self, token: str, row: AccountSession, seen: Scope) -> None:
        super().__init__(token)
        self.session, self.account, self.scope = row, row.account, seen

    @property
    def person_id(self) -> int:
        return self.account.person_id

    @property
    def next_step(self) -> str | None:
        """What is still to be done before any page: the endpoint of it."""
        account = self.account
        if self.session.verified_at is None and account.is_totp_confirmed:
            return "console.code"
        if account.must_change:
            return "console.password"
        return "console.phone" if self.session.verified_at is None else None


def visitor() -> Visitor:
    """The visitor of this request; only behind the guard."""
    return cast(Visitor, flask_login.current_user)


def section(of: Section) -> Callable[[View], View]:
    """Marks a view as a page of a section; only its roles find it."""

    def mark(view: View) -> View:
        view.section = of  # type: ignore[attr-defined]
        return view

    return mark


def uploads(most_bytes: int) -> Callable[[View], View]:
    """Marks a view that takes a file: its form may be that big, every other one as big as a message of WeChat."""

    def mark(view: View) -> View:
        view.most_bytes = most_bytes  # type: ignore[attr-defined]
        return view

    return mark


def watch(app: Flask, pages: Blueprint, settings: Settings, database: Database, now: Now) -> None:
    """Put the guard before every page of the console."""
    app.config.update(
        SECRET_KEY=database.vault.signing_keys("console cookies")[0],
        SESSION_COOKIE_NAME="console",
        SESSION_COOKIE_PATH="/console",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.server.base_url.startswith("https://"),
        WTF_CSRF_CHECK_DEFAULT=False,
        # A form is good as long as its session; the session has limits of its own.
        WTF_CSRF_TIME_LIMIT=None,
    )
    csrf, manager = CSRFProtect(app), flask_login.LoginManager(app)
    manager.session_protection = None

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(token: str) -> Visitor | None:
        at = now()
        with database.reading() as session:
            row = logins.find_session(session, token, at)
            if row is None or (row.account.is_demo and not settings.wechat.is_local):
                return None
            seen = scope.of(session, row.account.person_id, beijing_date(at))
        if at - row.seen_at >= logins.SEEN_EVERY:
            with database.transaction() as session:
                logins.touch(session, row.id, at)
        return Visitor(token, row, seen)

    @pages.before_request
    def check() -> Response | None:
        endpoint = request.endpoint or ""
        # Before the token is looked for: that reads the form.
        most = getattr(current_app.view_functions.get(endpoint), "most_bytes", None)
        if most and flask_login.current_user.is_authenticated:
            request.max_content_length = most
        csrf.protect()
        if endpoint in OPEN:
            return None
        if not flask_login.current_user.is_authenticated:
            return _go("console.enter", next=request.full_path.rstrip("?"))
        step = visitor().next_step
        if endpoint in HALFWAY or (step is None and endpoint == "console.leave"):
            return None
        if step is not None:
            return _go(step)
        g.section = getattr(current_app.view_functions[endpoint], "section", None)
        if g.section is TODAY and not visitor().scope.roles:
            return _go("console.mine")
        if g.section is not MINE and (g.section is None or not g.section.roles & visitor().scope.roles):
            raise NotFound(scope.OUTSIDE)
        return None


def _go(endpoint: str, **values: Any) -> Response:
    """Send the browser on; a part of a page that htmx asked for takes the whole page along."""
    where = url_for(endpoint, **values)
    if "HX-Request" in request.headers:
        return Response(status=204, headers={"HX-Redirect": where})
    return redirect(where)
