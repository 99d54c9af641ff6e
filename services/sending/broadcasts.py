"""群发: to whom, how many of them can be reached, who let it go, and frozen as rows in that very transaction."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

import config
from clock import at_beijing, beijing, beijing_date, say_moment
from errors import NotFound, RuleBroken
from models import Broadcast, BroadcastState, County, NoticeKind, Outgoing, Role, SendState, Topic
from services import audit
from services.membership import people
from services.sending import audience, campaigns, forecast, outbox
from services.sending.audience import Audience
from services.sending.forecast import Forecast, Means
from services.sending.outbox import Letter, Recipient

#: A preview that nobody confirmed is worth nothing later: the audience has changed.
CONFIRM_WITHIN = timedelta(minutes=30)
#: So long a second person has to approve.
APPROVE_WITHIN = timedelta(hours=24)
#: A notice is worth sending for this long after it was let go.
USEFUL_FOR = timedelta(hours=24)
SAMPLE = 10
LONGEST_TITLE = 20
LONGEST_TEXT = 400
SENDER = "市法学会"
#: In front of a correction's title.
CORRECTED = "更正："
DRAFTED = "broadcast.draft"
#: Before the number of a broadcast, its campaign's name.
WRITTEN = "broadcast:"
#: What an author sends to themselves is a campaign of its own.
TEST = "test:"
#: Words that have no place in an official notice, each with the reason (wording check, F109).
DOUBTFUL = {
    "转发": "要求转发属于“指尖上的形式主义”",
    "打卡": "不搞强制打卡",
    "截图": "不要求截图上传",
    "排名": "不搞个人排名",
    "点赞": "不要求点赞",
    "最高级": "广告禁用语",
    "国家级": "广告禁用语",
}


@dataclass(frozen=True, slots=True)
class Text:
    """What the office writes: two lines and what kind of notice it is."""

    title: str
    words: str
    topic: Topic = Topic.STATUTORY


def draft(
    session: Session, to: Audience, text: Text, at: datetime, means: Means, *, by: int, corrects: int | None = None
) -> Broadcast:
    """Write a broadcast down with the figures its author sees; nothing is sent yet.

    Raises RuleBroken when nobody is meant, Misunderstood when the audience cannot be read.
    """
    seen = look(session, to, text.topic, at, means, corrects=corrects)
    if not seen.people:
        raise RuleBroken(f"“{to.expression}”现在没有人，不能群发。")
    row = Broadcast(
        author_id=by, audience=to.expression, county_id=to.county_id, topic=text.topic, title=text.title,
        words=text.words, code=f"{secrets.randbelow(9000) + 1000}", state=BroadcastState.DRAFT, written_at=at,
        people_count=seen.people, reachable_count=seen.reachable, corrects_id=corrects, remark="",
    )  # fmt: skip
    session.add(row)
    session.flush()
    # What the author was told stays, so that what came of it can stand beside it (F111).
    audit.note(session, at, by, DRAFTED, campaign(row.id), json.dumps(dict(seen.buckets), ensure_ascii=False))
    return row


def look(
    session: Session, to: Audience, topic: Topic, at: datetime, means: Means, *, corrects: int | None = None
) -> Forecast:
    """Whom it would reach if it went now (F103); a correction goes to those who got the wrong one (F113)."""
    if corrects is None:
        return forecast.of(session, to, means, at, topic=topic, due_at=after_quiet(at, means.sending))
    recipients = campaigns.recipients_of(session, campaign(corrects))
    kind = NoticeKind.BROADCAST
    buckets = forecast.of_recipients(session, recipients, means, at, kind=kind, topic=Topic.STATUTORY)
    return Forecast(sum(buckets.values()), buckets)


def doubts(text: str) -> list[str]:
    """What the wording check finds; the author decides, the approver sees it too (F109)."""
    return [f"“{word}”：{why}" for word, why in DOUBTFUL.items() if word in text]


def needs_approval(row: Broadcast, sending: config.Sending) -> bool:
    """Whether a second person must let it go: many people, or citizens (F109)."""
    return row.people_count > sending.approval_above or audience_of(row).is_of_citizens


def confirm(
    session: Session, broadcast_id: int, code: str, at: datetime, sending: config.Sending, *, by: int
) -> Broadcast:
    """The author confirms with the code of the preview: it goes, or it goes to a second person for approval.

    Raises RuleBroken when the code is wrong, the preview is old, or it was confirmed before.
    """
    row = get(session, broadcast_id)
    if row.author_id != by:
        raise NotFound("没有这条群发。")
    if code != row.code:
        raise RuleBroken("确认码不对，没有发送。请照预览里的四位数字回复，或回复“取消”。")
    if at - row.written_at > CONFIRM_WITHIN:
        raise RuleBroken("预览已超过 30 分钟，人员可能有变化，请重新编写。")
    if needs_approval(row, sending):
        _move(session, row, BroadcastState.DRAFT, BroadcastState.SUBMITTED, at)
        row.submitted_at = at
        audit.note(session, at, by, "broadcast.submit", campaign(row.id), str(row.people_count))
        _ask_approvers(session, row, at)
    else:
        _move(session, row, BroadcastState.DRAFT, BroadcastState.CONFIRMED, at)
        _let_go(session, row, at, sending, by=by)
    return row


def approve(session: Session, row: Broadcast, at: datetime, sending: config.Sending, *, by: int) -> int:
    """A second person lets it go: the audience is frozen now. Returns by how many people it differs from what the
    author saw. Raises RuleBroken for the author, for what is not waiting, and for what waited too long."""
    _require_approver(session, row, at, by)
    if row.submitted_at is not None and at - row.submitted_at > APPROVE_WITHIN:
        raise RuleBroken("提交已超过 24 小时，人员可能有变化，请作者重新编写。")
    _move(session, row, BroadcastState.SUBMITTED, BroadcastState.CONFIRMED, at)
    frozen = _let_go(session, row, at, sending, by=by)
    difference = frozen - row.people_count
    changed = f"，与提交时相差 {difference:+d} 人" if difference else ""
    _tell_author(session, row, f"已审核通过，发给 {frozen} 人{changed}。", at)
    return difference


def send_back(session: Session, row: Broadcast, reason: str, at: datetime, *, by: int) -> None:
    """A second person says no, and why. Raises RuleBroken as `approve` does."""
    _require_approver(session, row, at, by)
    _move(session, row, BroadcastState.SUBMITTED, BroadcastState.RETURNED, at)
    row.remark = reason[:128]
    audit.note(session, at, by, "broadcast.return", campaign(row.id), reason)
    _tell_author(session, row, f"没有通过审核：{reason}", at)


def _require_approver(session: Session, row: Broadcast, at: datetime, by: int) -> None:
    if row.author_id == by:
        raise RuleBroken("不能审核自己写的群发，请办公室的另一位同志审核。")
    if not any(post.role is Role.OFFICE for post in people.posts(session, by, beijing_date(at))):
        raise NotFound("没有这条群发。")


def _move(session: Session, row: Broadcast, old: BroadcastState, new: BroadcastState, at: datetime) -> None:
    """Compare-and-set: of two who decide at once, one does. Raises RuleBroken for the other."""
    values = {"state": new, "confirmed_at": at} if new is BroadcastState.CONFIRMED else {"state": new}
    changed = session.execute(
        sa.update(Broadcast).where(Broadcast.id == row.id, Broadcast.state == old).values(values)
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        session.refresh(row)
        raise RuleBroken(f"这条群发{row.state.label}，不会重复发送。")
    session.refresh(row)


def _let_go(session: Session, row: Broadcast, at: datetime, sending: config.Sending, *, by: int) -> int:
    """Freeze the audience as rows of the outbox. Returns how many people that are."""
    row.decided_by = by
    due_at = after_quiet(at, sending)
    recipients = _recipients(session, row, at)
    author = people.get(session, row.author_id)
    letter = Letter(
        NoticeKind.BROADCAST,
        campaign(row.id),
        facts(row, at),
        recipients,
        due_at=due_at,
        not_after=due_at + USEFUL_FOR,
        why=f"{author.name} 群发给{audience_label(session, row)}：{row.title}",
        topic=row.topic,
        per_week=sending.per_week,
    )
    outbox.queue(session, letter, at)
    many = len({recipient.key for recipient in recipients})
    audit.note(session, at, by, "broadcast.confirm", campaign(row.id), f"{many}")
    return many


def _recipients(session: Session, row: Broadcast, at: datetime) -> list[Recipient]:
    if row.corrects_id is not None:
        return campaigns.recipients_of(session, campaign(row.corrects_id))
    rows = session.execute(audience_of(row).accounts(session, at))
    return [Recipient(person_id, openid, bool(subscribed)) for person_id, openid, subscribed in rows]


def _ask_approvers(session: Session, row: Broadcast, at: datetime) -> None:
    author = people.get(session, row.author_id)
    words = (
        f"{author.name} 要群发【{row.title}】给{audience_label(session, row)}，共 {row.people_count} 人。\n"
        f"{row.words}\n回复“审核 {row.id}”办理。"
    )
    told = [i for i in people.holders(session, Role.OFFICE, beijing_date(at)) if i != row.author_id]
    facts = {"title": "群发待审核", "words": f"{row.title}，{row.people_count} 人", "text": words}
    outbox.tell(session, NoticeKind.REMINDER, f"approval:{row.id}", facts, told, at)


def _tell_author(session: Session, row: Broadcast, words: str, at: datetime) -> None:
    facts = {"title": "群发审核结果", "words": words, "text": f"【{row.title}】{words}"}
    outbox.tell(session, NoticeKind.REMINDER, f"approval:{row.id}:result", facts, [row.author_id], at)


def test_send(session: Session, row: Broadcast, at: datetime, *, by: int) -> None:
    """Send it to its author alone, exactly as everybody would get it (F108). It counts for nothing else."""
    times = session.scalar(
        sa.select(sa.func.count(sa.distinct(Outgoing.campaign))).where(Outgoing.campaign.like(f"{TEST}{row.id}:%"))
    )
    recipients = outbox.accounts_of(session, [by])
    letter = Letter(
        NoticeKind.BROADCAST, f"{TEST}{row.id}:{(times or 0) + 1}", facts(row, at), recipients, why="试发"
    )
    outbox.queue(session, letter, at)


def facts(row: Broadcast, at: datetime) -> dict[str, str]:
    """What the notice says: short in the template, whole in the chat."""
    local = beijing(at)
    title = f"{CORRECTED}{row.title}" if row.corrects_id is not None else row.title
    return {
        "title": title,
        "words": row.words,
        "sender": SENDER,
        "time": f"{local:%Y年%-m月%-d日 %H:%M}",
        "text": f"{as_text(row)} {say_moment(at)}",
    }


def as_text(row: Broadcast) -> str:
    """The whole notice as people read it in the chat; the preview shows these very words."""
    title = f"{CORRECTED}{row.title}" if row.corrects_id is not None else row.title
    decline = "" if not row.topic.may_be_declined else f"\n不想再收这类通知，请回复“退订 {row.topic.label}”。"
    return f"【{title}】\n{row.words}{decline}\n——{SENDER}"


def campaign(broadcast_id: int) -> str:
    return f"{WRITTEN}{broadcast_id}"


def number_of(name: str) -> int | None:
    """The broadcast that somebody wrote under this name; None for what the clock sends."""
    number = name.removeprefix(WRITTEN)
    return int(number) if number != name and number.isascii() and number.isdecimal() else None


def get(session: Session, broadcast_id: int) -> Broadcast:
    """Raises NotFound."""
    row = session.get(Broadcast, broadcast_id)
    if row is None:
        raise NotFound("没有这条群发。")
    return row


def latest_of(session: Session, person_id: int, limit: int = 5) -> list[Broadcast]:
    """Somebody's last broadcasts, newest first."""
    return list(
        session.scalars(
            sa.select(Broadcast).where(Broadcast.author_id == person_id).order_by(Broadcast.id.desc()).limit(limit)
        )
    )


