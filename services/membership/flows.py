"""Members of mobile branches who come and go: where the main relation is, who has gone where, and both secretaries told (F026)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, joinedload

from clock import beijing_date
from errors import Misunderstood, NotFound, RuleBroken
from models import (
    Affiliation,
    Branch,
    Change,
    ChangeKind,
    Direction,
    Flow,
    NoticeKind,
    Person,
    SendState,
    not_left,
)
from models.outbox import Outgoing
from services import audit
from services.membership import changes, people
from services.membership.changes import Book
from services.organisation import branch_history
from services.sending import fates, outbox

LONGEST_PLACE = 64
WITHDRAWN = "登记有误，已撤销"


def read_place(said: str) -> str:
    """The name of an organisation outside the society. Raises Misunderstood."""
    plain = " ".join(said.split())
    if not 2 <= len(plain) <= LONGEST_PLACE:
        raise Misunderstood(f"请写对方组织的名称，2–{LONGEST_PLACE} 个字，例如“上海市某律师事务所党支部”。")
    return plain


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The other end: a branch of ours, or an organisation outside by name."""

    branch: Branch | None
    place: str = ""

    @property
    def name(self) -> str:
        return self.branch.name if self.branch is not None else self.place


def record(
    session: Session, person: Person, branch: Branch, direction: Direction, other: Elsewhere, since_on: date, at: datetime,
    *, by: int,
) -> Change:  # fmt: skip
    """Somebody of a branch has come from elsewhere, or goes there for a while; both secretaries are told. Raises RuleBroken."""
    changes.lock(session, person.id)
    branch_history.refuse_gone(session, branch)
    if other.branch is not None:
        branch_history.refuse_gone(session, other.branch, "place")
    _refuse(session, person, branch, direction, other, since_on)
    book = Book(session)
    number = book.insert(Flow, {
        "person_id": person.id, "branch_id": branch.id, "direction": direction,
        "other_branch_id": other.branch.id if other.branch is not None else None, "place": other.place,
        "since_on": since_on, "until_on": None,
    })  # fmt: skip
    way = f"由{other.name}流入{branch.name}" if direction is Direction.IN else f"由{branch.name}流出到{other.name}"
    says = f"{since_on} 起{way}"
    audit.note(session, at, by, "people.flow", f"person:{person.id}", says)
    change = book.close(ChangeKind.FLOWED, person.id, says, at, by=by)
    _tell(
        session,
        get(session, number),
        "begun",
        f"{person.name}自 {since_on} 起{way}。请两边书记互相通个气，安排好参加活动的事。",
        at,
    )
    return change


def finish(session: Session, flow: Flow, on: date, at: datetime, *, by: int) -> Change:
    """They have come back, or gone where they came from. Raises RuleBroken."""
    changes.lock(session, flow.person_id)
    if flow.until_on is not None:
        raise RuleBroken(f"这次{flow.direction.label}已于 {flow.until_on} 结束。")
    if on < flow.since_on:
        raise RuleBroken(f"{flow.since_on} 才开始，日期不能早于这一天。")
    name, what = flow.person.name, f"{flow.direction.label}（{flow.branch.name}，{flow.elsewhere}）"
    book = Book(session)
    book.change(Flow.__table__, {"id": flow.id}, {"until_on": on})
    says = f"{on} 起结束{what}"
    number = flow.id
    audit.note(session, at, by, "people.flow_end", f"person:{flow.person_id}", says)
    change = book.close(ChangeKind.CAME_BACK, flow.person_id, says, at, by=by)
    _tell(session, get(session, number), "ended", f"{name}的{what}自 {on} 起结束。", at)
    return change


def recall(session: Session, change: Change, at: datetime) -> None:
    """What an undone entry was going to tell the secretaries, as far as it has not left."""
    numbers = [step.key["id"] for step in changes.steps_of(change) if step.table == Flow.__tablename__]
    word = "begun" if change.kind is ChangeKind.FLOWED else "ended"
    campaigns = [_campaign(number, word) for number in numbers]
    fates.give_up(session, SendState.CANCELLED, WITHDRAWN, at, not_left(), Outgoing.campaign.in_(campaigns))


