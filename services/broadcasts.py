"""群发: to whom, how many of them can be reached, confirmed by a code, and what became of each row."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

import config
from clock import at_beijing, beijing, beijing_date, say_moment
from errors import NotFound, RuleBroken
from models import (
    Affiliation,
    AudienceKind,
    Branch,
    BranchKind,
    Broadcast,
    BroadcastState,
    County,
    Follower,
    NoticeKind,
    Outgoing,
    Person,
    SendState,
)
from services import audit, outbox, people
from services.outbox import Recipient

#: A preview that nobody confirmed is worth nothing later: the audience has changed.
CONFIRM_WITHIN = timedelta(minutes=30)
#: A notice is worth sending for this long after its confirmation.
USEFUL_FOR = timedelta(hours=24)
SAMPLE = 10
LONGEST_TITLE = 20
LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Audience:
    """Which members are meant; always a set of people, however they belong."""

    kind: AudienceKind
    county_id: int | None = None
    branch_kind: BranchKind | None = None
    branch_id: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """How many people, how many of them have an account that follows, and ten names to recognise."""

    people: int
    reachable: int
    unbound: int
    unfollowed: int
    sample: list[str]


def _members(audience: Audience, on: date) -> sa.Select[int]:
    chosen = sa.select(Affiliation.person_id).where(*people.holds(Affiliation, on)).distinct()
    if audience.kind is AudienceKind.BRANCH:
        return chosen.where(Affiliation.branch_id == audience.branch_id)
    if audience.kind is AudienceKind.COUNTY:
        return chosen.join(Branch, Branch.id == Affiliation.branch_id).where(Branch.county_id == audience.county_id)
    if audience.kind is AudienceKind.BRANCH_KIND:
        return chosen.join(Branch, Branch.id == Affiliation.branch_id).where(Branch.kind == audience.branch_kind)
    return chosen


def forecast(session: Session, audience: Audience, at: datetime) -> Forecast:
    """Count an audience and say who can be reached, before anything is sent (F103)."""
    members = _members(audience, beijing_date(at)).subquery()
    total = session.scalar(sa.select(sa.func.count()).select_from(members)) or 0
    bound = (
        sa.select(Follower.person_id, sa.func.max(sa.case((Follower.is_subscribed, 1), else_=0)).label("follows"))
        .where(Follower.person_id.in_(sa.select(members.c.person_id)))
        .group_by(Follower.person_id)
        .subquery()
    )
    counted = session.execute(sa.select(bound.c.follows, sa.func.count()).group_by(bound.c.follows))
    rows: dict[int, int] = {row[0]: row[1] for row in counted}
    names = session.scalars(
        sa.select(Person.name).where(Person.id.in_(sa.select(members.c.person_id))).order_by(Person.id).limit(SAMPLE)
    )
    reachable, unfollowed = rows.get(1, 0), rows.get(0, 0)
    return Forecast(total, reachable, total - reachable - unfollowed, unfollowed, list(names))


def draft(session: Session, audience: Audience, title: str, words: str, at: datetime, *, by: int) -> Broadcast:
    """Write a broadcast down with the figures its author sees; nothing is sent yet. Raises RuleBroken."""
    seen = forecast(session, audience, at)
    if not seen.people:
        raise RuleBroken(f"{audience.label}现在没有人，不能群发。")
    row = Broadcast(
        author_id=by, audience=audience.kind, county_id=audience.county_id, branch_kind=audience.branch_kind,
        branch_id=audience.branch_id, title=title, words=words, code=f"{secrets.randbelow(9000) + 1000}",
        state=BroadcastState.DRAFT, written_at=at, people_count=seen.people, reachable_count=seen.reachable,
    )  # fmt: skip
    session.add(row)
    session.flush()
    audit.note(session, at, by, "broadcast.draft", f"broadcast:{row.id}")
    return row


def confirm(
    session: Session, broadcast_id: int, code: str, at: datetime, sending: config.Sending, *, by: int
) -> Broadcast:
    """Confirm with the code shown in the preview: every recipient becomes a row, in this very transaction.

    Raises RuleBroken when the code is wrong, the preview is old, or it was confirmed before.
    """
    row = get(session, broadcast_id)
    if row.author_id != by:
        raise NotFound("没有这条群发。")
    if code != row.code:
        raise RuleBroken("确认码不对，没有发送。请照预览里的四位数字回复，或回复“取消”。")
    if at - row.written_at > CONFIRM_WITHIN:
        raise RuleBroken("预览已超过 30 分钟，人员可能有变化，请重新编写。")
    changed = session.execute(
        sa.update(Broadcast)
        .where(Broadcast.id == row.id, Broadcast.state == BroadcastState.DRAFT)
        .values(state=BroadcastState.CONFIRMED, confirmed_at=at)
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise RuleBroken("这条群发已经确认过了，不会重复发送。")
    recipients = _recipients(session, audience_of(row), at)
    due_at = after_quiet(at, sending)
    author = people.get(session, by)
    letter = outbox.Letter(
        NoticeKind.BROADCAST,
        campaign(row.id),
        facts(row, "市法学会", at),
        recipients,
        due_at=due_at,
        not_after=due_at + USEFUL_FOR,
        why=f"{author.name} 群发给{audience_label(session, row)}",
    )
    outbox.queue(session, letter, at)
    audit.note(session, at, by, "broadcast.confirm", f"broadcast:{row.id}", f"{len(recipients)}")
    session.refresh(row)
    return row


def _recipients(session: Session, audience: Audience, at: datetime) -> list[Recipient]:
    members = _members(audience, beijing_date(at)).subquery()
    rows = session.execute(
        sa.select(members.c.person_id, Follower.openid, Follower.is_subscribed)
        .outerjoin(Follower, Follower.person_id == members.c.person_id)
        .order_by(members.c.person_id, Follower.is_subscribed, Follower.bound_at)
    )
    return [Recipient(person_id, openid, bool(subscribed)) for person_id, openid, subscribed in rows]


def facts(row: Broadcast, sender: str, at: datetime) -> dict[str, str]:
    """What the notice says: short in the template, whole in the chat."""
    local = beijing(at)
    return {
        "title": row.title,
        "words": row.words,
        "sender": sender,
        "time": f"{local:%Y年%-m月%-d日 %H:%M}",
        "text": f"【{row.title}】\n{row.words}\n——{sender} {say_moment(at)}",
    }


def campaign(broadcast_id: int) -> str:
    return f"broadcast:{broadcast_id}"


def get(session: Session, broadcast_id: int) -> Broadcast:
    """Raises NotFound."""
    row = session.get(Broadcast, broadcast_id)
    if row is None:
        raise NotFound("没有这条群发。")
    return row


def latest_of(session: Session, person_id: int, limit: int = 5) -> list[Broadcast]:
    """Somebody's last broadcasts, newest first."""
    return list(
        session.scalars(
            sa.select(Broadcast).where(Broadcast.author_id == person_id).order_by(Broadcast.id.desc()).limit(limit)
        )
    )


