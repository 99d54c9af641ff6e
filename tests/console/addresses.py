"""Every page of the console by its rule, with an address that shows it: found from the routes, so none is forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from models import (
    Branch,
    BrandStory,
    Broadcast,
    BroadcastState,
    Consultation,
    County,
    Election,
    ElectionKind,
    Gathering,
    Import,
    LiaisonPoint,
    Organisation,
    Outgoing,
    PartyGroup,
    Person,
    Picture,
    PictureOf,
    Post,
    Role,
    SendState,
    Station,
    Township,
    Village,
)
from services.elections import drafts
from services.elections.rules import Rules
from services.organisation import pictures
from tests.console import brought, sent
from tests.console.conftest import Office
from tests.photographs import photo

#: Before the login, on the way, or no page; they have tests of their own.
DOORS = {"console.picture", "console.static", "console.enter", "console.code", "console.password", "console.phone"}
NOWHERE = "console.unknown"


def of(office: Office) -> dict[str, str]:
    """Endpoint → an address that the city office may open."""
    sent.ensure(office)
    _picture(office)
    brought.ensure(office)
    _election(office)
    with office.database.reading() as session:
        examples = _examples(session)
    rules = [rule for rule in office.app.url_map.iter_rules() if rule.endpoint.startswith("console.")]
    pages = [rule for rule in rules if "GET" in (rule.methods or ()) and rule.endpoint not in DOORS | {NOWHERE}]
    with office.app.test_request_context():
        return {
            rule.endpoint: rule.build({name: examples[name] for name in rule.arguments})[1]  # type: ignore[index]
            for rule in sorted(pages, key=lambda rule: rule.rule)
        }


def _picture(office: Office) -> None:
    """The first station shows something."""
    with office.database.transaction() as session:
        station = session.scalar(sa.select(sa.func.min(Station.id)))
        if not pictures.of(session, PictureOf.STATION, station):
            pictures.add(session, PictureOf.STATION, station, photo(), "服务站大门", office.clock.at, by=None)


def _election(office: Office) -> None:
    """A draft that waits."""
    with office.database.transaction() as session:
        branch = session.scalars(sa.select(Branch).order_by(Branch.id).limit(1)).one()
        at, kind = office.clock.at, ElectionKind.RENEWAL
        drafts.begin(session, branch, kind, beijing_date(at), "", Rules(), at, by=1)


def _examples(session: Session) -> dict[str, object]:
    """A value for every part of an address; a new part without one fails the test that needs it."""
    secretary = (
        sa.select(Post.person_id, Post.branch_id).where(Post.role == Role.SECRETARY).order_by(Post.id).limit(1)
    )
    person_id, branch_id = session.execute(secretary).one()
    waiting = sa.select(Broadcast.id).where(
        Broadcast.state == BroadcastState.SUBMITTED, Broadcast.county_id.is_(None)
    )
    unknown = sa.select(Outgoing).where(
        Outgoing.state == SendState.UNKNOWN, Outgoing.campaign.startswith("broadcast:")
    )
    row = session.scalars(unknown.order_by(Outgoing.id).limit(1)).one()
    return {
        "person_id": person_id,
        "first_id": person_id,
        "second_id": person_id + 1,
        "branch_id": branch_id,
        "county_id": session.scalar(sa.select(sa.func.min(County.id))),
        "township_id": session.scalar(sa.select(sa.func.min(Township.id))),
        "village_id": session.scalar(sa.select(sa.func.min(Village.id))),
        "point_id": session.scalar(sa.select(sa.func.min(LiaisonPoint.id))),
        "story_id": session.scalar(sa.select(sa.func.min(BrandStory.id))),
        "organisation_id": session.scalar(sa.select(sa.func.min(Organisation.id))),
        "group_id": session.scalar(sa.select(sa.func.min(PartyGroup.id))),
        "election_id": session.scalar(sa.select(sa.func.min(Election.id)).where(Election.state == "draft")),
        "station_id": session.scalar(sa.select(sa.func.min(Station.id))),
        "gathering_id": session.scalar(
            sa.select(Gathering.id).where(Gathering.branch_id == branch_id).order_by(Gathering.held_on).limit(1)
        ),
        "picture_id": session.scalar(
            sa.select(sa.func.min(Picture.id)).where(
                Picture.owner_kind == PictureOf.STATION,
                Picture.owner_id == sa.select(sa.func.min(Station.id)).scalar_subquery(),
            )
        ),
        "number": session.scalar(sa.select(Consultation.number).order_by(Consultation.id.desc()).limit(1)),
        "broadcast_id": session.scalar(waiting.order_by(Broadcast.id).limit(1)),
        "key": row.campaign,
        "row_id": row.id,
        "act": "cancel",
        "name": "people",
        "import_id": session.scalar(sa.select(sa.func.max(Import.id))),
        "branch": session.scalar(sa.select(sa.func.min(Branch.id))),
        "person": session.scalar(sa.select(sa.func.min(Person.id))),
    }
