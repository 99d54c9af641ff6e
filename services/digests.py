"""一周汇总: what was too much for a week becomes one message on Sunday (F046, F110)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from models import (
    Campaign,
    CampaignState,
    Follower,
    Notice,
    NoticeKind,
    OptOut,
    Outgoing,
    SendState,
    update_each,
)
from services import burden, outbox, preferences
from services.burden import Week
from services.outbox import Letter, Recipient

#: What was folded after one Sunday's digest, or waited while its campaign was halted, goes into the next; older
#: news is none.
LOOK_BACK = timedelta(days=7)
#: So many people's accounts are looked up together, and so many rows linked.
AT_ONCE = 500
TITLE = NoticeKind.DIGEST.label
WHY = "每人每周最多收几条可退订的通知，多出的合成这一条"


class Folded(NamedTuple):
    """A notice that one person has not been told of yet."""

    id: int
    notice_id: int
    recipient: str
    person_id: int | None
    openid: str | None


def campaign(week: Week) -> str:
    return f"digest:{week.name}"


def compose(session: Session, week: Week, at: datetime, *, due_at: datetime, not_after: datetime) -> int:
    """Make one digest for each person who has something folded, the same one for all who missed the same.

    Returns for how many people. Done again, it finds nobody. What a person has declined meanwhile is settled as
    that, and does not appear.
    """
    burden.count_alone(session, at)
    _leave_out_declined(session, week, at)
    missed: dict[str, list[Folded]] = {}
    for row in _folded(session, week):
        missed.setdefault(row.recipient, []).append(row)
    titles = _titles(session, {row.notice_id for rows in missed.values() for row in rows})
    alike: dict[tuple[int, ...], list[Recipient]] = {}
    for rows, recipients in _accounts(session, list(missed.values())):
        alike.setdefault(tuple(row.notice_id for row in rows), []).extend(recipients)
    letters = [
        Letter(NoticeKind.DIGEST, campaign(week), facts([titles[i] for i in ids]), recipients, due_at, not_after, WHY)
        for ids, recipients in alike.items()
    ]
    outbox.queue_all(session, letters, at)
    _link(session, week, missed)
    return len(missed)


def facts(titles: Sequence[str]) -> dict[str, str]:
    """What a digest says: short in a template, every title in the chat."""
    listed = "\n".join(f"{number} {title}" for number, title in enumerate(titles, 1))
    return {
        "title": f"{TITLE}：{len(titles)} 条",
        "words": f"回复“汇总”看全文。{'、'.join(titles)}",
        "text": f"【{TITLE}】这周还有 {len(titles)} 条通知，为少打扰您，合成这一条：\n{listed}\n看全文请回复“汇总”。",
    }


# --- what was folded -----------------------------------------------------------------------------------------


def _untold(week: Week) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Outgoing.state == SendState.FOLDED,
        Outgoing.folded_into.is_(None),
        Outgoing.due_at >= week.starts_at - LOOK_BACK,
        Outgoing.due_at < week.ends_at,
    )


def _folded(session: Session, week: Week) -> Iterator[Folded]:
    """What nobody has been told of, in the order in which it was written. What a halted campaign holds waits for
    its people's next digest; so does what was folded after this week's."""
    runs = sa.select(Campaign.name).where(Campaign.state == CampaignState.RUNNING)
    told = aliased(Outgoing)
    has_one = sa.exists().where(told.campaign == campaign(week), told.recipient == Outgoing.recipient)
    rows = session.execute(
        sa.select(*(getattr(Outgoing, name) for name in Folded._fields))
        .where(*_untold(week), Outgoing.campaign.in_(runs), ~has_one)
        .order_by(Outgoing.notice_id, Outgoing.id)
    )
    return (Folded(*row) for row in rows)


def _leave_out_declined(session: Session, week: Week, at: datetime) -> None:
    for topic in burden.DECLINABLE:
        of_topic = Outgoing.notice_id.in_(sa.select(Notice.id).where(Notice.topic == topic))
        declined = Outgoing.recipient.in_(sa.select(OptOut.recipient).where(OptOut.topic == topic))
        session.execute(
            sa.update(Outgoing)
            .where(*_untold(week), of_topic, declined)
            .values(
                state=SendState.UNREACHABLE, settled_at=at, reason=preferences.DECLINED.format(topic=topic.label)
            ),
            execution_options={"synchronize_session": False},
        )


def _titles(session: Session, notice_ids: set[int]) -> dict[int, str]:
    notices = session.scalars(sa.select(Notice).where(Notice.id.in_(notice_ids)))
    return {notice.id: json.loads(notice.facts).get("title") or notice.kind.label for notice in notices}


def _accounts(session: Session, people: Sequence[list[Folded]]) -> Iterator[tuple[list[Folded], list[Recipient]]]:
    """Each person's rows with the accounts they have now: somebody may have left since, or come back."""
    for start in range(0, len(people), AT_ONCE):
        some = people[start : start + AT_ONCE]
        members: dict[int | None, list[Recipient]] = {}
        for recipient in outbox.accounts_of(session, [i for (row, *_) in some if (i := row.person_id) is not None]):
            members.setdefault(recipient.person_id, []).append(recipient)
        openids = [row.openid for (row, *_) in some if row.person_id is None]
        follow = set(
            session.scalars(sa.select(Follower.openid).where(Follower.openid.in_(openids), Follower.is_subscribed))
        )
        for rows in some:
            first = rows[0]
            alone = [Recipient(None, first.openid, first.openid in follow)]
            yield rows, alone if first.person_id is None else members[first.person_id]


