"""The account's templates as WeChat last showed them: kept, so that checking them needs no call (F114; §4.6, §4.7).

Calls about templates are counted sharply (45009 far below the shown quota), so one sync serves every later check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import RegisteredTemplate, TemplateKind
from services import audit

#: Type of a subscription template in WeChat's answer.
LONG_TERM = 3


@dataclass(frozen=True, slots=True)
class Changes:
    """What a sync found, by title and id."""

    new: list[str]
    changed: list[str]
    gone: list[str]
    total: int


def read(
    private: Iterable[Mapping[str, Any]], subscriptions: Iterable[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Rows from WeChat's two lists, by id. Who stands in both may be sent as a template message as well."""
    found = {
        str(one["priTmplId"]): _row(
            one, TemplateKind.LONG_TERM if one.get("type") == LONG_TERM else TemplateKind.ONE_TIME
        )
        for one in subscriptions
    }
    return found | {str(one["template_id"]): _row(one, TemplateKind.TEMPLATE) for one in private}


def _row(one: Mapping[str, Any], kind: TemplateKind) -> dict[str, Any]:
    return {
        "kind": kind,
        "title": str(one.get("title", ""))[:64],
        "content": str(one.get("content", "")),
        "example": str(one.get("example", "")),
    }


def sync(session: Session, found: Mapping[str, Mapping[str, Any]], at: datetime) -> Changes:
    """Make the registry equal to what WeChat shows; what is gone there goes here."""
    known = {row.id: row for row in registered(session)}
    new = [template_id for template_id in found if template_id not in known]
    gone = [row for row in known.values() if row.id not in found]
    changed = [row for row in known.values() if row.id in found and _differs(row, found[row.id])]
    for row in gone:
        session.delete(row)
    for template_id, values in found.items():
        session.merge(RegisteredTemplate(id=template_id, synced_at=at, **values))
    details = f"新增 {len(new)}，变更 {len(changed)}，移除 {len(gone)}"
    audit.note(session, at, None, "templates.sync", "templates", details)
    return Changes(
        [_named(template_id, str(found[template_id]["title"])) for template_id in new],
        [_named(row.id, str(found[row.id]["title"])) for row in changed],
        [_named(row.id, row.title) for row in gone],
        len(found),
    )


def _differs(row: RegisteredTemplate, values: Mapping[str, Any]) -> bool:
    return any(getattr(row, name) != value for name, value in values.items())


def _named(template_id: str, title: str) -> str:
    return f"{title}（{template_id}）"


def registered(session: Session) -> list[RegisteredTemplate]:
    """The templates as they were last seen."""
    return list(
        session.scalars(sa.select(RegisteredTemplate).order_by(RegisteredTemplate.kind, RegisteredTemplate.id))
    )
