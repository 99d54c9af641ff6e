"""The lawyer's side of a consultation: see, take, answer, hand over, close (F087, F092).

Who sees what stands in `Desk`: a lawyer sees what waits in the own county and what is theirs; an office also
what is dangerous or was rated low. Everything else is not there, and whoever asked for it leaves a trace (F032).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date, say_moment
from errors import Misunderstood, NotFound, RuleBroken
from models import CaseState, CaseStep, Consultation, Follower, Person, Post, Role, Station, Step
from services import audit
from services.consulting import assignment, consultations
from services.consulting.assignment import OPEN
from services.consulting.consultations import LOW_RATING, WITH_NAMES, Number
from services.membership import people

#: An answer of this length still fits one message of 2048 bytes, with its number, its handler and the links.
LONGEST_ANSWER = 450
LONGEST_REASON = 100
NOT_HERE = "没有这件咨询，或不在您的办理范围。"
TO_OFFICE = "办公室"


@dataclass(frozen=True, slots=True)
class Desk:
    """What somebody's posts open to them on a day: whose waiting cases, and whose dangerous ones."""

    person_id: int
    counties: frozenset[int]
    watched: frozenset[int]
    is_city: bool

    @property
    def reach(self) -> sa.ColumnElement[bool]:
        """Cases of the own place, whatever their state, and one's own."""
        mine = Consultation.lawyer_id == self.person_id
        return sa.true() if self.is_city else sa.or_(mine, Consultation.county_id.in_(self.counties | self.watched))

    @property
    def visible(self) -> sa.ColumnElement[bool]:
        """Cases whose words may be read."""
        waiting = sa.and_(self.reach, Consultation.state == CaseState.WAITING)
        watched = sa.true() if self.is_city else Consultation.county_id.in_(self.watched)
        pressing = sa.and_(watched, Consultation.is_dangerous, Consultation.state.in_(OPEN))
        complained = sa.and_(sa.literal(self.is_city), Consultation.rating <= LOW_RATING)
        return sa.or_(Consultation.lawyer_id == self.person_id, waiting, pressing, complained)


def desk_of(session: Session, person_id: int, posts: list[Post]) -> Desk:
    """Posts read as a desk."""
    station_ids = [post.station_id for post in posts if post.role is Role.LAWYER and post.station_id]
    counties = set(session.scalars(sa.select(Station.county_id).where(Station.id.in_(station_ids))))
    counties |= {post.county_id for post in posts if post.role is Role.LAWYER and post.county_id}
    watched = {post.county_id for post in posts if post.role is Role.COUNTY_OFFICE and post.county_id}
    is_city = any(post.role is Role.OFFICE for post in posts)
    return Desk(person_id, frozenset(counties), frozenset(watched), is_city)


def waiting(session: Session, desk: Desk) -> list[Consultation]:
    """What nobody has taken yet, the dangerous first, then the oldest."""
    return _list(session, desk.visible, Consultation.state == CaseState.WAITING)


def mine(session: Session, desk: Desk) -> list[Consultation]:
    """What one has taken and not closed, the unanswered first."""
    found = _list(
        session,
        Consultation.lawyer_id == desk.person_id,
        Consultation.state.in_((CaseState.TAKEN, CaseState.ANSWERED)),
    )
    return sorted(found, key=lambda case: case.state is CaseState.ANSWERED)


def find(session: Session, desk: Desk, number: Number) -> Consultation:
    """A case one may read, by its number or the end of it. Raises NotFound, and RuleBroken when several end so."""
    return _one(_ending(session, number, desk.visible))


def find_to_take(session: Session, desk: Desk, number: Number) -> Consultation:
    """Like `find`, and also a case of one's own place that somebody else was quicker to take."""
    return _one(_ending(session, number, desk.visible) or _ending(session, number, desk.reach))


def refuse(session: Session, person_id: int, number: Number, at: datetime) -> None:
    """Keep the trace of somebody asking for a case outside their scope."""
    audit.note(session, at, person_id, "case.refused", f"case:{number.ending.lstrip('-')}")


def look(session: Session, case: Consultation, at: datetime, *, by: int) -> list[CaseStep]:
    """Everything said and done in a case. Every look is written down (P5)."""
    audit.note(session, at, by, "case.read", f"case:{case.number}")
    return consultations.steps(session, case)


def take(session: Session, case: Consultation, at: datetime, *, by: int) -> None:
    """Take a waiting case; of two who do so at once, one has it. Raises RuleBroken with who was quicker."""
    if case.lawyer_id == by:
        raise RuleBroken(f"{case.number} 已经是您的，{case.state.label}。")
    if _is_asker(session, case, by):
        raise RuleBroken("这是您自己提交的咨询，请由其他律师办理。")
    if case.lawyer_id is not None or not consultations.move(
        session,
        case,
        (CaseState.WAITING,),
        state=CaseState.TAKEN,
        lawyer_id=by,
        taken_at=at,
        station_id=_station(session, case, by, at) or case.station_id,
    ):
        if case.lawyer is None:
            raise RuleBroken(f"{case.number} {case.state.label}，不用再接。")
        when = f"于 {say_moment(case.taken_at)} " if case.taken_at else ""
        raise RuleBroken(f"{case.number} 已由{case.lawyer.name}{when}接单。")
    consultations.note_step(session, case, Step.TAKEN, at, by=by)
    text = (
        f"您的咨询 {case.number} 已由{consultations.handler_of(case)}接下，答复会发到这里。要补充请回复“补充 内容”。"
    )
    consultations.tell_citizen(session, case, "律师已接单", text, at)


