"""Who a person is: branches and posts on a day, who leads and who may vouch, and how a number is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

import phonenumbers
import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from errors import Misunderstood, NotFound
from models import Affiliation, Branch, Person, Post, Role


def get(session: Session, person_id: int) -> Person:
    """Raises NotFound."""
    person = session.get(Person, person_id)
    if person is None:
        raise NotFound("没有这个人。")
    return person


def posts(session: Session, person_id: int | None, on: date) -> list[Post]:
    """The posts somebody holds on a date."""
    if person_id is None:
        return []
    return list(
        session.scalars(sa.select(Post).where(Post.person_id == person_id, *holds(Post, on)).order_by(Post.id))
    )


def holders(session: Session, role: Role, on: date, **place: int | None) -> list[int]:
    """Ids of the people who hold a role on a date, in a place such as `branch_id=12`."""
    where = [getattr(Post, column) == value for column, value in place.items()]
    return list(
        session.scalars(
            sa.select(Post.person_id)
            .where(Post.role == role, *where, *holds(Post, on))
            .distinct()
            .order_by(Post.person_id)
        )
    )


def branches_of(session: Session, person_id: int, on: date) -> list[Branch]:
    """The branches a person belongs to on a date, the main one first."""
    rows = session.scalars(
        sa.select(Affiliation)
        .options(joinedload(Affiliation.branch).joinedload(Branch.county))
        .where(Affiliation.person_id == person_id, *holds(Affiliation, on))
        .order_by(Affiliation.is_main.desc(), Affiliation.id)
    )
    return [row.branch for row in rows]


def members_of(session: Session, branch_id: int, on: date) -> list[Person]:
    """The people of a branch on a date, by name."""
    return list(
        session.scalars(
            sa.select(Person)
            .join(Affiliation, Affiliation.person_id == Person.id)
            .where(Affiliation.branch_id == branch_id, *holds(Affiliation, on))
            .order_by(Person.name, Person.id)
        )
    )


def ids_by_branch(session: Session, days: Mapping[int, date]) -> dict[int, list[int]]:
    """Who belongs to each of these branches on its day."""
    rows = session.execute(
        sa.select(Affiliation.branch_id, Affiliation.person_id, Affiliation.since_on, Affiliation.until_on)
        .where(Affiliation.branch_id.in_(list(days)))
        .order_by(Affiliation.id)
    )
    found: dict[int, list[int]] = {}
    for branch_id, person_id, since_on, until_on in rows:
        if since_on <= days[branch_id] and (until_on is None or until_on > days[branch_id]):
            found.setdefault(branch_id, []).append(person_id)
    return found


def secretaries(session: Session, branch_ids: Iterable[int], on: date) -> dict[int | None, list[int]]:
    """Who leads each of these branches on a date; one that nobody leads is left out."""
    rows = session.execute(
        sa.select(Post.branch_id, Post.person_id)
        .where(Post.role == Role.SECRETARY, Post.branch_id.in_(list(branch_ids)), *holds(Post, on))
        .order_by(Post.id)
    )
    found: dict[int | None, list[int]] = {}
    for branch_id, person_id in rows:
        found.setdefault(branch_id, []).append(person_id)
    return found


def incumbent(name: str, since_on: date) -> str:
    """Why nobody else can be the secretary of a branch, in words."""
    return f"现任书记是{name}（{since_on} 起），请先免职，再任命新的。"


def holds(row: type[Affiliation] | type[Post], on: date) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions under which a dated row is in force on a date."""
    return row.since_on <= on, sa.or_(row.until_on.is_(None), row.until_on > on)


def vouchers(session: Session, person_id: int, on: date) -> list[int]:
    """The secretaries of somebody's branches; nobody vouches for themselves."""
    led = secretaries(session, [branch.id for branch in branches_of(session, person_id, on)], on)
    return sorted({who for ids in led.values() for who in ids if who != person_id})


def read_phone(text: str) -> str:
    """A Chinese mobile number in its eleven digits. Raises Misunderstood."""
    try:
        number = phonenumbers.parse(text.strip(), "CN")
    except phonenumbers.NumberParseException:
        raise Misunderstood("手机号没看懂，应是 11 位数字，例如 19900001234。") from None
    digits = str(number.national_number)
    if number.country_code != 86 or len(digits) != 11 or not digits.startswith("1"):
        raise Misunderstood("手机号应是 11 位数字，例如 19900001234。")
    return digits
