"""Audiences beside Python's own sets: what any expression means, worked out without a database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st

from clock import beijing_date, parse_instant
from models import Affiliation, Attendance, Branch, BranchKind, County, Gathering, Post, Presence, Role, Via
from services.audience_terms import SHORT_KINDS

AT = parse_instant("2026-11-28T09:00")
FRIDAY = date(2026, 11, 27)
#: A branch's name may hold whatever the expressions are made of.
ODD_NAME = "金水区某某（郑州）律师事务所：且 或 非 流动党支部"


@dataclass(frozen=True)
class World:
    """The people of the demonstration as plain sets."""

    members: frozenset[int]
    #: A condition as it is written, and who fits it.
    terms: dict[str, frozenset[int]]


def furnish(session: Any) -> None:
    """Somebody came on Friday, somebody is on leave, and one branch has an awkward name."""
    held = session.scalars(sa.select(Gathering).where(Gathering.held_on == FRIDAY).order_by(Gathering.id).limit(40))
    for n, gathering in enumerate(held.all()):
        members = session.scalars(
            sa.select(Affiliation.person_id)
            .where(Affiliation.branch_id == gathering.branch_id)
            .order_by(Affiliation.person_id)
        ).all()
        for person_id in members[: n % 4]:
            presence = Presence.LEAVE if person_id % 3 == 0 else Presence.PRESENT
            session.add(
                Attendance(
                    gathering_id=gathering.id, person_id=person_id, presence=presence, via=Via.PROXY, at=AT, receipt=n
                )
            )
    session.get_one(Branch, 1).name = ODD_NAME


def world(session: Any) -> World:
    """Read everything, and sort it by hand."""
    on = beijing_date(AT)
    held = [
        row
        for row in session.scalars(sa.select(Affiliation))
        if row.since_on <= on and (row.until_on is None or row.until_on > on)
    ]
    branches = {row.id: row for row in session.scalars(sa.select(Branch))}
    counties = {row.id: row.name for row in session.scalars(sa.select(County))}
    attended = session.execute(
        sa.select(Attendance.person_id, Attendance.presence, Gathering.branch_id)
        .join(Gathering, Gathering.id == Attendance.gathering_id)
        .where(Gathering.held_on == FRIDAY)
    ).all()
    gathered = set(session.scalars(sa.select(Gathering.branch_id).where(Gathering.held_on == FRIDAY)))
    came = frozenset(row.person_id for row in attended if row.presence is Presence.PRESENT)
    excused = frozenset(row.person_id for row in attended if row.presence is Presence.LEAVE)
    heard = {row.branch_id for row in attended}

    def of(fits: Any) -> frozenset[int]:
        return frozenset(row.person_id for row in held if fits(branches[row.branch_id]))

    terms = {"全体": of(lambda _: True)}
    for county_id in (1, 2, 6):
        terms[f"县:{counties[county_id]}"] = of(lambda branch, i=county_id: branch.county_id == i)
    terms["县：市本级"] = of(lambda branch: branch.county_id is None)
    for kind in BranchKind:
        terms[f"类型:{SHORT_KINDS[kind]}"] = of(lambda branch, k=kind: branch.kind is k)
    terms[f"支部:“{ODD_NAME}”"] = of(lambda branch: branch.name == ODD_NAME)
    posts = session.execute(sa.select(Post.person_id, Post.role, Post.since_on, Post.until_on)).all()
    terms["职务:书记"] = frozenset(
        row.person_id
        for row in posts
        if row.role is Role.SECRETARY and row.since_on <= on and (row.until_on is None or row.until_on > on)
    )
    terms[f"已签到:{FRIDAY}"] = came
    terms[f"未签到:{FRIDAY}"] = of(lambda branch: branch.id in gathered) - came - excused
    terms[f"缺记录:{FRIDAY}"] = of(lambda branch: branch.id in gathered - heard)
    return World(terms["全体"], terms)


def expressions(of: World) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """Any nesting of 且, 或, 非 and parentheses, with the set that it must mean."""
    atoms = st.sampled_from(sorted(of.terms)).map(lambda term: (term, of.terms[term]))

    def grown(inner: Any) -> Any:
        def both(parts: list[tuple[str, frozenset[int]]]) -> tuple[str, frozenset[int]]:
            return " 且 ".join(f"({text})" for text, _ in parts), frozenset.intersection(*(s for _, s in parts))

        def either(parts: list[tuple[str, frozenset[int]]]) -> tuple[str, frozenset[int]]:
            return " 或 ".join(text for text, _ in parts), frozenset.union(*(s for _, s in parts))

        def neither(part: tuple[str, frozenset[int]]) -> tuple[str, frozenset[int]]:
            return f"非（{part[0]}）", of.members - part[1]

        some = st.lists(inner, min_size=2, max_size=3)
        return st.one_of(some.map(both), some.map(either), inner.map(neither))

    return st.recursive(atoms, grown, max_leaves=8).filter(lambda pair: len(pair[0]) <= 500 and _depth(pair[0]) <= 8)


def _depth(text: str) -> int:
    deepest = depth = 0
    for letter in text.replace("（郑州）", ""):
        depth += (letter in "(（") - (letter in ")）")
        deepest = max(deepest, depth)
    return deepest
