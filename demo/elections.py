"""Elections of the demonstration: of the branches whose committee has a term, how it was elected; and some drafts.

Written with the past: the posts stand already (demo/roll.py), so the records change nothing.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import at_beijing
from demo import cast
from models import (
    Affiliation,
    Branch,
    Candidate,
    County,
    Election,
    ElectionKind,
    ElectionState,
    Electorate,
    Follower,
    Post,
    Role,
    Seat,
    Turnout,
    Voter,
)

PLACE = "（演示）支部活动室"
EXCUSE = "（演示）两名党员出差在外，经党总支同意照常选举"
#: Every so many records had too few there, and every so many were void.
SHORT_EVERY, VOID_EVERY = 5, 7
#: A draft waits in the branch of the cast's secretary, and in one of this county.
ELSEWHERE = "登封市"
BRANCH_ROLES = (Role.SECRETARY, Role.DEPUTY, Role.COMMITTEE)
ENTERED, ENTERED_AT = timedelta(days=1), time(9, 30)


def write(session: Session, at: datetime, today: date) -> None:
    """All of it; what follows from the numbers of the branches is the same at every load."""
    led = session.scalars(
        sa.select(Post)
        .where(Post.role == Role.SECRETARY, Post.term_ends_on.is_not(None), Post.since_on < today)
        .order_by(Post.id)
    ).all()
    for number, post in enumerate(led):
        _recorded(session, post, number)
    for branch_id in _drafts(session):
        session.add(_began(session, branch_id, today, at))
    session.flush()


def _recorded(session: Session, led: Post, number: int) -> None:
    election = _began(session, led.branch_id or 0, led.since_on, at_beijing(led.since_on + ENTERED, ENTERED_AT))
    absent = 2 if number % SHORT_EVERY == 0 else 0
    for voter in election.voters[:absent]:
        voter.turnout = Turnout.LEAVE
    due = len(election.voters)
    if not due:
        return
    present = due - absent
    is_void = number % VOID_EVERY == VOID_EVERY - 1
    is_short = present * election.quorum_bottom < due * election.quorum_top
    election.state = ElectionState.INVALID if is_void else ElectionState.EXCUSED if is_short else ElectionState.VALID
    election.due, election.present, election.issued, election.spoiled = due, present, present, 0
    election.returned = present + 1 if is_void else present
    election.reason = EXCUSE if election.state is ElectionState.EXCUSED else ""
    election.recorded_at, election.recorded_by = election.written_at, led.person_id
    election.counts_on = election.held_on
    for voter in election.voters:
        voter.name = voter.person.name
    _candidates(session, election, led, present, is_void=is_void)
    session.add(election)


def _candidates(session: Session, election: Election, led: Post, present: int, *, is_void: bool) -> None:
    """The committee that there is was voted on as a committee, a secretary alone by the meeting itself."""
    held = session.scalars(
        sa.select(Post)
        .where(Post.branch_id == led.branch_id, Post.since_on == led.since_on, Post.role.in_(BRANCH_ROLES))
        .order_by(Post.id)
    ).all()
    seat = Seat.COMMITTEE if len(held) > 1 else Seat.SECRETARY
    election.committee_seats = len(held) if seat is Seat.COMMITTEE else 0
    election.secretary_seats = int(seat is Seat.SECRETARY)
    names = {voter.person.id: voter.person.name for voter in election.voters}
    for place, post in enumerate(held):
        against = min(place, max(present - 1, 0)) if present > 4 else 0
        # A void ballot has one vote more than there were voters.
        votes = present + int(is_void) - against
        election.candidates.append(
            Candidate(
                person_id=post.person_id, name=names.get(post.person_id, "演示人物"), seat=seat, role=post.role,
                duty=post.duty, votes_for=votes, votes_against=against, abstained=0,
                is_elected=not is_void and votes * 2 > (election.due or 0),
            )
        )  # fmt: skip


def _began(session: Session, branch_id: int, on: date, at: datetime) -> Election:
    """A record with everybody who belongs to the branch on its list, however long ago: they always have."""
    belongs = session.scalars(
        sa.select(Affiliation)
        .options(joinedload(Affiliation.person))
        .where(Affiliation.branch_id == branch_id, Affiliation.is_main, Affiliation.until_on.is_(None))
        .order_by(Affiliation.person_id)
    ).all()
    return Election(
        branch_id=branch_id, kind=ElectionKind.RENEWAL, held_on=on, place=PLACE, state=ElectionState.DRAFT,
        quorum_top=4, quorum_bottom=5, majority_of=Electorate.DUE, written_at=at, due=len(belongs), present=len(belongs),
        voters=[Voter(person=each.person, turnout=Turnout.PRESENT) for each in belongs], candidates=[],
        secretary_seats=0, deputy_seats=0, committee_seats=0,
    )  # fmt: skip


def _drafts(session: Session) -> list[int]:
    """One that the cast's secretary has begun, and one in another county."""
    of_cast = (
        sa.select(sa.func.min(Post.branch_id))
        .join(Follower, Follower.person_id == Post.person_id)
        .where(Post.role == Role.SECRETARY, Follower.openid == cast.openid_of("LiNa"))
    )
    far = (
        sa.select(sa.func.min(Branch.id)).join(County, County.id == Branch.county_id).where(County.name == ELSEWHERE)
    )
    return [branch_id for question in (of_cast, far) if (branch_id := session.scalar(question)) is not None]
