"""Entries that may be one person: found by number and by name, shown side by side, told apart for good (F031)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from errors import NotFound
from models import Affiliation, Branch, Labelled, Merged, NotSame, Person, insert_new
from services import audit
from services.scope import Scope


class Likeness(Labelled):
    """Why two entries look like one, the strongest first."""

    PHONE = "phone", "手机号相同"
    TAIL = "tail", "姓名读音和手机尾号相同"
    BRANCH = "branch", "同一支部里姓名读音相同"
    COUNTY = "county", "同一县（市）区里姓名相同"


STRONGEST = list(Likeness)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two entries and why they look alike."""

    low: Person
    high: Person
    likeness: Likeness


def pairs(scope: Scope, *, with_namesakes: bool = False) -> sa.Select[Any]:
    """Numbers of two entries of the scope and the place of their likeness, the strongest first; without those that
    somebody has told apart.

    Namesakes of one county are thousands in a city, nearly all of them two people; who wants them asks for them.
    """
    low, high = aliased(Person), aliased(Person)
    sounds = sa.and_(low.sound == high.sound, low.sound != "")
    ways = [
        _two(low, high, sa.and_(low.phone_index == high.phone_index), 0),
        _two(low, high, sa.and_(low.phone_tail == high.phone_tail, sounds), 1),
        _belonging(low, high, scope, sounds, in_county=False),
    ]
    if with_namesakes:
        same_name = sa.and_(sounds, low.search_key == high.search_key)
        ways.append(_belonging(low, high, scope, same_name, in_county=True))
    found = sa.union_all(*ways).subquery()
    seen = sa.select(Person.id).where(scope.people, Person.id.not_in(sa.select(Merged.person_id)))
    told_apart = sa.exists().where(NotSame.low_id == found.c.low_id, NotSame.high_id == found.c.high_id)
    place = sa.func.min(found.c.place).label("place")
    return (
        sa.select(found.c.low_id, found.c.high_id, place)
        .where(found.c.low_id.in_(seen), found.c.high_id.in_(seen), ~told_apart)
        .group_by(found.c.low_id, found.c.high_id)
        .order_by(place, found.c.low_id, found.c.high_id)
    )


def _two(low: Any, high: Any, alike: sa.ColumnElement[bool], place: int) -> sa.Select[Any]:
    return sa.select(low.id.label("low_id"), high.id.label("high_id"), sa.literal(place).label("place")).join(
        high, sa.and_(alike, low.id < high.id)
    )


def _belonging(
    low: Any, high: Any, scope: Scope, alike: sa.ColumnElement[bool], *, in_county: bool
) -> sa.Select[Any]:
    """Two whose names are alike, in one branch or in one county on that day."""
    one, other = aliased(Affiliation), aliased(Affiliation)
    question = _two(low, high, alike, 3 if in_county else 2).join(one, one.person_id == low.id)
    question = question.join(other, other.person_id == high.id)
    today = [each.since_on <= scope.on for each in (one, other)]
    today += [sa.or_(each.until_on.is_(None), each.until_on > scope.on) for each in (one, other)]
    if not in_county:
        return question.where(one.branch_id == other.branch_id, *today)
    here, there = aliased(Branch), aliased(Branch)
    question = question.join(here, here.id == one.branch_id).join(there, there.id == other.branch_id)
    return question.where(here.county_id == there.county_id, *today)


def shown(session: Session, found: list[Any]) -> list[Pair]:
    """The people behind some pairs, with one statement."""
    ids = {number for row in found for number in row[:2]}
    known = {person.id: person for person in session.scalars(sa.select(Person).where(Person.id.in_(ids)))}
    return [Pair(known[low], known[high], STRONGEST[place]) for low, high, place in found]


def both(session: Session, scope: Scope, one: int, other: int) -> tuple[Person, Person]:
    """Two different people of the scope. Raises NotFound."""
    rows = session.scalars(
        sa.select(Person).where(Person.id.in_((one, other)), scope.people).order_by(Person.id)
    ).all()
    if len(rows) != 2:
        raise NotFound("没有这两个人，或其中一位不在您的管理范围内，或已经合并。")
    return rows[0], rows[1]


def tell_apart(session: Session, low: Person, high: Person, at: datetime, *, by: int) -> None:
    """They are two people: nobody is asked again."""
    insert_new(session, NotSame, [{"low_id": low.id, "high_id": high.id, "said_at": at, "said_by": by}])
    audit.note(session, at, by, "people.not_same", f"person:{low.id}", f"与编号 {high.id} 不是同一个人")


def ask_again(session: Session, low: Person, high: Person, at: datetime, *, by: int) -> None:
    """Take back that they are two."""
    session.execute(sa.delete(NotSame).where(NotSame.low_id == low.id, NotSame.high_id == high.id))
    audit.note(session, at, by, "people.maybe_same", f"person:{low.id}", f"与编号 {high.id} 重新列为疑似")


def is_told_apart(session: Session, low: int, high: int) -> bool:
    return session.get(NotSame, (low, high)) is not None
