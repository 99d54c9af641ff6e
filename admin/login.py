"""Coming in and going out: name and password, the second factor, the first password changed, a phone set up."""

from __future__ import annotations

import flask_login
import segno
from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from admin.guard import Ticket, Visitor, visitor
from clock import Now
from config import Settings
from errors import Misunderstood
from models import Account, Database
from services import accounts, logins, passwords, second_factor
from services.logins import Where

LARGE = "large"
A_YEAR = 365 * 24 * 3600
ONLY_LOCAL = "演示账号只能在本地微信的演示里使用。"


def register(pages: Blueprint, settings: Settings, database: Database, now: Now) -> None:
    """The pages before the first page."""

    @pages.route("/login", methods=["GET", "POST"])
    def enter() -> Response | str | tuple[str, int]:
        if flask_login.current_user.is_authenticated:
            return redirect(url_for(visitor().next_step or "console.today"))
        if request.method == "GET":
            return render_template("console/login.html", name="", says="")
        name, at = request.form.get("name", "")[:64], now()
        with database.reading() as reading:
            account = accounts.by_name(reading, name)
            says = logins.refusal(reading, account, _where(), at)
        usable = account if account is not None and account.closed_at is None else None
        # Outside of any transaction: it takes tens of milliseconds, on purpose.
        is_right = not says and passwords.matches(
            request.form.get("password", "")[:256], usable.password if usable else None
        )
        if is_right and usable is not None and usable.is_demo and not settings.wechat.is_local:
            says = ONLY_LOCAL
        if says or not is_right or usable is None:
            if not says:
                with database.transaction() as writing:
                    says = logins.note_wrong(writing, account, _where(), at)
            return render_template("console/login.html", name=name, says=says), 422
        with database.transaction() as writing:
            token = logins.enter(writing, usable, _where(), at)
        _remember(token)
        return redirect(url_for("console.code", next=_next()) if usable.is_totp_confirmed else _next())

    @pages.route("/login/code", methods=["GET", "POST"])
    def code() -> Response | str | tuple[str, int]:
        me = visitor()
        if me.next_step != "console.code":
            return redirect(url_for(me.next_step or "console.today"))
        shown = second_factor.code_at(me.account, now()) if me.account.is_demo else ""
        says = _check_code(me) if request.method == "POST" else ""
        if request.method == "POST" and not says:
            return redirect(_next())
        return render_template("console/code.html", says=says, shown=shown), 422 if says else 200

    def _check_code(me: Visitor) -> str:
        """Open the session when the code is right; else the sentence to show."""
        at = now()
        with database.transaction() as writing:
            row = logins.session_by_id(writing, me.session.id)
            account = row.account
            refused = logins.refusal(writing, account, _where(), at)
            if refused:
                return refused
            if not second_factor.take(writing, database.vault, account, request.form.get("code", "")[:32], at):
                return logins.note_wrong(writing, account, _where(), at, logins.WRONG_CODE)
            token = logins.new_token()
            logins.open_fully(writing, row, token, at)
        _remember(token)
        return ""

    @pages.route("/login/password", methods=["GET", "POST"])
    def password() -> Response | str | tuple[str, int]:
        me, says = visitor(), {}
        if me.next_step not in {"console.password", None}:
            return redirect(url_for(me.next_step or "console.today"))
        if request.method == "POST":
            says = _change_password(me)
            if not says:
                flash("密码改好了；别处的登录都已结束。")
                return redirect(url_for("console.mine" if me.next_step is None else "console.today"))
        return render_template(
            "console/password.html", says=says, is_first=me.account.must_change
        ), 422 if says else 200

    def _change_password(me: Visitor) -> dict[str, str]:
        """Field → what is wrong with it; empty when it was changed."""
        old, new, again = (request.form.get(field, "")[:256] for field in ("old", "new", "again"))
        if not passwords.matches(old, me.account.password):
            return {"old": "现在的密码不对。"}
        try:
            passwords.require_good(new, name=me.account.name)
        except Misunderstood as error:
            return {"new": str(error)}
        if new == old:
            return {"new": "新密码要和现在的不一样。"}
        if new != again:
            return {"again": "两次输入的不一样，请再输一次。"}
        sealed = passwords.seal(new)
        with database.transaction() as writing:
            account = writing.get_one(Account, me.account.id)
            logins.change_password(writing, account, sealed, now(), keep=me.session.id)
        return {}

    @pages.route("/login/phone", methods=["GET", "POST"])
    def phone() -> Response | str | tuple[str, int]:
        me = visitor()
        if me.next_step != "console.phone":
            return redirect(url_for(me.next_step or "console.today"))
        at, says = now(), ""
        with database.transaction() as writing:
            row = logins.session_by_id(writing, me.session.id)
            account = row.account
            secret = second_factor.propose(writing, account)
            if request.method == "POST":
                if second_factor.take(writing, database.vault, account, request.form.get("code", "")[:32], at):
                    codes = second_factor.confirm(writing, database.vault, account, at)
                    token = logins.new_token()
                    logins.open_fully(writing, row, token, at)
                    _remember(token)
                    return render_template("console/backup_codes.html", codes=codes)
                says = logins.note_wrong(writing, account, _where(), at, logins.WRONG_CODE)
            picture = segno.make(second_factor.address(account), error="m").svg_inline(scale=5, border=2)
        spaced = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
        return render_template("console/phone.html", picture=picture, secret=spaced, says=says), 422 if says else 200

    @pages.post("/logout")
    def leave() -> Response:
        me, at = visitor(), now()
        with database.transaction() as writing:
            account = writing.get_one(Account, me.account.id)
            logins.end_session(writing, account, me.session.id, at, by=me.person_id)
        flask_login.logout_user()
        session.clear()
        flash("已退出登录。")
        return redirect(url_for("console.enter"))

    @pages.post("/large")
    def large_type() -> Response:
        answer = redirect(_next(request.form.get("next", "")))
        value = "" if request.cookies.get(LARGE) == "1" else "1"
        answer.set_cookie(LARGE, value, max_age=A_YEAR, path="/console", samesite="Lax", httponly=True)
        return answer


def _where() -> Where:
    return Where(request.remote_addr or "", request.headers.get("User-Agent", ""))


def _remember(token: str) -> None:
    """A cookie of a new session, with nothing of the one before in it."""
    session.clear()
    flask_login.login_user(Ticket(token))


def _next(asked: str | None = None) -> str:
    """Where somebody wanted to go: a page of the console and nowhere else."""
    where = asked if asked is not None else request.args.get("next", "")
    is_ours = where.startswith("/console/") and "\\" not in where and "//" not in where
    return where if is_ours else url_for("console.today")
