"""What followers allowed our subscription templates, counted from WeChat's events (F017; §2.4, §4.7)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Consent, RegisteredTemplate, TemplateKind, insert_new


def holders(session: Session, openids: Iterable[str], template_id: str) -> set[str]:
    """Who of these may be sent one more notification by this template."""
    allowed = sa.or_(Consent.is_long_term, Consent.credits > 0)
    asked = list(set(openids))
    return set(
        session.scalars(
            sa.select(Consent.openid).where(Consent.template_id == template_id, Consent.openid.in_(asked), allowed)
        )
    )


def accept(session: Session, openid: str, template_id: str, at: datetime) -> None:
    """One tap on “允许”: one more message, or all of them where the template is a long-term one."""
    _make(session, openid, template_id, at)
    registered = session.get(RegisteredTemplate, template_id)
    is_long_term = registered is not None and registered.kind is TemplateKind.LONG_TERM
    values = {"is_long_term": True} if is_long_term else {"credits": Consent.credits + 1}
    session.execute(sa.update(Consent).where(*_is([openid], template_id)).values(**values, changed_at=at))


def refuse(session: Session, openid: str, template_id: str, at: datetime) -> None:
    """Nothing is allowed any more: the person said so, or WeChat did (43101)."""
    session.execute(
        sa.update(Consent).where(*_is([openid], template_id)).values(credits=0, is_long_term=False, changed_at=at)
    )


def spend(session: Session, openids: Iterable[str], template_id: str) -> None:
    """One message each is about to leave. The database keeps a count from falling below nothing."""
    session.execute(
        sa.update(Consent)
        .where(*_is(openids, template_id), Consent.credits > 0, ~Consent.is_long_term)
        .values(credits=Consent.credits - 1)
    )


def give_back(session: Session, openid: str, template_id: str) -> None:
    """The message did not leave after all."""
    session.execute(
        sa.update(Consent)
        .where(*_is([openid], template_id), ~Consent.is_long_term)
        .values(credits=Consent.credits + 1)
    )


def _make(session: Session, openid: str, template_id: str, at: datetime) -> None:
    row = {"openid": openid, "template_id": template_id, "credits": 0, "is_long_term": False, "changed_at": at}
    insert_new(session, Consent, [row])


def _is(openids: Iterable[str], template_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return Consent.openid.in_(list(openids)), Consent.template_id == template_id