def _refuse(
    session: Session, person: Person, branch: Branch, direction: Direction, other: Elsewhere, since_on: date
) -> None:
    if other.branch is not None and other.branch.id == branch.id:
        raise RuleBroken("来处或去处不能是同一个支部。")
    belongs = sa.select(Affiliation.id).where(
        Affiliation.person_id == person.id, Affiliation.branch_id == branch.id, *people.holds(Affiliation, since_on)
    )
    if session.scalar(belongs.limit(1)) is None:
        raise RuleBroken(f"{since_on} 时{person.name}不在{branch.name}，请先登记加入支部。")
    # Nobody goes and comes at once: whichever way is open has to end first.
    known = session.scalar(
        sa.select(Flow)
        .where(Flow.person_id == person.id, Flow.branch_id == branch.id, Flow.until_on.is_(None))
        .order_by(Flow.direction != direction, Flow.id)
        .limit(1)
    )
    if known is not None:
        first = "" if known.direction is direction else f"，请先结束它，再登记{direction.label}"
        raise RuleBroken(f"{known.since_on} 起已登记{known.direction.label}，还没有结束{first}。")


def _campaign(number: int, word: str) -> str:
    return f"flow:{number}:{word}"


def _tell(session: Session, flow: Flow, word: str, words: str, at: datetime) -> None:
    places = [place for place in (flow.branch_id, flow.other_branch_id) if place is not None]
    led = people.secretaries(session, places, beijing_date(at))
    told = sorted({who for ids in led.values() for who in ids})
    facts = {"title": "流动党员登记", "words": words, "text": f"【流动党员登记】{words}"}
    outbox.tell(session, NoticeKind.REMINDER, _campaign(flow.id, word), facts, told, at)


def get(session: Session, number: int) -> Flow:
    """With person and both ends. Raises NotFound."""
    flow = session.scalar(sa.select(Flow).options(*_WHOLE).where(Flow.id == number))
    if flow is None:
        raise NotFound("没有这条流动登记。")
    return flow


_WHOLE = (joinedload(Flow.person), joinedload(Flow.branch), joinedload(Flow.other_branch))


def of_person(session: Session, person_id: int) -> list[Flow]:
    """Every flow of somebody, the open ones first."""
    rows = sa.select(Flow).options(*_WHOLE).where(Flow.person_id == person_id)
    return list(session.scalars(rows.order_by(Flow.until_on.is_not(None), Flow.since_on.desc(), Flow.id.desc())))


@dataclass(frozen=True, slots=True)
class Here:
    """Somebody on a branch's mobile roll: who, which way, where from or to, since when."""

    person: Person
    direction: Direction
    elsewhere: str
    since_on: date


def of_branch(session: Session, branch_id: int, on: date) -> list[Here]:
    """The mobile roll of a branch: what was entered, and everybody whose main branch is another one of ours."""
    rows = session.scalars(
        sa.select(Flow)
        .options(*_WHOLE)
        .where(Flow.branch_id == branch_id, Flow.since_on <= on, Flow.until_on.is_(None))
    )
    found = [Here(row.person, row.direction, row.elsewhere, row.since_on) for row in rows]
    known = {each.person.id for each in found if each.direction is Direction.IN}
    here, main = aliased(Affiliation), aliased(Affiliation)
    guests = session.execute(
        sa.select(Person, Branch.name, here.since_on)
        .join(here, here.person_id == Person.id)
        .join(main, sa.and_(main.person_id == Person.id, main.is_main, main.until_on.is_(None)))
        .join(Branch, Branch.id == main.branch_id)
        .where(here.branch_id == branch_id, here.until_on.is_(None), main.branch_id != branch_id)
    )
    found += [
        Here(person, Direction.IN, name, since_on) for person, name, since_on in guests if person.id not in known
    ]
    return sorted(found, key=lambda each: (each.direction is Direction.OUT, each.person.search_key, each.person.id))
