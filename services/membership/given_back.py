"""Whether an act on the roll can be taken back as the branches are by now: what others entered since may not be contradicted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from errors import RuleBroken
from models import Affiliation, Branch, Person, Post, Role
from services.membership import people
from services.organisation import branch_history


def refuse_ended_branches(session: Session, affiliation_ids: list[int], post_ids: list[int]) -> None:
    """A branch that has ended gets nobody back. Raises RuleBroken."""
    for table, ids in ((Affiliation, affiliation_ids), (Post, post_ids)):
        gone = sa.select(Branch.name, Branch.dissolved_on).join(table, table.branch_id == Branch.id)
        gone = gone.where(table.id.in_(ids), table.until_on.is_(None), Branch.dissolved_on.is_not(None))
        for name, ended_on in session.execute(gone.limit(1)):
            raise RuleBroken(f"{branch_history.gone(name, ended_on)}请先恢复这个支部，再撤销这次改动。")


def refuse_second_secretary(session: Session, post_ids: list[int]) -> None:
    """A branch that has a secretary gets no other back. Raises RuleBroken, which names who has the post."""
    back = sa.select(Post.branch_id).where(
        Post.id.in_(post_ids), Post.role == Role.SECRETARY, Post.until_on.is_(None)
    )
    held = sa.select(Person.name, Post.since_on).join(Person, Person.id == Post.person_id)
    held = held.where(Post.branch_id.in_(back), Post.role == Role.SECRETARY, Post.until_on.is_(None))
    if (other := session.execute(held.where(Post.id.not_in(post_ids)).limit(1)).first()) is not None:
        raise RuleBroken(people.incumbent(*other))


def refuse_strangers(session: Session, post_ids: Iterable[int], today: date, later: str) -> None:
    """Hold posts that an undoing has just opened again against the branch as it is. Raises RuleBroken: who left the
    branch meanwhile gets nothing back there, nobody has a post twice, and there is one secretary; `later` says it."""
    opened = session.scalars(
        sa.select(Post)
        .options(joinedload(Post.person))
        .where(Post.id.in_(list(post_ids)), Post.branch_id.is_not(None), Post.until_on.is_(None))
        .order_by(Post.id)
    ).all()
    for post in opened:
        # The others wait who give a post in this branch.
        branch = session.scalars(sa.select(Branch).where(Branch.id == post.branch_id).with_for_update()).one()
        if not _belongs(session, post, today):
            raise RuleBroken(f"{post.person.name}已不在{branch.name}，{post.title}的职务退不回去。")
        if _is_taken(session, post):
            raise RuleBroken(later)


def _belongs(session: Session, post: Post, on: date) -> bool:
    here = Affiliation.person_id == post.person_id, Affiliation.branch_id == post.branch_id
    return session.scalar(sa.select(Affiliation.id).where(*here, *people.holds(Affiliation, on)).limit(1)) is not None


def _is_taken(session: Session, post: Post) -> bool:
    """Whether the post was given anew meanwhile: to the same person, or to another secretary."""
    others = session.scalars(
        sa.select(Post).where(
            Post.branch_id == post.branch_id, Post.role == post.role, Post.id != post.id, Post.until_on.is_(None)
        )
    )
    return any(
        post.role is Role.SECRETARY or (other.person_id, other.duty) == (post.person_id, post.duty)
        for other in others
    )
