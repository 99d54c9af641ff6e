"""模板: the message templates as configured beside what WeChat has, what is wrong with them, where each notice goes."""

from __future__ import annotations

from flask import Blueprint, render_template

from admin.guard import section
from admin.navigation import TEMPLATES
from admin.views.context import Console
from services import template_lists
from services.findings import Mark
from services.sending import templates as registry


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/templates", endpoint="templates")
    @section(TEMPLATES)
    def every() -> str:
        wechat = console.settings.wechat
        with console.database.reading() as session:
            registered = registry.registered(session)
        findings = list(console.check_templates(registered)) if registered else []
        return render_template(
            "console/templates.html", kinds=template_lists.kinds(wechat), registered=registered,
            configured=template_lists.configured(wechat, registered), unused=template_lists.unused(wechat, registered),
            wrong=[each for each in findings if each.mark is not Mark.GOOD],
            synced_at=max((row.synced_at for row in registered), default=None),
        )  # fmt: skip
