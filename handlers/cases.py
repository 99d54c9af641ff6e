"""待办, 接单, 看, 答复, 转, 结案: the lawyer's side of a consultation, in plain words (F087)."""

from __future__ import annotations

from dataclasses import replace

from bot.conversation import Flow, Question, Said, free_text, pick
from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Turn
from clock import say_moment
from errors import Misunderstood, RuleBroken
from handlers import which_case
from handlers.access import for_posts, person_of
from handlers.consultations import ask_rating
from handlers.own_words import behind, page
from models import CaseState, CaseStep, Consultation, Post, Role, Step
from services.consulting import cases, consultations
from services.consulting.cases import LONGEST_ANSWER, LONGEST_REASON, Desk
from services.consulting.consultations import Number, read_any_number, read_number, read_whole_number
from services.membership import people
from services.sending import reach

#: How much of an answer is shown where it must be told apart from another reading.
BRIEF = 20
AT_THE_DESK = (Role.LAWYER, Role.COUNTY_OFFICE, Role.OFFICE)
OFFICE = "0"


def _ask_target(turn: Turn, said: Said) -> str:
    lines = [f"{i} {tap(name, str(i))}" for i, (_id, name) in enumerate(_targets(turn, said)[:12], 1)]
    return "\n".join([f"{said['case']} 转给谁？点名字，或回复姓名：", *lines])


topic = Router()
topic.flow(which_case.choosing)


@topic.text("待办", "待接单", help="待办 — 等接单的和我在办的", group="律师")
@for_posts(*AT_THE_DESK)
def todo(turn: Turn, posts: list[Post]) -> Reply:
    desk = which_case.desk_of(turn, posts)
    waiting, mine = cases.waiting(turn.session, desk), cases.mine(turn.session, desk)
    if not waiting and not mine:
        return "没有等待接单的咨询，您手上也没有在办的。"
    return "\n".join([*which_case.listed("等待接单", waiting, "接单"), *which_case.listed("我在办的", mine, "看")])


@topic.text("接单", help="接单 — 接下一件（接单 编号）", group="律师")
@for_posts(*AT_THE_DESK)
def take(turn: Turn, posts: list[Post]) -> Reply:
    desk = which_case.desk_of(turn, posts)
    number, _rest = read_any_number(turn.rest)
    if number is None:
        waiting = cases.waiting(turn.session, desk)
        if len(waiting) != 1:
            return turn.begin(which_case.choosing, act="接单") if waiting else "现在没有等待接单的咨询。"
        case: Consultation | None = waiting[0]
    else:
        case = which_case.found(turn, desk, number, cases.find_to_take)
    if case is None:
        return cases.NOT_HERE
    cases.take(turn.session, case, turn.at, by=desk.person_id)
    acts = f"{tap('看内容', f'看 {case.number}')}｜{tap('答复', f'答复 {case.number}')}｜{tap('转交', f'转 {case.number}')}"
    return f"已接单：{case.number}（{case.matter.label}，{case.urgency.label}）。已通知咨询人。\n{acts}"


@topic.text("看", "查看", help="看 — 看内容，每次留痕（看 编号）", group="律师")
@for_posts(*AT_THE_DESK)
def look(turn: Turn, posts: list[Post]) -> Reply:
    desk = which_case.desk_of(turn, posts)
    number, rest = read_any_number(turn.rest)
    case = which_case.meant(turn, desk, number)
    if case is None:
        return which_case.which(turn, desk, number, "看")
    history = cases.look(turn.session, case, turn.at, by=desk.person_id)
    return page(_story(turn, case, history), _acts(case, desk), rest, f"看 {case.number}")


# --- answering ---------------------------------------------------------------------------------------


def answer(turn: Turn, said: Said) -> Reply:
    case = cases.find(turn.session, which_case.desk_of(turn), which_case.number_of(said))
    reachable = cases.answer(turn.session, case, said["words"], turn.at, by=person_of(turn))
    window = reach.windows(turn.session, [case.openid], turn.at).get(case.openid)
    if not reachable:
        how = "注意：对方已取消关注，送不到；重新关注后回复“查询”可看全文。"
    elif window is not None and window.is_open(turn.at):
        how = "全文会发到对方微信。"
    else:
        how = "微信现在只许给对方发提醒（48 小时内没来过或已发满）；对方回复“查询”可看全文。"
    return f"已答复 {case.number}。{how}\n办完了：{tap('结案', f'结案 {case.number}')}"


