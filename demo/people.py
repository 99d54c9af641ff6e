"""Who belongs to which branch, who holds which post, and who has which WeChat account, before it is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from demo import names
from demo.branches import PlannedBranch, PlannedStation
from models import BranchKind, Role

FEWEST_PER_BRANCH = 3
SECOND_AFFILIATION = 0.055
HAS_ACCOUNT = 0.68
HAS_LEFT = 0.015
TWO_LAWYERS = 0.5


@dataclass(frozen=True, slots=True)
class PlannedPost:
    """A role and the name of its place; the city's posts have none."""

    role: Role
    branch: str | None = None
    station: str | None = None
    county: str | None = None


@dataclass(slots=True)
class PlannedPerson:
    """Somebody invented; branches are known by their names."""

    name: str
    branch: str
    second: str | None = None
    phone: str | None = None
    openid: str | None = None
    has_left: bool = False
    posts: list[PlannedPost] = field(default_factory=list)


def demo_openid(number: int) -> str:
    """The account of the number-th ordinary member: 28 characters like WeChat's own."""
    return f"oDemo{number:023d}"


def phones(rng: Random, taken: str) -> Iterator[str]:
    """Numbers from 1990000xxxx, each once; who comes after the ten thousandth has no phone."""
    return (f"1990000{each:04d}" for each in rng.sample(range(10_000), 10_000) if f"1990000{each:04d}" != taken)


def crew(rng: Random, branch: str, size: int, unlike: set[str]) -> list[PlannedPerson]:
    """New people for one branch; within it no two have the same name, so that a secretary can tell them apart."""
    people: list[PlannedPerson] = []
    taken = set(unlike)
    while len(people) < size:
        name = names.person(rng)
        if name not in taken:
            taken.add(name)
            people.append(PlannedPerson(name, branch))
    return people


def plan(
    rng: Random,
    branches: list[PlannedBranch],
    stations: list[PlannedStation],
    cast: list[PlannedPerson],
    per_branch: int,
    unlike: set[str],
) -> list[PlannedPerson]:
    """Everybody but the cast, with posts, second affiliations and accounts."""
    crews = {
        branch.name: crew(rng, branch.name, max(FEWEST_PER_BRANCH, per_branch + rng.randint(-2, 2)), unlike)
        for branch in branches
    }
    _appoint(rng, branches, stations, crews, {post for person in cast for post in person.posts})
    people = [person for branch in branches for person in crews[branch.name]]
    _affiliate_again(rng, branches, people)
    number = 0
    for person in people:
        # Who holds a post is always within reach, so that the demonstration never waits for nobody.
        if person.posts or rng.random() < HAS_ACCOUNT:
            number += 1
            person.openid = demo_openid(number)
            person.has_left = not person.posts and rng.random() < HAS_LEFT
    return people


def _appoint(
    rng: Random,
    branches: list[PlannedBranch],
    stations: list[PlannedStation],
    crews: dict[str, list[PlannedPerson]],
    taken: set[PlannedPost],
) -> None:
    """Secretaries, lawyers and county offices, and what the city needs, besides the posts the cast has taken."""
    for branch in branches:
        post = PlannedPost(Role.SECRETARY, branch=branch.name)
        if post not in taken:
            crews[branch.name][0].posts.append(post)
    for station in stations:
        post = PlannedPost(Role.LAWYER, station=station.name)
        if post not in taken:
            for person in crews[station.branch][1 : 3 if rng.random() < TWO_LAWYERS else 2]:
                person.posts.append(post)
    of_kind = defaultdict(list)
    for branch in branches:
        of_kind[branch.kind, branch.county].append(branch.name)
    for (kind, county), own in of_kind.items():
        if kind is BranchKind.ASSOCIATION:
            crews[own[0]][1].posts.append(PlannedPost(Role.COUNTY_OFFICE, county=county))
    _, *auditors = of_kind[BranchKind.RESEARCH, None][:3]
    for auditors_branch in auditors:
        crews[auditors_branch][1].posts.append(PlannedPost(Role.AUDITOR))


def _affiliate_again(rng: Random, branches: list[PlannedBranch], people: list[PlannedPerson]) -> None:
    """Some belong to a research society as well (F025)."""
    societies = [branch.name for branch in branches if branch.kind is BranchKind.RESEARCH]
    for person in people:
        if person.branch not in societies and rng.random() < SECOND_AFFILIATION:
            person.second = rng.choice(societies)
