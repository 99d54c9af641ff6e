"""帮助, made from the routes themselves, and the last answer to what nothing else understood (F010)."""

from __future__ import annotations

import re
from collections.abc import Collection

from bot import words
from bot.conversation import EXPIRES_AFTER
from bot.replies import MAX_BYTES, Reply, tap
from bot.router import Route, Router
from bot.turn import Talk, Talking, Turn
from clock import beijing_date
from errors import NotFound
from handlers import cases, consultations
from handlers.access import admits
from handlers.consultations import numbers_first
from models import Role
from services.consulting import danger
from services.membership import people

LONG_ENOUGH_FOR_A_QUESTION = 12
#: What fits into a link, so that one tap says it again.
LONGEST_CARRIED = 60

#: A whole case number, with nothing behind it.
CASE = re.compile(r"\s*[ZzＺｚ][XxＸｘ][\s\-－–—]*\d{6}[\s\-－–—]*\d{1,6}\W*")

GREETINGS = frozenset({"你好", "您好", "在吗", "在么", "有人吗", "hi", "hello"})
THANKS = frozenset({"谢谢", "谢谢您", "谢谢你", "感谢", "多谢"})

#: A lawyer writes about danger without being in it.
LAWYERS_WORK = frozenset({"待办", "接单", "看", "答复", "转", "结案"})

#: Under which heading the commands of a post stand in 帮助.
GROUPS = {Role.SECRETARY: "书记", Role.LAWYER: "律师", Role.OFFICE: "办公室", Role.COUNTY_OFFICE: "办公室"}


topic = Router()


@topic.text("帮助", "菜单", "help", "怎么用", help="帮助 — 能办的事", number=0, menu="HELP")
def help_(turn: Turn) -> Reply:
    talk = turn.talk
    if talk is not None and talk.flow in turn.router.flows and _is_live(turn, talk) and not turn.rest:
        return (
            f"您正在办“{talk.flow}”。回复 {tap('继续')} 接着办，{tap('取消')} 退出后再看能办的事；"
            f"这时回复数字，会当作对刚才问题的回答。"
        )
    held = people.posts(turn.session, turn.person_id, beijing_date(turn.at))
    groups = {GROUPS[post.role] for post in held if post.role in GROUPS}
    return of_group(turn.router, turn.rest) if turn.rest in groups else text(turn.router, groups)


@topic.overhears
def help_is_near(turn: Turn, reply: Reply) -> Reply:
    """Whoever speaks of danger reads the numbers first, whatever they were being asked (F082)."""
    kind = None if turn.route in LAWYERS_WORK else danger.found(turn.message.content)
    return reply if kind is None else numbers_first(kind, reply)


@topic.otherwise
def unknown(turn: Turn) -> Reply | Talking:
    said = turn.message.content.strip()
    if words.key(said) in GREETINGS:
        return (
            f"您好，我是法学会助手。法律问题请点 {tap('咨询')}；党员签到请点 {tap('签到')}；都能办什么：{tap('帮助')}"
        )
    if words.key(said) in THANKS:
        return f"不客气。还需要什么，随时回复 {tap('帮助')}。"
    if CASE.fullmatch(said):
        return _case(turn)
    kind = danger.found(said)
    if kind is not None:
        carried = f"咨询 {said}" if len(said) <= LONGEST_CARRIED else "咨询"
        return numbers_first(kind, f"想请律师帮忙，点 {tap('咨询', carried)}，只问您在哪个县（市）区。")
    if len(said) >= LONG_ENOUGH_FOR_A_QUESTION:
        return (
            f"您说的像是一个法律问题。要请律师解答，请回复 {tap('咨询')}，会问您几个问题，"
            f"然后转给值班律师。\n其他事项：{tap('帮助')}"
        )
    return f"没有看懂“{said[:20]}”。可以办的事：{tap('帮助')}；法律问题：{tap('咨询')}"


def text(whole: Router, groups: Collection[str]) -> str:
    """What 帮助 says to somebody with these posts; `python app.py commands` prints the same table (F010).

    One post's commands are told at once where they fit into a reply. Otherwise they are named, and 说明
    leads to a page of their own.
    """
    everybodys = ["可以办的事（点文字或回复数字）：", *(_line(route) for route in whole.help() if not route.group)]
    told = "\n".join([*everybodys, *(of_group(whole, group) for group in groups)])
    if len(groups) <= 1 and len(told.encode()) <= MAX_BYTES:
        return told
    return "\n".join([*everybodys, *(_heading(whole, group) for group in sorted(groups))])


def _case(turn: Turn) -> Reply | Talking:
    """A case's number alone: its citizen asks how it stands, its lawyer reads it."""
    turn.rest = turn.message.content
    try:
        return consultations.status(turn)
    except NotFound:
        if not admits(cases.look, turn):
            raise
        return cases.look(turn)


def _is_live(turn: Turn, talk: Talk) -> bool:
    return turn.at - talk.updated_at <= EXPIRES_AFTER


def _heading(whole: Router, group: str) -> str:
    # A space is one byte of the reply, a comma of ours three.
    names = " ".join(route.name for route in whole.help() if route.group == group)
    return f"【{group}】{names} {tap('说明', f'帮助 {group}')}"


def of_group(whole: Router, group: str) -> str:
    """The commands of one post, each with what it does."""
    return "\n".join([f"【{group}】", *(f"· {route.help}" for route in whole.help() if route.group == group)])


def _line(route: Route) -> str:
    what = route.help.partition(" — ")[2]
    number = f"{route.number} " if route.number is not None else "· "
    return f"{number}{tap(route.name)} {what}"
