"""Appointing somebody to a post, with the place that bounds it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import Misunderstood, NotFound, RuleBroken
from models import Branch, County, Person, Post, Role, Station
from services import audit
from services.membership import people, terms
from services.organisation import branch_history

#: The place that a role needs: table, and column of the post.
PLACES: dict[Role, tuple[type[County] | type[Branch] | type[Station], str]] = {
    Role.COUNTY_OFFICE: (County, "county_id"),
    Role.SECRETARY: (Branch, "branch_id"),
    Role.LAWYER: (Station, "station_id"),
}


def appoint(session: Session, person_id: int, role: Role, place: str, at: datetime, *, by: int | None = None) -> Post:
    """Give a post from today on; one that is held already stays as it is. Raises Misunderstood, NotFound, RuleBroken."""
    where = _place(session, role, place.strip())
    on = beijing_date(at)
    held = session.scalar(
        sa.select(Post).filter_by(person_id=person_id, role=role, **where).where(*people.holds(Post, on))
    )
    if held is not None:
        return held
    if role is Role.SECRETARY:
        _refuse_second(session, where["branch_id"])
    post = Post(person_id=person_id, role=role, since_on=on, **where)
    session.add(post)
    session.flush()
    audit.note(session, at, by, "post.appoint", f"person:{person_id}", f"{role.label} {place}")
    return post


def _refuse_second(session: Session, branch_id: int) -> None:
    terms.lock_branch(session, branch_id)
    branch = session.get_one(Branch, branch_id)
    branch_history.refuse_gone(session, branch)
    rows = sa.select(Person.name, Post.since_on).join(Person, Person.id == Post.person_id)
    known = session.execute(
        rows.where(Post.branch_id == branch_id, Post.role == Role.SECRETARY, Post.until_on.is_(None)).limit(1)
    ).first()
    if known is not None:
        raise RuleBroken(f"{branch.name}的{people.incumbent(*known)}")


def _place(session: Session, role: Role, name: str) -> dict[str, int]:
    if role not in PLACES:
        if name:
            raise Misunderstood(f"{role.label}管全市，不用写任职的地方。")
        return {}
    table, column = PLACES[role]
    question = sa.select(table.id).where(table.name == name)
    found = session.scalar(question)
    if found is None:
        kind = {County: "县（市）区", Branch: "支部", Station: "服务站"}[table]
        raise NotFound(f"{role.label}要写明任职的{kind}，用全名；没有“{name}”这个{kind}。")
    return {column: found}
