"""设置: what the system does by itself, why, by which line of the work report, and who may change it (P4)."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin.guard import section, visitor
from admin.navigation import RULES, RULES_CHANGE
from admin.settled import lines
from admin.views.context import Console, Reason
from clock import beijing_date
from errors import Misunderstood, NotFound
from services import audit, scope, switches
from services.meetings import rhythm


def register(pages: Blueprint, console: Console) -> None:
    def shown(says: str = "", wrong: str = "") -> str:
        with console.database.reading() as session:
            calendar = rhythm.calendar(session, console.settings.calendar)
            switched = switches.rules(session)
        year = beijing_date(console.now()).year
        return render_template(
            "console/rules.html", groups=lines(console.settings), rules=console.rules, switched=switched, says=says,
            wrong=wrong, reason=request.form.get("reason", ""), may_change=bool(visitor().scope.roles & RULES_CHANGE.roles),
            warnings=[said for each in (year, year + 1) for said in calendar.warnings(each)],
        )  # fmt: skip

    @pages.get("/settings", endpoint="rules")
    @section(RULES)
    def every() -> str:
        return shown()

    @pages.post("/settings/<name>")
    @section(RULES_CHANGE)
    def switch_rule(name: str) -> Response | tuple[str, int]:
        rule, on = _switchable(console.rules, name), request.form.get("on") == "yes"
        word = "打开" if on else "关闭"
        try:
            reason = audit.reason(request.form.get("reason", ""), f"为什么{word}", "节前事多，暂停提醒")
        except Misunderstood as error:
            return shown(f"{rule.says}：{error}", name), 422
        with console.database.transaction() as session:
            switches.switch_rule(session, name, console.now(), on=on, by=visitor().person_id, note=reason)
        flash(f"已{word}：{rule.says}。")
        return redirect(url_for("console.rules"))


def _switchable(rules: tuple[Reason, ...], name: str) -> Reason:
    """Raises NotFound, also for a rule that is always on: it has no switch."""
    rule = next((rule for rule in rules if rule.name == name and rule.usually is not None), None)
    if rule is None:
        raise NotFound(scope.OUTSIDE)
    return rule