def to_approve(session: Session, person_id: int) -> list[Broadcast]:
    """What waits for a second person, other than one's own, the oldest first."""
    waiting = Broadcast.state == BroadcastState.SUBMITTED, Broadcast.author_id != person_id
    return list(session.scalars(sa.select(Broadcast).where(*waiting).order_by(Broadcast.id)))


def cancel(session: Session, row: Broadcast, at: datetime, *, by: int | None, note: str = "") -> int:
    """Stop what has not left yet. Returns how many rows were stopped; what was sent stays sent."""
    stopped = campaigns.cancel(session, campaign(row.id), at, by=by, note=note) if row.confirmed_at is not None else 0
    row.state = BroadcastState.CANCELLED
    audit.note(session, at, by, "broadcast.cancel", campaign(row.id), str(stopped))
    return stopped


def cancel_campaign(session: Session, name: str, at: datetime, *, by: int | None, note: str = "") -> int:
    """The same for whatever is sent under this name; a broadcast of its own is cancelled with it."""
    row = session.get(Broadcast, number_of(name) or 0)
    if row is None:
        return campaigns.cancel(session, name, at, by=by, note=note)
    return cancel(session, row, at, by=by, note=note)


def send_now(session: Session, row: Broadcast, at: datetime, *, by: int) -> int:
    """What was put off to the morning goes now: the author says it is urgent (F045). Returns how many rows."""
    hurried = session.execute(
        sa.update(Outgoing)
        .where(Outgoing.campaign == campaign(row.id), Outgoing.state == SendState.WAITING, Outgoing.due_at > at)
        .values(due_at=at)
    ).rowcount  # type: ignore[attr-defined]
    audit.note(session, at, by, "broadcast.urgent", campaign(row.id), str(hurried))
    return int(hurried)


def audience_of(row: Broadcast) -> Audience:
    return Audience(row.audience, row.county_id)


def audience_label(session: Session, row: Broadcast) -> str:
    """The audience in words: 金水区, “县:金水区 且 职务:书记”, …"""
    if row.corrects_id is not None:
        return "收到原通知的人"
    county = session.get_one(County, row.county_id).name if row.county_id is not None else ""
    return audience.label(audience_of(row), county)


def after_quiet(at: datetime, sending: config.Sending) -> datetime:
    """The first instant from `at` on that is outside the quiet hours (F045)."""
    wall, day = beijing(at).time(), beijing_date(at)
    opens = sending.quiet_until
    if is_quiet(wall, sending.quiet_from, opens):
        return at_beijing(day if wall < opens else day + timedelta(days=1), opens)
    return at


def is_quiet(wall: time, start: time, end: time) -> bool:
    """Whether a time of day lies in [start, end), which may pass midnight."""
    return start <= wall < end if start <= end else wall >= start or wall < end
