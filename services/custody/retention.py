"""What is not needed any more goes; what stays, stays for a reason (least data, product.md P5, F100).

The clock comes by every night. It takes a bounded bite, and asks for another turn where more is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from config import Privacy
from models import (
    AccountSession,
    Answer,
    Attendance,
    Base,
    BindingClaim,
    Change,
    Consent,
    Consultation,
    Conversation,
    Due,
    DueState,
    Follower,
    InboxMessage,
    Invite,
    Notice,
    OptOut,
    Outgoing,
    ScanLogin,
)
from services import audit
from services.consulting import consultations
from services.organisation import liaison

#: WeChat's retries end after seconds and replays are refused after minutes; a month is for looking into complaints.
INBOX_DAYS = 30
DRAFT_DAYS = 7
DUE_DAYS = 400
#: The words of notices (answers to citizens among them) go; who got what and when stays for the figures.
NOTICE_DAYS = 90
#: Where and when somebody was logged in to the console; that they were stays in the audit.
SESSION_DAYS = 90
#: Who claimed to be whom, after it was decided; and invitations, after they were used or ran out.
CLAIM_DAYS = 180
INVITE_DAYS = 90
#: Why somebody could not come; that they were excused stays in the figures.
REASON_DAYS = 365
#: Rows before and after a change of the roll: after so long nobody takes it back, and old names and numbers need not lie there.
UNDO_DAYS = 730
#: An account that left us and is nobody's.
LEFT_DAYS = 730
SCAN_DAYS = 1
#: Of one kind in one transaction: some tenths of a second.
AT_ONCE = 2000
CASES_AT_ONCE = 200
BY_TERM = "保存期满"


@dataclass(frozen=True, slots=True)
class Kept:
    """How long something is kept, in words, and why."""

    what: str
    term: str
    why: str


STAYS = "长期"
ROLL = "组织的名册和履历，工作需要"
FIGURES = "统计和工作台账"
SETTINGS = "系统运行需要，不含个人信息"


def kept(privacy: Privacy) -> dict[str, Kept]:
    """Table → how long its words are kept and why. A test sees to it that no table is missing."""
    cases = Kept(
        "咨询的文字、答复和是谁问的",
        f"结案或撤回后 {privacy.consultation_days} 天",
        "便于追问和评价；此后只留类别、县区、日期、评分",
    )
    sent = Kept("通知的文字", f"{NOTICE_DAYS} 天", "便于核对发过什么；谁在何时收到长期留作统计")
    left = Kept("已取消关注、未绑定的微信账号", f"取消关注后 {LEFT_DAYS} 天", "再回来时记得原来的选择")
    claims = Kept("绑定申请", f"处理后 {CLAIM_DAYS} 天", "有争议时可以查")
    roll, figures, settings = (
        Kept("名册", STAYS, ROLL),
        Kept("台账和统计", STAYS, FIGURES),
        Kept("系统设置", STAYS, SETTINGS),
    )
    elections = Kept("选举记录（名单、票数、结果）", STAYS, "换届的档案；投票不记名，谁投了什么不在里面")
    trail = Kept("审计", STAYS, "谁看过、改过什么，只增不改")
    entering = Kept("登录记录", f"{SESSION_DAYS} 天", "看账号在哪里用过；登录过的事实在审计里")
    messages = Kept("收到的消息和回复", f"{INBOX_DAYS} 天", "有人投诉时可以查")
    return {
        "inbox": messages,
        "answers": messages,
        "conversations": Kept("没说完的话", f"{DRAFT_DAYS} 天", "可以接着说"),
        "consultations": cases,
        "case_steps": cases,
        "case_numbers": figures,
        "notices": sent,
        "outbox": sent,
        "campaigns": figures,
        "broadcasts": Kept("群发的文字", STAYS, "机关公文，不含群众的话"),
        "audiences": settings,
        "dues": Kept("任务记录", f"{DUE_DAYS} 天", "看系统做过什么"),
        "people": roll,
        "affiliations": roll,
        "posts": roll,
        "followers": left,
        "consents": left,
        "opt_outs": left,
        "binding_claims": claims,
        "invites": Kept("邀请码", f"用过或过期后 {INVITE_DAYS} 天", "有争议时可以查"),
        "attendances": Kept("请假原因", f"{REASON_DAYS} 天", "书记准假用；出席与否长期留作统计"),
        "gatherings": figures,
        "day_exceptions": settings,
        "publicity": figures,
        "counties": roll,
        "branches": roll,
        "stations": roll,
        "organisations": roll,
        "branch_changes": Kept("支部沿革", STAYS, "以前的报表不变"),
        "station_closures": roll,
        "townships": roll,
        "villages": roll,
        "liaison_points": Kept(
            "联络点的手机号", f"结束后 {liaison.PHONE_DAYS} 天", "交接时可能还要联系；人名和任期留在沿革里"
        ),
        "party_groups": roll,
        "party_group_members": roll,
        "brand_stories": Kept("品牌活动和故事", STAYS, "机关宣传材料，撤下的可以放回"),
        "flows": Kept("流动党员登记", STAYS, ROLL),
        "changes": Kept(
            "名册改动前后的值", f"{UNDO_DAYS} 天", "可以原样撤销；此后只留谁在什么时候办了哪一种改动，不能再撤销"
        ),
        "elections": elections,
        "election_voters": elections,
        "election_candidates": elections,
        "merged_people": Kept("合并过的人员", STAYS, "原来的编号还找得到，合错了可以拆开"),
        "imports": Kept("导入的情况", STAYS, "谁在什么时候导入过什么"),
        "import_parts": Kept("导入的文件", "写入、放弃为止，最多 24 小时", "核对和写入用，加密存放"),
        "not_same": Kept("确认不是同一人", STAYS, "不用再问第二遍"),
        "pictures": Kept("图片", "换下或删除为止", "给群众看；存入时去掉拍摄地点等信息"),
        "accounts": Kept("控制台账号", STAYS, "停用后留名，审计要对得上"),
        "account_sessions": entering,
        "backup_codes": Kept("备用码的摘要", "重置或用完为止", "登录用，读不出原码"),
        "scan_logins": Kept("扫码登录", f"{SCAN_DAYS} 天", "两分钟内有效，留一天便于查错"),
        "audit": trail,
        "audit_seals": trail,
        "data_keys": settings,
        "switches": settings,
        "leases": settings,
        "credentials": settings,
        "quotas": settings,
        "paces": settings,
        "templates": settings,
    }


@dataclass(frozen=True, slots=True)
class Swept:
    """What one bite took, by name; whether more is left."""

    counted: dict[str, int]
    is_more: bool

    @property
    def says(self) -> str:
        told = [f"{name} {many} 条" for name, many in self.counted.items() if many]
        return f"清理{'、'.join(told)}{'；还有，稍后接着' if self.is_more else ''}" if told else "没有到期的"


def sweep(session: Session, privacy: Privacy, at: datetime) -> Swept:
    """Take out a bite of what is over its term; what was taken is counted in the audit."""
    counted: dict[str, int] = {}
    is_more = False
    for name, limit, take in _terms(privacy):
        many = take(session, at, limit)
        counted[name] = many
        is_more = is_more or many >= limit
    if any(counted.values()):
        told = "、".join(f"{name} {many}" for name, many in counted.items() if many)
        audit.note(session, at, None, "retention.erased", "all", told)
    return Swept(counted, is_more)


Take = Callable[[Session, datetime, int], int]


def _terms(privacy: Privacy) -> Iterator[tuple[str, int, Take]]:
    """What goes, how many of it at once, and how."""
    yield "消息", AT_ONCE, _messages
    yield "草稿", AT_ONCE, _older(Conversation, Conversation.updated_at, DRAFT_DAYS)
    yield "咨询文字", CASES_AT_ONCE, _cases(privacy.consultation_days)
    yield "通知文字", AT_ONCE, _notices
    yield "请假原因", AT_ONCE, _reasons
    yield "绑定申请", AT_ONCE, _older(BindingClaim, BindingClaim.decided_at, CLAIM_DAYS)
    yield "邀请码", AT_ONCE, _older(Invite, Invite.expires_at, INVITE_DAYS)
    yield "名册改动前后的值", AT_ONCE, _undo
    yield "离开的账号", AT_ONCE, _those_who_left
    yield "任务记录", AT_ONCE, _older(Due, Due.due_at, DUE_DAYS, Due.state != DueState.WAITING)
    yield "登录记录", AT_ONCE, _older(AccountSession, AccountSession.made_at, SESSION_DAYS)
    yield "联络点手机号", AT_ONCE, lambda session, at, limit: liaison.forget_phones(session, beijing_date(at), limit)
    yield "扫码登录", AT_ONCE, _older(ScanLogin, ScanLogin.expires_at, SCAN_DAYS)


def _older(model: type[Base], since: Any, days: int, *where: sa.ColumnElement[bool]) -> Take:
    """Rows of a table whose instant is so many days back, the oldest first."""
    [key] = model.__table__.primary_key.columns

    def take(session: Session, at: datetime, limit: int) -> int:
        old = sa.select(key).where(since < at - timedelta(days=days), *where).order_by(since).limit(limit)
        return _delete(session, model, key, list(session.scalars(old)))

    return take


def _delete(session: Session, model: type[Base], key: sa.ColumnElement[Any], values: list[Any]) -> int:
    if values:
        session.execute(sa.delete(model).where(key.in_(values)).execution_options(synchronize_session=False))
    return len(values)


def _messages(session: Session, at: datetime, limit: int) -> int:
    """With their answers: a message without one would be taken up again as unfinished."""
    old = (
        sa.select(InboxMessage.key)
        .where(InboxMessage.received_at < at - timedelta(days=INBOX_DAYS))
        .order_by(InboxMessage.received_at)
        .limit(limit)
    )
    keys = list(session.scalars(old))
    _delete(session, Answer, Answer.__table__.c.message_key, keys)
    return _delete(session, InboxMessage, InboxMessage.__table__.c.key, keys)


def _cases(days: int) -> Take:
    def take(session: Session, at: datetime, limit: int) -> int:
        over = (
            sa.select(Consultation)
            .where(
                Consultation.state.in_(consultations.OVER),
                Consultation.closed_at < at - timedelta(days=days),
                Consultation.erased_at.is_(None),
            )
            .order_by(Consultation.closed_at)
            .limit(limit)
        )
        cases = session.scalars(over).all()
        for case in cases:
            consultations.erase(session, case, at, BY_TERM)
            consultations.forget_whose(session, case)
        return len(cases)

    return take


def _notices(session: Session, at: datetime, limit: int) -> int:
    unsettled = sa.exists().where(Outgoing.notice_id == Notice.id, Outgoing.settled_at.is_(None))
    old = (
        sa.select(Notice.id)
        .where(Notice.queued_at < at - timedelta(days=NOTICE_DAYS), Notice.erased_at.is_(None), ~unsettled)
        .order_by(Notice.queued_at)
        .limit(limit)
    )
    ids = list(session.scalars(old))
    session.execute(sa.update(Notice).where(Notice.id.in_(ids)).values(facts="{}", erased_at=at))
    return len(ids)


def _reasons(session: Session, at: datetime, limit: int) -> int:
    old = (
        sa.select(Attendance.gathering_id, Attendance.person_id)
        .where(Attendance.at < at - timedelta(days=REASON_DAYS), Attendance.reason.is_not(None))
        .limit(limit)
    )
    rows = session.execute(old).all()
    for gathering_id, person_id in rows:
        whose = (Attendance.gathering_id == gathering_id, Attendance.person_id == person_id)
        session.execute(sa.update(Attendance).where(*whose).values(reason=None))
    return len(rows)


def _undo(session: Session, at: datetime, limit: int) -> int:
    """What a change was and what it is needed for to go back; that there was one, by whom and when, stays."""
    old = (
        sa.select(Change.id)
        .where(Change.at < at - timedelta(days=UNDO_DAYS), Change.erased_at.is_(None))
        .order_by(Change.at)
        .limit(limit)
    )
    ids = list(session.scalars(old))
    session.execute(
        sa.update(Change).where(Change.id.in_(ids)).values(says="", reason="", kept="[]", erased_at=at),
        execution_options={"synchronize_session": False},
    )
    return len(ids)


def _those_who_left(session: Session, at: datetime, limit: int) -> int:
    """With what they allowed and declined; whoever comes back begins as somebody new."""
    left = (
        sa.select(Follower.openid)
        .where(Follower.left_at < at - timedelta(days=LEFT_DAYS), Follower.person_id.is_(None))
        .limit(limit)
    )
    openids = list(session.scalars(left))
    _delete(session, Consent, Consent.__table__.c.openid, openids)
    _delete(session, OptOut, OptOut.__table__.c.recipient, [f"openid:{openid}" for openid in openids])
    return _delete(session, Follower, Follower.__table__.c.openid, openids)
