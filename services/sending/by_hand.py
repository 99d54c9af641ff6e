"""The lowest rung of the ladder: whom no channel reached, branch by branch, to be told by somebody who knows them (F110)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from models import Affiliation, Campaign, CampaignState, Notice, Outgoing, Person, Post, Role, SendState
from services.membership import people as persons
from services.sending import broadcasts, delivery_report, preferences
from services.sending.delivery_report import Reached, Report, Slice
from services.tables.sheets import Table
from services.tables.workbooks import Look, Row, Sheet

TO_TELL = (SendState.UNREACHABLE, SendState.REFUSED, SendState.EXPIRED, SendState.UNKNOWN)
#: A branch secretary is shown what was not told in so many days.
RECENT = timedelta(days=7)
COLUMNS = ("姓名", "手机号", "微信没有送到的原因", "已告知（日期、签名）")
NO_SECRETARY = "未登记书记"


@dataclass(frozen=True, slots=True)
class BranchList:
    """One branch's page: who is to be told, by whom, and what."""

    branch: str
    place: str
    secretary: str
    words: str
    people: list[Reached]


def lists(
    session: Session,
    name: str,
    at: datetime,
    *,
    is_unmasked: bool = False,
    within: sa.ColumnElement[bool] | None = None,
    place: str = "",
) -> Iterator[BranchList]:
    """A page for each branch (of one place) in which somebody was not reached. Raises NotFound.

    Who declined such notices is left in peace, and citizens are nobody's to tell.
    """
    secretaries = _secretaries(session, at)
    told: dict[int, str] = {}
    missed = (
        one
        for one in delivery_report.people(
            session, name, *TO_TELL, is_unmasked=is_unmasked, within=within, place=place
        )
        if one.place != delivery_report.CITIZENS and not delivery_report.is_declined(one.reason)
    )
    for branch_id, some in groupby(missed, key=lambda one: one.branch_id):
        those = list(some)
        first = those[0]
        if first.notice_id not in told:
            told[first.notice_id] = _words(session.get_one(Notice, first.notice_id))
        secretary = "、".join(secretaries.get(branch_id or 0, [])) or NO_SECRETARY
        yield BranchList(
            first.branch or delivery_report.ELSEWHERE, first.place, secretary, told[first.notice_id], those
        )


def places(session: Session, report: Report, within: sa.ColumnElement[bool] | None = None) -> dict[str, int]:
    """How many are to be told in each place, in the report's order; places without anybody are left out."""
    rows = delivery_report.matching(session, report.name, Slice(TO_TELL, within=within)).order_by(None).subquery()
    declined = preferences.DECLINED.partition("{")[0]
    asked = sa.or_(rows.c.reason.is_(None), rows.c.reason.not_like(f"{declined}%"))
    question = sa.select(rows.c.place, sa.func.count()).where(rows.c.place != delivery_report.CITIZENS, asked)
    found: dict[str, int] = dict(session.execute(question.group_by(rows.c.place)).all())
    return {line.name: found[line.name] for line in report.by_county if line.name in found}


def _secretaries(session: Session, at: datetime) -> dict[int, list[str]]:
    rows = session.execute(
        sa.select(Post.branch_id, Person.name)
        .join(Person, Person.id == Post.person_id)
        .where(Post.role == Role.SECRETARY, *persons.holds(Post, beijing_date(at)))
        .order_by(Post.id)
    )
    found: dict[int, list[str]] = {}
    for branch_id, name in rows:
        found.setdefault(branch_id or 0, []).append(name)
    return found


def _words(notice: Notice) -> str:
    """What is to be told; empty once the words were cleared away (90 days)."""
    facts = json.loads(notice.facts)
    return str(facts.get("text") or facts.get("title") or "")


def why(one: Reached) -> str:
    """The reason as people read it; an unknown fate asks before it tells."""
    if one.state is SendState.UNKNOWN:
        return "结果不明，可能已收到，请先问一问"
    return one.reason or one.state.label


def sheet(branches: Iterable[BranchList]) -> Sheet:
    """To be printed: each branch begins a page."""

    def rows() -> Iterator[Row]:
        for each in branches:
            head = f"{each.branch}（{each.place}）　书记：{each.secretary}　共 {len(each.people)} 人"
            yield Row((head, "", "", ""), Look.NEW_PAGE)
            yield Row((f"请告知：{each.words}", "", "", ""))
            yield Row(COLUMNS, Look.HEADING)
            for one in each.people:
                yield Row((one.name, one.phone, why(one), ""))

    return Sheet("代告名单", (14, 16, 44, 24), rows(), has_head=False)


def table(branches: Iterable[BranchList]) -> Table:
    """The same people as one plain table."""
    listed = (
        (each.place, each.branch, each.secretary, one.name, one.phone, why(one), each.words, "")
        for each in branches
        for one in each.people
    )
    columns = ("县（市）区", "支部", "书记", "姓名", "手机号", *COLUMNS[2:3], "请告知", COLUMNS[3])
    return Table(columns, listed, frozenset({"手机号"}))


# --- in the chat ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Missed:
    """Whom one notice did not reach in one branch, by name and reason."""

    words: str
    people: list[tuple[str, str]]


def of_branch(session: Session, branch_id: int, at: datetime) -> list[Missed]:
    """What members of a branch were not told in the last seven days, the newest notice first."""
    declined = preferences.DECLINED.partition("{")[0]
    rows = session.execute(
        sa.select(Campaign.name, Notice.id, Person.name, Outgoing.state, Outgoing.reason)
        .join(Outgoing, Outgoing.campaign == Campaign.name)
        .join(Notice, Notice.id == Outgoing.notice_id)
        .join(Person, Person.id == Outgoing.person_id)
        .join(Affiliation, Affiliation.person_id == Person.id)
        .where(
            Affiliation.branch_id == branch_id,
            *persons.holds(Affiliation, beijing_date(at)),
            Campaign.begun_at > at - RECENT,
            Campaign.state != CampaignState.CANCELLED,
            Campaign.name.not_like(f"{broadcasts.TEST}%"),
            Outgoing.state.in_(TO_TELL),
            sa.or_(Outgoing.reason.is_(None), Outgoing.reason.not_like(f"{declined}%")),
        )
        .order_by(Campaign.begun_at.desc(), Campaign.name, Person.name, Person.id)
    ).all()
    found = []
    for _, some in groupby(rows, key=lambda row: row[0]):
        those = list(some)
        missed = [(name, _short(state, reason)) for _, _, name, state, reason in those]
        found.append(Missed(_words(session.get_one(Notice, those[0][1])), missed))
    return found


def _short(state: SendState, reason: str | None) -> str:
    """A few words for the chat: the part of a reason before its advice."""
    if state is SendState.UNREACHABLE and reason:
        return reason.partition("；")[0].partition("。")[0]
    return "可能已收到，先问问" if state is SendState.UNKNOWN else state.label