_in_words = free_text("words", f"请写答复（{LONGEST_ANSWER} 字以内）。", LONGEST_ANSWER)


def _read_words(turn: Turn, text: str, said: Said) -> str:
    """The words for one case. Another case's number before them stops them: they are for somebody else."""
    number, rest = read_whole_number(text)
    if number is not None and not said["case"].endswith(number.ending):
        raise Misunderstood(
            f"这里写的是另一个编号，您正在答复 {said['case']}，没有发出。要答复那一件，请先回复“取消”。"
        )
    return _in_words.read(turn, text if number is None else rest, said)


answering = topic.flow(Flow("答复", (replace(_in_words, read=_read_words),), answer))


def _ask_whose(turn: Turn, said: Said) -> str:
    lines = [f"{i} {tap(label, str(i))}" for i, (_value, label) in enumerate(_readings(turn, said), 1)]
    return "\n".join(["开头的数字是编号，还是答复里的话？还没有发出，请选：", *lines])


def _answer_whose(turn: Turn, said: Said) -> Reply:
    case, _, how = said["meant"].partition(" ")
    return answer(turn, {"case": case, "words": said["rest"] if how == "rest" else said["whole"]})


clearing = topic.flow(
    Flow(
        "核对编号",
        (Question("meant", _ask_whose, lambda turn, text, said: pick(text, _readings(turn, said))),),
        _answer_whose,
    )
)


@topic.text("答复", help="答复 — 答复咨询人（答复 编号 内容）", group="律师")
@for_posts(*AT_THE_DESK)
def begin_answer(turn: Turn, posts: list[Post]) -> Reply:
    desk = which_case.desk_of(turn, posts)
    number, text = read_number(behind(turn))
    glued, rest = read_any_number(text) if number is None else (None, "")
    if glued is not None and rest and _may_be_meant(cases.mine(turn.session, desk), glued):
        return turn.begin(clearing, whole=text, rest=rest, last=str(glued.last))
    case = which_case.meant(turn, desk, number, cases.mine)
    if case is None:
        return which_case.which(turn, desk, number, "答复")
    if text:
        return answer(turn, {"case": case.number, "words": _in_words.read(turn, text, {})})
    if case.lawyer_id != desk.person_id:
        raise RuleBroken(f"{case.number} 不在您手上，请先“接单 {case.number}”。")
    return f"答复 {case.number}（{case.matter.label}）。\n{turn.begin(answering, case=case.number)}"


# --- handing over ------------------------------------------------------------------------------------


def hand_over(turn: Turn, said: Said) -> Reply:
    case = cases.find(turn.session, which_case.desk_of(turn), which_case.number_of(said))
    to = None if said["to"] == OFFICE else int(said["to"])
    cases.transfer(turn.session, case, to, said["why"], turn.at, by=person_of(turn))
    return f"{case.number} 已转给{consultations.handler_of(case)}，已通知对方和咨询人。"


handing = topic.flow(
    Flow(
        "转交",
        (
            Question("to", _ask_target, lambda turn, text, said: pick_target(text, _targets(turn, said))),
            free_text("why", "为什么转交？（只有接手的人看得到）", LONGEST_REASON),
        ),
        hand_over,
    )
)


@topic.text("转", "转交", "转办", help="转 — 转给同事或办公室（转 编号）", group="律师")
@for_posts(*AT_THE_DESK)
def transfer(turn: Turn, posts: list[Post]) -> Reply:
    desk = which_case.desk_of(turn, posts)
    number, rest = read_any_number(behind(turn))
    case = which_case.meant(turn, desk, number, cases.mine)
    if case is None:
        return which_case.which(turn, desk, number, "转")
    known = {"case": case.number}
    to, _, why = rest.partition(" ")
    try:
        known["to"] = pick_target(to, _targets(turn, known))
    except Misunderstood:
        why = rest
    return turn.begin(handing, **known, **({"why": why.strip()} if why.strip() else {}))


