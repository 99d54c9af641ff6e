"""Writes the demo data set in one transaction, or finds it there and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from demo import branches, cast, grassroots, people
from demo.people import PlannedPerson
from demo.places import PLACES
from errors import RuleBroken
from models import (
    Affiliation,
    Branch,
    BranchKind,
    County,
    Database,
    Follower,
    Invite,
    Person,
    Post,
    Station,
    Vault,
    insert_new,
)

SINCE_ON = date(2020, 1, 1)
MET_BEFORE = timedelta(days=30)
INVITE_LASTS = timedelta(days=365)
ACCOUNTS = ("oSim%", "oDemo%")


@dataclass(frozen=True, slots=True)
class Summary:
    """How much demo data there is now, and whether this call has written it."""

    is_new: bool
    counties: int
    branches: dict[BranchKind, int]
    stations: int
    people: int
    affiliations: int
    posts: int
    bound: int


def load(database: Database, *, at: datetime, seed: int = 674, people_per_branch: int = 8) -> Summary:
    """Write the demo data set unless it is there. Raises RuleBroken where real branches are."""
    with database.transaction() as session:
        is_new = not _is_loaded(session)
        if is_new:
            _write(session, database.vault, Random(seed), people_per_branch, at)
        return _summary(session, is_new)


def _is_loaded(session: Session) -> bool:
    known = set(session.scalars(sa.select(Branch.is_fictional).distinct()))
    if False in known:
        raise RuleBroken("这个数据库里已有真实的支部，不能装入演示数据。请换一个空的数据库。")
    return True in known


def _write(session: Session, vault: Vault, rng: Random, per_branch: int, at: datetime) -> None:
    planned_branches, planned_stations = branches.plan(rng)
    played = cast.plan(planned_branches, planned_stations)
    others = people.plan(rng, planned_branches, planned_stations, played, per_branch, set(cast.NAMES))
    phones = people.phones(rng, cast.INVITED_PHONE)
    for person in (*played, *others):
        person.phone = person.phone or next(phones, None)

    insert_new(
        session, County, [{"name": each.name, "brand": each.brand, "brand_note": each.brand_note} for each in PLACES]
    )
    counties = ids_by_name(session, County)
    session.execute(
        sa.insert(Branch.__table__),
        [
            {
                "name": b.name,
                "kind": b.kind,
                "county_id": counties.get(b.county or ""),
                "room": b.room,
                "is_fictional": True,
            }
            for b in planned_branches
        ],
    )
    own = ids_by_name(session, Branch)
    session.execute(
        sa.insert(Station.__table__),
        [
            {
                "name": s.name,
                "county_id": counties[s.county],
                "branch_id": own[s.branch],
                "address": s.address,
                "phone": s.phone,
                "hours": s.hours,
                "latitude": s.latitude,
                "longitude": s.longitude,
                "services": s.services,
                "is_fictional": True,
            }
            for s in planned_stations
        ],
    )
    ids = write_people(session, vault, [*played, *others], own, at=at)
    grassroots.write(session, counties, at=at)
    _write_posts(session, [*played, *others], ids, counties, own, ids_by_name(session, Station))
    invited = next(i for person, i in zip(played, ids, strict=False) if person.name == cast.INVITED)
    code = {"code_index": vault.index(cast.INVITE_CODE.upper()), "person_id": invited}
    session.execute(sa.insert(Invite.__table__), {**code, "expires_at": at + INVITE_LASTS})


def ids_by_name(session: Session, kind: type[County | Branch | Station]) -> dict[str, int]:
    return dict(session.execute(sa.select(kind.name, kind.id)).all())


def write_people(
    session: Session, vault: Vault, planned: list[PlannedPerson], own: dict[str, int], *, at: datetime
) -> list[int]:
    """People with their affiliations and accounts. Gives their ids, in the order they came."""
    if not planned:
        return []
    table = Person.__table__
    rows = [
        {
            "name": person.name,
            "phone": person.phone,
            "phone_index": None if person.phone is None else vault.index(person.phone),
            "is_fictional": True,
        }
        for person in planned
    ]
    ids = list(session.scalars(sa.insert(table).returning(table.c.id, sort_by_parameter_order=True), rows))
    pairs = list(zip(planned, ids, strict=True))
    affiliations = [(i, own[person.branch], True) for person, i in pairs]
    affiliations += [(i, own[person.second], False) for person, i in pairs if person.second]
    session.execute(
        sa.insert(Affiliation.__table__),
        [
            {"person_id": i, "branch_id": branch_id, "is_main": is_main, "since_on": SINCE_ON}
            for i, branch_id, is_main in affiliations
        ],
    )
    insert_new(session, Follower, [_account(person, i, at) for person, i in pairs if person.openid])
    return ids


def _account(person: PlannedPerson, person_id: int, at: datetime) -> dict[str, Any]:
    return {
        "openid": person.openid,
        "person_id": person_id,
        "is_subscribed": not person.has_left,
        "met_at": at - MET_BEFORE,
        "bound_at": at - MET_BEFORE,
        "left_at": at if person.has_left else None,
    }


def _write_posts(
    session: Session,
    planned: Iterable[PlannedPerson],
    ids: Iterable[int],
    counties: dict[str, int],
    own: dict[str, int],
    stations: dict[str, int],
) -> None:
    session.execute(
        sa.insert(Post.__table__),
        [
            {
                "person_id": i,
                "role": post.role,
                "branch_id": own.get(post.branch or ""),
                "station_id": stations.get(post.station or ""),
                "county_id": counties.get(post.county or ""),
                "since_on": SINCE_ON,
            }
            for person, i in zip(planned, ids, strict=True)
            for post in person.posts
        ],
    )


def _summary(session: Session, is_new: bool) -> Summary:
    def count(of: type[Any], *where: sa.ColumnExpressionArgument[bool]) -> int:
        return session.scalar(sa.select(sa.func.count()).select_from(of).where(*where)) or 0

    kinds = sa.select(Branch.kind, sa.func.count()).where(Branch.is_fictional).group_by(Branch.kind)
    fictional = sa.select(Person.id).where(Person.is_fictional).scalar_subquery()
    by_kind = dict(session.execute(kinds).all())
    return Summary(
        is_new=is_new,
        counties=count(County),
        branches={kind: by_kind.get(kind, 0) for kind in BranchKind},
        stations=count(Station, Station.is_fictional),
        people=count(Person, Person.is_fictional),
        affiliations=count(Affiliation, Affiliation.person_id.in_(fictional)),
        posts=count(Post, Post.person_id.in_(fictional)),
        bound=count(Follower, Follower.person_id.in_(fictional)),
    )
