"""进度 and what can be done about it: pause, go on, end, try again; and the second person's word (F105, F109)."""

from __future__ import annotations

from collections.abc import Callable

from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Turn
from clock import say_moment
from errors import Misunderstood, NotFound, RuleBroken
from handlers.access import PostHandler, for_posts, person_of
from handlers.context import house
from handlers.own_words import behind
from models import Broadcast, BroadcastState, CampaignState, Post, Role, SendState
from services.sending import broadcasts, campaigns, digests, quotas

FOLLOWERS = (Role.OFFICE, Role.COUNTY_OFFICE)
#: The states in the order in which a report reads best; those with nobody in them are left out.
REPORT = (
    SendState.DELIVERED, SendState.SENT, SendState.CLAIMED, SendState.WAITING, SendState.FOLDED, SendState.REFUSED,
    SendState.UNREACHABLE, SendState.UNKNOWN, SendState.EXPIRED, SendState.CANCELLED,
)  # fmt: skip


def with_report(act: Callable[[Turn, Broadcast], str]) -> PostHandler:
    """An act on one's last broadcast; below what it says, how that now stands."""

    def handler(turn: Turn, _posts: list[Post]) -> Reply:
        row = latest(turn)
        return f"{act(turn, row)}\n{report(turn, row)}"

    return handler


topic = Router()


@topic.text("进度", "群发进度", help="进度 — 最近一次群发发到哪了", group="办公室")
@for_posts(*FOLLOWERS)
def progress(turn: Turn, _posts: list[Post]) -> Reply:
    return report(turn, latest(turn, turn.rest))


@topic.text("立即发送", help="立即发送 — 安静时段里的急事，不等早上", group="办公室")
@for_posts(*FOLLOWERS)
def send_now(turn: Turn, posts: list[Post]) -> Reply:
    draft = previewed(turn)
    if draft is not None:
        return (
            f"【{draft.title}】还在预览，没有确认，先回复确认码 {tap(draft.code)}。"
            f"确认以后若要等到早上才发，再回复“立即发送”。"
        )
    return _hurry(turn, posts)


@with_report
def _hurry(turn: Turn, row: Broadcast) -> str:
    hurried = broadcasts.send_now(turn.session, row, turn.at, by=person_of(turn))
    return f"{hurried} 人改为立即发送，已留痕。" if hurried else "没有推迟到早上的。"


@topic.text("暂停群发", help="暂停群发 — 先停下，回复“继续群发”接着发", group="办公室")
@for_posts(*FOLLOWERS)
@with_report
def pause(turn: Turn, row: Broadcast) -> str:
    done = campaigns.pause(turn.session, broadcasts.campaign(row.id), turn.at, by=person_of(turn))
    return "已暂停，没发的都停着。" if done else "现在不在发送，不用暂停。"


@topic.text("继续群发", help="继续群发 — 接着发暂停的", group="办公室")
@for_posts(*FOLLOWERS)
@with_report
def resume(turn: Turn, row: Broadcast) -> str:
    done = campaigns.resume(turn.session, broadcasts.campaign(row.id), turn.at, by=person_of(turn))
    return "继续发送。" if done else "没有暂停的。"


@topic.text("撤销群发", help="撤销群发 — 停止还没发出的", group="办公室")
@for_posts(*FOLLOWERS)
@with_report
def cancel(turn: Turn, row: Broadcast) -> str:
    if row.confirmed_at is not None and not campaigns.can_be_cancelled(turn.session, broadcasts.campaign(row.id)):
        return "已经没有待发送的，不用撤销。"
    stopped = broadcasts.cancel(turn.session, row, turn.at, by=person_of(turn))
    return f"已停止 {stopped} 人的发送，已发出的收不回。"


@topic.text("重试群发", help="重试群发 — 只给没送到的再发一次", group="办公室")
@for_posts(*FOLLOWERS)
@with_report
def retry(turn: Turn, row: Broadcast) -> str:
    again = campaigns.retry_failed(turn.session, broadcasts.campaign(row.id), turn.at, by=person_of(turn))
    return f"给 {again} 人再发一次。" if again else "没有可以重试的。"


@topic.text("审核", "待审核", help="审核 — 看等着审核的群发（审核 编号）", group="办公室")
@for_posts(Role.OFFICE)
def review(turn: Turn, _posts: list[Post]) -> Reply:
    waiting = broadcasts.to_approve(turn.session, person_of(turn))
    if not turn.rest and len(waiting) != 1:
        lines = [f"{row.id} 【{row.title}】{row.people_count} 人 {tap('看', f'审核 {row.id}')}" for row in waiting]
        return "\n".join(["等您审核的群发：", *lines]) if lines else "没有等您审核的群发。"
    row = _submitted(turn, turn.rest) if turn.rest else waiting[0]
    doubtful = "".join(f"请斟酌{doubt}\n" for doubt in broadcasts.doubts(row.title + row.words))
    return (
        f"{broadcasts.as_text(row)}\n\n类别：{row.topic.label}\n"
        f"发给：{broadcasts.audience_label(turn.session, row)}，共 {row.people_count} 人"
        f"（可达 {row.reachable_count}）\n{doubtful}"
        f"{tap('通过', f'通过 {row.id}')}　不同意请回复“退回 {row.id} 理由”。"
    )


