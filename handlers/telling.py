"""代告: a branch secretary sees whom no message reached, and tells them (F110)."""

from __future__ import annotations

from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Turn
from handlers.access import for_posts
from handlers.own_words import page
from models import Post, Role
from services.sending import by_hand

#: So much of a notice is enough to know which one it is.
BEGINNING = 120


topic = Router()


@topic.text("代告", help="代告 — 近七天哪些同志没收到通知，请您转告", group="书记")
@for_posts(Role.SECRETARY)
def untold(turn: Turn, posts: list[Post]) -> Reply:
    missed = [
        one for post in posts if post.branch_id for one in by_hand.of_branch(turn.session, post.branch_id, turn.at)
    ]
    if not missed:
        return f"近七天的通知，本支部的同志都没有漏下的。{tap('名单')}"
    body = "\n".join(["近七天微信没有送到的，请当面或打电话告诉他们：", *map(_one, missed)])
    return page(body, "他们绑定微信后就能收到：回复“邀请 姓名”。", turn.rest, "代告")


def _one(missed: by_hand.Missed) -> str:
    words = missed.words[:BEGINNING] + ("…" if len(missed.words) > BEGINNING else "")
    names = "、".join(f"{name}（{why}）" for name, why in missed.people)
    return f"▍{words or '（通知的内容已清理）'}\n没收到 {len(missed.people)} 人：{names}"
