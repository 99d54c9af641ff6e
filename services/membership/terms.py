"""Posts of a branch and their terms: appointing, prolonging, ending, and on which days a term that ends is spoken of (F027)."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from errors import Misunderstood, NotFound, RuleBroken
from models import Affiliation, Branch, Change, ChangeKind, Duty, Person, Post, Role, dialect_of
from services import audit
from services.membership import changes, people
from services.membership.changes import Book
from services.organisation import branch_history
from services.scope import Scope

BRANCH_ROLES = (Role.SECRETARY, Role.DEPUTY, Role.COMMITTEE)
#: Months before the end of a term at which it is spoken of, the last three of them month by month (work report L9, L12).
BEFORE = (6, 3, 2, 1, 0)
#: A term that is over goes on being spoken of every month, for so long.
OVERDUE_MONTHS = 12
#: What the offices look at: terms that end within so many months.
WITHIN_MONTHS = 6
LONGEST_DUTIES = 200
#: Party branch regulations of 2018, article 24: a committee is elected for three years; five where it is the base.
LONGEST_YEARS = 5


# --- days ----------------------------------------------------------------------------------------------------


def months_from(day: date, months: int) -> date:
    """The same day so many months later (or earlier), or the last day of a month that has no such day.

    Always counted from the day itself: 31 January is followed by 28 February and 31 March, not by 28 March.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def marks(ends_on: date) -> Iterator[date]:
    """The days on which a term that ends on a day is spoken of, from the first to the last."""
    for months in BEFORE:
        yield months_from(ends_on, -months)
    for months in range(1, OVERDUE_MONTHS + 1):
        yield months_from(ends_on, months)


# --- posts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Given:
    """A post as it is given: which, for what, from when, until when."""

    role: Role
    duty: Duty | None
    duties: str
    since_on: date
    term_ends_on: date | None

    @property
    def title(self) -> str:
        return self.role.label if self.duty is None else f"{self.duty.label}委员"


def read_term(said: str, since_on: date) -> date | None:
    """The last day of a term; nothing for none. Raises Misunderstood."""
    plain = said.strip()
    if not plain:
        return None
    try:
        ends_on = date.fromisoformat(plain)
    except ValueError:
        raise Misunderstood("任期届满日没看懂，请写成 2029-01-31 这样。") from None
    if not since_on < ends_on <= months_from(since_on, 12 * LONGEST_YEARS):
        raise Misunderstood(f"任期届满日应在开始之后、{LONGEST_YEARS} 年之内。")
    return ends_on


def read_duties(said: str) -> str:
    """一岗双责 in a few words. Raises Misunderstood."""
    plain = " ".join(said.split())
    if len(plain) > LONGEST_DUTIES:
        raise Misunderstood(f"一岗双责请写在 {LONGEST_DUTIES} 个字以内，现在 {len(plain)} 个。")
    return plain


def appoint(session: Session, person: Person, branch: Branch, given: Given, at: datetime, *, by: int) -> Change:
    """A post in a branch, for one of its own. Raises Misunderstood, RuleBroken."""
    if given.role not in BRANCH_ROLES:
        raise Misunderstood("这里只登记支部的职务：书记、副书记、委员。")
    if (given.role is Role.COMMITTEE) is (given.duty is None):
        error = Misunderstood("支部委员要选分工；书记、副书记不选。")
        error.about = "duty"
        raise error
    changes.lock(session, person.id)
    lock_branch(session, branch.id)
    book = Book(session)
    says = give(book, person, branch, given)
    audit.note(session, at, by, "post.appoint", f"person:{person.id}", says)
    return book.close(ChangeKind.APPOINTED, person.id, says, at, by=by)


def give(book: Book, person: Person, branch: Branch, given: Given) -> str:
    """Write a post down as part of an act, under the locks of `appoint`; returns what was done. Raises RuleBroken."""
    branch_history.refuse_gone(book.session, branch)
    _refuse_stranger(book.session, person, branch, given.since_on)
    _refuse_taken(book.session, person, branch, given)
    book.insert(Post, {
        "person_id": person.id, "role": given.role, "branch_id": branch.id, "station_id": None, "county_id": None,
        "since_on": given.since_on, "until_on": None, "term_ends_on": given.term_ends_on, "duty": given.duty,
        "duties": given.duties,
    })  # fmt: skip
    term = f"，任期至 {given.term_ends_on}" if given.term_ends_on else ""
    return f"{given.since_on} 起任{branch.name}{given.title}{term}"


def lock_branch(session: Session, branch_id: int) -> None:
    """One at a time gives a branch its secretary; on SQLite there is one writer anyway."""
    question = sa.select(Branch.id).where(Branch.id == branch_id)
    session.execute(question if dialect_of(session) == "sqlite" else question.with_for_update())


