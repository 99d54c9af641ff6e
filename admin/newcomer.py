"""The first day with an account: a password of one's own, and a phone that makes codes."""

from __future__ import annotations

import segno
from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin.doorway import came_from, remember
from admin.guard import Visitor, visitor
from admin.views.context import Console
from errors import Misunderstood
from models import Account
from services.entry import logins, passwords, second_factor


def password(console: Console) -> Response | str | tuple[str, int]:
    """The first password changed, or any later one."""
    me, says = visitor(), {}
    if me.next_step not in {"console.password", None}:
        return redirect(url_for(me.next_step or "console.today"))
    if request.method == "POST":
        says = _change_password(console, me)
        if not says:
            flash("密码改好了；别处的登录都已结束。")
            return redirect(url_for("console.mine" if me.next_step is None else "console.today"))
    shown = render_template("console/password.html", says=says, is_first=me.account.must_change)
    return shown, 422 if says else 200


def _change_password(console: Console, me: Visitor) -> dict[str, str]:
    """Field → what is wrong with it; empty when it was changed."""
    old, new, again = (request.form.get(field, "")[:256] for field in ("old", "new", "again"))
    # Whoever holds somebody's open session must not try passwords with it.
    at = console.now()
    with console.database.transaction() as writing:
        account = writing.get_one(Account, me.account.id)
        refused = logins.refusal(writing, account, came_from(), at)
        if refused is None and not passwords.matches(old, account.password):
            refused = logins.note_wrong(writing, account, came_from(), at, "现在的密码不对。")
    if refused is not None:
        return {"old": refused}
    try:
        passwords.require_good(new, name=me.account.name)
    except Misunderstood as error:
        return {"new": str(error)}
    if new == old:
        return {"new": "新密码要和现在的不一样。"}
    if new != again:
        return {"again": "两次输入的不一样，请再输一次。"}
    sealed = passwords.seal(new)
    with console.database.transaction() as writing:
        account = writing.get_one(Account, me.account.id)
        logins.change_password(writing, account, sealed, console.now(), keep=me.session.id)
    return {}


def phone(console: Console) -> Response | str | tuple[str, int]:
    """The authenticator, shown as a code to scan; the first right code confirms it and opens the session."""
    me = visitor()
    if me.next_step != "console.phone":
        return redirect(url_for(me.next_step or "console.today"))
    codes, says = _set_up_phone(console, me) if request.method == "POST" else ([], "")
    if codes:
        return render_template("console/backup_codes.html", codes=codes)
    with console.database.transaction() as writing:
        account = logins.session_by_id(writing, me.session.id).account
        secret = second_factor.propose(writing, account)
        picture = segno.make(second_factor.address(account), error="m").svg_inline(scale=5, border=2)
    spaced = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
    return render_template("console/phone.html", picture=picture, secret=spaced, says=says), 422 if says else 200


def _set_up_phone(console: Console, me: Visitor) -> tuple[list[str], str]:
    """The backup codes when the code is right; else the sentence to show."""
    at, said = console.now(), request.form.get("code", "")[:32]
    with console.database.transaction() as writing:
        row = logins.session_by_id(writing, me.session.id)
        refused = logins.refusal(writing, row.account, came_from(), at)
        if refused is not None:
            return [], refused
        if not second_factor.take(writing, console.database.vault, row.account, said, at):
            return [], logins.note_wrong(writing, row.account, came_from(), at, logins.WRONG_CODE)
        codes = second_factor.confirm(writing, console.database.vault, row.account, at)
        token = logins.new_token()
        logins.open_fully(writing, row, token, at)
    remember(token)
    return codes, ""
