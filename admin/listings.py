"""What each list exports: its columns and how a row of it is written down. A test goes over the routes: every page that
lists in pages has a line here.

A page says by itself what it lists: the export lets it ask, takes the question, and reads exactly those rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from admin import acts, showing
from clock import beijing_date
from services.elections import lists
from services.entry import accounts
from services.membership import claim_lists, duplicates, roster
from services.organisation import branches
from services.organisation.branch_history import CITY
from services.sending import delivery_report

Cells = tuple[object, ...]
AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Reading:
    """Who reads a list, when, and whether numbers are whole."""

    session: Session
    at: datetime
    is_unmasked: bool

    def phone(self, number: str | None) -> str:
        return (number or "") if self.is_unmasked else showing.phone(number)


@dataclass(frozen=True, slots=True)
class Listing:
    """One list: its title, its columns and their widths, and how some rows are written down."""

    title: str
    columns: tuple[str, ...]
    widths: tuple[int, ...]
    cells: Callable[[Reading, Sequence[Any]], list[Cells]]
    has_phones: bool = False

    @property
    def as_text(self) -> frozenset[str]:
        """The columns whose digits are no number."""
        return frozenset(name for name in self.columns if name.endswith("手机号"))


def _people(of: Reading, rows: Sequence[Any]) -> list[Cells]:
    lines = roster.lines(of.session, [row[0] for row in rows], beijing_date(of.at))
    return [
        (
            line.person.name, "；".join(line.branches), "、".join(line.roles), of.phone(line.person.phone),
            "已绑定" if line.is_bound else "未绑定",
        )
        for line in lines
    ]  # fmt: skip


def _branches(of: Reading, rows: Sequence[Any]) -> list[Cells]:
    lines = branches.lines(of.session, [row[0] for row in rows], beijing_date(of.at))
    return [
        (
            line.branch.name, line.branch.kind.label, line.branch.county.name if line.branch.county else CITY,
            "、".join(line.secretaries), line.members,
        )
        for line in lines
    ]  # fmt: skip


def _stations(_of: Reading, rows: Sequence[Any]) -> list[Cells]:
    return [(s.name, s.county.name, s.address, s.hours, s.phone, s.longitude, s.latitude) for (s, *_rest) in rows]


def _cases(_of: Reading, rows: Sequence[Any]) -> list[Cells]:
    return [
        (
            c.number, c.state.label, c.matter.label, c.urgency.label, c.county.name if c.county else "",
            c.lawyer.name if c.lawyer else "", showing.moment(c.asked_at), "是" if c.is_dangerous else "",
        )
        for (c, *_) in rows
    ]  # fmt: skip


def _gatherings(of: Reading, rows: Sequence[Any]) -> list[Cells]:
    return [
        (
            each.gathering.held_on, showing.wall_time(each.gathering.opens_at), each.gathering.branch.name,
            each.gathering.purpose.label, each.gathering.topic, each.present, each.leave,
        )
        for each in branches.held(of.session, [row[0] for row in rows])
    ]  # fmt: skip


def _broadcasts(_of: Reading, rows: Sequence[Any]) -> list[Cells]:
    return [
        (showing.moment(b.written_at), b.author.name, b.title, b.audience, b.state.label, b.people_count, b.reachable_count)
        for (b, *_) in rows
    ]  # fmt: skip


def _reached(of: Reading, rows: Sequence[Any]) -> list[Cells]:
    found = (delivery_report.reached(row, is_unmasked=of.is_unmasked) for row in rows)
    return [
        (
            r.place, r.kind, r.branch, r.name, r.phone, r.state.label, r.channel.label if r.channel else "", r.reason,
            showing.moment(r.settled_at),
        )
        for r in found
    ]  # fmt: skip


def _dues(_of: Reading, rows: Sequence[Any]) -> list[Cells]:
    return [
        (d.rule, d.subject, showing.moment(d.due_at), d.state.label, showing.moment(d.decided_at), d.note)
        for (d, *_) in rows
    ]


def _audit(_of: Reading, rows: Sequence[Any]) -> list[Cells]:
    return [
        (
            showing.moment(entry.at), name or "系统或未登录", acts.act(entry.act), acts.subject(entry.subject),
            acts.details(entry.details), position or "", digest or "",
        )
        for entry, name, position, digest, *_ in rows
    ]  # fmt: skip


def _terms(of: Reading, rows: Sequence[Any]) -> list[Cells]:
    today = beijing_date(of.at)
    return [
        (
            post.term_ends_on, "已超期" if post.term_ends_on < today else "", post.person.name, post.title, branch.name,
            branch.county.name if branch.county else CITY,
        )
        for post, branch, *_ in rows
    ]  # fmt: skip


def _accounts(of: Reading, rows: Sequence[Any]) -> list[Cells]:
    return [
        (
            line.account.name, line.account.person.name, "、".join(line.roles) or "没有任职", line.says(of.at),
            showing.moment(line.seen_at),
        )
        for line in accounts.lines(of.session, [row[0] for row in rows], of.at)
    ]  # fmt: skip


def _claims(of: Reading, rows: Sequence[Any]) -> list[Cells]:
    """Accounts are called in part, as on the page: whoever holds a whole openid could be written to."""
    return [
        (
            line.claim.id, showing.moment(line.claim.claimed_at), line.claim.person.name,
            "、".join(doubt.label for doubt in line.claim.doubted), _account(line.claimant), of.phone(line.claim.phone),
            of.phone(line.claim.person.phone), "；".join(map(_account, line.bound)) or "没有",
            showing.moment(line.claim.asked_at),
        )
        for line in claim_lists.lines(of.session, [row[0] for row in rows])
    ]  # fmt: skip


def _account(side: claim_lists.Side) -> str:
    return f"{side.openid[:6]}…，{showing.moment(side.met_at)} 关注"


def _changes(_of: Reading, rows: Sequence[Any]) -> list[Cells]:
    return [
        (
            showing.moment(c.at), c.person.name, c.kind.label, c.says, c.reason, c.by.name if c.by else "命令行",
            "已撤销" if c.undone_at else "",
        )
        for (c, *_) in rows
    ]  # fmt: skip


def _duplicates(of: Reading, rows: Sequence[Any]) -> list[Cells]:
    return [
        (
            pair.low.name, pair.low.id, of.phone(pair.low.phone), pair.high.name, pair.high.id,
            of.phone(pair.high.phone), pair.likeness.label,
        )
        for pair in duplicates.shown(of.session, list(rows))
    ]  # fmt: skip


def _imports(_of: Reading, rows: Sequence[Any]) -> list[Cells]:
    return [
        (showing.moment(i.uploaded_at), i.by.name, i.kind.label, i.name, i.state.label, i.new, i.changed, i.unchanged, i.wrong)
        for (i, *_) in rows
    ]  # fmt: skip


def _elections(_of: Reading, rows: Sequence[Any]) -> list[Cells]:
    return [
        (
            e.held_on, e.branch.name, e.branch.county.name if e.branch.county else CITY, e.kind.label, e.round,
            lists.Standing.of(e).label, e.due, e.present, e.issued, e.returned, e.spoiled,
            lists.elected(e), e.reason, e.set_aside_reason,
        )
        for (e, *_) in rows
    ]  # fmt: skip


#: Page → what it exports.
LISTS: dict[str, Listing] = {
    "console.people": Listing(
        "人员", ("姓名", "支部", "任职", "手机号", "微信"), (14, 50, 24, 14, 10), _people, has_phones=True
    ),
    "console.branches": Listing(
        "支部", ("支部", "类别", "县（市）区", "书记", "党员人数"), (44, 26, 14, 20, 10), _branches
    ),
    "console.stations": Listing(
        "服务站", ("服务站", "县（市）区", "地址", "开放时间", "电话", "经度", "纬度"),
        (36, 14, 40, 40, 16, 12, 12), _stations,
    ),
    "console.cases": Listing(
        "咨询", ("编号", "状态", "类别", "缓急", "县（市）区", "承办人", "提出时间", "紧急"),
        (16, 12, 14, 14, 14, 12, 18, 8), _cases,
    ),
    "console.gatherings": Listing(
        "活动", ("日期", "时间", "支部", "事由", "主题", "出席人次", "请假人次"), (14, 8, 44, 14, 30, 10, 10),
        _gatherings,
    ),
    "console.broadcasts": Listing(
        "群发", ("起草时间", "起草人", "标题", "对象", "状态", "人数", "可达人数"), (18, 12, 36, 40, 12, 8, 10),
        _broadcasts,
    ),
    "console.reached": Listing(
        "收件人", ("县（市）区", "支部类型", "支部", "姓名", "手机号", "下落", "途径", "原因", "时间"),
        (12, 22, 36, 12, 14, 10, 10, 44, 18), _reached, has_phones=True,
    ),
    "console.tasks": Listing(
        "任务", ("规则", "对象", "到期", "状态", "执行于", "说明"), (16, 26, 18, 12, 18, 44), _dues
    ),
    "console.audit": Listing(
        "审计", ("时间", "谁", "做什么", "对象", "说明", "第几环", "摘要"), (18, 14, 18, 26, 50, 8, 66), _audit
    ),
    "console.imports": Listing(
        "导入", ("上传时间", "谁", "什么", "文件", "怎么样", "新增", "变更", "不变", "有错"),
        (18, 12, 10, 40, 12, 8, 8, 8, 8), _imports,
    ),
    "console.terms": Listing(
        "任期", ("届满日", "超期", "姓名", "职务", "支部", "县（市）区"), (14, 10, 14, 24, 44, 14), _terms
    ),
    "console.elections": Listing(
        "选举记录",
        ("日期", "支部", "县（市）区", "类别", "第几次投票", "状态", "应到会", "实到会", "发出选票",
         "收回选票", "无效票", "当选", "说明", "撤销原因"),
        (14, 44, 14, 14, 10, 16, 8, 8, 10, 10, 8, 50, 30, 30), _elections,
    ),
    "console.accounts": Listing(
        "账号", ("登录名", "姓名", "任职", "状态", "最近使用"), (18, 14, 40, 16, 18), _accounts
    ),
    "console.claims": Listing(
        "绑定核实",
        ("号", "申请时间", "姓名", "疑点", "申请的微信", "填的手机号", "名册上的手机号", "已绑定的微信", "请书记确认"),
        (8, 18, 14, 40, 30, 14, 14, 40, 18), _claims, has_phones=True,
    ),
    "console.changes": Listing(
        "名册改动", ("时间", "人", "改动", "内容", "原因", "谁办的", "撤销"), (18, 14, 14, 50, 30, 12, 10), _changes
    ),
    "console.duplicates": Listing(
        "重复人员", ("姓名", "编号", "手机号", "另一条的姓名", "另一条的编号", "另一条的手机号", "为什么像"),
        (14, 10, 14, 14, 14, 14, 30), _duplicates, has_phones=True,
    ),
}  # fmt: skip


def rows(listing: Listing, found: sa.Result[*tuple[Any, ...]], of: Reading) -> Iterator[Cells]:
    """Every row of what one statement found, in its order, some at a time: 63,130 need no more memory than a thousand, and
    whoever changes the roll meanwhile makes none of them come twice or not at all."""
    for some in found.partitions():
        yield from listing.cells(of, some)


def found(session: Session, question: sa.Select[*tuple[Any, ...]]) -> sa.Result[*tuple[Any, ...]]:
    """The answer as it comes from the database; until its end the session can ask nothing else (MariaDB)."""
    return session.execute(question, execution_options={"yield_per": AT_ONCE})
