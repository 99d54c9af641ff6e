"""The pages, one subject a file; this is the table of contents."""

from __future__ import annotations

from flask import Blueprint

from admin.views import (
    accounts,
    audit,
    branches,
    broadcasts,
    cases,
    drafting,
    exports,
    figures,
    gatherings,
    imports,
    mine,
    people,
    reports,
    rules,
    search,
    sending,
    stations,
    tasks,
    today,
)
from admin.views.context import Console

PAGES = (
    today, search, branches, people, stations, imports, cases, broadcasts, drafting, sending, reports,
    gatherings, figures, tasks, audit, accounts, rules, exports,
    mine,
)  # fmt: skip


def register(pages: Blueprint, console: Console) -> None:
    """Hang every page into the console."""
    for each in PAGES:
        each.register(pages, console)
