"""群发: the office writes in the chat, sees whom it reaches, confirms by a code, follows the result."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from bot import words
from bot.conversation import Flow, Question, Said, choice, pick
from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Turn
from clock import beijing_date, say_moment
from errors import Misunderstood, RuleBroken
from handlers.access import for_posts, person_of
from handlers.context import Context
from models import (
    AudienceKind,
    Branch,
    BranchKind,
    Broadcast,
    BroadcastState,
    County,
    Post,
    Role,
    SendState,
)
from services import broadcasts, outbox, people
from services.broadcasts import Audience

WRITERS = (Role.OFFICE, Role.COUNTY_OFFICE)
#: What a county office's talk knows from its start; no question has this name, so nothing that is said changes it.
OWN_COUNTY = "own_county"
#: The states in the order in which a report reads best; those with nobody in them are left out.
REPORT = (
    SendState.DELIVERED, SendState.SENT, SendState.CLAIMED, SendState.WAITING, SendState.REFUSED,
    SendState.UNREACHABLE, SendState.UNKNOWN, SendState.EXPIRED, SendState.CANCELLED,
)  # fmt: skip


def router(context: Context) -> Router:
    topic = Router()

    def done(turn: Turn, said: Said) -> Reply:
        _check_scope(turn, said)
        row = broadcasts.confirm(
            turn.session, int(said["broadcast"]), said["code"], turn.at, context.settings.sending, by=person_of(turn)
        )
        later = broadcasts.after_quiet(turn.at, context.settings.sending)
        is_put_off = later > turn.at
        quiet = f"现在是安静时段，将于 {say_moment(later)} 开始发送；确有急事请回复 {tap('立即发送')}"
        begins = quiet if is_put_off else "开始发送"
        follow = f"随时回复 {tap('进度')} 查看，{tap('撤销群发')} 停止未发的。"
        return f"已确认，{begins}。\n{_report(turn, row)}\n{follow}"

    flow = topic.flow(
        Flow(
            "群发",
            (
                choice("audience", "发给谁？", [(k.value, k.label) for k in AudienceKind], when=_is_city),
                Question("place", _ask_place, _read_place, when=_needs_place),
                Question("title", lambda _t, _s: f"标题是什么？（{broadcasts.LONGEST_TITLE} 个字以内）", _read_title),
                Question("words", lambda _t, _s: "请写正文。", _read_words),
                Question("code", _preview, _read_code),
            ),
            done,
        )
    )

    @topic.text("群发", "发通知", help="群发 — 给党员会员发工作通知", menu="BROADCAST", group="办公室")
    @for_posts(*WRITERS)
    def begin(turn: Turn, posts: list[Post]) -> Reply:
        county_id = _only_county(posts)
        if county_id is not None:
            return turn.begin(flow, **{OWN_COUNTY: str(county_id)})
        return turn.begin(flow)

    @topic.text("进度", "群发进度", help="进度 — 最近一次群发发到哪了", group="办公室")
    @for_posts(*WRITERS)
    def progress(turn: Turn, _posts: list[Post]) -> Reply:
        row = _latest(turn)
        return _report(turn, row)

    @topic.text("立即发送", help="立即发送 — 安静时段里的急事，不等早上", group="办公室")
    @for_posts(*WRITERS)
    def send_now(turn: Turn, _posts: list[Post]) -> Reply:
        row = _latest(turn)
        hurried = broadcasts.send_now(turn.session, row, turn.at, by=person_of(turn))
        if not hurried:
            return f"没有推迟到早上的。\n{_report(turn, row)}"
        return f"{hurried} 人改为立即发送，已留痕。\n{_report(turn, row)}"

    @topic.text("撤销群发", help="撤销群发 — 停止还没发出的", group="办公室")
    @for_posts(*WRITERS)
    def cancel(turn: Turn, _posts: list[Post]) -> Reply:
        row = _latest(turn)
        counted = outbox.tally(turn.session, broadcasts.campaign(row.id))
        if not counted[SendState.WAITING]:
            return f"已经没有待发送的，不用撤销。\n{_report(turn, row)}"
        stopped = broadcasts.cancel(turn.session, row, turn.at, by=person_of(turn))
        return f"已停止 {stopped} 人的发送，已发出的收不回。\n{_report(turn, row)}"

    return topic


def _only_county(posts: list[Post]) -> int | None:
    """A county office writes to its own county only; the city office to everybody (scope, F032)."""
    if any(post.role is Role.OFFICE for post in posts):
        return None
    return posts[0].county_id


def _is_city(said: Said) -> bool:
    return OWN_COUNTY not in said


def _needs_place(said: Said) -> bool:
    return _is_city(said) and said["audience"] != AudienceKind.ALL


def _check_scope(turn: Turn, said: Said) -> None:
    """The post must still be held when the broadcast is confirmed, and for that county. Raises RuleBroken."""
    held = people.posts(turn.session, turn.person_id, beijing_date(turn.at))
    if any(post.role is Role.OFFICE for post in held):
        return
    counties = {str(post.county_id) for post in held if post.role is Role.COUNTY_OFFICE}
    if said.get(OWN_COUNTY) not in counties:
        raise RuleBroken("您现在没有群发的权限，没有发送。")


def _latest(turn: Turn) -> Broadcast:
    rows = [r for r in broadcasts.latest_of(turn.session, person_of(turn)) if r.state is not BroadcastState.DRAFT]
    if not rows:
        raise RuleBroken("您还没有发过群发。")
    return rows[0]


def _places(turn: Turn, said: Said) -> list[tuple[str, str]]:
    match AudienceKind(said["audience"]):
        case AudienceKind.COUNTY:
            rows = turn.session.execute(sa.select(County.id, County.name).order_by(County.id))
            return [(str(i), name) for i, name in rows]
        case AudienceKind.BRANCH_KIND:
            return [(kind.value, kind.label) for kind in BranchKind]
        case _:
            return []


def _ask_place(turn: Turn, said: Said) -> str:
    if AudienceKind(said["audience"]) is AudienceKind.BRANCH:
        return "哪个支部？请回复支部名称中的几个字。"
    lines = [f"{i} {tap(label, str(i))}" for i, (_, label) in enumerate(_places(turn, said), 1)]
    return "\n".join(["哪一个？", *lines])


def _read_place(turn: Turn, text: str, said: Said) -> str:
    if AudienceKind(said["audience"]) is not AudienceKind.BRANCH:
        return pick(text, _places(turn, said))
    name = words.tidy(text).replace(" ", "")
    found = turn.session.execute(
        sa.select(Branch.id, Branch.name)
        .where(Branch.name.contains(name, autoescape=True))
        .order_by(Branch.id)
        .limit(9)
    ).all()
    exact = [row for row in found if row.name == name]
    if len(exact or found) == 1:
        return str((exact or found)[0].id)
    if not found:
        raise Misunderstood(f"没有名称含“{name[:20]}”的支部。")
    raise Misunderstood("有几个支部符合，请写得更全些：\n" + "\n".join(f"· {tap(row.name)}" for row in found[:8]))


def _read_title(_turn: Turn, text: str, _said: Said) -> str:
    title = words.tidy(text)
    if not title:
        raise Misunderstood("标题不能为空。")
    if len(title) > broadcasts.LONGEST_TITLE:
        raise Misunderstood(f"标题有 {len(title)} 个字，模板消息最多显示 {broadcasts.LONGEST_TITLE} 个字，请缩短。")
    return title


def _read_words(_turn: Turn, text: str, _said: Said) -> str:
    body = text.strip()
    if not body:
        raise Misunderstood("正文不能为空。")
    if len(body) > broadcasts.LONGEST_TEXT:
        raise Misunderstood(f"正文有 {len(body)} 个字，最多 {broadcasts.LONGEST_TEXT} 个字，请缩短。")
    return body


def _draft(turn: Turn, said: Said) -> Broadcast:
    """The draft that is previewed. Its number travels with the talk, so that the code confirms what was seen."""
    if "broadcast" in said:
        row = broadcasts.get(turn.session, int(said["broadcast"]))
        same = (row.title, row.words) == (said["title"], said["words"])
        fresh = turn.at - row.written_at <= broadcasts.CONFIRM_WITHIN and row.state is BroadcastState.DRAFT
        if same and fresh and replace(broadcasts.audience_of(row), label="") == replace(_audience(said), label=""):
            return row
    row = broadcasts.draft(turn.session, _audience(said), said["title"], said["words"], turn.at, by=person_of(turn))
    said["broadcast"] = str(row.id)
    return row


def _audience(said: Said) -> Audience:
    kind = AudienceKind(said["audience"]) if _is_city(said) else AudienceKind.COUNTY
    place = said.get("place", "") if _is_city(said) else said[OWN_COUNTY]
    return Audience(
        kind,
        county_id=int(place) if kind is AudienceKind.COUNTY else None,
        branch_kind=BranchKind(place) if kind is AudienceKind.BRANCH_KIND else None,
        branch_id=int(place) if kind is AudienceKind.BRANCH else None,
        label=kind.label,
    )


def _preview(turn: Turn, said: Said) -> str:
    row = _draft(turn, said)
    seen = broadcasts.forecast(turn.session, broadcasts.audience_of(row), turn.at)
    names = "、".join(seen.sample)
    return (
        f"预览\n【{row.title}】\n{row.words}\n——市法学会\n\n"
        f"发给：{broadcasts.audience_label(turn.session, row)}，共 {seen.people} 人"
        f"（可达 {seen.reachable}，未绑定 {seen.unbound}，已取关 {seen.unfollowed}）\n"
        f"例如：{names}{'等' if seen.people > len(seen.sample) else ''}\n"
        f"确认发送请回复 {tap(row.code)}，不发请回复 {tap('取消')}。"
    )


def _read_code(turn: Turn, text: str, said: Said) -> str:
    code = words.key(text)
    row = broadcasts.get(turn.session, int(said["broadcast"]))
    if code != row.code:
        raise Misunderstood("确认码不对，没有发送。")
    return code


def _report(turn: Turn, row: Broadcast) -> str:
    counted = outbox.tally(turn.session, broadcasts.campaign(row.id))
    total = sum(counted.values())
    parts = [f"{state.label} {counted[state]}" for state in REPORT if counted[state]]
    waiting = counted[SendState.WAITING] + counted[SendState.CLAIMED]
    put_off = outbox.waits_until(turn.session, broadcasts.campaign(row.id), turn.at)
    going = f"等到 {say_moment(put_off)} 发送" if put_off else "发送中"
    state = "已撤销" if row.state is BroadcastState.CANCELLED else going if waiting else "已完成"
    return f"【{row.title}】{state}：共 {total} 人，" + "，".join(parts) + "。"
