"""As many members with WeChat accounts as a measurement needs, for example 63,130 (work report L22)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import cycle, islice
from random import Random

import sqlalchemy as sa
from sqlalchemy.orm import Session

from demo import names
from demo.loading import ids_by_name, load, write_people
from demo.people import PlannedPerson, demo_openid
from models import Branch, Database, Follower

BATCH = 5_000


def load_members(database: Database, count: int, *, at: datetime) -> int:
    """See to it that accounts 1 to `count` all follow and are bound to members. Gives how many were added."""
    load(database, at=at)
    with database.transaction() as session:
        session.execute(
            sa.update(Follower)
            .where(Follower.openid.between(demo_openid(1), demo_openid(count)), ~Follower.is_subscribed)
            .values(is_subscribed=True, left_at=None)
        )
        missing = _missing(session, count)
        own = ids_by_name(session, Branch)
    planned = _people(Random(count), missing, sorted(own))
    while batch := list(islice(planned, BATCH)):
        with database.transaction() as session:
            ids = write_people(session, database.vault, batch, own, at=at)
            _bind_those_already_met(session, batch, ids, at)
    return len(missing)


def _missing(session: Session, count: int) -> list[int]:
    """The numbers whose account does not exist or is not bound (any more)."""
    bound = set(
        session.scalars(
            sa.select(Follower.openid).where(Follower.openid.like("oDemo%"), Follower.person_id.is_not(None))
        )
    )
    return [number for number in range(1, count + 1) if demo_openid(number) not in bound]


def _people(rng: Random, numbers: list[int], branches: list[str]) -> Iterator[PlannedPerson]:
    """One person for each number, branch after branch; without a phone, for the range has only ten thousand."""
    for number, branch in zip(numbers, cycle(branches), strict=False):
        yield PlannedPerson(names.person(rng), branch, openid=demo_openid(number))


def _bind_those_already_met(session: Session, planned: list[PlannedPerson], ids: list[int], at: datetime) -> None:
    unbound = set(
        session.scalars(
            sa.select(Follower.openid).where(Follower.openid.like("oDemo%"), Follower.person_id.is_(None))
        )
    )
    for person, person_id in zip(planned, ids, strict=True):
        if person.openid in unbound:
            session.execute(
                sa.update(Follower).where(Follower.openid == person.openid).values(person_id=person_id, bound_at=at)
            )
