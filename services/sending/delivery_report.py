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
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from models import (
    Affiliation,
    AuditEntry,
    BranchKind,
    CampaignState,
    Channel,
    County,
    Outgoing,
    Person,
    SendState,
)
from services.membership import people as persons
from services.organisation import branch_history
from services.organisation.branch_history import CITY
from services.sending import audience, broadcasts, campaigns, forecast, preferences
from services.sending.outbox import NO_ACCOUNT, UNFOLLOWED
from services.tables.exports import mask

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
    person_id: int | None
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


@dataclass(frozen=True, slots=True)
class Slice:
    """One figure of a report: the people in a state, a place, a kind of branch, a way or a reason, or all of these."""

    states: tuple[SendState, ...] = ()
    place: str = ""
    kind: str = ""
    way: str = ""
    reason: str = ""
    #: Who may be looked at at all: a condition on the outbox, as `services/scope.py` gives it.
    within: sa.ColumnElement[bool] | None = None


def report(session: Session, name: str, within: sa.ColumnElement[bool] | None = None) -> Report:
    """The figures of a campaign; with `within` those of some of its people only, and then without what was expected
    of all. Raises NotFound."""
    row = campaigns.get(session, name)
    found = _rows(name, beijing_date(row.begun_at), Slice(within=within)).order_by(None).subquery()
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
        _expected(session, name) if within is None else None, ways,
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


def people(
    session: Session,
    name: str,
    *states: SendState,
    is_unmasked: bool = False,
    within: sa.ColumnElement[bool] | None = None,
    place: str = "",
) -> Iterator[Reached]:
    """Everybody of a campaign, or those in these states or this place, branch by branch and by name. Raises NotFound.

    They are read as they are asked for, some thousands at a time.
    """
    rows = matching(session, name, Slice(states, place, within=within))
    for row in session.execute(rows, execution_options={"yield_per": AT_ONCE}):
        yield reached(row, is_unmasked=is_unmasked)


def matching(session: Session, name: str, of: Slice) -> sa.Select[tuple[Any, ...]]:
    """The question behind one figure, for a list in pages; `reached` reads its rows. Raises NotFound."""
    return _rows(name, beijing_date(campaigns.get(session, name).begun_at), of)


def reached(row: sa.Row[tuple[Any, ...]], *, is_unmasked: bool = False) -> Reached:
    return Reached(
        row.id, row.notice_id, row.person_id, row.name or CITIZENS,
        (row.phone or "") if is_unmasked else mask(row.phone), row.branch_id, row.branch or "", row.place,
        _kind(row.kind, row.place), row.state, row.channel, row.reason or "", row.settled_at,
    )  # fmt: skip


def _rows(name: str, on: date, of: Slice) -> sa.Select[tuple[Any, ...]]:
    """One row a recipient, each with the one branch where they count on that day."""
    # Looked up person by person along an index: as a window over all affiliations it took SQLite minutes.
    home = (
        sa.select(Affiliation.branch_id)
        .where(Affiliation.person_id == Outgoing.person_id, *persons.holds(Affiliation, on))
        .order_by(Affiliation.is_main.desc(), Affiliation.id)
        .limit(1)
        .correlate(Outgoing)
        .scalar_subquery()
    )
    row = sa.select(Outgoing, home.label("home")).where(Outgoing.campaign == name, *_asked(of)).subquery()
    # As the branch was on that day: what it is called since does not change the report.
    then = branch_history.states(on)
    place = sa.case(
        (row.c.person_id.is_(None), CITIZENS),
        (then.c.branch_id.is_(None), ELSEWHERE),
        (County.id.is_(None), CITY),
        else_=County.name,
    )
    question = (
        sa.select(
            row.c.id, row.c.notice_id, row.c.person_id, Person.name.label("name"), Person.phone, then.c.branch_id,
            then.c.name.label("branch"), place.label("place"), then.c.kind, row.c.state, row.c.channel, row.c.reason,
            row.c.settled_at,
        )
        .select_from(row)
        .outerjoin(Person, Person.id == row.c.person_id)
        .outerjoin(then, then.c.branch_id == row.c.home)
        .outerjoin(County, County.id == then.c.county_id)
        .order_by(then.c.branch_id, Person.name, row.c.id)
    )  # fmt: skip
    if of.place:
        question = question.where(place == of.place)
    if of.kind:
        known = next((kind for kind in BranchKind if kind.label == of.kind), None)
        question = question.where(place == of.kind if known is None else then.c.kind == known)
    return question


def _asked(of: Slice) -> Iterator[sa.ColumnElement[bool]]:
    """A slice as conditions on the outbox."""
    if of.within is not None:
        yield of.within
    if of.states:
        yield Outgoing.state.in_(of.states)
    if of.reason:
        yield Outgoing.reason == of.reason
    if of.way:
        yield _went(of.way)


def _went(way: str) -> sa.ColumnElement[bool]:
    """`_way` as a question."""
    handed_over = sa.and_(Outgoing.state.in_(HANDED_OVER), Outgoing.channel.is_not(None))
    channel = next((each for each in Channel if each.label == way), None)
    if channel is not None:
        return sa.and_(handed_over, Outgoing.channel == channel)
    unreachable = Outgoing.state == SendState.UNREACHABLE
    declined = Outgoing.reason.startswith(preferences.DECLINED.partition("{")[0])
    if way in {NO_ACCOUNT, UNFOLLOWED}:
        return sa.and_(unreachable, Outgoing.reason == way)
    if way == DECLINED:
        return sa.and_(unreachable, declined)
    if way == forecast.NO_WAY:
        others = sa.or_(Outgoing.reason.in_((NO_ACCOUNT, UNFOLLOWED)), declined)
        return sa.and_(unreachable, sa.or_(Outgoing.reason.is_(None), ~others))
    state = next((each for each in SendState if each.label == way), None)
    return sa.false() if state is None else sa.and_(Outgoing.state == state, ~handed_over)
