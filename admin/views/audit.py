"""审计: who did, saw or changed what; searchable, with the chain that vouches for it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from flask import Blueprint, render_template, request

from admin import pages as paging
from admin.acts import ACTS, GROUPS, stored
from admin.guard import section
from admin.navigation import AUDIT
from admin.views.context import Console
from clock import at_beijing
from services import audit_lists


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/audit", endpoint="audit")
    @section(AUDIT)
    def every() -> str:
        asked = {
            name: request.args.get(name, "").strip()[:64] for name in ("group", "person", "subject", "from", "to")
        }
        since, until = _start(asked["from"]), _start(asked["to"], days=1)
        acts = (asked["group"],) if asked["group"] in ACTS else GROUPS.get(asked["group"], ("", ()))[1]
        question = audit_lists.matching(acts, asked["person"], stored(asked["subject"]), since, until)
        with console.database.reading() as session:
            page = paging.page(session, question, "条记录")
            rows = session.execute(question.offset(page.start).limit(paging.SIZE)).all()
            return render_template(
                "console/audit.html", page=page, rows=rows, asked=asked, last=audit_lists.last_seal(session),
                groups=[*((key, f"【{label}】") for key, (label, _acts) in GROUPS.items()), *ACTS.items()],
            )  # fmt: skip


def _start(said: str, days: int = 0) -> datetime | None:
    """The Beijing midnight of a date from the address, some days later; None for anything else."""
    try:
        return at_beijing(date.fromisoformat(said) + timedelta(days=days), time(0))
    except (ValueError, OverflowError):
        return None
