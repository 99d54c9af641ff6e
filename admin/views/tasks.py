"""任务: the due-table. What comes next, what was done, what was missed, each with the rule behind it."""

from __future__ import annotations

from flask import Blueprint, render_template

from admin import pages as paging
from admin.guard import section
from admin.navigation import TASKS
from admin.views.context import Console
from models import DueState
from services import dues


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/tasks", endpoint="tasks")
    @section(TASKS)
    def every() -> str:
        at, state = console.now(), paging.chosen("state", DueState)
        with console.database.reading() as session:
            question = dues.matching(state)
            page = paging.page(session, question, "项")
            return render_template(
                "console/tasks.html", page=page, state=state, states=list(DueState),
                rules=dues.by_rule(session, [rule.name for rule in console.rules], at), watched=dues.watched(session, at),
                rows=session.scalars(question.offset(page.start).limit(paging.SIZE)).all(),
            )  # fmt: skip
