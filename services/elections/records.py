"""The record of an election: recorded once with its result, its posts in the same act, then only set aside with a reason (F028)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import RuleBroken
from models import ChangeKind, Election, ElectionState
from services import audit
from services.elections import drafts, posts
from services.elections.checks import counts, problems
from services.elections.posts import Plan
from services.elections.rules import Rules, Verdict, judge, votes_of
from services.membership import changes, terms
from services.membership.changes import Book

TWICE = "本支部这一天已经有一份生效的选举记录。同一天再次投票、另行选举的，把“当天第几次投票”写成 2；登错了的请办公室先撤销那一份。"
CHANGED = "您核对以后，记录或支部的职务又有改动，没有存档；请照现在的再核对一遍。"
THERE = "这是选举的结果，请市、县（市）区办公室在那份选举记录里撤销，要写原因。"

#: What helps where the posts cannot go back.
KEEP = "只撤销记录的，请勾“职务留着不动”，职务另在本人页面办理。"


@dataclass(frozen=True, slots=True)
class Decision:
    """As what it is recorded, why where a reason is needed, and whether the posts follow from it."""

    is_valid: bool
    reason: str
    updates_posts: bool = True
    #: What was looked at before, as `fingerprint` gives it; empty where nothing was.
    seen: str = ""


def verdict(election: Election, rules: Rules) -> Verdict:
    """What the counts of a record without problems mean. What was filed as valid broke no rule then, though the list of
    its day may have become shorter since (two entries of one person)."""
    follows = election.has_list or election.state is ElectionState.VALID
    on_roll = None if follows else len(election.voters)
    return judge(rules, counts(election), election.seats, votes_of(election.candidates), on_roll)


def hindrances(session: Session, election: Election) -> list[str]:
    """What has to be put right before it can be filed, the other record of the same ballot included."""
    same = Election.branch_id == election.branch_id, Election.round == election.round
    there = session.scalar(sa.select(Election.id).where(*same, Election.counts_on == election.held_on))
    return [*problems(election), *([] if there is None else [TWICE])]


def planned(session: Session, election: Election, found: Verdict, years: int, at: datetime) -> Plan:
    """What recording it as valid would do to the posts."""
    elected = [election.candidates[place] for place in found.elected]
    return posts.plan(session, election, elected, years, beijing_date(at))


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
    drafts.claim(session, election)
    drafts.recount(election)
    wrong = hindrances(session, election)
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
    # Whoever is renamed later is called here as on that day.
    for voter in election.voters:
        voter.name = voter.person.name
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
    for person_id, act, says in posts.carry_out(book, election.branch, plan, election.held_on):
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
    if election.change_id is None or keeps_posts:
        return
    try:
        changes.undo(session, changes.get(session, election.change_id), at, by=by)
    except RuleBroken as error:
        raise RuleBroken(f"{error}{KEEP}") from None