def _refuse_stranger(session: Session, person: Person, branch: Branch, on: date) -> None:
    belongs = sa.select(Affiliation.id).where(
        Affiliation.person_id == person.id, Affiliation.branch_id == branch.id, *people.holds(Affiliation, on)
    )
    if session.scalar(belongs.limit(1)) is None:
        raise RuleBroken(f"{on} 时{person.name}不在{branch.name}，请先登记加入支部。")


def _refuse_taken(session: Session, person: Person, branch: Branch, given: Given) -> None:
    held = session.scalars(
        sa.select(Post)
        .options(joinedload(Post.person))
        .where(Post.branch_id == branch.id, Post.role == given.role, Post.until_on.is_(None))
    ).all()
    for post in held:
        if post.person_id == person.id and post.duty is given.duty:
            raise RuleBroken(f"{post.since_on} 起已任{post.title}；要延长请改任期。")
        if given.role is Role.SECRETARY:
            raise RuleBroken(people.incumbent(post.person.name, post.since_on))


def prolong(
    session: Session, post: Post, ends_on: date | None, duties: str, reason: str, at: datetime, *, by: int
) -> Change:
    """Another end of the term, or other duties. Raises Misunderstood, RuleBroken."""
    changes.lock(session, post.person_id)
    _refuse_over(post)
    why = audit.reason(reason, "为什么改", "经上级同意延期换届")
    before, place = post.term_ends_on, _place(session, post)
    book = Book(session)
    book.change(Post.__table__, {"id": post.id}, {"term_ends_on": ends_on, "duties": duties})
    if not book.steps:
        raise RuleBroken("任期和一岗双责都没有改动。")
    says = f"{place}{post.title}任期 {before or '未登记'} → {ends_on or '未登记'}"
    audit.note(session, at, by, "post.extend", f"person:{post.person_id}", f"{says}（{why}）")
    return book.close(ChangeKind.EXTENDED, post.person_id, says, at, by=by, reason=why)


def end(session: Session, post: Post, on: date, reason: str, at: datetime, *, by: int) -> Change:
    """No longer from a day on. Raises Misunderstood, RuleBroken."""
    changes.lock(session, post.person_id)
    _refuse_over(post)
    if on < post.since_on:
        raise RuleBroken(f"{post.since_on} 才任职，日期不能早于这一天。")
    why = audit.reason(reason, "为什么免职", "换届选举，由他人接任")
    book = Book(session)
    book.change(Post.__table__, {"id": post.id}, {"until_on": on})
    says = f"{on} 起不再任{_place(session, post)}{post.title}"
    audit.note(session, at, by, "post.end", f"person:{post.person_id}", f"{says}（{why}）")
    return book.close(ChangeKind.ENDED, post.person_id, says, at, by=by, reason=why)


def _refuse_over(post: Post) -> None:
    if post.until_on is not None:
        raise RuleBroken(f"{post.until_on} 已经不任{post.title}。")


def _place(session: Session, post: Post) -> str:
    return session.scalar(sa.select(Branch.name).where(Branch.id == post.branch_id)) or ""


def of_person(session: Session, person_id: int, post_id: int) -> Post:
    """A post in a branch of this person. Raises NotFound."""
    post = session.get(Post, post_id)
    if post is None or post.person_id != person_id or post.branch_id is None:
        raise NotFound("没有这项支部职务。")
    return post


# --- lists ---------------------------------------------------------------------------------------------------


def of_branch(session: Session, branch_id: int, on: date) -> list[Post]:
    """Who holds which post in a branch: the secretary first."""
    rows = session.scalars(
        sa.select(Post).options(joinedload(Post.person)).where(Post.branch_id == branch_id, *people.holds(Post, on))
    ).all()
    order = {role: place for place, role in enumerate(BRANCH_ROLES)}
    return sorted(
        rows, key=lambda post: (order.get(post.role, 9), list(Duty).index(post.duty) if post.duty else 0, post.id)
    )


def ending(scope: Scope) -> sa.Select[Post, Branch]:
    """Posts of the scope whose term ends within six months or is over, the first to end first."""
    return (
        sa.select(Post, Branch)
        .join(Branch, Branch.id == Post.branch_id)
        .options(joinedload(Post.person), joinedload(Branch.county))
        .where(
            scope.branches,
            *people.holds(Post, scope.on),
            Post.term_ends_on <= months_from(scope.on, WITHIN_MONTHS),
        )
        .order_by(Post.term_ends_on, Branch.name, Post.id)
    )


def without_term(session: Session, scope: Scope) -> int:
    """How many secretaries of the scope have no end of term on the roll: nobody is reminded of them."""
    rows = sa.select(sa.func.count()).select_from(Post).join(Branch, Branch.id == Post.branch_id)
    where = scope.branches, Post.role == Role.SECRETARY, Post.term_ends_on.is_(None), *people.holds(Post, scope.on)
    return session.scalar(rows.where(*where)) or 0
