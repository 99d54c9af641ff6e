"""What leads the branches, with 隶属 and 指导 kept apart, and how many branches there are by kind and county (F022, F024)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models import Affiliation, Branch, BranchKind, County, Organisation, OrganisationKind
from services import audit
from services.fields import Fields
from services.membership import people
from services.organisation import branch_history
from services.organisation.branch_history import CITY
from services.scope import Scope

LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Count:
    """The branches of one place, by kind."""

    place: str
    by_kind: dict[BranchKind, int]

    @property
    def total(self) -> int:
        return sum(self.by_kind.values())


def branch_counts(session: Session, on: date) -> list[Count]:
    """The branches of a day (F034): the city's own first, then county by county, the empty ones too."""
    then = branch_history.states(on)
    rows = session.execute(
        sa.select(then.c.county_id, then.c.kind, sa.func.count()).group_by(then.c.county_id, then.c.kind)
    )
    found = {(county_id, kind): count for county_id, kind, count in rows}
    places: list[tuple[int | None, str]] = [(None, CITY)]
    places += [(row.id, row.name) for row in session.scalars(sa.select(County).order_by(County.id))]
    return [Count(name, {kind: found.get((place, kind), 0) for kind in BranchKind}) for place, name in places]


@dataclass(frozen=True, slots=True)
class Relations:
    """The two relations of a branch, kept apart (F024)."""

    belongs_to: Organisation | None
    guided_by: Organisation | None


def relations(session: Session, branch: Branch) -> Relations:
    """All 674 branches belong to the city's general branch (work report L10); the leading group of their place
    guides them."""
    kind = Organisation.kind
    general = sa.select(Organisation).where(kind == OrganisationKind.GENERAL_BRANCH, Organisation.county_id.is_(None))
    here = Organisation.county_id == branch.county_id if branch.county_id else Organisation.county_id.is_(None)
    leading = sa.select(Organisation).where(kind == OrganisationKind.LEADING_GROUP, here)
    return Relations(*(session.scalar(each.order_by(Organisation.id).limit(1)) for each in (general, leading)))


def totals(counts: list[Count]) -> dict[BranchKind, int]:
    return {kind: sum(count.by_kind[kind] for count in counts) for kind in BranchKind}


@dataclass(frozen=True, slots=True)
class Members:
    """Members by kind of branch, and all of them, each once (F025): `affiliations` less `twice` is `people`."""

    by_kind: dict[BranchKind, int]
    people: int

    @property
    def affiliations(self) -> int:
        return sum(self.by_kind.values())

    @property
    def twice(self) -> int:
        return self.affiliations - self.people


def member_counts(session: Session, on: date) -> Members:
    """Who belongs to a branch on a day, by what the branch was on that day."""
    then, holds = branch_history.states(on), people.holds(Affiliation, on)
    belongs = sa.select(Affiliation.person_id, Affiliation.branch_id).where(*holds).distinct().subquery()
    rows = session.execute(
        sa.select(then.c.kind, sa.func.count())
        .join(belongs, belongs.c.branch_id == then.c.branch_id)
        .group_by(then.c.kind)
    )
    found = {kind: int(count) for kind, count in rows}
    once = sa.select(sa.func.count(sa.distinct(Affiliation.person_id))).where(*holds)
    return Members({kind: found.get(kind, 0) for kind in BranchKind}, session.scalar(once) or 0)


# --- what stands above the branches --------------------------------------------------------------------------


def above(session: Session, scope: Scope) -> list[Organisation]:
    """The leading groups and general branches of a scope, the city's first."""
    question = sa.select(Organisation).where(scope.organisations)
    return list(
        session.scalars(
            question.order_by(Organisation.county_id.is_not(None), Organisation.county_id, Organisation.id)
        )
    )


@dataclass(frozen=True, slots=True)
class Details:
    """What somebody wants an organisation to be."""

    kind: OrganisationKind
    name: str
    county_id: int | None
    belongs_to: str
    guided_by: str


def read(
    session: Session, said: Mapping[str, str], scope: Scope, row: Organisation | None
) -> tuple[Details | None, Fields]:
    """A form; its place may be one that is theirs to change."""
    form = Fields(said)
    kind = form.chosen("kind", "种类", OrganisationKind)
    name = form.title("name", "名称", LONGEST_NAME)
    belongs_to = form.line("belongs_to", "隶属", LONGEST_NAME)
    guided_by = form.line("guided_by", "指导", LONGEST_NAME, needed=False)
    county_id = form.place(session, scope)
    taken = session.scalar(sa.select(Organisation.id).where(Organisation.name == name))
    if taken is not None and (row is None or taken != row.id):
        form.wrong["name"] = "已经登记了同名的组织。"
    if form.wrong or kind is None:
        return None, form
    return Details(kind, name, county_id, belongs_to, guided_by), form


def save(session: Session, row: Organisation | None, to: Details, at: datetime, *, by: int) -> Organisation:
    """Write it down, new or changed."""
    new = f"{to.name}（隶属：{to.belongs_to}；指导：{to.guided_by or '无'}）"
    if row is None:
        row = Organisation()
        act, said = "organisation.add", new
    else:
        act = "organisation.change"
        said = f"{row.name}（隶属：{row.belongs_to}；指导：{row.guided_by or '无'}） → {new}"
    row.kind, row.name, row.county_id = to.kind, to.name, to.county_id
    row.belongs_to, row.guided_by = to.belongs_to, to.guided_by
    session.add(row)
    session.flush()
    audit.note(session, at, by, act, f"organisation:{row.id}", said)
    return row