def _link(session: Session, week: Week, missed: dict[str, list[Folded]]) -> None:
    """Let every folded row know the row of its person's digest, so that its fate can be followed."""
    rows = session.execute(sa.select(Outgoing.recipient, Outgoing.id).where(Outgoing.campaign == campaign(week)))
    links = [
        {"id": row.id, "folded_into": digest_id} for recipient, digest_id in rows for row in missed.get(recipient, ())
    ]
    for start in range(0, len(links), AT_ONCE):
        update_each(session, Outgoing, links[start : start + AT_ONCE], only_if={"state": SendState.FOLDED})


# --- what became of it ---------------------------------------------------------------------------------------


def fates_of(session: Session, name: str) -> dict[SendState | None, int]:
    """What became of the digests that carry a campaign's folded rows; None counts those whose digest is to come."""
    digest = aliased(Outgoing)
    rows = session.execute(
        sa.select(digest.state, sa.func.count())
        .select_from(Outgoing)
        .outerjoin(digest, digest.id == Outgoing.folded_into)
        .where(Outgoing.campaign == name, Outgoing.state == SendState.FOLDED)
        .group_by(digest.state)
    )
    return dict(rows.all())


def why_folded(session: Session, name: str) -> str:
    """The reason that the first folded row of a campaign carries; empty when none is folded."""
    row = sa.select(Outgoing.reason).where(Outgoing.campaign == name, Outgoing.state == SendState.FOLDED).limit(1)
    return session.scalar(row) or ""


def last_of(session: Session, recipient: Recipient, at: datetime) -> list[str]:
    """The whole texts of what a person's last digest named; nothing when this week and the last had none."""
    week = Week.of(at)
    digest_id = session.scalar(
        sa.select(sa.func.max(Outgoing.id)).where(
            Outgoing.campaign.in_((campaign(week), campaign(week.before))), Outgoing.recipient == recipient.key
        )
    )
    is_mine = Outgoing.openid == recipient.openid
    if recipient.person_id is not None:
        is_mine = Outgoing.person_id == recipient.person_id
    notices = session.scalars(
        sa.select(Notice)
        .join(Outgoing, Outgoing.notice_id == Notice.id)
        .where(is_mine, Outgoing.folded_into == digest_id)
        .order_by(Notice.id)
    )
    return [json.loads(notice.facts).get("text", "") for notice in notices]
