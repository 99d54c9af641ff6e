"""What became of a notice: the forecast's buckets again with facts in them, by county and by kind of branch (F111).

Every figure comes from the same rows, one a person, so each table adds up to the audience; somebody in two branches
counts where their main affiliation is (F025). `people` gives the rows behind any figure (product.md P3).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from models import (
    Affiliation,
    AuditEntry,
    Branch,
    BranchKind,
    CampaignState,
    Channel,
    County,
    Outgoing,
    Person,
    SendState,
)
from services import audience, broadcasts, campaigns, forecast, preferences
from services import people as persons
from services.exports import mask
from services.organisations import CITY
from services.outbox import NO_ACCOUNT, UNFOLLOWED

#: Where those stand who are in no branch, and those whom we do not know as people.
ELSEWHERE = "不在支部"
CITIZENS = audience.CITIZENS
DECLINED = "本人已退订"
#: Rows that were handed to a channel, whatever came of it.
HANDED_OVER = (SendState.CLAIMED, SendState.SENT, SendState.DELIVERED, SendState.REFUSED, SendState.UNKNOWN)
AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Line:
    """One place or kind of branch: how many people are in each state."""

    name: str
    counted: Mapping[SendState, int]

    @property
    def total(self) -> int:
        return sum(self.counted.values())


@dataclass(frozen=True, slots=True)
class Report:
    """A campaign at one moment. Every list adds up to `whole.total`, the audience."""

    name: str
    title: str
    begun_at: datetime
    state: CampaignState
    whole: Line
    by_county: list[Line]
    by_kind: list[Line]
    reasons: list[tuple[SendState, str, int]]
    #: By way or reason, in the forecast's words: what the author was told, and what came of it.
    expected: Mapping[str, int] | None
    ways: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reached:
    """One person of a campaign, and what became of their message."""

    row_id: int
    notice_id: int
    name: str
    phone: str
    branch_id: int | None
    branch: str
    place: str
    kind: str
    state: SendState
    channel: Channel | None
    reason: str
    settled_at: datetime | None


def report(session: Session, name: str) -> Report:
    """The figures of a campaign. Raises NotFound."""
    row = campaigns.get(session, name)
    found = _rows(name, beijing_date(row.begun_at)).subquery()
    kinds = (found.c.place, found.c.kind, found.c.state, found.c.channel, found.c.reason)
    counted = session.execute(sa.select(*kinds, sa.func.count()).group_by(*kinds)).all()
    whole: Counter[SendState] = Counter()
    reasons: Counter[tuple[SendState, str]] = Counter()
    ways: Counter[str] = Counter()
    places: dict[str, Counter[SendState]] = {}
    branches: dict[str, Counter[SendState]] = {}
    for place, kind, state, channel, reason, many in counted:
        whole[state] += many
        ways[_way(state, channel, reason)] += many
        places.setdefault(place, Counter())[state] += many
        branches.setdefault(_kind(kind, place), Counter())[state] += many
        if reason:
            reasons[state, reason] += many
    counties = session.scalars(sa.select(County.name).order_by(County.id))
    return Report(
        name, campaigns.title(session, name), row.begun_at, row.state, Line("合计", whole),
        _lines(places, [CITY, *counties, ELSEWHERE, CITIZENS]),
        _lines(branches, [*(kind.label for kind in BranchKind), ELSEWHERE, CITIZENS]),
        [(state, reason, many) for (state, reason), many in reasons.most_common()],
        _expected(session, name), ways,
    )  # fmt: skip


def _lines(found: Mapping[str, Counter[SendState]], order: list[str]) -> list[Line]:
    return [Line(name, found[name]) for name in order if name in found]


def _kind(kind: BranchKind | None, place: str) -> str:
    return kind.label if kind is not None else place


def _way(state: SendState, channel: Channel | None, reason: str | None) -> str:
    """In the forecast's words: by which way it went, or why by none."""
    if state in HANDED_OVER and channel is not None:
        return channel.label
    if state is not SendState.UNREACHABLE:
        return state.label
    if reason in {NO_ACCOUNT, UNFOLLOWED}:
        return reason
    return DECLINED if is_declined(reason) else forecast.NO_WAY


def is_declined(reason: str | None) -> bool:
    """Whether somebody was left in peace because they asked for it."""
    return (reason or "").startswith(preferences.DECLINED.partition("{")[0])


def _expected(session: Session, name: str) -> dict[str, int] | None:
    """What the author was told when they wrote it; None for what nobody wrote."""
    told = session.scalar(
        sa.select(AuditEntry.details)
        .where(AuditEntry.act == broadcasts.DRAFTED, AuditEntry.subject == name)
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )
    return json.loads(told) if told else None


# --- the people behind the figures ---------------------------------------------------------------------------


def people(session: Session, name: str, *states: SendState, is_unmasked: bool = False) -> Iterator[Reached]:
    """Everybody of a campaign, or those in these states, branch by branch and by name. Raises NotFound.

    They are read as they are asked for, some thousands at a time.
    """
    on = beijing_date(campaigns.get(session, name).begun_at)
    rows = _rows(name, on).order_by(sa.text("branch_id"), Person.name, Outgoing.id)
    if states:
        rows = rows.where(Outgoing.state.in_(states))
    for row in session.execute(rows, execution_options={"yield_per": AT_ONCE}):
        yield Reached(
            row.id, row.notice_id, row.name or CITIZENS, (row.phone or "") if is_unmasked else mask(row.phone),
            row.branch_id, row.branch or "", row.place, _kind(row.kind, row.place), row.state, row.channel,
            row.reason or "", row.settled_at,
        )  # fmt: skip


def _rows(name: str, on: date) -> sa.Select[tuple[object, ...]]:
    """One row a recipient, each with the one branch where they count on that day."""
    first = sa.func.row_number().over(
        partition_by=Affiliation.person_id, order_by=(Affiliation.is_main.desc(), Affiliation.id)
    )
    meant = sa.select(Outgoing.person_id).where(Outgoing.campaign == name, Outgoing.person_id.is_not(None))
    belongs = (
        sa.select(Affiliation.person_id, Affiliation.branch_id, first.label("rank"))
        .where(*persons.holds(Affiliation, on), Affiliation.person_id.in_(meant))
        .subquery()
    )
    place = sa.case(
        (Outgoing.person_id.is_(None), CITIZENS),
        (Branch.id.is_(None), ELSEWHERE),
        (County.id.is_(None), CITY),
        else_=County.name,
    )
    return (
        sa.select(
            Outgoing.id, Outgoing.notice_id, Outgoing.person_id, Person.name.label("name"), Person.phone,
            Branch.id.label("branch_id"), Branch.name.label("branch"), place.label("place"), Branch.kind,
            Outgoing.state, Outgoing.channel, Outgoing.reason, Outgoing.settled_at,
        )
        .select_from(Outgoing)
        .outerjoin(Person, Person.id == Outgoing.person_id)
        .outerjoin(belongs, sa.and_(belongs.c.person_id == Outgoing.person_id, belongs.c.rank == 1))
        .outerjoin(Branch, Branch.id == belongs.c.branch_id)
        .outerjoin(County, County.id == Branch.county_id)
        .where(Outgoing.campaign == name)
    )  # fmt: skip
