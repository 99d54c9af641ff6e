"""One's own account: where it is logged in, the way out of each, and whether WeChat may open it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin.guard import section, visitor
from admin.navigation import MINE
from admin.views.context import Console
from errors import RuleBroken
from models import Account
from services.entry import logins, scans


def register(pages: Blueprint, console: Console) -> None:
    def shown(says: str = "") -> str:
        me = visitor()
        with console.database.reading() as session:
            rows = logins.living_sessions(session, me.account.id, console.now())
            bound = scans.own_accounts(session, me.person_id)
        return render_template(
            "console/mine.html", rows=rows, here=me.session.id, bound=bound, says=says,
            may_scan=console.scan_code is not None,
        )  # fmt: skip

    @pages.get("/mine")
    @section(MINE)
    def mine() -> str:
        return shown()

    @pages.post("/mine/scan")
    @section(MINE)
    def allow_scan() -> Response | tuple[str, int]:
        me, on = visitor(), request.form.get("allow") == "yes"
        try:
            with console.database.transaction() as session:
                account = session.get_one(Account, me.account.id)
                (scans.allow if on else scans.forbid)(session, account, console.now())
        except RuleBroken as error:
            return shown(str(error)), 422
        flash("扫码登录打开了。" if on else "扫码登录关闭了。")
        return redirect(url_for("console.mine"))

    @pages.post("/mine/sessions/<int:session_id>/end")
    @section(MINE)
    def end_mine(session_id: int) -> Response:
        me = visitor()
        with console.database.transaction() as session:
            account = session.get_one(Account, me.account.id)
            logins.end_session(session, account, session_id, console.now(), by=me.person_id)
        flash("那里的登录已结束。")
        return redirect(url_for("console.mine"))
