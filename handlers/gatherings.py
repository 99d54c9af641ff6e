"""签到, 请假, and what the secretary does at a gathering: 名单, 代签, 准假, 撤签, 改期."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta

from bot.conversation import Flow, Question, Said, free_text
from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Talking, Turn
from clock import beijing_date, say_date, say_time, say_window
from errors import Misunderstood, RuleBroken
from handlers import wording
from handlers.access import for_members, for_posts, person_of
from handlers.context import house
from handlers.own_words import behind
from models import Gathering, Person, Post, Purpose, Role, Via
from services.meetings import gatherings, leave, rhythm
from services.meetings.gatherings import CheckIn, Mark, Open, WhoAndWhen
from services.membership import meant, people
from services.membership.meant import Wanted

LONGEST_REASON = 100


topic = Router()


@topic.text("签到", "打卡", "报到", help="签到 — 学习日、活动日当天签到", number=1, menu="CHECK_IN", scene="checkin")
@for_members
def check_in(turn: Turn) -> Talking:
    me = person_of(turn)
    open_now: list[Open] = yield gatherings.open_for, WhoAndWhen(me, turn.at)
    chosen = _chosen(open_now, turn.rest)
    if not open_now:
        return _nothing_open(turn, me)
    if chosen is None:
        return _which(open_now)
    mark: Mark = yield gatherings.check_in, CheckIn(chosen.gathering_id, me, turn.at)
    return _marked(chosen, mark)


def ask_leave(turn: Turn, said: Said) -> Reply:
    row = leave.ask(turn.session, person_of(turn), int(said["gathering"]), said["reason"], turn.at)
    gathering = gatherings.get(turn.session, row.gathering_id)
    return f"已替您请假：{_when(gathering)} {gathering.purpose.label}。等书记批准，结果会通知您。"


asking = topic.flow(
    Flow("请假", (free_text("reason", "请说明请假原因（只有支部书记看得到）。", LONGEST_REASON),), ask_leave)
)


@topic.text("请假", help="请假 — 向书记请假（请假 出差）", number=2, menu="LEAVE")
@for_members
def begin_leave(turn: Turn) -> Reply:
    coming = gatherings.next_for(turn.session, person_of(turn), turn.at)
    if coming is None:
        return "近期没有安排活动，不用请假。"
    leave.may_ask(turn.session, person_of(turn), coming, turn.at)
    start = f"请假：{_when(coming)} {coming.purpose.label}（{coming.branch.name}）。\n"
    if turn.rest:
        return ask_leave(turn, {"gathering": str(coming.id), "reason": turn.rest[:LONGEST_REASON]})
    return start + (turn.begin(asking, gathering=str(coming.id)) or "")


# --- the secretary -----------------------------------------------------------------------------------


@topic.text("名单", "签到名单", help="名单 — 本支部这次活动谁到了", menu="ROLL", group="书记")
@for_posts(Role.SECRETARY)
def roll(turn: Turn, posts: list[Post]) -> Reply:
    return "\n\n".join(_roll(gatherings.roll(turn.session, g.id)) for g in _current(turn, posts))


@topic.text("代签", help="代签 — 替没带手机的同志签到（代签 姓名 姓名）", group="书记")
@for_posts(Role.SECRETARY)
def sign_for(turn: Turn, posts: list[Post]) -> Reply:
    wanted = meant.several(turn.rest)
    if not wanted:
        return "请写上姓名，可以写几个，例如：代签 张伟 李强"
    lines = []
    for gathering in _current(turn, posts):
        members = _members(turn, gathering)
        groups = [(each, found) for each in wanted if (found := meant.among(members, each))]
        ids = [found[0].id for _each, found in groups if len(found) == 1]
        done = iter(gatherings.sign_for(turn.session, gathering, ids, turn.at, by=person_of(turn)))
        for each, found in groups:
            lines.append(_signed(found[0], next(done)) if len(found) == 1 else wording.which_of(found, "代签"))
            wanted.remove(each)
    return "\n".join([*lines, *_unknown(wanted)])


def _signed(person: Person, mark: Mark) -> str:
    return f"{person.name} 已代签" if mark.is_new else f"{person.name} 此前已签（{say_time(mark.at)}）"


@topic.text("准假", help="准假 — 批准请假（准假 姓名；不批准：不准 姓名）", group="书记")
@for_posts(Role.SECRETARY)
def grant(turn: Turn, posts: list[Post]) -> Reply:
    return _decide_leave(turn, posts, grant=True)


@topic.text("不准")
@for_posts(Role.SECRETARY)
def refuse(turn: Turn, posts: list[Post]) -> Reply:
    return _decide_leave(turn, posts, grant=False)


@topic.text("撤签", help="撤签 — 撤销一条签错的签到（撤签 姓名 原因）", group="书记")
@for_posts(Role.SECRETARY)
def undo(turn: Turn, posts: list[Post]) -> Reply:
    wanted, reason = meant.first(turn.rest)
    if not wanted.name or not reason:
        return "请写明姓名和原因，例如：撤签 张伟 点错了"
    for gathering in _current(turn, posts):
        found = meant.among(_members(turn, gathering), wanted)
        marked = gatherings.marked(turn.session, gathering.id, [person.id for person in found])
        # Of two who bear the name, the one who has a mark can be meant.
        found = [person for person in found if person.id in marked] or found
        if len(found) > 1:
            return wording.which_of(found, "撤签", reason)
        if found:
            gatherings.undo(turn.session, gathering.id, found[0].id, reason, turn.at, by=person_of(turn))
            return f"已撤销 {wanted} 的签到记录，原因已留痕：{reason}"
    return _unknown([wanted])[0]


def move(turn: Turn, said: Said) -> Reply:
    gathering = _led(turn, int(said["gathering"]))
    on = date.fromisoformat(said["on"])
    opens, closes = _window(turn, on)
    gatherings.reschedule(turn.session, gathering, on, opens, closes, said["why"], turn.at, by=person_of(turn))
    return f"已改到 {say_date(on)} {say_window(opens, closes)}，通知和签到时间随之改变。"


def _ask_day(turn: Turn, said: Said) -> str:
    gathering = gatherings.get(turn.session, int(said["gathering"]))
    # Never the day that it already has: whoever taps the example means something.
    example = gathering.held_on + (
        timedelta(days=1) if gathering.held_on <= gathering.period_on else -timedelta(days=1)
    )
    return f"下次活动：{_when(gathering)} {gathering.purpose.label}。要改到哪天？例如回复：{example:%m-%d}"


def _read_day(turn: Turn, text: str, said: Said) -> str:
    on = _day(text, beijing_date(turn.at))
    gathering = gatherings.get(turn.session, int(said["gathering"]))
    try:
        gatherings.may_move(gathering, on, _window(turn, on)[0], turn.at)
    except RuleBroken as refused:
        raise Misunderstood(str(refused)) from refused
    return on.isoformat()


def _ask_why(turn: Turn, said: Said) -> str:
    gathering, on = gatherings.get(turn.session, int(said["gathering"])), date.fromisoformat(said["on"])
    return f"把 {_when(gathering)} 的{gathering.purpose.label}改到 {say_date(on)}。\n改期的原因是什么？"


moving = topic.flow(
    Flow(
        "改期",
        (
            Question("on", _ask_day, _read_day),
            replace(free_text("why", "", LONGEST_REASON), ask=_ask_why),
        ),
        move,
    )
)


@topic.text("改期", help="改期 — 本支部下次活动换一天（改期 11-26）", group="书记")
@for_posts(Role.SECRETARY)
def reschedule(turn: Turn, posts: list[Post]) -> Reply:
    coming = next((g for post in posts if (g := _next(turn, post))), None)
    if coming is None:
        return "近期没有可以改期的活动。"
    known = {"gathering": str(coming.id)}
    if turn.rest:
        known["on"] = _read_day(turn, turn.rest, known)
    return turn.begin(moving, **known)


@topic.text("主题", "定主题", help="主题 — 写下次活动的主题（主题 学习党章）", group="书记")
@for_posts(Role.SECRETARY)
def set_topic(turn: Turn, posts: list[Post]) -> Reply:
    coming = [g for post in posts if (g := _next(turn, post))]
    if not coming:
        return "近期没有可以写主题的活动。"
    # Who leads two branches is asked about the one that has none yet.
    gathering = min(coming, key=lambda g: (bool(g.topic), g.opens_at))
    which = f"{_when(gathering)} {gathering.purpose.label}（{gathering.branch.name}）"
    if not turn.rest:
        return (
            f"{which}，{f'主题“{gathering.topic}”' if gathering.topic else '还没有定主题'}。要写请回复：主题 学习党章"
        )
    gatherings.set_topic(turn.session, gathering, behind(turn), turn.at, by=person_of(turn))
    return f"已定主题“{gathering.topic}”：{which}，通知里会写上。"


def _chosen(open_now: list[Open], rest: str) -> Open | None:
    if rest.isdigit() and 1 <= int(rest) <= len(open_now):
        return open_now[int(rest) - 1]
    return open_now[0] if len(open_now) == 1 else None


def _which(open_now: list[Open]) -> Reply:
    # No talk: all who check in at the same moment share their statements, and a talk would be one for each.
    lines = [f"{i} {tap(f'{o.branch} {o.title}', f'签到 {i}')}" for i, o in enumerate(open_now, 1)]
    return "现在有几场活动可以签到，请点要签到的一场：\n" + "\n".join(lines)


def _marked(chosen: Open, mark: Mark) -> Reply:
    if mark.is_new:
        return f"签到成功：{chosen.title}\n{chosen.branch} {say_time(mark.at)}"
    how = "书记已于" if mark.via is Via.PROXY else "您已于"
    done = "代您签到" if mark.via is Via.PROXY else "签到"
    return f"{how} {say_time(mark.at)} {done}：{chosen.title}（{chosen.branch}），不用再签。"


def _nothing_open(turn: Turn, me: int) -> Reply:
    coming = gatherings.next_for(turn.session, me, turn.at)
    if coming is None:
        return "今天没有可以签到的活动，近期也还没有安排。"
    when = f"{_when(coming)} {say_window(coming.opens_at, coming.closes_at)}"
    today = coming.held_on == beijing_date(turn.at)
    start = "还没到签到时间。" if today else "今天没有可以签到的活动。"
    why = (
        f"\n（{coming.why}）"
        if coming.held_on != coming.period_on and coming.purpose is not Purpose.EXTRA_STUDY
        else ""
    )
    return f"{start}下次：{when} {coming.purpose.label}{why}"


def _window(turn: Turn, on: date) -> tuple[datetime, datetime]:
    day = house(turn).settings.study_day
    return rhythm.window(on, day.check_in_from, day.check_in_until)


def _when(gathering: Gathering) -> str:
    return say_date(gathering.held_on)


def _current(turn: Turn, posts: list[Post]) -> list[Gathering]:
    found = [gatherings.current_of(turn.session, post.branch_id, turn.at) for post in posts if post.branch_id]
    held = [gathering for gathering in found if gathering is not None]
    if not held:
        raise RuleBroken("本支部还没有举行过活动。")
    return held


def _next(turn: Turn, post: Post) -> Gathering | None:
    return gatherings.next_of_branch(turn.session, post.branch_id or 0, turn.at)


def _led(turn: Turn, gathering_id: int) -> Gathering:
    gathering = gatherings.get(turn.session, gathering_id)
    led = people.posts(turn.session, turn.person_id, beijing_date(turn.at))
    if gathering.branch_id not in {post.branch_id for post in led if post.role is Role.SECRETARY}:
        raise RuleBroken("这不是您支部的活动。")
    return gathering


def _members(turn: Turn, gathering: Gathering) -> list[Person]:
    return people.members_of(turn.session, gathering.branch_id, gathering.held_on)


def _unknown(wanted: list[Wanted]) -> list[str]:
    names = "、".join(map(str, wanted))
    return [f"名册里没有“{names}”，请核对姓名；{tap('名单')}里有本支部的人。"] if wanted else []


def _decide_leave(turn: Turn, posts: list[Post], *, grant: bool) -> Reply:
    """Only who waits for a word can be meant; of several leaves of one person, the first."""
    wanted, word = meant.one(turn.rest), "准假" if grant else "不准"
    if not wanted.name:
        return f"请写姓名，例如：{word} 张伟"
    asked = [each for post in posts for each in leave.waiting(turn.session, post.branch_id or 0, turn.at)]
    found = meant.among([person for _gathering, person in asked], wanted)
    if not found:
        return f"没有“{wanted}”等待批准的请假。请写姓名，例如：{word} 张伟"
    if len(found) > 1:
        return wording.which_of(found, word)
    gathering = next(gathering for gathering, person in asked if person.id == found[0].id)
    leave.decide(turn.session, gathering.id, found[0].id, grant=grant, at=turn.at, by=person_of(turn))
    when = f"{_when(gathering)} {gathering.purpose.label}"
    return f"{'已准假' if grant else '未准假'}：{wanted}，{when}。已通知本人。"


def _roll(roll: gatherings.Roll) -> str:
    gathering = roll.gathering
    head = f"{gathering.branch.name}\n{_when(gathering)} {gathering.purpose.label}"
    counts = f"应到 {roll.size}，出席 {len(roll.present)}，请假 {len(roll.on_leave)}，未签 {len(roll.not_yet) + len(roll.asked_leave)}"
    lines = [head, counts]
    for label, members in (
        ("出席", roll.present), ("请假", roll.on_leave), ("请假待批", roll.asked_leave), ("未签", roll.not_yet)
    ):  # fmt: skip
        if members:
            names = "、".join(p.name + ("(代签)" if p.id in roll.proxied else "") for p in members)
            lines.append(f"{label}：{names}")
    return "\n".join(lines)


def _day(text: str, today: date) -> date:
    """A date such as 11-26, 11月26日 or 2026-11-26, this year unless it is over. Raises Misunderstood."""
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    try:
        if len(numbers) == 3:
            return date(*numbers)
        day = date(today.year, *numbers)
        return day if day >= today else date(today.year + 1, *numbers)
    except (TypeError, ValueError):
        raise Misunderstood("日期没看懂，请写成 11-26 这样。") from None