def answer(session: Session, case: Consultation, words: str, at: datetime, *, by: int) -> bool:
    """Answer; the citizen is told, in full only inside the chat window. Returns whether they still follow us."""
    _must_be_mine(case, by)
    said = words.strip()
    if not said:
        raise Misunderstood("没有看到答复的内容，请再写一次。")
    if len(said) > LONGEST_ANSWER:
        raise Misunderstood(f"答复写了 {len(said)} 个字，一次最多 {LONGEST_ANSWER} 个字；可以分几次答复。")
    if not consultations.move(
        session,
        case,
        (CaseState.TAKEN, CaseState.ANSWERED),
        state=CaseState.ANSWERED,
        answered_at=case.answered_at or at,
    ):
        raise RuleBroken(f"{case.number} {case.state.label}，不能再答复。")
    consultations.note_step(session, case, Step.ANSWERED, at, said, by=by)
    text = (
        f"您的咨询 {case.number} 有答复：\n{said}\n——{consultations.handler_of(case)}\n"
        f"还有不清楚的，回复“补充 内容”继续问。"
    )
    return consultations.tell_citizen(session, case, "有新的答复，请回复“查询”查看", text, at)


def targets(session: Session, case: Consultation, at: datetime, *, by: int) -> list[Person]:
    """The lawyers a case may be handed to."""
    return assignment.colleagues(session, case.county_id, beijing_date(at), but=by)


def transfer(session: Session, case: Consultation, to: int | None, why: str, at: datetime, *, by: int) -> None:
    """Hand a case to another lawyer of the county, or to the city office (None), with a reason; nothing is lost
    and the citizen reads who has it now (F092). Raises RuleBroken."""
    reason = why.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise Misunderstood(f"请写明转交的原因，不超过 {LONGEST_REASON} 个字。")
    on = beijing_date(at)
    is_office = by in assignment.offices(session, on)
    if case.lawyer_id != by and not is_office:
        raise RuleBroken(f"{case.number} 不在您手上，先“接单 {case.number}”才能转交。")
    if to is not None and to not in assignment.lawyers(session, case.county_id, on):
        raise RuleBroken("只能转给本县（市）区的值班律师，或转给办公室。")
    state = CaseState.WAITING if to is None else CaseState.TAKEN
    changes: dict[str, object] = {"state": state, "lawyer_id": to, "station_id": _station(session, case, to, at)}
    if to is not None:
        changes["taken_at"] = at
    if not consultations.move(session, case, OPEN, **changes):
        raise RuleBroken(f"{case.number} {case.state.label}，不能转交。")
    name = people.get(session, to).name if to is not None else f"市法学会{TO_OFFICE}"
    consultations.note_step(session, case, Step.TRANSFERRED, at, f"转给{name}：{reason}", by=by)
    told = (to,) if to is not None else tuple(assignment.offices(session, on))
    consultations.tell_assigned(session, case, case.county.name, told, at)
    text = f"您的咨询 {case.number} 已转给{consultations.handler_of(case)}办理，之前写的内容一并转交，不用再说一遍。"
    consultations.tell_citizen(session, case, "已转给新的承办人", text, at)


def close(session: Session, case: Consultation, text: str, at: datetime, *, by: int) -> None:
    """Close an answered case; `text` tells the citizen and asks for a rating, once (F096). Raises RuleBroken."""
    _must_be_mine(case, by)
    if case.answered_at is None:
        raise RuleBroken(f"{case.number} 还没有答复过，请先“答复 {case.number} 内容”，再结案。")
    if not consultations.move(
        session, case, (CaseState.TAKEN, CaseState.ANSWERED), state=CaseState.CLOSED, closed_at=at
    ):
        raise RuleBroken(f"{case.number} {case.state.label}，不用再结案。")
    consultations.note_step(session, case, Step.CLOSED, at, by=by)
    consultations.tell_citizen(session, case, "已结案，请回复“查询”查看", text, at)


def _must_be_mine(case: Consultation, by: int) -> None:
    if case.lawyer_id != by:
        raise RuleBroken(f"{case.number} 不在您手上，请先“接单 {case.number}”。")


def _is_asker(session: Session, case: Consultation, by: int) -> bool:
    follower = session.get(Follower, case.openid)
    return follower is not None and follower.person_id == by


def _station(session: Session, case: Consultation, to: int | None, at: datetime) -> int | None:
    """Where the case is handled now: the new lawyer's station in the county."""
    if to is None:
        return None
    ids = [post.station_id for post in people.posts(session, to, beijing_date(at)) if post.role is Role.LAWYER]
    here = sa.select(Station.id).where(Station.id.in_([i for i in ids if i]), Station.county_id == case.county_id)
    return session.scalar(here.order_by(Station.id).limit(1))


def _ending(session: Session, number: Number, scope: sa.ColumnElement[bool]) -> list[Consultation]:
    # A short number means what is still open; only a whole one reaches back to what is over.
    open_only = () if number.day else (Consultation.state.in_(OPEN),)
    return _list(session, scope, Consultation.number.endswith(number.ending), *open_only)


def _one(found: list[Consultation]) -> Consultation:
    if not found:
        raise NotFound(NOT_HERE)
    if len(found) > 1:
        raise RuleBroken("有几件咨询都是这个尾号，请写全：" + "、".join(case.number for case in found[:5]))
    return found[0]


def _list(session: Session, *where: sa.ColumnElement[bool]) -> list[Consultation]:
    question = sa.select(Consultation).options(*WITH_NAMES).where(*where)
    return list(session.scalars(question.order_by(Consultation.is_dangerous.desc(), Consultation.id).limit(200)))
