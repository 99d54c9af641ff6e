"""The delivery report as a workbook for the office: 汇总, 按县区, 按支部类型, 名单 (F111)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing, say_moment
from models import SendState
from services import audit
from services.sending import delivery_report
from services.sending.delivery_report import Line, Reached, Report
from services.tables import workbooks
from services.tables.workbooks import Sheet

#: The states in the order in which a report reads best.
ORDER = (
    SendState.DELIVERED, SendState.SENT, SendState.REFUSED, SendState.UNREACHABLE, SendState.UNKNOWN,
    SendState.EXPIRED, SendState.CANCELLED, SendState.FOLDED, SendState.WAITING, SendState.CLAIMED,
)  # fmt: skip
STATES = tuple(state.label for state in ORDER)
REPORT, BY_HAND = "送达报告", "代告名单"
NUMBERS = (10,) * (len(ORDER) + 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who wants a paper about a campaign, when and what for; `by` is nobody on the command line."""

    at: datetime
    who: str
    reason: str
    by: int | None = None
    is_unmasked: bool = False

    def mark(self, found: Report, what: str) -> str:
        """The line under each table and at the foot of each page."""
        moment = f"{beijing(self.at):%Y-%m-%d %H:%M}"
        return (
            f"法学会助手 {what} {found.name}，{moment}（北京时间），由 {self.who} 导出，用途：{self.reason or '未写'}；"
            f"手机号{self._masked}"
        )

    def note(self, session: Session, found: Report, what: str, size: str) -> None:
        """Before the paper is there, the audit knows of it."""
        details = f"{what}，{size}，由 {self.who}；用途：{self.reason or '未写'}；手机号{self._masked}"
        audit.note(
            session, self.at, self.by, "export.unmasked" if self.is_unmasked else "export", found.name, details
        )

    @property
    def _masked(self) -> str:
        return "未隐去" if self.is_unmasked else "已隐去"


def write(session: Session, report: Report, mark: str, within: sa.ColumnElement[bool] | None = None) -> bytes:
    """The workbook as a file. Telephone numbers are masked; every figure can be found in 名单 by its filter columns."""
    pages = [
        workbooks.table("汇总", ("项目", "预计人数", "实际人数"), (60, 12, 12), _summary(report)),
        _lines("按县区", "县（市）区", report.by_county, report.whole),
        _lines("按支部类型", "支部类型", report.by_kind, report.whole),
        workbooks.table(
            "名单",
            ("县（市）区", "支部类型", "支部", "姓名", "手机号", "下落", "途径", "原因", "时间"),
            (12, 22, 36, 12, 14, 10, 10, 44, 18),
            map(_person, delivery_report.people(session, report.name, within=within)),
        ),
    ]
    return workbooks.write(pages, mark)


def _summary(report: Report) -> Iterator[tuple[object, ...]]:
    yield f"{report.title}（{report.name}，{report.state.label}，{say_moment(report.begun_at)} 开始）", "", ""
    yield "共", _sum(report.expected), report.whole.total
    for state in ORDER:
        yield state.label, "", report.whole.counted.get(state, 0)
    yield "其中，按途径和原因：", "", ""
    for name in ways(report):
        yield name, "" if report.expected is None else report.expected.get(name, 0), report.ways.get(name, 0)
    yield "没有送到的原因：", "", ""
    for state, reason, many in report.reasons:
        yield f"{state.label}：{reason}", "", many


def ways(report: Report) -> list[str]:
    """The ways and reasons of forecast and truth together, the most frequent first."""
    names = {**report.ways, **(report.expected or {})}
    return sorted(names, key=lambda name: (-report.ways.get(name, 0), name))


def _sum(expected: object) -> object:
    return sum(expected.values()) if isinstance(expected, dict) else ""


def _lines(title: str, first: str, lines: Iterable[Line], whole: Line) -> Sheet:
    rows = ((line.name, *(line.counted.get(state, 0) for state in ORDER), line.total) for line in (*lines, whole))
    return workbooks.table(title, (first, *STATES, "合计"), (24, *NUMBERS), rows)


def _person(one: Reached) -> tuple[object, ...]:
    return (
        one.place, one.kind, one.branch, one.name, one.phone, one.state.label,
        one.channel.label if one.channel else "", one.reason,
        say_moment(one.settled_at) if one.settled_at else "",
    )  # fmt: skip