@topic.text("通过", help="通过 — 同意发出一条群发（通过 编号）", group="办公室")
@for_posts(Role.OFFICE)
def approve(turn: Turn, _posts: list[Post]) -> Reply:
    row = _submitted(turn, turn.rest)
    difference = broadcasts.approve(turn.session, row, turn.at, house(turn).settings.sending, by=person_of(turn))
    changed = f"人员比提交时{'多' if difference > 0 else '少'} {abs(difference)} 人。\n" if difference else ""
    return f"已通过。{changed}{report(turn, row)}"


@topic.text("退回", help="退回 — 不同意一条群发（退回 编号 理由）", group="办公室")
@for_posts(Role.OFFICE)
def send_back(turn: Turn, _posts: list[Post]) -> Reply:
    number, _, reason = behind(turn).partition(" ")
    row = _submitted(turn, number)
    if not reason.strip():
        raise Misunderstood(f"请写上理由，例如：退回 {row.id} 时间写错了。")
    broadcasts.send_back(turn.session, row, reason.strip(), turn.at, by=person_of(turn))
    return f"已退回【{row.title}】，理由已告诉作者。"


def _submitted(turn: Turn, number: str) -> Broadcast:
    if not number.strip().isdecimal() or len(number) > 9:
        raise Misunderstood("请写上编号，例如：审核 12。")
    row = broadcasts.get(turn.session, int(number))
    if row.author_id == person_of(turn):
        raise RuleBroken("不能审核自己写的群发，请办公室的另一位同志审核。")
    if row.state is BroadcastState.DRAFT:
        raise NotFound("没有这条群发。")
    return row


def previewed(turn: Turn) -> Broadcast | None:
    """One's own draft that waits for its code, as long as it may be confirmed."""
    rows = broadcasts.latest_of(turn.session, person_of(turn), 1)
    is_fresh = bool(rows) and turn.at - rows[0].written_at <= broadcasts.CONFIRM_WITHIN
    return rows[0] if is_fresh and rows[0].state is BroadcastState.DRAFT else None


def latest(turn: Turn, number: str = "") -> Broadcast:
    """One's own broadcast by number, or the last one that was confirmed. Raises RuleBroken."""
    rows = broadcasts.latest_of(turn.session, person_of(turn), 50)
    rows = [row for row in rows if row.state is not BroadcastState.DRAFT]
    if number.strip():
        rows = [row for row in rows if str(row.id) == number.strip()]
    if not rows:
        raise RuleBroken("您还没有发过群发。" if not number.strip() else f"您没有第 {number.strip()[:9]} 号群发。")
    return rows[0]


def _standing(turn: Turn, row: Broadcast) -> campaigns.Standing:
    sending = house(turn).settings.sending
    daily = quotas.daily(sending)
    return campaigns.standing(turn.session, broadcasts.campaign(row.id), turn.at, sending.per_second, daily)


def report(turn: Turn, row: Broadcast) -> str:
    """Where a broadcast stands, in one line whose figures add up."""
    if row.confirmed_at is None:
        why = f"：{row.remark}" if row.remark else ""
        return f"【{row.title}】{row.state.label}{why}（第 {row.id} 号，{row.people_count} 人）。"
    standing = _standing(turn, row)
    parts = [f"{state.label} {standing.counted[state]}" for state in REPORT if standing.counted[state]]
    figures = f"【{row.title}】{_going(turn, standing)}：共 {standing.total} 人，" + "，".join(parts) + "。"
    return figures + (_folded(turn, standing.name) if standing.counted[SendState.FOLDED] else "")


def _folded(turn: Turn, name: str) -> str:
    """Why some did not get it now, and what became of the digest that tells them of it (F046)."""
    fates = digests.fates_of(turn.session, name)
    to_come = f"周日 {house(turn).settings.sending.digest_at:%H:%M} 发出"
    told = "，".join(f"{to_come if state is None else state.label} {many}" for state, many in fates.items())
    return f"\n并入周汇总的人：{digests.why_folded(turn.session, name)}。汇总：{told}。"


def _going(turn: Turn, standing: campaigns.Standing) -> str:
    if standing.state is not CampaignState.RUNNING:
        return standing.state.label + (f"（{standing.reason}）" if standing.state is CampaignState.STOPPED else "")
    if not standing.is_open:
        return "已完成"
    begins = campaigns.begins_at(turn.session, standing.name, turn.at)
    if begins is not None:
        return f"等到 {say_moment(begins)} 发送"
    return f"发送中，预计 {say_moment(standing.ends_at)} 发完" if standing.ends_at is not None else "发送中"
