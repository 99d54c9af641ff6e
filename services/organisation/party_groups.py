"""Party groups (党小组) inside a branch: formed, renamed, filled, dissolved and taken up again (F033)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import RuleBroken
from models import Affiliation, Branch, PartyGroup, PartyGroupMember, Person
from services import audit
from services.fields import Fields
from services.membership import people

LONGEST_NAME = 32


@dataclass(frozen=True, slots=True)
class Filled:
    """A Party group with its people by name, who leads it first."""

    group: PartyGroup
    leader: Person | None
    members: list[Person]

    @property
    def size(self) -> int:
        return len(self.members) + (self.leader is not None)


def of(session: Session, branch_id: int, on: date) -> list[Filled]:
    """The groups of a branch, with whoever belongs to the branch on that day; those dissolved last."""
    groups = session.scalars(
        sa.select(PartyGroup)
        .where(PartyGroup.branch_id == branch_id)
        .order_by(PartyGroup.dissolved_on.is_not(None), PartyGroup.id)
    ).all()
    belongs = sa.exists().where(
        Affiliation.person_id == Person.id, Affiliation.branch_id == branch_id, *people.holds(Affiliation, on)
    )
    rows = session.execute(
        sa.select(PartyGroupMember.group_id, PartyGroupMember.is_leader, Person)
        .join(Person, Person.id == PartyGroupMember.person_id)
        .where(PartyGroupMember.branch_id == branch_id, belongs)
        .order_by(Person.name, Person.id)
    ).all()
    found = []
    for group in groups:
        own = [(is_leader, person) for group_id, is_leader, person in rows if group_id == group.id]
        leader = next((person for is_leader, person in own if is_leader), None)
        found.append(Filled(group, leader, [person for is_leader, person in own if not is_leader]))
    return found


def by_place(session: Session) -> dict[int | None, int]:
    """How many there are in the living branches of each county; None is the city level."""
    rows = session.execute(
        sa.select(Branch.county_id, sa.func.count())
        .join(PartyGroup, PartyGroup.branch_id == Branch.id)
        .where(PartyGroup.dissolved_on.is_(None), Branch.dissolved_on.is_(None))
        .group_by(Branch.county_id)
    )
    return {row[0]: row[1] for row in rows}


def read(session: Session, said: Mapping[str, str], branch_id: int, group: PartyGroup | None) -> tuple[str, Fields]:
    """The name in a form; another group of the branch may not have it."""
    form = Fields(said)
    name = form.title("name", "党小组名称", LONGEST_NAME)
    taken = session.scalar(sa.select(PartyGroup).filter_by(branch_id=branch_id, name=name))
    if taken is not None and (group is None or taken.id != group.id):
        form.wrong["name"] = "本支部已有同名的党小组" + ("（已撤销，可以恢复）。" if taken.dissolved_on else "。")
    return name, form


def save(
    session: Session, branch: Branch, group: PartyGroup | None, name: str, members: set[int], leader: int, at: datetime,
    *, by: int,
) -> PartyGroup:  # fmt: skip
    """Form a group, or change its name and people. Somebody in another group of the branch comes over.

    Raises RuleBroken for people who do not belong to the branch, and for a branch that has ended.
    """
    if not branch.is_living:
        raise RuleBroken("支部已撤销，不能再编党小组。")
    chosen = members | ({leader} if leader else set())
    if chosen - {person.id for person in people.members_of(session, branch.id, beijing_date(at))}:
        raise RuleBroken("选的人里有已经不在本支部的，请刷新名单再选。")
    before = group.name if group is not None else "新建"
    if group is None:
        group = PartyGroup(branch_id=branch.id, name=name)
        session.add(group)
    group.name = name
    session.flush()
    session.execute(
        sa.delete(PartyGroupMember).where(
            PartyGroupMember.branch_id == branch.id,
            sa.or_(PartyGroupMember.group_id == group.id, PartyGroupMember.person_id.in_(chosen)),
        )
    )
    session.add_all(
        PartyGroupMember(branch_id=branch.id, person_id=each, group_id=group.id, is_leader=each == leader)
        for each in sorted(chosen)
    )
    audit.note(session, at, by, "party_group.save", f"branch:{branch.id}", f"{before} → {name}，{len(chosen)} 人")
    return group


def end(session: Session, group: PartyGroup, at: datetime, *, by: int) -> None:
    """Dissolve a group; its list is kept, so that it can be taken up again."""
    group.dissolved_on = beijing_date(at)
    audit.note(session, at, by, "party_group.end", f"branch:{group.branch_id}", group.name)


def resume(session: Session, group: PartyGroup, at: datetime, *, by: int) -> None:
    """Take up a dissolved group again."""
    group.dissolved_on = None
    audit.note(session, at, by, "party_group.resume", f"branch:{group.branch_id}", group.name)
