"""What an election does to the posts of its branch: told beforehand, carried out in one act that can be undone (F028, F027)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from models import Affiliation, Branch, Candidate, Election, ElectionKind, Person, Post, Role
from services.membership import people, terms
from services.membership.changes import Book
from services.membership.terms import Given


@dataclass(frozen=True, slots=True)
class Begin:
    """Somebody elected and the post that they get."""

    person: Person
    given: Given


@dataclass(frozen=True, slots=True)
class Plan:
    """Which posts end on the day of the election and which begin; `stays` says who goes on, `refusal` why nothing can be done."""

    ends: tuple[Post, ...] = ()
    begins: tuple[Begin, ...] = ()
    #: Given on that very day already; only the end of the term is written beside it.
    dated: tuple[tuple[Post, date], ...] = ()
    stays: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def person_ids(self) -> list[int]:
        changed = {post.person_id for post in self.ends} | {post.person_id for post, _ends_on in self.dated}
        return sorted(changed | {each.person.id for each in self.begins})


def plan(session: Session, election: Election, elected: Sequence[Candidate], years: int, today: date) -> Plan:
    """What the posts of the branch would be. After a renewal the whole committee is another one; else others stay.

    Without a new secretary the old one goes on: somebody has to look after the branch.
    """
    begins = [_begin(each, election.held_on) for each in elected if each.person is not None]
    if not begins:
        return Plan()
    held = _held(session, election.branch_id)
    refusal = _refusal(session, election, begins, held, today)
    if refusal:
        return Plan(refusal=refusal)
    ends_on = _term(election, held, years)
    there = [post for post in held if post.since_on == election.held_on and _is_given(post, begins)]
    new = [each for each in begins if not any(_is_given(post, [each]) for post in there)]
    ends = [post for post in held if _ends(post, election, begins)]
    dated = [(post, ends_on) for post in there if post.term_ends_on != ends_on]
    stays = [f"{post.person.name}继续任{post.title}" for post in held if post not in ends]
    return Plan(tuple(ends), tuple(_with(each, held, ends_on) for each in new), tuple(dated), tuple(stays))


def carry_out(book: Book, branch: Branch, planned: Plan, on: date) -> list[tuple[int, str, str]]:
    """Write it; returns for each post whose it is, the audit's word, and what was done. Raises RuleBroken."""
    done = []
    for post in planned.ends:
        book.change(Post.__table__, {"id": post.id}, {"until_on": on})
        done.append((post.person_id, "post.end", f"{on} 起不再任{branch.name}{post.title}（选举）"))
    for post, ends_on in planned.dated:
        book.change(Post.__table__, {"id": post.id}, {"term_ends_on": ends_on})
        done.append((post.person_id, "post.extend", f"{branch.name}{post.title}任期至 {ends_on}（选举）"))
    for each in planned.begins:
        done.append((each.person.id, "post.appoint", terms.give(book, each.person, branch, each.given)))
    return done


def _begin(candidate: Candidate, on: date) -> Begin:
    assert candidate.person is not None
    return Begin(candidate.person, Given(candidate.role, candidate.duty, "", on, None))


def _with(begin: Begin, held: Sequence[Post], ends_on: date) -> Begin:
    """With the end of the term; whoever goes on in the same post keeps what came with it (一岗双责)."""
    same = [post for post in held if _is_given(post, [begin])]
    return replace(begin, given=replace(begin.given, term_ends_on=ends_on, duties=same[0].duties if same else ""))


def _held(session: Session, branch_id: int) -> list[Post]:
    rows = session.scalars(
        sa.select(Post)
        .options(joinedload(Post.person))
        .where(Post.branch_id == branch_id, Post.role.in_(terms.BRANCH_ROLES), Post.until_on.is_(None))
        .order_by(Post.id)
    ).all()
    return sorted(rows, key=lambda post: terms.BRANCH_ROLES.index(post.role))


def _is_given(post: Post, begins: Sequence[Begin]) -> bool:
    """Whether it is the very post that one of these is elected to."""
    return any(
        (post.person_id, post.role, post.duty) == (each.person.id, each.given.role, each.given.duty)
        for each in begins
    )


def _ends(post: Post, election: Election, begins: Sequence[Begin]) -> bool:
    if _is_given(post, begins):
        return post.since_on < election.held_on
    if post.role is Role.SECRETARY:
        return any(each.given.role is Role.SECRETARY for each in begins)
    if election.kind is ElectionKind.RENEWAL:
        # Who was elected in an earlier ballot of the same day stays.
        return post.since_on < election.held_on
    return post.person_id in {each.person.id for each in begins}


def _term(election: Election, held: Sequence[Post], years: int) -> date:
    """A renewed committee has its years; who joins one in between ends with it."""
    whole = terms.months_from(election.held_on, 12 * years)
    running = [post.term_ends_on for post in held if post.term_ends_on and post.term_ends_on > election.held_on]
    return whole if election.kind is ElectionKind.RENEWAL or not running else max(running)


def _refusal(session: Session, election: Election, begins: Sequence[Begin], held: Sequence[Post], today: date) -> str:
    if not session.get_one(Branch, election.branch_id).is_living:
        return "支部已经撤销，职务不再变动；只存记录。"
    later = [post for post in held if post.since_on > election.held_on]
    if later:
        told = "、".join(f"{post.person.name}（{post.title}，{post.since_on} 起）" for post in later)
        return f"选举之后已另有任职：{told}。只存记录；职务要改，请办公室在本人页面办理。"
    ids = [each.person.id for each in begins]
    here = set(
        session.scalars(
            sa.select(Affiliation.person_id).where(
                Affiliation.branch_id == election.branch_id,
                Affiliation.person_id.in_(ids),
                Affiliation.since_on <= election.held_on,
                *people.holds(Affiliation, today),
            )
        )
    )
    gone = [each.person.name for each in begins if each.person.id not in here]
    return f"{'、'.join(gone)}现在已不在本支部，职务不能登记；只存记录。" if gone else ""
