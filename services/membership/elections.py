"""The record of an election: a draft that can be changed, recorded once, then only set aside with a reason (F028)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload

from clock import beijing_date
from errors import RuleBroken
from models import (
    Affiliation,
    Branch,
    Candidate,
    ChangeKind,
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
from services.membership import changes, election_posts, people, terms
from services.membership.changes import Book
from services.membership.election_checks import counts, impossible, problems
from services.membership.election_posts import Plan
from services.membership.election_rules import Rules, Verdict, judge, votes_of

TWICE = "本支部这一天已经有一份生效的选举记录。同一天再次投票、另行选举的，把“当天第几次投票”写成 2；登错了的请办公室先撤销那一份。"
RECORDED = "这份选举记录已经存档，不能再改；有错请办公室撤销后重新登记。"
CHANGED = "您核对以后，记录或支部的职务又有改动，没有存档；请照现在的再核对一遍。"
THERE = "这是选举的结果，请市、县（市）区办公室在那份选举记录里撤销，要写原因。"


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


@dataclass(frozen=True, slots=True)
class Decision:
    """As what it is recorded, why where a reason is needed, and whether the posts follow from it."""

    is_valid: bool
    reason: str
    updates_posts: bool = True
    #: What was looked at before, as `fingerprint` gives it; empty where nothing was.
    seen: str = ""


# --- the draft -----------------------------------------------------------------------------------------------


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
    _count(election)
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
    """Keep what was typed. Raises RuleBroken for one that is recorded."""
    _claim(session, election)
    with session.no_autoflush:
        _take_over(session, election, typed)
    for wrong in impossible(election):
        raise RuleBroken(wrong)
    session.flush()
    whole(session, election.id)


def _take_over(session: Session, election: Election, typed: Typed) -> None:
    election.kind, election.held_on, election.round = typed.kind, typed.held_on, typed.round
    election.place, election.has_list = typed.place, typed.has_list
    election.due, election.present = typed.due, typed.present
    election.secretary_seats = typed.seats.get(Seat.SECRETARY, 0)
    election.deputy_seats = typed.seats.get(Seat.DEPUTY, 0)
    election.committee_seats = typed.seats.get(Seat.COMMITTEE, 0)
    _list_voters(session, election, typed.turnouts)
    _count(election)
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


def _count(election: Election) -> None:
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
    _claim(session, election)
    says = f"{election.held_on} {election.branch.name}{election.kind.label}"
    audit.note(session, at, by, "election.discard", f"election:{election.id}", says)
    session.delete(election)
    session.flush()


def _claim(session: Session, election: Election) -> None:
    """One at a time works on a record, and on a draft only. Raises RuleBroken."""
    state = sa.select(Election.state).where(Election.id == election.id).with_for_update()
    if session.scalar(state) is not ElectionState.DRAFT:
        raise RuleBroken(RECORDED)


# --- recording -----------------------------------------------------------------------------------------------


def verdict(election: Election, rules: Rules) -> Verdict:
    """What the counts of a draft without problems mean."""
    return judge(rules, counts(election), election.seats, votes_of(election.candidates))


def planned(session: Session, election: Election, found: Verdict, years: int, at: datetime) -> Plan:
    """What recording it as valid would do to the posts."""
    elected = [election.candidates[place] for place in found.elected]
    return election_posts.plan(session, election, elected, years, beijing_date(at))


def fingerprint(election: Election, found: Verdict, plan: Plan) -> str:
    """What somebody looks at before recording, so short that the form can bring it back."""
    votes = [(each.id, each.votes_for) for each in election.candidates]
    counted = [election.held_on, election.due, election.present, election.issued, election.returned, election.spoiled]
    posts = [post.id for post in plan.ends], [(each.person.id, each.given) for each in plan.begins], plan.refusal
    dated = [(post.id, ends_on) for post, ends_on in plan.dated]
    return hashlib.sha256(repr((votes, counted, found, posts, dated)).encode()).hexdigest()[:16]


def record(
    session: Session, election: Election, decision: Decision, rules: Rules, years: int, at: datetime, *, by: int
) -> None:
    """For good, with its result; the posts follow in the same act. Raises Misunderstood, RuleBroken."""
    terms.lock_branch(session, election.branch_id)
    _claim(session, election)
    _count(election)
    wrong = problems(election)
    if wrong:
        raise RuleBroken(wrong[0])
    found = verdict(election, rules)
    state, reason = _decided(found, decision)
    plan = planned(session, election, found, years, at)
    if decision.seen and decision.seen != fingerprint(election, found, plan):
        raise RuleBroken(CHANGED)
    if not (decision.is_valid and decision.updates_posts):
        plan = Plan()
    if plan.refusal:
        raise RuleBroken(plan.refusal)
    election.quorum_top, election.quorum_bottom = rules.quorum_top, rules.quorum_bottom
    election.majority_of, election.reason = rules.majority_of, reason
    election.recorded_at, election.recorded_by = at, by
    election.state, election.counts_on = state, election.held_on
    for place in found.elected if decision.is_valid else ():
        election.candidates[place].is_elected = True
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError:
        raise RuleBroken(TWICE) from None
    _note(session, election, found, at, by=by)
    _appoint(session, election, plan, at, by=by)


def _decided(found: Verdict, decision: Decision) -> tuple[ElectionState, str]:
    """The state it gets, and the reason that goes with it. Raises Misunderstood, RuleBroken."""
    if decision.is_valid and found.void:
        raise RuleBroken(found.void)
    if decision.is_valid and found.needs_no_reason:
        return ElectionState.VALID, ""
    if decision.is_valid:
        return ElectionState.EXCUSED, audit.reason(decision.reason, "为什么仍然有效", "经上级党组织批准，见批复 3 号")
    if found.void and not decision.reason.strip():
        return ElectionState.INVALID, found.void
    return ElectionState.INVALID, audit.reason(decision.reason, "为什么无效", "到会人数不足，改期重新选举")


def _note(session: Session, election: Election, found: Verdict, at: datetime, *, by: int) -> None:
    names = "、".join(f"{each.name}（{each.post}）" for each in election.candidates if each.is_elected) or "无"
    why = f"；说明：{election.reason}" if election.reason else ""
    broken = f"；{''.join(found.broken)}" if found.broken else ""
    says = f"{election.held_on} {election.branch.name}{election.kind.label}，{election.state.label}，当选：{names}{broken}{why}"
    audit.note(session, at, by, "election.record", f"election:{election.id}", says)


def _appoint(session: Session, election: Election, plan: Plan, at: datetime, *, by: int) -> None:
    if not plan.person_ids:
        return
    changes.lock(session, *plan.person_ids)
    book = Book(session)
    for person_id, act, says in election_posts.carry_out(book, election.branch, plan, election.held_on):
        audit.note(session, at, by, act, f"person:{person_id}", says)
    says = f"{election.held_on} {election.branch.name}{election.kind.label}：{len(plan.begins)} 人任职，{len(plan.ends)} 项职务结束"
    whose = plan.begins[0].person.id if plan.begins else plan.person_ids[0]
    change = book.close(ChangeKind.ELECTED, whose, says, at, by=by)
    election.change_id = change.id
    session.flush()


def set_aside(
    session: Session, election: Election, reason: str, at: datetime, *, by: int, keeps_posts: bool = False
) -> None:
    """It counts no longer, and the posts go back to what they were, unless they are to stay. Raises Misunderstood,
    RuleBroken: where the posts were changed since, they cannot go back."""
    why = audit.reason(reason, "为什么撤销", "计票有误，上级要求重新登记")
    terms.lock_branch(session, election.branch_id)
    session.refresh(election, ["set_aside_at", "state", "change_id"], with_for_update=True)
    if election.is_draft or election.is_set_aside:
        raise RuleBroken("草稿不用撤销；撤销过的不用再撤销。")
    says = f"{election.held_on} {election.branch.name}{election.kind.label}"
    election.set_aside_at, election.set_aside_by, election.set_aside_reason = at, by, why
    election.counts_on = None
    told = "；职务不动" if keeps_posts and election.change_id else ""
    audit.note(session, at, by, "election.set_aside", f"election:{election.id}", f"{says}（{why}）{told}")
    session.flush()
    if election.change_id is not None and not keeps_posts:
        changes.undo(session, changes.get(session, election.change_id), at, by=by)
