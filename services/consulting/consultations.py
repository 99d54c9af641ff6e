"""A citizen's question: opened without registration, numbered, assigned, followed, rated, erased (F080–F100).

Words stand in `CaseStep.words` alone, encrypted. What is pushed names the number; only `facts["text"]` of a
message to the citizen carries content, and delivery uses it inside the 48-hour window, never in a template.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import beijing, beijing_date
from errors import Misunderstood, NotFound, RuleBroken
from models import (
    CaseNumber,
    CaseState,
    CaseStep,
    Consultation,
    County,
    Follower,
    Matter,
    Notice,
    NoticeKind,
    Outgoing,
    Step,
    Urgency,
    Wish,
    put,
)
from services import audit
from services.consulting import assignment, danger
from services.consulting.assignment import OPEN, Decision
from services.meetings.calendar import Holidays
from services.sending import outbox

LONGEST_WORDS = 1000
#: A rating this low is looked at by the office (F096).
LOW_RATING = 2
OVER = (CaseState.CLOSED, CaseState.WITHDRAWN)
ERASED = "（内容已删除）"
AT_REQUEST = "本人要求"
#: Stands where an account stood that may not be known any more.
GONE = "gone:"

#: The names that a case is shown with; relationships are never loaded behind one's back.
WITH_NAMES = (joinedload(Consultation.county), joinedload(Consultation.station), joinedload(Consultation.lawyer))

NOT_YOURS = "没有查到这个编号。请核对；您自己的咨询，回复“查询”就能看到。"

_DASH = r"\s*[-－–—_]?\s*"
#: What people put before a number.
_BEFORE = r"[\s【\[(（“\"#＃]*(?:编号)?[\s:：]*"
_ZX = rf"[ZzＺｚ][XxＸｘ]{_DASH}"
_AFTER = " \n:：,，。;；、.．!！】])）”-－–—"
#: Alone, or with something that parts it from what follows.
_NUMBER = re.compile(
    rf"{_BEFORE}(?:{_ZX})?(?:(?P<day>\d{{6}}){_DASH})?(?P<last>\d{{1,6}})号?(?=[\s:：,，。;；】\])）]|$)"
)
#: Nothing else looks like this, so it is a number even with the words glued to it.
_UNMISTAKABLE = re.compile(
    rf"{_BEFORE}(?:{_ZX}(?:(?P<day>\d{{6}}){_DASH}(?=\d))?|(?P<bare>\d{{6}})\s*[-－–—_]?\s*(?=\d{{4}}(?!\d))|(?=0\d{{2,3}}(?!\d)))"
    r"(?P<last>\d{1,6})(?!\d)号?"
)
_BEGUN = re.compile(rf"{_BEFORE}{_ZX}\d")
_DIGITS = re.compile(r"\s*(?P<last>\d{1,4})(?!\d)号?")


@dataclass(frozen=True, slots=True)
class Number:
    """A case number as somebody wrote it: whole, or only its last part."""

    day: str | None
    last: int

    @property
    def ending(self) -> str:
        """How a stored number with this meaning ends."""
        return f"{self.day or ''}-{self.last:04d}"


@dataclass(frozen=True, slots=True)
class Question:
    """What a citizen has told, ready to be stored."""

    openid: str
    matter: Matter
    county_id: int
    urgency: Urgency
    wish: Wish
    words: str
    #: Danger was heard on the way, even if not in these words.
    is_dangerous: bool = False


def read_number(text: str) -> tuple[Number | None, str]:
    """A case number at the head of a text, and the text behind it: ZX261122-0001, zx2611220001, 0001, １.

    Words may be glued to a number that cannot be anything else. Raises Misunderstood for one that is begun and
    cannot be read: it must not pass for somebody's words.
    """
    match = _NUMBER.match(text) or _UNMISTAKABLE.match(text)
    if match is None:
        if _BEGUN.match(text):
            raise Misunderstood("编号没看懂，请写成 ZX261122-0001 这样，后面空一格。")
        return None, text.strip()
    day = match["day"] or match.groupdict().get("bare")
    return Number(f"{int(day):06d}" if day else None, int(match["last"])), _behind(text, match)


def read_whole_number(text: str) -> tuple[Number | None, str]:
    """As `read_number`, among people's own words: “2016 年签的合同” is no number."""
    number, rest = read_number(text)
    is_one = number is not None and (number.day or _UNMISTAKABLE.match(text))
    return (number, rest) if is_one else (None, text.strip())


