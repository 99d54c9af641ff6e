"""账号: who may enter, made and reset by the city office, read by the auditor."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import ACCOUNTS, ACCOUNTS_CHANGE
from admin.views.context import Console
from errors import AssistantError, RuleBroken
from services.entry import accounts, logins

OWN = "自己的账号请在“我的账号”里改；要重置请另一位管理员来做。"


def register(pages: Blueprint, console: Console) -> None:
    def listed(says: str = "", typed: dict[str, str] | None = None) -> str:
        at, words = console.now(), request.args.get("q", "")[:64]
        with console.database.reading() as session:
            question = accounts.matching(session, words)
            page = paging.page(session, question, "个账号", "console.accounts")
            some = session.scalars(question.offset(page.start).limit(paging.SIZE)).all()
            lines = accounts.lines(session, some, at)
        may_change = bool(visitor().scope.roles & ACCOUNTS_CHANGE.roles)
        return render_template(
            "console/accounts.html", lines=lines, page=page, words=words, says=says, typed=typed or {},
            may_change=may_change,
        )  # fmt: skip

    @pages.get("/accounts", endpoint="accounts")
    @section(ACCOUNTS)
    def every() -> str:
        return listed()

    @pages.post("/accounts")
    @section(ACCOUNTS_CHANGE)
    def add_account() -> str | tuple[str, int]:
        typed = {field: request.form.get(field, "").strip()[:64] for field in ("name", "person")}
        try:
            with console.database.transaction() as session:
                person = accounts.person_called(session, typed["person"])
                account, password = accounts.add(
                    session, typed["name"].lower(), person.id, console.now(), by=visitor().person_id
                )
        except AssistantError as error:
            return listed(str(error), typed), 422
        return render_template("console/first_password.html", name=account.name, password=password)

    @pages.post("/accounts/<name>/reset")
    @section(ACCOUNTS_CHANGE)
    def reset_account(name: str) -> str:
        with console.database.transaction() as session:
            account = accounts.get(session, _other(name))
            password = accounts.reset(session, account, console.now(), by=visitor().person_id)
        return render_template("console/first_password.html", name=name, password=password)

    @pages.post("/accounts/<name>/end")
    @section(ACCOUNTS_CHANGE)
    def end_account_sessions(name: str) -> Response:
        with console.database.transaction() as session:
            account = accounts.get(session, name)
            count = logins.end_sessions(session, account, console.now(), by=visitor().person_id)
        flash(f"已结束 {name} 的 {count} 处登录。")
        return redirect(url_for("console.accounts"))

    @pages.post("/accounts/<name>/close")
    @section(ACCOUNTS_CHANGE)
    def close_account(name: str) -> Response:
        with console.database.transaction() as session:
            accounts.close(session, accounts.get(session, _other(name)), console.now(), by=visitor().person_id)
        flash(f"账号 {name} 已停用；要恢复请重置密码。")
        return redirect(url_for("console.accounts"))


def _other(name: str) -> str:
    if name == visitor().account.name:
        raise RuleBroken(OWN)
    return name
