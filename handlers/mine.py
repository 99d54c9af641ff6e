"""我的: one's own branch, next gathering and history. Nobody else's, and no order of merit (F079, P1)."""

from __future__ import annotations

from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Turn
from clock import beijing_date, say_date, say_time, say_window
from handlers.access import for_members, person_of
from services.meetings import gatherings
from services.membership import people

topic = Router()


@topic.text("我的", "我", "我的记录", help="我的 — 我的支部、下次活动和近期记录", number=3, menu="MINE")
@for_members
def mine(turn: Turn) -> Reply:
    person = people.get(turn.session, person_of(turn))
    on = beijing_date(turn.at)
    branches = people.branches_of(turn.session, person.id, on)
    posts = people.posts(turn.session, person.id, on)
    lines = [f"{person.name}{'（演示人物）' if person.is_fictional else ''}"]
    lines += [f"支部：{branch.name}" for branch in branches]
    if posts:
        lines.append("职务：" + "、".join(dict.fromkeys(post.role.label for post in posts)))
    coming = gatherings.next_for(turn.session, person.id, turn.at)
    if coming:
        when = f"{say_date(coming.held_on)} {say_window(coming.opens_at, coming.closes_at)}"
        lines.append(f"下次：{when} {coming.purpose.label}")
    records = gatherings.history(turn.session, person.id)
    lines.append("近期记录：" if records else "还没有签到记录。")
    for record in records:
        how = f" {say_time(record.at)}" if record.presence.value == "present" else ""
        by = "（书记代签）" if record.via.value == "proxy" else ""
        lines.append(
            f"· {record.gathering.held_on:%m-%d} {record.gathering.purpose.label} {record.presence.label}{how}{by}"
        )
    return "\n".join([*lines, f"{tap('签到')}｜{tap('请假')}｜{tap('帮助')}"])
