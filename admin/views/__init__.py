"""The pages, one subject a file; this is the table of contents."""

from __future__ import annotations

from flask import Blueprint

from admin.views import (
    accounts,
    audit,
    branches,
    broadcasts,
    cases,
    claims,
    drafting,
    duplicates,
    figures,
    gatherings,
    mine,
    people,
    reports,
    roll,
    rules,
    search,
    sending,
    stations,
    tasks,
    terms,
    today,
)
from admin.views.context import Console

PAGES = (
    today, search, branches, people, roll, terms, claims, duplicates, stations, cases, broadcasts, drafting, sending, reports,
    gatherings, figures, tasks, audit, accounts, rules,
    mine,
)  # fmt: skip


def register(pages: Blueprint, console: Console) -> None:
    """Hang every page into the console."""
    for each in PAGES:
        each.register(pages, console)
