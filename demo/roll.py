"""What an office finds on its desk: committees and their terms, members who come and go, doubtful claims, one person
entered twice. Written with the past; nothing of it is ever sent, and nobody is added to those who are there."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from demo import cast
from models import (
    Affiliation,
    BindingClaim,
    Branch,
    BranchKind,
    County,
    Direction,
    Doubt,
    Duty,
    Flow,
    Follower,
    Person,
    Post,
    Role,
)
from services import scope
from services.membership import duplicates, terms

TERM_MONTHS = 36
#: Every so many branches have a term on the roll, and of these every so many a whole committee.
TERM_EVERY, COMMITTEE_EVERY = 9, 2
#: In how many months the terms end: one is over, some are spoken of, most have time.
ENDS_IN = (-2, 1, 3, 5, 8, 14, 20, 26, 31)
#: Whose term ends on such a day is spoken of on another day than the one on which the demonstration is loaded.
NOT_TODAY = timedelta(days=10)
COMMITTEE = ((Role.DEPUTY, None), (Role.COMMITTEE, Duty.ORGANISATION), (Role.COMMITTEE, Duty.PUBLICITY))
DUTIES = "（演示）兼管服务站值班安排和新党员联系"
FLOWS = 6
OUTSIDE = "（演示）外地某律师事务所党支部"
CLAIMANT = "oDemoNewPhone"
CLAIM_PHONES = ("19900009991", "19900009992")
TWICE = 2


def write(session: Session, at: datetime) -> None:
    """All of it; who it is about follows from their numbers, so that every load is the same."""
    today = beijing_date(at)
    _committees(session, today)
    _flows(session, today)
    _claims(session, at)
    _entered_twice(session, today)


def _committees(session: Session, today: date) -> None:
    led = session.scalars(sa.select(Post).where(Post.role == Role.SECRETARY).order_by(Post.id))
    for number, post in enumerate(list(led)[::TERM_EVERY]):
        ends_on = terms.months_from(today + NOT_TODAY, ENDS_IN[number % len(ENDS_IN)])
        post.since_on, post.term_ends_on = terms.months_from(ends_on, -TERM_MONTHS), ends_on
        if number % COMMITTEE_EVERY == 0:
            post.duties = DUTIES
            _committee(session, post)


def _committee(session: Session, led: Post) -> None:
    holders = sa.select(Post.person_id)
    free = sa.select(Affiliation.person_id).where(
        Affiliation.branch_id == led.branch_id, Affiliation.is_main, Affiliation.person_id.not_in(holders)
    )
    others = session.scalars(free.order_by(Affiliation.person_id).limit(len(COMMITTEE))).all()
    for person_id, (role, duty) in zip(others, COMMITTEE, strict=False):
        session.add(
            Post(
                person_id=person_id, role=role, duty=duty, branch_id=led.branch_id, since_on=led.since_on,
                term_ends_on=led.term_ends_on, duties="",
            )
        )  # fmt: skip
    session.flush()


def _of_home(kind: BranchKind) -> sa.Select[int]:
    """Members of the cast's own county without an office, by number."""
    return (
        sa.select(Affiliation.person_id)
        .join(Branch, Branch.id == Affiliation.branch_id)
        .join(County, County.id == Branch.county_id)
        .where(County.name == cast.HOME, Branch.kind == kind, Affiliation.is_main)
        .where(Affiliation.person_id.not_in(sa.select(Post.person_id)))
        .order_by(Affiliation.person_id)
    )


def _flows(session: Session, today: date) -> None:
    """Some have come from elsewhere, some are away: outside, or with another branch of ours."""
    another = session.scalar(sa.select(Branch.id).where(Branch.kind == BranchKind.FIRM).order_by(Branch.id).limit(1))
    for number, person_id in enumerate(session.scalars(_of_home(BranchKind.STATION).limit(FLOWS)).all()):
        home = sa.select(Affiliation.branch_id).where(Affiliation.person_id == person_id, Affiliation.is_main)
        is_outside = number % 3 > 0
        session.add(
            Flow(
                person_id=person_id, branch_id=session.scalar(home),
                direction=Direction.IN if number % 2 else Direction.OUT,
                other_branch_id=None if is_outside else another, place=OUTSIDE if is_outside else "",
                since_on=terms.months_from(today, -1 - number), until_on=None,
            )
        )  # fmt: skip


def _claims(session: Session, at: datetime) -> None:
    """Two new phones that want to be members: one who has another phone already, and one whose number is not the roll's."""
    members = session.scalars(_of_home(BranchKind.FIRM)).all()
    bound = set(session.scalars(sa.select(Follower.person_id).where(Follower.is_subscribed)))
    changed = next(each for each in members if each in bound)
    differs = next(each for each in members if each not in bound)
    for number, (person_id, doubt) in enumerate(((changed, Doubt.ALREADY_BOUND), (differs, Doubt.PHONE_DIFFERS))):
        openid, since = f"{CLAIMANT}{number}".ljust(28, "0"), at - timedelta(hours=20 - number)
        session.add(Follower(openid=openid, is_subscribed=True, met_at=since))
        session.add(
            BindingClaim(
                openid=openid, person_id=person_id, claimed_at=since, doubts=doubt.value, phone=CLAIM_PHONES[number]
            )
        )


def _entered_twice(session: Session, today: date) -> None:
    """Of those who share a name in one county, some share a number as well."""
    office = session.scalars(sa.select(Post.person_id).where(Post.role == Role.OFFICE).order_by(Post.id)).first()
    seen = scope.of(session, office or 0, today)
    for low, high, _place in session.execute(duplicates.pairs(seen, with_namesakes=True).limit(TWICE)).all():
        kept, twice = session.get_one(Person, low), session.get_one(Person, high)
        twice.phone, twice.phone_index = kept.phone, kept.phone_index
