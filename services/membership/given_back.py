"""Whether posts of a branch can go back to those who held them: undoing an act must not make a stranger its secretary (F027)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from errors import RuleBroken
from models import Affiliation, Branch, Post, Role
from services.membership import people


def refuse(session: Session, post_ids: Iterable[int], today: date, later: str) -> None:
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
