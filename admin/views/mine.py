"""One's own account: where it is logged in, and the way out of each."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from admin.guard import section, visitor
from admin.navigation import MINE
from admin.views.context import Console
from models import Account
from services import logins


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/mine")
    @section(MINE)
    def mine() -> str:
        me = visitor()
        with console.database.reading() as session:
            rows = logins.living_sessions(session, me.account.id, console.now())
        return render_template("console/mine.html", rows=rows, here=me.session.id)

    @pages.post("/mine/sessions/<int:session_id>/end")
    @section(MINE)
    def end_mine(session_id: int) -> Response:
        me = visitor()
        with console.database.transaction() as session:
            account = session.get_one(Account, me.account.id)
            logins.end_session(session, account, session_id, console.now(), by=me.person_id)
        flash("那里的登录已结束。")
        return redirect(url_for("console.mine"))
