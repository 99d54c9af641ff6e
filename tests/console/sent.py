"""Something that was written and something that is being sent, so that the pages about it have what to show."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

import config
from models import Account, Broadcast, BroadcastState, Channel, Outgoing, Post, Role, SendState
from services.sending import broadcasts, ladder, quotas
from services.sending.audience import Audience
from services.sending.broadcasts import Text
from services.sending.forecast import Means
from tests.console.conftest import Office

WORDS = "请各支部本周安排专人值班，遇有险情先转移群众，再报县（市）区法学会办公室。\n值班电话请书记告诉每位党员。"
#: What became of the first rows, so many of each; the others still wait.
FATES = (
    (SendState.DELIVERED, Channel.TEMPLATE, None, 120), (SendState.SENT, Channel.CUSTOMER, None, 9),
    (SendState.REFUSED, Channel.TEMPLATE, "对方设置了拒收", 4),
    (SendState.UNKNOWN, Channel.CUSTOMER, "发送时程序中断，不知是否已经发出；不会自动重发", 3),
)  # fmt: skip


def means(settings: config.Settings) -> Means:
    return Means(ladder.official(settings.wechat), quotas.daily(settings.sending), settings.sending)


def second_person(session: Session) -> int:
    """何静: of the city office, and without an account at the desk of the demonstration."""
    held = sa.select(Post.person_id).where(
        Post.role == Role.OFFICE, Post.person_id.not_in(sa.select(Account.person_id))
    )
    return session.scalars(held.limit(1)).one()


def write(office: Office, expression: str, title: str, *, asks: bool) -> Broadcast:
    """A broadcast of the second person, confirmed by them; with `asks` it waits for approval."""
    settings = office.parts.settings
    sending = settings.sending.model_copy(update={"approval_above": 0 if asks else 100_000})
    with office.database.transaction() as session:
        by, at = second_person(session), office.clock.at
        row = broadcasts.draft(session, Audience(expression), Text(title, WORDS), at, means(settings), by=by)
        return broadcasts.confirm(session, row.id, row.code, at, sending, by=by)


def ensure(office: Office) -> None:
    """One that waits for approval, and one on its way with every kind of fate; made once."""
    with office.database.reading() as session:
        if session.scalar(sa.select(Broadcast.id).where(Broadcast.title == "防汛值班安排")) is not None:
            return
    write(office, "县:金水区 且 职务:书记", "书记例会改到周四", asks=True)
    row = write(office, "县:金水区", "防汛值班安排", asks=False)
    assert row.state is BroadcastState.CONFIRMED
    with office.database.transaction() as session:
        waiting = sa.select(Outgoing.id).where(
            Outgoing.campaign == broadcasts.campaign(row.id),
            Outgoing.openid.is_not(None),
            Outgoing.state == SendState.WAITING,
        )
        ids = list(session.scalars(waiting.order_by(Outgoing.id)))
        for state, channel, reason, many in FATES:
            some, ids = ids[:many], ids[many:]
            values = {"state": state, "channel": channel, "reason": reason, "claimed_at": office.clock.at}
            session.execute(sa.update(Outgoing).where(Outgoing.id.in_(some)).values(values))