def read_any_number(text: str) -> tuple[Number | None, str]:
    """As `read_number`, where no words are expected: a short number with something glued to it is one too."""
    number, rest = read_number(text)
    match = _DIGITS.match(text) if number is None else None
    return (number, rest) if match is None else (Number(None, int(match["last"])), _behind(text, match))


def _behind(text: str, match: re.Match[str]) -> str:
    return text[match.end() :].lstrip(_AFTER).rstrip()


def read_words(text: str) -> str:
    """Somebody's own words, unchanged. Raises Misunderstood when there are none or too many."""
    said = text.strip()
    if not said:
        raise Misunderstood("没有看到文字，请再说一次。")
    if len(said) > LONGEST_WORDS:
        raise Misunderstood(f"写了 {len(said)} 个字，最多 {LONGEST_WORDS} 个字；请拣要紧的说，之后还可以“补充”。")
    return said


# --- opening -------------------------------------------------------------------------------------------------


def ask(session: Session, question: Question, holidays: Holidays, at: datetime) -> tuple[Consultation, Decision]:
    """Store a question, decide who is asked, and tell them. Raises NotFound for a county that is not there."""
    county = session.get(County, question.county_id)
    if county is None:
        raise NotFound("没有这个县（市）区。")
    words = read_words(question.words)
    decision = assignment.decide(session, county, holidays, at)
    case = Consultation(
        number=_next_number(session, at),
        openid=question.openid,
        county_id=county.id,
        matter=question.matter,
        urgency=question.urgency,
        wish=question.wish,
        is_dangerous=question.is_dangerous or danger.found(words) is not None,
        state=CaseState.WAITING,
        station_id=decision.station.id if decision.station else None,
        asked_at=at,
    )
    session.add(case)
    session.flush()
    note_step(session, case, Step.ASKED, at, words)
    note_step(session, case, Step.ASSIGNED, at, decision.why)
    if case.is_dangerous:
        _alarm(session, case, decision.told, at)
    else:
        tell_assigned(session, case, county.name, decision.told, at)
    return case, decision


def tell_assigned(session: Session, case: Consultation, county: str, told: tuple[int, ...], at: datetime) -> None:
    """“There is a case”, without a word of what was asked (P5)."""
    campaign = f"case:{case.number}:assigned:{_last_step_id(session, case)}"
    outbox.tell(session, NoticeKind.CASE_ASSIGNED, campaign, _assigned_facts(case, county, at), told, at)


def _assigned_facts(case: Consultation, county: str, at: datetime) -> dict[str, str]:
    if case.is_dangerous:
        # The number only: a push is read on lock screens (F095).
        matter, county = "紧急，请立即处理", "见系统"
        text = f"紧急咨询 {case.number}，请立即处理：回复“看 {case.number}”，能办的请“接单 {case.number}”。"
    else:
        matter = case.matter.label
        text = (
            f"有新的咨询 {case.number}（{county}，{matter}，{case.urgency.label}）。"
            f"回复“接单 {case.number}”接下，回复“待办”看全部。"
        )
    return {"number": case.number, "matter": matter, "county": county, "time": say_when(at), "text": text}


def _alarm(session: Session, case: Consultation, told: tuple[int, ...], at: datetime) -> None:
    """Danger: those on duty and both offices hear of it, each once a case."""
    everyone = assignment.alarmed(session, case.county_id, told, beijing_date(at))
    facts = _assigned_facts(case, "", at)
    outbox.tell(session, NoticeKind.CASE_ASSIGNED, f"case:{case.number}:alarm", facts, everyone, at)
    audit.note(session, at, None, "case.danger", f"case:{case.number}", f"已通知 {len(everyone)} 人")


def _next_number(session: Session, at: datetime) -> str:
    """ZX261122-0001: dense for each Beijing day. The row stays locked until the case is committed, so a number
    whose case fails is given out again, and no two cases meet."""
    day = f"{beijing(at):%y%m%d}"
    put(session, CaseNumber, {"day": day, "last": 1}, {"last": CaseNumber.last + 1})
    last = session.scalar(sa.select(CaseNumber.last).where(CaseNumber.day == day))
    return f"ZX{day}-{last:04d}"


