"""What goes along when a branch ends, or is merged into another, and how it comes back (F034).

Everything is dated: the old row ends, a new one begins, and what is undone on the same day is as if it had not been.
The plan is made first and shown; what is then done is the plan.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from models import Affiliation, Branch, Gathering, GatheringState, PartyGroup, Post, Role, Station
from services.organisation import branch_history

Dated = TypeVar("Dated", Affiliation, Post)


@dataclass(slots=True)
class Plan:
    """What an ending does. Of a pair, the second is what the person has in the other branch already."""

    into: Branch | None
    affiliations: list[tuple[Affiliation, Affiliation | None]]
    #: With each post, whether it goes along; else it ends here.
    posts: list[tuple[Post, bool]]
    gatherings: list[Gathering]
    stations: list[Station]
    groups: list[PartyGroup]
    #: People who would belong to no branch.
    homeless: int

    @property
    def people(self) -> int:
        return len({mine.person_id for mine, _theirs in self.affiliations})

    @property
    def there_already(self) -> int:
        return len({mine.person_id for mine, theirs in self.affiliations if theirs is not None})

    @property
    def posts_moved(self) -> int:
        return sum(goes for _post, goes in self.posts)

    @property
    def posts_ended(self) -> int:
        return len(self.posts) - self.posts_moved


def plan(session: Session, branch: Branch, into: Branch | None, at: datetime) -> Plan:
    """Nothing is written here."""
    on = beijing_date(at)
    mine = _running(session, Affiliation, on, Affiliation.branch_id == branch.id)
    ids = {row.person_id for row in mine}
    others = _running(session, Affiliation, on, Affiliation.person_id.in_(ids), Affiliation.branch_id != branch.id)
    theirs = {row.person_id: row for row in others if into is not None and row.branch_id == into.id}
    posts = _running(session, Post, on, Post.branch_id == branch.id)
    held = _running(session, Post, on, Post.branch_id == into.id) if into is not None else []
    coming = sa.select(Gathering).where(
        Gathering.branch_id == branch.id, Gathering.state == GatheringState.PLANNED, Gathering.opens_at > at
    )
    groups = sa.select(PartyGroup).where(PartyGroup.branch_id == branch.id, PartyGroup.dissolved_on.is_(None))
    return Plan(
        into,
        [(row, theirs.get(row.person_id)) for row in mine],
        [(post, into is not None and _goes(post, held)) for post in posts],
        list(session.scalars(coming.order_by(Gathering.id))),
        list(session.scalars(sa.select(Station).where(Station.branch_id == branch.id))),
        list(session.scalars(groups)),
        0 if into is not None else len(ids - {row.person_id for row in others}),
    )


def _goes(post: Post, held: list[Post]) -> bool:
    """A branch has one secretary: its own stays. Nobody holds the same post twice."""
    if post.role is Role.SECRETARY and any(each.role is Role.SECRETARY for each in held):
        return False
    return not any((each.role, each.person_id) == (post.role, post.person_id) for each in held)


def carry_out(session: Session, planned: Plan, on: date) -> str:
    """Do what was planned; gives what is needed to undo it."""
    endings = [(row, row.until_on) for row, _theirs in planned.affiliations]
    post_endings = [(post, post.until_on) for post, _goes in planned.posts]
    for row, _theirs in planned.affiliations:
        row.until_on = max(row.since_on, on)
    for post, _goes in planned.posts:
        post.until_on = max(post.since_on, on)
    session.flush()
    moved: dict[str, list[Any]] = {"affiliations": [], "posts": []}
    for (row, until), (_row, theirs) in zip(endings, planned.affiliations, strict=True):
        promoted = theirs is not None and row.is_main and not theirs.is_main
        if theirs is not None and promoted:
            theirs.is_main = True
        begun = None
        if planned.into is not None and theirs is None:
            begun = _begin(session, row, planned.into.id, max(row.since_on, on), until)
        moved["affiliations"].append(
            [row.id, _say(until), begun and begun.id, theirs.id if theirs is not None and promoted else None]
        )
    for (post, until), (_post, goes) in zip(post_endings, planned.posts, strict=True):
        begun_post = (
            _begin(session, post, planned.into.id, max(post.since_on, on), until) if goes and planned.into else None
        )
        moved["posts"].append([post.id, _say(until), begun_post and begun_post.id])
    for gathering in planned.gatherings:
        gathering.state = GatheringState.CANCELLED
    for station in planned.stations:
        station.branch_id = planned.into.id if planned.into is not None else None
    for group in planned.groups:
        group.dissolved_on = on
    for name in ("gatherings", "stations", "groups"):
        moved[name] = [row.id for row in getattr(planned, name)]
    session.flush()
    return json.dumps(moved)


# --- and back ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Return:
    """What comes back with a branch. What has changed since stays as it is, and is counted in `left`."""

    affiliations: list[tuple[Affiliation, date | None, Affiliation | None, Affiliation | None]] = field(
        default_factory=list
    )
    posts: list[tuple[Post, date | None, Post | None]] = field(default_factory=list)
    gatherings: list[Gathering] = field(default_factory=list)
    stations: list[Station] = field(default_factory=list)
    groups: list[PartyGroup] = field(default_factory=list)
    left: int = 0
    posts_left: int = 0
    #: Why it cannot be undone; empty where it can.
    refused: str = ""

    @property
    def people(self) -> int:
        return len({row.person_id for row, *_rest in self.affiliations})


def plan_return(session: Session, branch: Branch, at: datetime) -> Return:
    """Nothing is written here."""
    on, end = beijing_date(at), branch_history.last(session, branch.id)
    if branch.is_living or end is None:
        return Return(refused=f"“{branch.name}”没有撤销，不用恢复。")
    into = session.get(Branch, end.into_id) if end.into_id else None
    if into is not None and not into.is_living:
        return Return(
            refused=f"并入的“{into.name}”后来也撤销或合并了，人员又有了变动；请先恢复“{into.name}”，再恢复本支部。"
        )
    moved = json.loads(end.moved or "{}")
    found = Return()
    rows = _by_id(session, Affiliation, (each for m in moved.get("affiliations", []) for each in (m[0], m[2], m[3])))
    for old, until, begun, promoted in moved.get("affiliations", []):
        row, taken = rows.get(old), rows.get(begun)
        if row is None or not _can_return(taken, begun, _read(until), on):
            found.left += 1
        else:
            found.affiliations.append((row, _read(until), taken, rows.get(promoted)))
    _return_posts(session, branch, moved.get("posts", []), on, found)
    coming = _by_id(session, Gathering, moved.get("gatherings", [])).values()
    found.gatherings = [g for g in coming if g.opens_at > at and g.state is GatheringState.CANCELLED]
    now_at = into.id if into is not None else None
    stations = _by_id(session, Station, moved.get("stations", [])).values()
    found.stations = [station for station in stations if station.branch_id == now_at]
    found.groups = list(_by_id(session, PartyGroup, moved.get("groups", [])).values())
    return found


def _return_posts(session: Session, branch: Branch, moved: list[list[Any]], on: date, found: Return) -> None:
    """A branch has one secretary: who leads it by now stays, and the former one does not come back to the post."""
    posts = _by_id(session, Post, (each for m in moved for each in (m[0], m[2])))
    led = _running(session, Post, on, Post.branch_id == branch.id, Post.role == Role.SECRETARY)
    is_led = any(post.id not in posts for post in led)
    for old, until, begun in moved:
        post, taken = posts.get(old), posts.get(begun)
        is_secretary = post is not None and post.role is Role.SECRETARY
        if post is None or (is_secretary and is_led) or not _can_return(taken, begun, _read(until), on):
            found.posts_left += 1
        else:
            is_led = is_led or is_secretary
            found.posts.append((post, _read(until), taken))


def _can_return(taken: Affiliation | Post | None, begun: int | None, until: date | None, on: date) -> bool:
    """Not who has left the other branch since, nor whose time would be over by now."""
    is_there = begun is None or (taken is not None and (taken.until_on is None or taken.until_on > on))
    return is_there and (until is None or until > on)


def bring_back(session: Session, branch: Branch, planned: Return, on: date) -> None:
    """Do what was planned."""
    for _row, _until, taken, promoted in planned.affiliations:
        if taken is not None:
            taken.until_on = max(taken.since_on, on)
        if promoted is not None:
            promoted.is_main = False
    for _post, _until, taken_post in planned.posts:
        if taken_post is not None:
            taken_post.until_on = max(taken_post.since_on, on)
    session.flush()
    ids = {row.person_id for row, *_rest in planned.affiliations}
    settled = {
        row.person_id
        for row in _running(session, Affiliation, on, Affiliation.person_id.in_(ids), Affiliation.is_main.is_(True))
    }
    for row, until, _taken, _promoted in planned.affiliations:
        again = _again(session, row, branch.id, until, on)
        # Who has found another main branch since keeps it.
        again.is_main = row.is_main and row.person_id not in settled
    for post, until, _taken_post in planned.posts:
        _again(session, post, branch.id, until, on)
    for gathering in planned.gatherings:
        gathering.state = GatheringState.PLANNED
    for station in planned.stations:
        station.branch_id = branch.id
    for group in planned.groups:
        group.dissolved_on = None
    session.flush()


def _again(session: Session, row: Dated, branch_id: int, until: date | None, on: date) -> Dated:
    """The row goes on if it ended today or is still to come; else a new one begins today."""
    if row.until_on is not None and row.until_on >= on:
        row.until_on = until
        return row
    return _begin(session, row, branch_id, on, until)


def _begin(session: Session, like: Dated, branch_id: int, since_on: date, until: date | None) -> Dated:
    """A row like another, in a branch from a day on; one that began there on that very day goes on instead."""
    table = type(like)
    same = (table.person_id == like.person_id, table.branch_id == branch_id, table.since_on == since_on)
    known = session.scalars(sa.select(table).where(*same)).all()
    row = next(
        (each for each in known if not isinstance(like, Post) or getattr(each, "role", None) is like.role), None
    )
    if row is None:
        copied = {c.key: getattr(like, c.key) for c in sa.inspect(table).column_attrs if c.key != "id"}
        row = table(**{**copied, "branch_id": branch_id, "since_on": since_on})
        session.add(row)
    row.until_on = until
    session.flush()
    return row


def _running(session: Session, table: type[Dated], on: date, *where: sa.ColumnElement[bool]) -> list[Dated]:
    """Rows in force on a day, or later."""
    lasts = sa.or_(table.until_on.is_(None), table.until_on > on)
    return list(session.scalars(sa.select(table).where(lasts, *where).order_by(table.id)))


def _by_id(session: Session, table: type[Any], ids: Iterable[int | None]) -> dict[int | None, Any]:
    wanted = {each for each in ids if each is not None}
    return {row.id: row for row in session.scalars(sa.select(table).where(table.id.in_(wanted)).order_by(table.id))}


def _say(on: date | None) -> str | None:
    return on.isoformat() if on else None


def _read(said: str | None) -> date | None:
    return date.fromisoformat(said) if said else None