@topic.text("结案", help="结案 — 办完了，请对方评价（结案 编号）", group="律师")
@for_posts(*AT_THE_DESK)
def close(turn: Turn, posts: list[Post]) -> Reply:
    desk = which_case.desk_of(turn, posts)
    number, _rest = read_any_number(turn.rest)
    case = which_case.meant(turn, desk, number, cases.mine)
    if case is None:
        return which_case.which(turn, desk, number, "结案")
    text = f"您的咨询 {case.number} 已结案。{ask_rating(case.number)}"
    cases.close(turn.session, case, text, turn.at, by=desk.person_id)
    return f"已结案：{case.number}。已请咨询人评价。"


# --- how an answer may be read -----------------------------------------------------------------------------


def _may_be_meant(mine: list[Consultation], number: Number) -> list[Consultation]:
    """Those of one's own cases that a short number may name: by its end, or by its place among them."""
    return [case for place, case in enumerate(mine, 1) if case.number.endswith(number.ending) or place == number.last]


def _readings(turn: Turn, said: Said) -> list[tuple[str, str]]:
    """Both ways to read “答复1你好”, for each case that it may be for."""
    mine = cases.mine(turn.session, which_case.desk_of(turn))
    named = _may_be_meant(mine, Number(None, int(said["last"])))
    return [
        *((f"{case.number} rest", f"给 {case.number}：“{said['rest'][:BRIEF]}”") for case in named),
        *(
            (f"{case.number} whole", f"给 {case.number}：“{said['whole'][:BRIEF]}”")
            for case in mine[: which_case.LISTED]
        ),
    ]


# --- to whom it may go ---------------------------------------------------------------------------------------


def _targets(turn: Turn, said: Said) -> list[tuple[str, str]]:
    case = cases.find(turn.session, which_case.desk_of(turn), which_case.number_of(said))
    found = cases.targets(turn.session, case, turn.at, by=person_of(turn))
    return [(OFFICE, cases.TO_OFFICE), *((str(person.id), person.name) for person in found)]


def pick_target(text: str, targets: list[tuple[str, str]]) -> str:
    """A colleague by number or whole name, or the office. Raises Misunderstood."""
    if not text.strip():
        raise Misunderstood("请写转给谁。")
    if text.strip().isdecimal():
        return pick(text, targets)
    named = [who for who, name in targets if text.strip() in {name, f"{name}律师", f"市法学会{name}"}]
    if len(named) != 1:
        raise Misunderstood("只能转给本县（市）区的值班律师，或转给办公室。")
    return named[0]


# --- what is shown -------------------------------------------------------------------------------------------


def _story(turn: Turn, case: Consultation, history: list[CaseStep]) -> str:
    by = {row.by_person_id for row in history if row.by_person_id is not None}
    names: dict[int | None, str] = {who: people.get(turn.session, who).name for who in by}
    lines = [
        f"{case.number} {case.state.label}{' ⚠紧急' if case.is_dangerous else ''}",
        f"{case.matter.label}｜{case.county.name}｜{case.urgency.label}｜{case.wish.label}",
        *([f"评价：{case.rating} 分"] if case.rating else []),
    ]
    for row in history:
        lines.append(f"▍{say_moment(row.at)} {row.step.label} {names.get(row.by_person_id, '')}".rstrip())
        if row.words is not None:
            lines.append(row.words)
        elif row.step in {Step.ASKED, Step.ADDED, Step.ANSWERED}:
            lines.append(consultations.ERASED)
    return "\n".join(lines)


def _acts(case: Consultation, desk: Desk) -> str:
    if case.state is CaseState.WAITING:
        return tap("接单", f"接单 {case.number}")
    if case.lawyer_id != desk.person_id or case.state in consultations.OVER:
        return ""
    return "｜".join(tap(act, f"{act} {case.number}") for act in ("答复", "转", "结案"))
