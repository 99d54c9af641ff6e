"""The pages, one subject a file; this is the table of contents."""

from __future__ import annotations

from flask import Blueprint

from admin.views import (
    accounts,
    audit,
    branches,
    brands,
    broadcasts,
    cases,
    coverage,
    drafting,
    figures,
    gatherings,
    lifecycle,
    mine,
    organisations,
    party_groups,
    people,
    pictures,
    reports,
    rules,
    search,
    sending,
    station_keeping,
    stations,
    tasks,
    templates,
    today,
)
from admin.views.context import Console

PAGES = (
    today, search, branches, people, stations, pictures, cases, broadcasts, drafting, sending, reports,
    gatherings, figures, tasks, audit, accounts, templates, rules,
    mine, organisations, lifecycle, party_groups, coverage, station_keeping, brands,
)  # fmt: skip


def register(pages: Blueprint, console: Console) -> None:
    """Hang every page into the console."""
    for each in PAGES:
        each.register(pages, console)
