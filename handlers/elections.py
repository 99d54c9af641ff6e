"""选举: a branch secretary reads the last election of the branch, and where the next one is entered (F028)."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.replies import Reply
from bot.router import Router
from bot.turn import Turn
from handlers.access import for_posts
from handlers.context import house
from models import Branch, Election, Post, Role
from services.elections import lists

topic = Router()


@topic.text("选举", "换届", help="选举 — 本支部最近一次选举的结果，到哪里登记", group="书记")
@for_posts(Role.SECRETARY)
def latest(turn: Turn, posts: list[Post]) -> Reply:
    told = [_last(turn.session, post) for post in posts if post.branch_id]
    where = f"{house(turn).settings.server.base_url}/console/elections"
    return "\n\n".join([*told, f"登记、接着填、看全文，请用控制台账号登录：{where}"])


def _last(session: Session, post: Post) -> str:
    name = session.get_one(Branch, post.branch_id).name
    found = lists.of_branch(session, post.branch_id or 0)
    ends = f"\n书记任期至 {post.term_ends_on}。" if post.term_ends_on else ""
    return f"{name}{_said(found[0]) if found else '还没有选举记录。'}{ends}"


def _said(election: Election) -> str:
    if election.is_draft:
        return f" {election.held_on} 的{election.kind.label}还是草稿，没有存档。"
    elected = lists.elected(election) or "没有"
    return f" {election.held_on} {election.kind.label}：{election.state.label}\n当选：{elected}"