def cancel(session: Session, row: Broadcast, at: datetime, *, by: int) -> int:
    """Stop what has not left yet. Returns how many rows were stopped; what was sent stays sent."""
    stopped = session.execute(
        sa.update(Outgoing)
        .where(Outgoing.campaign == campaign(row.id), Outgoing.state == SendState.WAITING)
        .values(state=SendState.CANCELLED, settled_at=at, reason="发送人撤销")
    ).rowcount  # type: ignore[attr-defined]
    row.state = BroadcastState.CANCELLED
    audit.note(session, at, by, "broadcast.cancel", campaign(row.id), str(stopped))
    return int(stopped)


def send_now(session: Session, row: Broadcast, at: datetime, *, by: int) -> int:
    """What was put off to the morning goes now: the author says it is urgent (F045). Returns how many rows."""
    hurried = session.execute(
        sa.update(Outgoing)
        .where(Outgoing.campaign == campaign(row.id), Outgoing.state == SendState.WAITING, Outgoing.due_at > at)
        .values(due_at=at)
    ).rowcount  # type: ignore[attr-defined]
    audit.note(session, at, by, "broadcast.urgent", campaign(row.id), str(hurried))
    return int(hurried)


def audience_of(row: Broadcast) -> Audience:
    return Audience(row.audience, row.county_id, row.branch_kind, row.branch_id)


def audience_label(session: Session, row: Broadcast) -> str:
    """The audience in words: 金水区, 律师事务所流动党支部, …"""
    if row.audience is AudienceKind.COUNTY:
        return session.get_one(County, row.county_id).name
    if row.audience is AudienceKind.BRANCH:
        return session.get_one(Branch, row.branch_id).name
    if row.branch_kind is not None:
        return row.branch_kind.label
    return row.audience.label


def after_quiet(at: datetime, sending: config.Sending) -> datetime:
    """The first instant from `at` on that is outside the quiet hours (F045)."""
    wall, day = beijing(at).time(), beijing_date(at)
    opens = sending.quiet_until
    if is_quiet(wall, sending.quiet_from, opens):
        return at_beijing(day if wall < opens else day + timedelta(days=1), opens)
    return at


def is_quiet(wall: time, start: time, end: time) -> bool:
    """Whether a time of day lies in [start, end), which may pass midnight."""
    return start <= wall < end if start <= end else wall >= start or wall < end
