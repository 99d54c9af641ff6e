"""The draft of an election's record: begun with everybody who belonged to the branch on that day, filled in, thrown away (F028)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from errors import RuleBroken
from models import (
    Affiliation,
    Branch,
    Candidate,
    Duty,
    Election,
    ElectionKind,
    ElectionState,
    Person,
    Role,
    Seat,
    Turnout,
    Voter,
)
from services import audit
from services.elections.checks import impossible
from services.elections.rules import Rules
from services.membership import people, terms

ELSEWHERE = "您打开以后，别处改过这份草稿，这次没有保存；您填的都还在下面。以您填的为准，请再保存一次；要先看现在存的，点“不了，返回”。"
RECORDED = "这份选举记录已经存档，不能再改；有错请办公室撤销后重新登记。"


@dataclass(frozen=True, slots=True)
class Row:
    """A candidate as typed. Without a number it is somebody written in who is not on the roll."""

    person_id: int | None
    name: str
    is_written_in: bool
    seat: Seat
    role: Role
    duty: Duty | None
    votes_for: int | None = None
    votes_against: int | None = None
    abstained: int | None = None


@dataclass(frozen=True, slots=True)
class Typed:
    """A record as typed; a count that is None has not been typed yet."""

    kind: ElectionKind
    held_on: date
    round: int = 1
    place: str = ""
    has_list: bool = True
    turnouts: dict[int, Turnout] = field(default_factory=dict)
    due: int | None = None
    present: int | None = None
    issued: int | None = None
    returned: int | None = None
    spoiled: int | None = None
    seats: dict[Seat, int] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    #: How the draft stood when its form was opened, as `mark` gives it; empty where none was.
    seen: str = ""


def on_roll(session: Session, branch_id: int, on: date) -> list[tuple[Person, bool]]:
    """Who belonged to a branch on a day, by name, and whether it was their main one."""
    rows = session.execute(
        sa.select(Person, Affiliation.is_main)
        .join(Affiliation, Affiliation.person_id == Person.id)
        .where(Affiliation.branch_id == branch_id, *people.holds(Affiliation, on))
        .order_by(Person.name, Person.id)
    )
    return [(person, is_main) for person, is_main in rows]


def begin(
    session: Session,
    branch: Branch,
    kind: ElectionKind,
    held_on: date,
    place: str,
    rules: Rules,
    at: datetime,
    *,
    by: int,
) -> Election:
    """A draft with everybody of that day on its list; one that is there already is gone on with. Raises RuleBroken."""
    terms.lock_branch(session, branch.id)
    if branch.dissolved_on is not None and branch.dissolved_on <= held_on:
        raise RuleBroken(f"{branch.name}在 {branch.dissolved_on} 已经撤销。")
    same = Election.branch_id == branch.id, Election.held_on == held_on, Election.state == ElectionState.DRAFT
    there = session.scalar(sa.select(Election.id).where(*same).order_by(Election.id).limit(1))
    if there is not None:
        return whole(session, there)
    election = Election(
        branch_id=branch.id, kind=kind, held_on=held_on, place=place, quorum_top=rules.quorum_top,
        quorum_bottom=rules.quorum_bottom, majority_of=rules.majority_of, secretary_seats=0, deputy_seats=0,
        committee_seats=0, written_at=at, written_by=by, voters=[], candidates=[],
    )  # fmt: skip
    session.add(election)
    session.flush()
    _list_voters(session, election, {})
    recount(election)
    audit.note(session, at, by, "election.draft", f"election:{election.id}", f"{held_on} {branch.name}{kind.label}")
    session.flush()
    return whole(session, election.id)


def whole(session: Session, election_id: int) -> Election:
    """With its branch, voters and candidates."""
    question = (
        sa.select(Election)
        .options(
            joinedload(Election.branch).joinedload(Branch.county),
            joinedload(Election.recorder),
            joinedload(Election.set_aside_person),
            selectinload(Election.voters).joinedload(Voter.person),
            selectinload(Election.candidates).joinedload(Candidate.person),
        )
        .where(Election.id == election_id)
        .execution_options(populate_existing=True)
    )
    return session.scalars(question).one()


def write(session: Session, election: Election, typed: Typed) -> None:
    """Keep what was typed. Raises RuleBroken for one that is recorded, that was changed elsewhere since its form was
    opened, or whose day nobody of it knows."""
    claim(session, election)
    whole(session, election.id)
    if typed.seen and typed.seen != mark(election):
        raise RuleBroken(ELSEWHERE)
    if typed.held_on != election.held_on:
        _refuse_day(session, election, typed)
    with session.no_autoflush:
        _take_over(session, election, typed)
    for wrong in impossible(election):
        raise RuleBroken(wrong)
    session.flush()
    whole(session, election.id)


def mark(election: Election) -> str:
    """A draft as it is stored, so short that its form can bring it back."""
    stored = [getattr(election, column.name) for column in Election.__table__.columns]
    voters = sorted((voter.person_id, voter.turnout.value) for voter in election.voters)
    own = [column.name for column in Candidate.__table__.columns if column.name not in {"id", "election_id"}]
    candidates = [[getattr(each, name) for name in own] for each in election.candidates]
    return hashlib.sha256(repr((stored, voters, candidates)).encode()).hexdigest()[:16]


def _refuse_day(session: Session, election: Election, typed: Typed) -> None:
    """A slip of the year must not empty the list. Raises RuleBroken."""
    there = {person.id for person, _is_main in on_roll(session, election.branch_id, typed.held_on)}
    named = {row.person_id for row in typed.rows} - {None}
    says = ""
    if not there:
        says = f"{typed.held_on} 的名册里没有人，日期是不是写错了？草稿没有动。"
    elif named and not named & there:
        says = f"填了的候选人 {typed.held_on} 都不在本支部，日期是不是写错了？草稿没有动。"
    if says:
        error = RuleBroken(says)
        error.about = "held_on"
        raise error


def _take_over(session: Session, election: Election, typed: Typed) -> None:
    election.kind, election.held_on, election.round = typed.kind, typed.held_on, typed.round
    election.place, election.has_list = typed.place, typed.has_list
    election.due, election.present = typed.due, typed.present
    election.secretary_seats = typed.seats.get(Seat.SECRETARY, 0)
    election.deputy_seats = typed.seats.get(Seat.DEPUTY, 0)
    election.committee_seats = typed.seats.get(Seat.COMMITTEE, 0)
    _list_voters(session, election, typed.turnouts)
    recount(election)
    # Nobody is asked twice: everybody who came got a ballot, unless it is said otherwise.
    election.issued = election.present if typed.issued is None else typed.issued
    election.returned = typed.returned
    election.spoiled = 0 if typed.spoiled is None and typed.returned is not None else typed.spoiled
    election.candidates = [_candidate(row, election) for row in typed.rows]


def _list_voters(session: Session, election: Election, turnouts: dict[int, Turnout]) -> None:
    """Everybody of that day, each as said; who was not spoken of came, unless their main branch is another."""
    known = {voter.person_id: voter for voter in election.voters}
    there = on_roll(session, election.branch_id, election.held_on)
    for person, is_main in there:
        usual = Turnout.PRESENT if is_main else Turnout.ELSEWHERE
        voter = known.pop(person.id, None)
        if voter is None:
            election.voters.append(Voter(person_id=person.id, turnout=turnouts.get(person.id, usual)))
        else:
            voter.turnout = turnouts.get(person.id, voter.turnout)
    for voter in known.values():
        election.voters.remove(voter)


def recount(election: Election) -> None:
    """People due and present follow from the list, where there is one."""
    if election.has_list:
        election.due = sum(voter.turnout.is_due for voter in election.voters)
        election.present = sum(voter.turnout is Turnout.PRESENT for voter in election.voters)


def _candidate(row: Row, election: Election) -> Candidate:
    against, abstained = row.votes_against, row.abstained
    if row.votes_for is not None and election.returned is not None and not row.is_written_in:
        against = against or 0
        rest = election.returned - (election.spoiled or 0) - row.votes_for - against
        abstained = max(rest, 0) if abstained is None else abstained
    return Candidate(
        person_id=row.person_id, name=row.name, is_written_in=row.is_written_in, seat=row.seat, role=row.role,
        duty=row.duty, votes_for=row.votes_for, votes_against=against, abstained=abstained, is_elected=False,
    )  # fmt: skip


def discard(session: Session, election: Election, at: datetime, *, by: int) -> None:
    """A draft that is not needed. Raises RuleBroken for one that is recorded."""
    claim(session, election)
    says = f"{election.held_on} {election.branch.name}{election.kind.label}"
    audit.note(session, at, by, "election.discard", f"election:{election.id}", says)
    session.delete(election)
    session.flush()


def claim(session: Session, election: Election) -> None:
    """One at a time works on a record, and on a draft only. Raises RuleBroken."""
    state = sa.select(Election.state).where(Election.id == election.id).with_for_update()
    if session.scalar(state) is not ElectionState.DRAFT:
        raise RuleBroken(RECORDED)
