"""The queue of doubtful claims as an office reads it: both sides of each, account by account (F029)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from models import BindingClaim, ClaimState, Follower, InboxMessage, Person
from services.scope import Scope


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
