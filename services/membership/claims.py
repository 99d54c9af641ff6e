"""Doubtful words of “I am this person”: what makes one doubtful, and the queue in which an office decides (F029)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import beijing_date, say_moment
from errors import NotFound, RuleBroken
from models import BindingClaim, ClaimState, Doubt, Follower, InboxMessage, Person
from services import audit
from services.membership import people
from services.scope import Scope

#: So many refusals of one account are a reason to look more closely.
REFUSALS = 2


def doubts(session: Session, openid: str, person: Person, at: datetime, *extra: Doubt) -> list[Doubt]:
    """Why a secretary's word would not do for this account and this person."""
    found = set(extra)
    rival = sa.exists().where(
        BindingClaim.person_id == person.id, BindingClaim.openid != openid, BindingClaim.state == ClaimState.WAITING
    )
    bound = sa.exists().where(Follower.person_id == person.id, Follower.openid != openid)
    refused = sa.select(sa.func.count()).where(
        BindingClaim.openid == openid, BindingClaim.state == ClaimState.REFUSED
    )
    if session.scalar(sa.select(rival)):
        found.add(Doubt.TWO_ACCOUNTS)
    if session.scalar(sa.select(bound)):
        found.add(Doubt.ALREADY_BOUND)
    if (session.scalar(refused) or 0) >= REFUSALS:
        found.add(Doubt.REFUSED_TWICE)
    if not people.vouchers(session, person.id, beijing_date(at)):
        found.add(Doubt.NO_SECRETARY)
    return [doubt for doubt in Doubt if doubt in found]


def waiting(scope: Scope) -> sa.Select[BindingClaim]:
    """Claims of the scope that wait for an office: the doubtful ones, the oldest first."""
    within = sa.select(Person.id).where(scope.people)
    return (
        sa.select(BindingClaim)
        .options(joinedload(BindingClaim.person))
        .where(
            BindingClaim.state == ClaimState.WAITING, BindingClaim.doubts != "", BindingClaim.person_id.in_(within)
        )
        .order_by(BindingClaim.id)
    )


@dataclass(frozen=True, slots=True)
class Side:
    """One account: how it is called in part, when we met, when it last wrote, and whether it is bound now."""

    openid: str
    met_at: datetime | None
    wrote_at: datetime | None
    is_bound: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A doubtful claim with the account that claims and those that are bound already."""

    claim: BindingClaim
    claimant: Side
    bound: list[Side]


def lines(session: Session, rows: Sequence[BindingClaim]) -> list[Line]:
    """The accounts on both sides of some claims, with two statements."""
    ids, openids = {row.person_id for row in rows}, {row.openid for row in rows}
    followers = session.scalars(
        sa.select(Follower).where(sa.or_(Follower.person_id.in_(ids), Follower.openid.in_(openids)))
    ).all()
    last = dict(
        session.execute(
            sa.select(InboxMessage.openid, sa.func.max(InboxMessage.received_at))
            .where(InboxMessage.openid.in_([each.openid for each in followers]))
            .group_by(InboxMessage.openid)
        ).all()
    )
    sides = {f.openid: Side(f.openid, f.met_at, last.get(f.openid), f.person_id is not None) for f in followers}
    return [
        Line(
            row,
            sides.get(row.openid, Side(row.openid, None, None, is_bound=False)),
            [sides[f.openid] for f in followers if f.person_id == row.person_id and f.openid != row.openid],
        )
        for row in rows
    ]


def get(session: Session, scope: Scope, claim_id: int) -> BindingClaim:
    """One doubtful claim that is theirs to decide, whatever became of it. Raises NotFound."""
    claim = session.scalar(
        sa.select(BindingClaim)
        .options(joinedload(BindingClaim.person))
        .where(
            BindingClaim.id == claim_id,
            BindingClaim.doubts != "",
            BindingClaim.person_id.in_(sa.select(Person.id).where(scope.own_people)),
        )
    )
    if claim is None or claim.person_id == scope.person_id:
        raise NotFound("没有这条待核实的绑定。")
    return claim


def ask_secretary(session: Session, claim: BindingClaim, at: datetime, *, by: int) -> None:
    """Let the secretary say yes or no after all, in the chat. Raises RuleBroken."""
    vouching = people.vouchers(session, claim.person_id, beijing_date(at))
    if not vouching:
        raise RuleBroken("所在支部没有能作证的书记，请直接核实后决定。")
    taken = session.execute(
        sa.update(BindingClaim)
        .where(BindingClaim.id == claim.id, BindingClaim.state == ClaimState.WAITING)
        .values(asked_at=at)
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise RuleBroken(what_was_decided(session, claim))
    people.put_to(session, claim, vouching, at, again=True)
    audit.note(session, at, by, "people.claim_asked", f"person:{claim.person_id}")


def what_was_decided(session: Session, claim: BindingClaim) -> str:
    """For whoever comes second: what, by whom, when."""
    session.refresh(claim, ["state", "decided_at", "decided_by"])
    name = session.scalar(sa.select(Person.name).where(Person.id == claim.decided_by)) or "系统"
    when = f"，{say_moment(claim.decided_at)}" if claim.decided_at else ""
    return f"这条申请处理过了：{claim.state.label}（{name}{when}）。"