# --- what every act on a case shares -------------------------------------------------------------------------


def note_step(
    session: Session, case: Consultation, step: Step, at: datetime, words: str | None = None, *, by: int | None = None
) -> CaseStep:
    """Write down what happened."""
    row = CaseStep(consultation_id=case.id, step=step, by_person_id=by, words=words, at=at)
    session.add(row)
    session.flush()
    return row


def steps(session: Session, case: Consultation) -> list[CaseStep]:
    """Everything that happened to a case, in order."""
    return list(session.scalars(sa.select(CaseStep).where(CaseStep.consultation_id == case.id).order_by(CaseStep.id)))


def move(session: Session, case: Consultation, allowed: tuple[CaseState, ...], **values: object) -> bool:
    """Change a case if it still stands where it was seen; whoever comes second changes nothing."""
    return _change(
        session,
        case,
        {**values},
        Consultation.state.in_(allowed),
        Consultation.lawyer_id.is_not_distinct_from(case.lawyer_id),
    )


def _change(session: Session, case: Consultation, values: dict[str, object], *where: sa.ColumnElement[bool]) -> bool:
    changed = session.execute(
        sa.update(Consultation)
        .where(Consultation.id == case.id, *where)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    again = sa.select(Consultation).options(*WITH_NAMES).where(Consultation.id == case.id)
    session.scalars(again.execution_options(populate_existing=True)).one()
    return bool(changed.rowcount == 1)  # type: ignore[attr-defined]


def tell_citizen(session: Session, case: Consultation, note: str, text: str, at: datetime) -> bool:
    """Queue news for whoever asked. Only `text` may hold content. Returns whether they still follow us."""
    follower = session.get(Follower, case.openid)
    follows = follower is None or follower.is_subscribed
    facts = {"number": case.number, "state": case.state.label, "note": note, "time": say_when(at), "text": text}
    campaign = f"case:{case.number}:news:{_last_step_id(session, case)}"
    recipient = outbox.Recipient(None, case.openid, follows)
    outbox.queue(session, outbox.Letter(NoticeKind.CASE_UPDATE, campaign, facts, [recipient]), at)
    return follows


def say_when(at: datetime) -> str:
    """2026年11月22日 09:02, as WeChat's time fields want it."""
    local = beijing(at)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"


def _last_step_id(session: Session, case: Consultation) -> int:
    return session.scalar(sa.select(sa.func.max(CaseStep.id)).where(CaseStep.consultation_id == case.id)) or 0


# --- the citizen's own ---------------------------------------------------------------------------------------


def own(session: Session, openid: str, limit: int | None = None) -> list[Consultation]:
    """An account's own cases, newest first."""
    return list(
        session.scalars(
            sa.select(Consultation)
            .options(*WITH_NAMES)
            .where(Consultation.openid == openid)
            .order_by(Consultation.id.desc())
            .limit(limit)
        )
    )


def find_own(session: Session, openid: str, number: Number) -> Consultation:
    """One's own case by its number or the end of it, the newest first. Raises NotFound alike for a number of
    somebody else and for none at all."""
    found = [case for case in own(session, openid) if case.number.endswith(number.ending)]
    if not found:
        raise NotFound(NOT_YOURS)
    return found[0]


def add(session: Session, case: Consultation, words: str, at: datetime) -> bool:
    """More from the citizen; whoever has the case is told. Returns whether the words speak of danger."""
    if case.state not in OPEN:
        raise RuleBroken(f"{case.number} {case.state.label}，不能再补充；有新的问题请回复“咨询”。")
    note_step(session, case, Step.ADDED, at, read_words(words))
    if case.state is CaseState.ANSWERED:
        move(session, case, (CaseState.ANSWERED,), state=CaseState.TAKEN)
    told = [case.lawyer_id] if case.lawyer_id else []
    if danger.found(words) is not None and not case.is_dangerous:
        case.is_dangerous = True
        everyone = told or assignment.lawyers(session, case.county_id, beijing_date(at))
        _alarm(session, case, tuple(everyone), at)
        return True
    facts = {
        "number": case.number,
        "state": case.state.label,
        "note": "咨询人有补充，请查看",
        "time": say_when(at),
        "text": f"{case.number} 有补充，回复“看 {case.number}”查看。",
    }
    outbox.tell(
        session, NoticeKind.CASE_UPDATE, f"case:{case.number}:added:{_last_step_id(session, case)}", facts, told, at
    )
    return danger.found(words) is not None


def withdraw(session: Session, case: Consultation, at: datetime) -> None:
    """The citizen takes the question back. Raises RuleBroken when it is over."""
    had = case.lawyer_id
    if not move(session, case, OPEN, state=CaseState.WITHDRAWN, closed_at=at):
        raise RuleBroken(f"{case.number} {case.state.label}，不用撤回。")
    note_step(session, case, Step.WITHDRAWN, at)
    facts = {
        "number": case.number,
        "state": case.state.label,
        "note": "咨询人已撤回，不用再办",
        "time": say_when(at),
        "text": f"{case.number} 已由咨询人撤回，不用再办。",
    }
    outbox.tell(session, NoticeKind.CASE_UPDATE, f"case:{case.number}:withdrawn", facts, [had] if had else [], at)


def unrated(session: Session, openid: str) -> Consultation | None:
    """The last closed case that its citizen has not rated."""
    return next((c for c in own(session, openid) if c.state is CaseState.CLOSED and c.rating is None), None)


def rate(session: Session, case: Consultation, rating: int, words: str | None, at: datetime) -> None:
    """One to five, once, with or without words; a low one is looked at by the office (F096). Raises RuleBroken."""
    if not 1 <= rating <= 5:
        raise RuleBroken("评价请用 1–5 分，5 分最满意。")
    if case.state is not CaseState.CLOSED:
        raise RuleBroken(f"{case.number} {case.state.label}，结案以后再请您评价。")
    if not _change(session, case, {"rating": rating}, Consultation.rating.is_(None)):
        raise RuleBroken(f"您已经给 {case.number} 评过 {case.rating} 分了，谢谢！一件咨询只评一次。")
    note_step(session, case, Step.RATED, at, words)
    if rating <= LOW_RATING:
        facts = {
            "number": case.number,
            "state": case.state.label,
            "note": f"评价 {rating} 分，请回访",
            "time": say_when(at),
            "text": f"{case.number} 评价 {rating} 分，请回访；回复“看 {case.number}”查看经过。",
        }
        told = assignment.offices(session, beijing_date(at))
        outbox.tell(session, NoticeKind.CASE_UPDATE, f"case:{case.number}:rated", facts, told, at)


def erase(session: Session, case: Consultation, at: datetime, why: str = AT_REQUEST) -> None:
    """Take the words out of a case that is over, on its citizen's request or at the end of its term; the figures stay
    (F100)."""
    if case.state not in OVER:
        raise RuleBroken(
            f"{case.number} {case.state.label}，还在办理。结案以后可以删除；不想办了请先回复“撤回 {case.number}”。"
        )
    session.execute(
        sa.update(CaseStep)
        .where(CaseStep.consultation_id == case.id, CaseStep.step != Step.ASSIGNED)
        .values(words=None)
        .execution_options(synchronize_session="fetch")
    )
    for notice in session.scalars(sa.select(Notice).where(Notice.campaign.startswith(f"case:{case.number}:news:"))):
        facts = json.loads(notice.facts)
        notice.facts = json.dumps({**facts, "text": ERASED}, ensure_ascii=False)
    case.erased_at = at
    audit.note(session, at, None, "case.erased", f"case:{case.number}", why)


def forget_whose(session: Session, case: Consultation) -> None:
    """Nobody can tell any more who asked: the case and the messages about it name somebody who is not there."""
    gone, openid = GONE + secrets.token_hex(12), case.openid
    about = Outgoing.campaign.startswith(f"case:{case.number}:", autoescape=True)
    session.execute(
        sa.update(Outgoing)
        .where(about, Outgoing.openid == openid)
        .values(openid=gone, person_id=None, recipient=f"openid:{gone}")
        .execution_options(synchronize_session=False)
    )
    case.openid = gone


def is_erased(history: list[CaseStep]) -> bool:
    return all(row.words is None for row in history if row.step is Step.ASKED)


def handler_of(case: Consultation) -> str:
    """Who has a case now, as its citizen may know it (F092)."""
    where = case.station.name if case.station else ""
    if case.lawyer is None:
        return f"{where}值班律师" if where else "市法学会办公室"
    return f"{case.lawyer.name}（{where}）" if where else case.lawyer.name
