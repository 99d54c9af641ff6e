"""What the office must hear of at once: one notice a day for each thing that is wrong."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from models import Notice, NoticeKind, Role
from services.membership import people
from services.sending import outbox


def ring(session: Session, about: str, title: str, words: str, at: datetime) -> None:
    """Tell everybody of the city office. The same thing on the same day is told once, however often it is found."""
    today = beijing_date(at)
    name = f"alarm:{about}:{today}"[:64]
    # Manners: the outbox keeps anybody from getting it twice; this keeps a notice from being written for nobody.
    if session.scalar(sa.select(sa.exists().where(Notice.campaign == name))):
        return
    facts = {"title": title[:20], "words": words, "text": f"【{title}】\n{words}"}
    told = people.holders(session, Role.OFFICE, today)
    outbox.tell(session, NoticeKind.ALARM, name, facts, told, at)
