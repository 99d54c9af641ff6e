"""What every way into the console shares: from where somebody comes, the cookie, and where they wanted to go."""

from __future__ import annotations

import flask_login
from flask import request, session, url_for

from admin.guard import Ticket
from services.entry.logins import Where

LARGE = "large"
A_YEAR = 365 * 24 * 3600


def came_from() -> Where:
    """The address and the browser of this request."""
    return Where(request.remote_addr or "", request.headers.get("User-Agent", ""))


def remember(token: str) -> None:
    """A cookie of a new session, with nothing of the one before in it."""
    session.clear()
    flask_login.login_user(Ticket(token))


def onward(asked: str | None = None) -> str:
    """Where somebody wanted to go: a page of the console and nowhere else."""
    where = asked if asked is not None else request.args.get("next", "")
    is_ours = where.startswith("/console/") and "\\" not in where and "//" not in where and where.isprintable()
    return where if is_ours else url_for("console.today")
