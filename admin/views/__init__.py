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
    claims,
    coverage,
    drafting,
    duplicates,
    election_entry,
    elections,
    exports,
    figures,
    gatherings,
    imports,
    lifecycle,
    mine,
    organisations,
    party_groups,
    people,
    pictures,
    reports,
    roll,
    rules,
    search,
    sending,
    station_keeping,
    stations,
    tasks,
    templates,
    terms,
    today,
)
from admin.views.context import Console

PAGES = (
    today, search, organisations, branches, lifecycle, party_groups, people, roll, claims, terms, duplicates, elections, election_entry,
    stations, station_keeping, pictures, coverage, brands, imports, exports, cases, broadcasts, drafting, sending, reports,
    gatherings, figures, tasks, audit, accounts, templates, rules, mine,
)  # fmt: skip


def register(pages: Blueprint, console: Console) -> None:
    """Hang every page into the console."""
    for each in PAGES:
        each.register(pages, console)
