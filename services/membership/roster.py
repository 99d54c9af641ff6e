"""People as an office looks at them: lists without telephone numbers in the clear, one person whole, a reveal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, joinedload

from clock import say_moment
from models import (
    Affiliation,
    Branch,
    County,
    Follower,
    Merged,
    Notice,
    Outgoing,
    Person,
    Post,
    Role,
    Station,
    spelling,
)
from models.base import vault_of
from models.people import TAIL, tail_index
from services import audit
from services.membership import people
from services.scope import Scope
from services.sending import reach

NOTICES = 10


def named(session: Session, words: str) -> sa.ColumnElement[bool]:
    """People who are meant by a word: characters of the name, pinyin, initials, the last digits of a number, or the
    number of the entry; also by what an entry was called that was merged into theirs (F031)."""
    said = spelling.fold(words)
    if not said:
        return sa.true()
    meant = _numbered(session, said) if said.isdigit() else _called(Person.search_key, said)
    former = _FORMER.id == int(said) if _is_number(said) else _called(_FORMER.search_key, said)
    merged = sa.select(Merged.into_id).join(_FORMER, _FORMER.id == Merged.person_id).where(former)
    return sa.or_(meant, Person.id.in_(merged))


_FORMER = aliased(Person)
#: Numbers of entries have so many digits at most.
LONGEST_NUMBER = 9


def _is_number(said: str) -> bool:
    return said.isascii() and said.isdigit() and len(said) <= LONGEST_NUMBER


def _called(key: Any, said: str) -> sa.ColumnElement[bool]:
    # Latin letters mean the beginning of pinyin or initials; characters may stand anywhere in the name.
    pattern = said if not said.isascii() else f" {said}"
    padded: sa.ColumnElement[str] = sa.literal(" ") + key
    is_meant: sa.ColumnElement[bool] = padded.contains(pattern, autoescape=True)
    return is_meant


def _numbered(session: Session, digits: str) -> sa.ColumnElement[bool]:
    if len(digits) == 11:
        return Person.phone_index == vault_of(session.get_bind().dialect).index(digits)
    is_entry = Person.id == int(digits) if _is_number(digits) else sa.false()
    if len(digits) == TAIL:
        return sa.or_(Person.phone_tail == tail_index(session.get_bind().dialect, digits), is_entry)
    return is_entry


def matching(
    session: Session, scope: Scope, words: str, county_id: int, branch_id: int, role: Role | None, bound: str
) -> sa.Select[Person]:
    """People of the scope, by name; `bound` is yes, no or nothing."""
    question = sa.select(Person).where(scope.people, named(session, words))
    if county_id or branch_id:
        belongs = sa.select(Affiliation.person_id).where(*people.holds(Affiliation, scope.on))
        if branch_id:
            belongs = belongs.where(Affiliation.branch_id == branch_id)
        if county_id:
            belongs = belongs.join(Branch, Branch.id == Affiliation.branch_id).where(Branch.county_id == county_id)
        question = question.where(Person.id.in_(belongs))
    if role is not None:
        holds = sa.select(Post.person_id).where(Post.role == role, *people.holds(Post, scope.on))
        question = question.where(Person.id.in_(holds))
    if bound:
        follows = sa.select(Follower.person_id).where(Follower.person_id.is_not(None), Follower.is_subscribed)
        question = question.where(Person.id.in_(follows) if bound == "yes" else Person.id.not_in(follows))
    return question.order_by(Person.search_key, Person.id)


@dataclass(frozen=True, slots=True)
class Line:
    """A person in a list."""

    person: Person
    branches: list[str]
    roles: list[str]
    is_bound: bool


def lines(session: Session, rows: Sequence[Person], on: date) -> list[Line]:
    """Branches, posts and binding of some people, with three statements."""
    ids = [row.id for row in rows]
    branches: dict[int, list[str]] = {}
    belongs = (
        sa.select(Affiliation.person_id, Branch.name)
        .join(Branch, Branch.id == Affiliation.branch_id)
        .where(Affiliation.person_id.in_(ids), *people.holds(Affiliation, on))
        .order_by(Affiliation.is_main.desc(), Affiliation.id)
    )
    for person_id, name in session.execute(belongs):
        branches.setdefault(person_id, []).append(name)
    roles: dict[int, list[str]] = {}
    held = sa.select(Post.person_id, Post.role).where(Post.person_id.in_(ids), *people.holds(Post, on)).distinct()
    for person_id, role in session.execute(held):
        roles.setdefault(person_id, []).append(role.label)
    follows = sa.select(Follower.person_id).where(Follower.person_id.in_(ids), Follower.is_subscribed)
    bound = set(session.scalars(follows))
    return [Line(row, branches.get(row.id, []), roles.get(row.id, []), row.id in bound) for row in rows]


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether one WeChat account of a person can be written to, and how (F017)."""

    follower: Follower
    is_good: bool
    says: str


@dataclass(frozen=True, slots=True)
class Held:
    """A post with its place in words."""

    post: Post
    place: str


@dataclass(frozen=True, slots=True)
class Whole:
    person: Person
    affiliations: list[Affiliation]
    posts: list[Held]
    reach: list[Reach]
    notices: list[Outgoing]


def whole(session: Session, person: Person, at: datetime) -> Whole:
    """Everything the office may know of one person; their words are not among it."""
    affiliations = session.scalars(
        sa.select(Affiliation)
        .options(joinedload(Affiliation.branch))
        .where(Affiliation.person_id == person.id)
        .order_by(Affiliation.until_on.is_not(None), Affiliation.is_main.desc(), Affiliation.since_on.desc())
    )
    notices = session.scalars(
        sa.select(Outgoing)
        .options(joinedload(Outgoing.notice).defer(Notice.facts))
        .where(Outgoing.person_id == person.id)
        .order_by(Outgoing.id.desc())
        .limit(NOTICES)
    )
    return Whole(
        person, list(affiliations), _posts(session, person.id), _reach(session, person.id, at), list(notices)
    )


def _posts(session: Session, person_id: int) -> list[Held]:
    place = sa.func.coalesce(Branch.name, Station.name, County.name, "全市")
    rows = session.execute(
        sa.select(Post, place)
        .outerjoin(Branch, Branch.id == Post.branch_id)
        .outerjoin(Station, Station.id == Post.station_id)
        .outerjoin(County, County.id == Post.county_id)
        .where(Post.person_id == person_id)
        .order_by(Post.until_on.is_not(None), Post.since_on.desc())
    )
    return [Held(post, name) for post, name in rows]


def _reach(session: Session, person_id: int, at: datetime) -> list[Reach]:
    followers = session.scalars(
        sa.select(Follower).where(Follower.person_id == person_id).order_by(Follower.bound_at)
    ).all()
    windows = reach.windows(session, [each.openid for each in followers], at)
    found = []
    for each in followers:
        window = windows.get(each.openid)
        if not each.is_subscribed:
            found.append(Reach(each, False, "已取消关注，什么也收不到"))
        elif window is not None and window.is_open(at):
            says = f"客服消息至 {say_moment(window.until)}，还可发 {window.left} 条；模板消息随时可发"
            found.append(Reach(each, True, says))
        else:
            found.append(Reach(each, True, "只能发模板消息；本人发来消息后 48 小时内可发客服消息"))
    return found


def reveal_phone(session: Session, person: Person, reason: str, at: datetime, *, by: int) -> str:
    """The whole number, for a reason that stays in the audit. Raises Misunderstood without one."""
    why = audit.reason(reason, "为什么要看", "核对联系电话")
    audit.note(session, at, by, "people.phone_shown", f"person:{person.id}", why)
    return person.phone or ""
