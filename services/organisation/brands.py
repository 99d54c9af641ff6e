"""The brands of the counties (work report L18, L20, L22): their themes, their figures, and what there is to tell (F036)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import RuleBroken
from models import (
    Affiliation,
    Branch,
    BrandStory,
    Consultation,
    County,
    Gathering,
    GatheringState,
    Station,
    StoryKind,
)
from services import audit
from services.fields import Fields
from services.membership import people
from services.organisation import branch_history, coverage, stations
from services.organisation.coverage import Cover
from services.scope import Scope

LONGEST_BRAND, LONGEST_NOTE, LONGEST_TITLE, LONGEST_WORDS = 64, 128, 64, 2000
#: On a county's page.
SHOWN = 50


@dataclass(frozen=True, slots=True)
class Line:
    """A county's brand and its figures: people are 人, each once; gatherings are those of this year."""

    county: County
    branches: int
    people: int
    stations: int
    cover: Cover
    gatherings: int
    consultations: int
    stories: int


def lines(session: Session, scope: Scope, at: datetime) -> list[Line]:
    """Every county of the scope, the empty ones too."""
    on = beijing_date(at)
    begins_on = date(on.year, 1, 1)
    then = branch_history.states(on)
    branches = _count(session, sa.select(then.c.county_id, sa.func.count()).group_by(then.c.county_id))
    belongs = sa.select(then.c.county_id, sa.func.count(sa.distinct(Affiliation.person_id)))
    belongs = belongs.join(Affiliation, Affiliation.branch_id == then.c.branch_id)
    members = _count(session, belongs.where(*people.holds(Affiliation, on)).group_by(then.c.county_id))
    of_stations = sa.select(Station.county_id, sa.func.count()).where(~stations.is_shut(on))
    held = sa.select(Branch.county_id, sa.func.count()).join(Gathering, Gathering.branch_id == Branch.id)
    held = held.where(Gathering.state == GatheringState.PLANNED, Gathering.held_on.between(begins_on, on))
    asked = sa.select(Consultation.county_id, sa.func.count()).where(scope.cases)
    told = sa.select(BrandStory.county_id, sa.func.count()).where(BrandStory.withdrawn_at.is_(None))
    found = [
        _count(session, question.group_by(column))
        for question, column in (
            (of_stations, Station.county_id),
            (held, Branch.county_id),
            (asked, Consultation.county_id),
            (told, BrandStory.county_id),
        )
    ]
    covers = {cover.id: cover for cover in coverage.by_county(session, scope, on)}
    return [
        Line(
            county, branches.get(county.id, 0), members.get(county.id, 0), found[0].get(county.id, 0),
            covers[county.id], *(each.get(county.id, 0) for each in found[1:]),
        )
        for county in session.scalars(sa.select(County).where(scope.counties).order_by(County.id))
    ]  # fmt: skip


def _count(session: Session, question: sa.Select[int | None, int]) -> dict[int | None, int]:
    return {row[0]: row[1] for row in session.execute(question)}


def themes(found: list[Line]) -> int:
    """How many themes the counties have between them: two may share one."""
    return len({line.county.brand for line in found if line.county.brand})


def stories(session: Session, county_id: int) -> list[BrandStory]:
    """What a county has to tell, the latest first; what was withdrawn comes last."""
    question = sa.select(BrandStory).where(BrandStory.county_id == county_id)
    order = (BrandStory.withdrawn_at.is_not(None), BrandStory.happened_on.desc(), BrandStory.id.desc())
    return list(session.scalars(question.order_by(*order).limit(SHOWN)))


def rename(session: Session, county: County, said: Mapping[str, str], at: datetime, *, by: int) -> Fields:
    """Another theme, unless something in the form is wrong."""
    form = Fields(said)
    brand = form.line("brand", "品牌主题", LONGEST_BRAND)
    note = form.line("brand_note", "说明", LONGEST_NOTE, needed=False)
    if not form.wrong:
        before = f"{county.brand}（{county.brand_note}）"
        audit.note(session, at, by, "brand.change", f"county:{county.id}", f"{before} → {brand}（{note}）")
        county.brand, county.brand_note = brand, note
    return form


def write(
    session: Session, county_id: int, row: BrandStory | None, said: Mapping[str, str], at: datetime, *, by: int
) -> Fields:
    """A story, new or changed, unless something in the form is wrong."""
    form = Fields(said)
    kind = form.chosen("kind", "种类", StoryKind)
    title = form.line("title", "标题", LONGEST_TITLE)
    words = form.words("words", "正文", LONGEST_WORDS)
    happened_on = form.day("happened_on", "日期", latest=beijing_date(at))
    if form.wrong or kind is None:
        return form
    before = "新写" if row is None else f"{row.title}（{row.happened_on}）"
    row = row or BrandStory(county_id=county_id, written_at=at, written_by=by)
    row.kind, row.title, row.words, row.happened_on = kind, title, words, happened_on
    session.add(row)
    session.flush()
    audit.note(session, at, by, "brand.story", f"story:{row.id}", f"{before} → {title}（{happened_on}）")
    return form


def withdraw(session: Session, row: BrandStory, at: datetime, *, by: int) -> None:
    """Raises RuleBroken when it is withdrawn already."""
    if row.withdrawn_at is not None:
        raise RuleBroken("已经撤下了。")
    row.withdrawn_at = at
    audit.note(session, at, by, "brand.withdraw", f"story:{row.id}", row.title)


def put_back(session: Session, row: BrandStory, at: datetime, *, by: int) -> None:
    """Undo a withdrawal."""
    row.withdrawn_at = None
    audit.note(session, at, by, "brand.put_back", f"story:{row.id}", row.title)
