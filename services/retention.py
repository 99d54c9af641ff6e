"""What is not needed any more goes: drafts, old messages, decided dues (least data, product.md P5)."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from models import AccountSession, Answer, Conversation, Due, DueState, InboxMessage, Notice, Outgoing
from services import liaison

#: WeChat's retries end after seconds and replays are refused after minutes; a month is for looking into complaints.
INBOX_DAYS = 30
DRAFT_DAYS = 7
DUE_DAYS = 400
#: The words of notices (answers to citizens among them) go; who got what and when stays for the figures.
NOTICE_DAYS = 90
#: Where and when somebody was logged in to the console; that they were stays in the audit.
SESSION_DAYS = 90


def sweep(session: Session, at: datetime) -> str:
    """Delete what is over its term; returns what was done, in words."""
    old = at - timedelta(days=INBOX_DAYS)
    gone = session.execute(sa.delete(InboxMessage).where(InboxMessage.received_at < old)).rowcount  # type: ignore[attr-defined]
    session.execute(sa.delete(Answer).where(Answer.answered_at < old))
    drafts = session.execute(
        sa.delete(Conversation).where(Conversation.updated_at < at - timedelta(days=DRAFT_DAYS))
    ).rowcount  # type: ignore[attr-defined]
    session.execute(sa.delete(Due).where(Due.due_at < at - timedelta(days=DUE_DAYS), Due.state != DueState.WAITING))
    session.execute(sa.delete(AccountSession).where(AccountSession.made_at < at - timedelta(days=SESSION_DAYS)))
    settled = sa.exists().where(Outgoing.notice_id == Notice.id, Outgoing.settled_at.is_(None))
    session.execute(
        sa.update(Notice).where(Notice.queued_at < at - timedelta(days=NOTICE_DAYS), ~settled).values(facts="{}")
    )
    liaison.forget_phones(session, beijing_date(at))
    return f"清理消息 {gone} 条、草稿 {drafts} 份"
