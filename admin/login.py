"""Coming in and going out: name and password, the second factor, the way out. The newcomer's steps are in newcomer.py,
scanning with WeChat in scanning.py."""

from __future__ import annotations

from functools import partial

import flask_login
from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from admin import newcomer, scanning
from admin.doorway import A_YEAR, LARGE, came_from, onward, remember
from admin.guard import Visitor, visitor
from admin.views.context import Console
from models import Account
from services.entry import accounts, logins, passwords, second_factor

ONLY_LOCAL = "演示账号只能在本地微信的演示里使用。"


def register(pages: Blueprint, console: Console) -> None:
    """The pages before the first page."""
    for rule, endpoint, view, methods in (
        ("/login", "enter", enter, ["GET", "POST"]),
        ("/login/code", "code", code, ["GET", "POST"]),
        ("/login/password", "password", newcomer.password, ["GET", "POST"]),
        ("/login/phone", "phone", newcomer.phone, ["GET", "POST"]),
        ("/login/scan", "scan", scanning.scan, ["POST"]),
        ("/login/scan/state", "scan_state", scanning.state, ["POST"]),
        ("/logout", "leave", leave, ["POST"]),
        ("/large", "large_type", large_type, ["POST"]),
    ):
        pages.add_url_rule(rule, endpoint, partial(view, console), methods=methods)


def enter(console: Console) -> Response | str | tuple[str, int]:
    """Name and password."""
    if flask_login.current_user.is_authenticated:
        return redirect(url_for(visitor().next_step or "console.today"))
    name = request.form.get("name", "")[:64]
    if request.method == "GET":
        return _form(console, name, "")
    account, says = _entered(console, name)
    if account is None:
        return _form(console, name, says), 422
    with console.database.transaction() as writing:
        token = logins.enter(writing, account, came_from(), console.now())
    remember(token)
    return redirect(url_for("console.code", next=onward()) if account.is_totp_confirmed else onward())


def _form(console: Console, name: str, says: str) -> str:
    return render_template("console/login.html", name=name, says=says, may_scan=console.scan_code is not None)


def _entered(console: Console, name: str) -> tuple[Account | None, str]:
    """The account whose password was given; else None, and the sentence to show."""
    at, where = console.now(), came_from()
    with console.database.reading() as reading:
        account = accounts.by_name(reading, name)
        refused = logins.refusal(reading, account, where, at)
    if refused:
        return None, refused
    usable = account if account is not None and account.closed_at is None else None
    # Outside of any transaction: it takes tens of milliseconds, on purpose.
    is_right = passwords.matches(request.form.get("password", "")[:256], usable.password if usable else None)
    if is_right and usable is not None:
        return (None, ONLY_LOCAL) if usable.is_demo and not console.settings.wechat.is_local else (usable, "")
    with console.database.transaction() as writing:
        return None, logins.note_wrong(writing, account, where, at)


def code(console: Console) -> Response | str | tuple[str, int]:
    """The second factor."""
    me = visitor()
    if me.next_step != "console.code":
        return redirect(url_for(me.next_step or "console.today"))
    shown = second_factor.code_at(me.account, console.now()) if me.account.is_demo else ""
    says = _check_code(console, me) if request.method == "POST" else ""
    if request.method == "POST" and not says:
        return redirect(onward())
    return render_template("console/code.html", says=says, shown=shown), 422 if says else 200


def _check_code(console: Console, me: Visitor) -> str:
    """Open the session when the code is right; else the sentence to show."""
    at, said = console.now(), request.form.get("code", "")[:32]
    if not said.strip():
        return "请输入手机上的六位数字。"
    with console.database.transaction() as writing:
        row = logins.session_by_id(writing, me.session.id)
        refused = logins.refusal(writing, row.account, came_from(), at)
        if refused:
            return refused
        if not second_factor.take(writing, console.database.vault, row.account, said, at):
            return logins.note_wrong(writing, row.account, came_from(), at, logins.WRONG_CODE)
        token = logins.new_token()
        logins.open_fully(writing, row, token, at)
    remember(token)
    return ""


def leave(console: Console) -> Response:
    me, at = visitor(), console.now()
    with console.database.transaction() as writing:
        account = writing.get_one(Account, me.account.id)
        logins.end_session(writing, account, me.session.id, at, by=me.person_id)
    flask_login.logout_user()
    session.clear()
    flash("已退出登录。")
    return redirect(url_for("console.enter"))


def large_type(_console: Console) -> Response:
    answer = redirect(onward(request.form.get("next", "")))
    value = "" if request.cookies.get(LARGE) == "1" else "1"
    answer.set_cookie(LARGE, value, max_age=A_YEAR, path="/console", samesite="Lax", httponly=True)
    return answer
