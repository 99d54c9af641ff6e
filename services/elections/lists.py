"""Elections of a scope, by county, branch, year and state (F028)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from models import Branch, Election, Labelled
from models.elections import ElectionState
from services.fields import clean
from services.scope import Scope

#: On the page of a branch.
LAST = 5


class Standing(Labelled):
    """How a record stands, as one chooses it."""

    DRAFT = "draft", "草稿"
    VALID = "valid", "有效"
    EXCUSED = "excused", "有效（有说明）"
    INVALID = "invalid", "无效"
    SET_ASIDE = "set_aside", "已撤销"

    @classmethod
    def of(cls, election: Election) -> Standing:
        return cls.SET_ASIDE if election.is_set_aside else cls(election.state.value)


def matching(scope: Scope, county_id: int, words: str, year: int, standing: Standing | None) -> sa.Select[Election]:
    """Elections of the scope, the last first; nothing chosen is everything. A county of -1 is the city level."""
    question = (
        sa.select(Election)
        .join(Branch, Branch.id == Election.branch_id)
        .options(joinedload(Election.branch).joinedload(Branch.county), selectinload(Election.candidates))
        .where(scope.elections)
    )
    if county_id:
        question = question.where(Branch.county_id.is_(None) if county_id < 0 else Branch.county_id == county_id)
    if words := clean(words):
        question = question.where(Branch.name.contains(words, autoescape=True))
    if 0 < year < date.max.year:
        question = question.where(Election.held_on.between(date(year, 1, 1), date(year, 12, 31)))
    if standing is Standing.SET_ASIDE:
        question = question.where(Election.set_aside_at.is_not(None))
    elif standing is not None:
        question = question.where(Election.state == ElectionState(standing.value), Election.set_aside_at.is_(None))
    return question.order_by(Election.held_on.desc(), Election.id.desc())


def elected(election: Election) -> str:
    """Who was elected to what, in one line."""
    return "、".join(f"{each.name}（{each.post}）" for each in election.candidates if each.is_elected)


def of_branch(session: Session, branch_id: int) -> Sequence[Election]:
    """The last ones of a branch, drafts among them, without those that were set aside."""
    rows = session.scalars(
        sa.select(Election)
        .options(joinedload(Election.candidates))
        .where(Election.branch_id == branch_id, Election.set_aside_at.is_(None))
        .order_by(Election.held_on.desc(), Election.id.desc())
        .limit(LAST)
    )
    return rows.unique().all()
