"""A list in pages, with links that keep what was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import g, request, url_for
from sqlalchemy.orm import Session

from models import Labelled

SIZE = 50
W = TypeVar("W", bound=Labelled)


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of how many. `unit` is what is counted: 人, 个, 件."""

    number: int
    total: int
    unit: str
    endpoint: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return max(1, -(-self.total // SIZE))

    @property
    def start(self) -> int:
        return (min(self.number, self.last) - 1) * SIZE

    @property
    def export(self) -> str:
        """Where all rows of this list are handed out, with the same choice."""
        return (
            url_for("console.export", name=self.endpoint.removeprefix("console."), **self.values)
            if self.endpoint
            else ""
        )

    def link(self, number: int) -> str:
        return url_for(self.endpoint, **{**self.values, "page": number})


class Asked(Exception):
    """A list's question, on its way to the export, which wants all its rows and no page (admin/views/exports.py)."""

    def __init__(self, question: sa.Select[*tuple[Any, ...]]) -> None:
        super().__init__()
        self.question = question


def page(session: Session, question: sa.Select[*tuple[Any, ...]], unit: str, of: str = "") -> Page:
    """The page that the address asks for of what a question finds. Raises Asked for an export.

    `of` is the list's endpoint, where a form that stands on it is answered with the list again.
    """
    if g.get("is_export"):
        raise Asked(question)
    total = session.scalar(sa.select(sa.func.count()).select_from(question.order_by(None).subquery())) or 0
    chosen = {name: value for name, value in request.args.items() if name != "page" and value}
    chosen |= {} if of else request.view_args or {}
    number = max(1, number_of("page", 1))
    return Page(min(number, max(1, -(-total // SIZE))), total, unit, of or request.endpoint or "", chosen)


def number_of(name: str, default: int = 0) -> int:
    """A number from the address; anything else counts as not given."""
    said = request.args.get(name, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else default


def day(name: str, latest: date) -> date:
    """A date from the address that is not after the latest; anything else counts as the latest."""
    try:
        return min(date.fromisoformat(request.args.get(name, "")), latest)
    except ValueError:
        return latest


def chosen(name: str, kind: type[W]) -> W | None:
    """A labelled word from the address, or None."""
    said = request.args.get(name, "")
    return next((word for word in kind if word == said), None)
