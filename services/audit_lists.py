"""The audit as an auditor reads it: by act, by person, by what it is about, with each entry's place in the chain."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import AuditEntry, AuditSeal, Person


def matching(
    acts: tuple[str, ...], person: str, subject: str, since: datetime | None, until: datetime | None
) -> sa.Select[AuditEntry, str, int, str]:
    """Entries, the newest first: entry, who, position and digest in the chain."""
    question = (
        sa.select(AuditEntry, Person.name, AuditSeal.position, AuditSeal.digest)
        .outerjoin(Person, Person.id == AuditEntry.person_id)
        .outerjoin(AuditSeal, AuditSeal.entry_id == AuditEntry.id)
        .order_by(AuditEntry.id.desc())
    )
    if acts:
        question = question.where(AuditEntry.act.in_(acts))
    if person:
        question = question.where(Person.name == person)
    if subject:
        question = question.where(AuditEntry.subject.contains(subject, autoescape=True))
    if since is not None:
        question = question.where(AuditEntry.at >= since)
    if until is not None:
        question = question.where(AuditEntry.at < until)
    return question


def last_seal(session: Session) -> AuditSeal | None:
    """The end of the chain."""
    return session.scalar(sa.select(AuditSeal).order_by(AuditSeal.position.desc()).limit(1))
