"""咨询, 查询, 补充, 撤回, 评价, 删除: the citizen's side of a consultation. No registration (F080, F081, F096, F100)."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

from bot import words as spelling
from bot.conversation import STEERING, Flow, Question, Said, choice, confirmation, free_text, pick
from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Talk, Turn
from clock import say_moment
from errors import Misunderstood, NotFound
from handlers.context import house
from handlers.own_words import behind, page
from models import CaseState, CaseStep, Consultation, Matter, Step, Urgency, Wish
from services.consulting import assignment, consultations, danger
from services.consulting.consultations import LONGEST_WORDS, read_any_number, read_number, read_whole_number
from services.consulting.danger import Danger
from services.meetings import rhythm
from services.organisation import stations

PURPOSE = (
    "您写的内容只用来解答这个问题，只有承办人看得到，加密保存；结案后回复“删除 编号”即可删除。"
    "不用写真实姓名、身份证号。"
)
LISTED = 5
#: Somebody who writes this much to a question with numbers is telling the story already.
A_STORY = 10
RATINGS = ("很不满意", "不满意", "一般", "满意", "很满意")


def _calm(said: Said) -> bool:
    """Whoever is in danger is asked for the place and nothing else."""
    return "danger" not in said


class Listening(Flow):
    """Hears danger in whatever is typed, and keeps a story that was told too early: nothing is asked twice."""

    def hear(self, turn: Turn, text: str) -> Reply:
        kind = danger.found(text)
        if kind is not None:
            return numbers_first(kind, self._hear_danger(turn, text, kind))
        said = _said(turn)
        question = self.next_question(said)
        if question is None or question.name == "words" or not _is_story(text, said):
            return super().hear(turn, text)
        try:
            question.read(turn, text, said)
        except Misunderstood:
            turn.keep(Talk(self.name, {**said, "words": text.strip()}, turn.at))
            return f"您说的已记下，不用再写。{PURPOSE}\n\n{question.ask(turn, said)}"
        return super().hear(turn, text)

    def offer(self, turn: Turn) -> Reply:
        """Danger is heard even by a draft that was put aside."""
        return (
            super().offer(turn)
            if danger.found(turn.message.content) is None
            else self.hear(turn, turn.message.content)
        )

    def is_meant(self, _turn: Turn, text: str) -> bool:
        """Nobody in danger is asked what was meant."""
        return danger.found(text) is not None

    def _hear_danger(self, turn: Turn, text: str, kind: Danger) -> Reply:
        said = {**_said(turn), "danger": kind.value}
        question = self.next_question(_said(turn))
        turn.keep(Talk(self.name, said, turn.at))
        if question is not None and question.name == "words":
            return super().hear(turn, text)
        if question is not None and question.name == "county":
            with suppress(Misunderstood):
                said["county"] = question.read(turn, text, said)
        said["words"] = "\n".join(filter(None, [said.get("words"), text.strip()]))[:LONGEST_WORDS]
        return self.proceed(turn)


def _options(kind: type[Matter] | type[Urgency] | type[Wish]) -> list[tuple[str, str]]:
    return [(each.value, each.label) for each in kind]


def _read_county(turn: Turn, text: str, _said: Said) -> str:
    known = stations.counties(turn.session)
    county = stations.county_named(known, text)
    return str(county.id) if county else pick(text, [(str(c.id), c.name) for c in known])


def _ask_county(turn: Turn, _said: Said) -> str:
    lines = [f"{i} {tap(county.name, str(i))}" for i, county in enumerate(stations.counties(turn.session), 1)]
    rows = ["　".join(lines[start : start + 3]) for start in range(0, len(lines), 3)]
    return "\n".join(["事情发生在（或您住在）哪个县（市）区？", *rows])


def _telling(question: str) -> Question:
    """A question for somebody's own words; a bare case number is none."""
    asked = free_text("words", question, LONGEST_WORDS)

    def read(turn: Turn, text: str, said: Said) -> str:
        number, rest = read_whole_number(text)
        if number is not None and not rest:
            raise Misunderstood(f"这是编号，没有当作内容。要看办到哪步，请回复 {tap(f'查询 {text.strip()}')}。")
        return asked.read(turn, text, said)

    return replace(asked, read=read)


topic = Router()


def submit(turn: Turn, said: Said) -> Reply:
    kind = Danger(said["danger"]) if "danger" in said else danger.found(said["words"])
    question = consultations.Question(
        openid=turn.openid,
        matter=Matter(said.get("matter") or (Matter.FAMILY if kind is Danger.DOMESTIC else Matter.OTHER)),
        county_id=int(said["county"]),
        urgency=Urgency(said.get("urgency", Urgency.TODAY)),
        wish=Wish(said.get("wish", Wish.ANSWER)),
        words=said["words"],
        is_dangerous=kind is not None,
    )
    holidays = rhythm.calendar(turn.session, house(turn).settings.calendar).holidays
    case, decision = consultations.ask(turn.session, question, holidays, turn.at)
    return numbers_first(kind, _receipt(turn, case, decision, said["words"]))


asking = topic.flow(
    Listening(
        "咨询",
        (
            choice("matter", "您的问题属于哪一类？点文字或回复数字：", _options(Matter), when=_calm),
            Question("county", _ask_county, _read_county),
            choice("urgency", "有多急？", _options(Urgency), when=_calm),
            choice("wish", "您最希望得到哪种帮助？", _options(Wish), when=_calm),
            _telling(f"最后，请用自己的话说说情况（{LONGEST_WORDS} 字以内）。\n{PURPOSE}"),
        ),
        submit,
    )
)


@topic.text(
    "咨询",
    "法律咨询",
    "我要咨询",
    "求助",
    "救命",
    help="咨询 — 问值班律师，不用注册",
    number=4,
    menu="CONSULT",
    scene="consult",
)
def consult(turn: Turn) -> Reply:
    if turn.message.kind == "event" and turn.rest.isdecimal():
        return turn.begin(asking, county=str(stations.get(turn.session, int(turn.rest)).county_id))
    if not turn.rest and turn.talk is not None and turn.talk.flow == asking.name:
        return asking.resume(turn)
    said = _told_with_command(behind(turn))
    kind = danger.found(turn.message.content)
    if kind is not None:
        said["danger"] = kind.value
    purpose = f"您说的已记下，不用再写。{PURPOSE}\n\n" if "words" in said else ""
    return numbers_first(kind, f"{purpose}{turn.begin(asking, **said)}")


# --- afterwards --------------------------------------------------------------------------------------


@topic.text("查询", "我的咨询", "查询进展", help="查询 — 咨询办到哪步（查询 编号）", number=6, menu="CASES")
def status(turn: Turn) -> Reply:
    number, rest = read_any_number(turn.rest)
    if number is None:
        return consultations.NOT_YOURS if turn.rest else _listed(turn)
    return _shown(turn, consultations.find_own(turn.session, turn.openid, number), rest)


def add(turn: Turn, said: Said) -> Reply:
    case = _to_add_to(turn, said.get("case", ""))
    consultations.add(turn.session, case, said["words"], turn.at)
    told = f"已告诉{consultations.handler_of(case)}。" if case.lawyer else "接单的人会一并看到。"
    return numbers_first(danger.found(said["words"]), f"已补充到 {case.number}，{told}")


adding = topic.flow(Flow("补充", (_telling(f"请写要补充的内容（{LONGEST_WORDS} 字以内）。"),), add))


@topic.text("补充", "补充情况", help="补充 — 给在办的咨询补充内容")
def more(turn: Turn) -> Reply:
    text = behind(turn)
    number, said = read_whole_number(text)
    named = "" if number is None else f"{number.day or 'ZX'}-{number.last}"
    if said:
        return add(turn, {"case": named, "words": consultations.read_words(said)})
    case = _to_add_to(turn, named)
    return f"补充到 {case.number}（{case.matter.label}）。\n{turn.begin(adding, case=case.number)}"


def _open_cases(turn: Turn) -> list[tuple[str, str]]:
    found = [c for c in consultations.own(turn.session, turn.openid) if c.state in assignment.OPEN][:LISTED]
    return [(case.number, f"{case.number} {case.matter.label} {case.state.label}") for case in found]


def _ask_which(turn: Turn, _said: Said) -> str:
    lines = [
        f"{i} {tap(f'撤回 {label}', f'撤回 {number}')}" for i, (number, label) in enumerate(_open_cases(turn), 1)
    ]
    return "\n".join(["要撤回哪一件？点一下，或回复前面的数字：", *lines])


def _read_which(turn: Turn, text: str, _said: Said) -> str:
    number, _rest = read_whole_number(text)
    cases = _open_cases(turn)
    return pick(text, cases) if number is None else next((n for n, _ in cases if n.endswith(number.ending)), text)


def take_back(turn: Turn, said: Said) -> Reply:
    number, _rest = read_any_number(said["case"])
    if number is None:
        raise NotFound(consultations.NOT_YOURS)
    case = consultations.find_own(turn.session, turn.openid, number)
    consultations.withdraw(turn.session, case, turn.at)
    return f"{case.number} 已撤回，不再办理。内容可以{tap('删除', f'删除 {case.number}')}。"


withdrawing = topic.flow(Flow("撤回", (Question("case", _ask_which, _read_which),), take_back))


@topic.text("撤回", "撤回咨询")
def withdraw(turn: Turn) -> Reply:
    number, _rest = read_any_number(turn.rest)
    if number is not None:
        return take_back(turn, {"case": turn.rest})
    if not _open_cases(turn):
        return f"您没有在办的咨询。{tap('查询')}可以看以前的。"
    return turn.begin(withdrawing)


@topic.text("评价")
def rate(turn: Turn) -> Reply:
    text = behind(turn)
    score = re.match(r"([1-5１-５])\s*[分星]?(?:[\s,，:：]+(?=\D)(.*))?$", text, re.DOTALL)
    if score is None:
        number, text = read_number(text)
        case = consultations.find_own(turn.session, turn.openid, number) if number else None
        score = re.match(r"(\d{1,2})\s*[分星]?[\s,，:：]*(.*)$", text, re.DOTALL)
    else:
        case = None
    case = case or consultations.unrated(turn.session, turn.openid)
    if case is None:
        return f"没有等您评价的咨询。{tap('查询')}"
    if score is None:
        return ask_rating(case.number)
    said = consultations.read_words(score[2]) if score[2] else None
    consultations.rate(turn.session, case, int(score[1]), said, turn.at)
    low = "您反映的情况，办公室会看到并跟进。" if int(score[1]) <= consultations.LOW_RATING else ""
    return f"谢谢您的评价：{case.number} {int(score[1])} 分（{RATINGS[int(score[1]) - 1]}）。{low}"


def erase(turn: Turn, said: Said) -> Reply:
    number, _rest = read_number(said["case"])
    if said["sure"] != "yes" or number is None:
        return "没有删除。"
    case = consultations.find_own(turn.session, turn.openid, number)
    consultations.erase(turn.session, case, turn.at)
    return f"{case.number} 的内容已删除，不能恢复；只留下编号和日期。"


erasing = topic.flow(
    Flow(
        "删除",
        (confirmation("sure", "删除后律师和您都看不到内容，不能恢复。", "删除", "确认删除", "先不删"),),
        erase,
    )
)


@topic.text("删除", "删除咨询")
def delete(turn: Turn) -> Reply:
    number, _rest = read_any_number(turn.rest)
    if number is None:
        return f"请写上编号，例如“删除 ZX261122-0001”。编号在{tap('查询')}里。"
    case = consultations.find_own(turn.session, turn.openid, number)
    if case.state not in consultations.OVER:
        consultations.erase(turn.session, case, turn.at)
    return f"{case.number}（{case.matter.label}）\n{turn.begin(erasing, case=case.number)}"


def numbers_first(kind: Danger | None, reply: Reply) -> Reply:
    """Whom to call stands before anything else, once (F082)."""
    if kind is None or (reply or "").startswith(danger.numbers(kind)):
        return reply
    return f"{danger.numbers(kind)}\n\n{reply or ''}".rstrip()


def ask_rating(number: str) -> str:
    """The question that is asked once, after a case is closed; each answer is one tap."""
    scores = "｜".join(tap(f"{n} {RATINGS[n - 1]}", f"评价 {number} {n}") for n in range(5, 0, -1))
    return (
        f"{number} 的解答您满意吗？点一下就好，只问这一次：\n{scores}\n想说原因，例如回复：评价 {number} 2 没说清楚"
    )


# --- asking --------------------------------------------------------------------------------------------------


def _told_with_command(text: str) -> Said:
    """What stood behind 咨询: the kind of matter if it is just that, otherwise the story."""
    if not text:
        return {}
    try:
        return {"matter": pick(text, _options(Matter))}
    except Misunderstood:
        return {"words": consultations.read_words(text)}


def _said(turn: Turn) -> Said:
    return turn.talk.said if turn.talk else {}


def _is_story(text: str, said: Said) -> bool:
    return (
        "words" not in said and A_STORY <= len(text.strip()) <= LONGEST_WORDS and spelling.key(text) not in STEERING
    )


def _receipt(turn: Turn, case: Consultation, decision: assignment.Decision, words: str) -> str:
    county = next(c.name for c in stations.counties(turn.session) if c.id == case.county_id)
    where = f"已分给{decision.station.name}的值班律师" if decision.station else "已转给市法学会办公室安排律师"
    where = where if decision.station or decision.is_pool else "已分给本县（市）区的值班律师"
    urgent = "很急的话，也可以马上拨打 12348 免费法律热线。" if case.urgency is Urgency.TODAY else ""
    return "\n".join(
        [
            f"咨询已登记，编号 {case.number}",
            f"{case.matter.label}｜{county}｜{case.urgency.label}｜{case.wish.label}",
            f"内容：{_brief(words)}",
            f"{where}。接单和答复都会发到这里。{urgent}",
            f"看进度：{tap(f'查询 {case.number}')}",
            f"想起什么，回复“补充 内容”；不想问了：{tap('撤回', f'撤回 {case.number}')}",
        ]
    )


def _brief(words: str, longest: int = 40) -> str:
    flat = " ".join(words.split())
    return flat if len(flat) <= longest else f"{flat[:longest]}……"


# --- afterwards ----------------------------------------------------------------------------------------------


def _to_add_to(turn: Turn, named: str) -> Consultation:
    number, _rest = read_number(named)
    if number is not None:
        return consultations.find_own(turn.session, turn.openid, number)
    found = [case for case in consultations.own(turn.session, turn.openid) if case.state in assignment.OPEN]
    if not found:
        raise NotFound("您没有在办的咨询可以补充；有新的问题请回复“咨询”。")
    return found[0]


def _listed(turn: Turn) -> Reply:
    found = consultations.own(turn.session, turn.openid, LISTED)
    if not found:
        return f"您还没有咨询过。有法律问题请回复 {tap('咨询')}。"
    lines = [
        f"{tap(case.number, f'查询 {case.number}')} {case.matter.label} {case.state.label}（{say_moment(case.asked_at)}）"
        for case in found
    ]
    return "\n".join(["您最近的咨询，点编号看详情：", *lines])


def _shown(turn: Turn, case: Consultation, wanted: str) -> Reply:
    history = consultations.steps(turn.session, case)
    head = [
        f"{case.number} {case.state.label}",
        f"{case.matter.label}｜{case.county.name}｜{case.wish.label}",
        f"承办：{consultations.handler_of(case)}",
    ]
    told = [_told(row) for row in reversed(history) if row.step in {Step.ANSWERED, Step.ADDED, Step.ASKED}]
    if consultations.is_erased(history):
        told = [consultations.ERASED]
    return page("\n".join(head + told), _next_acts(case), wanted, f"查询 {case.number}")


def _told(row: CaseStep) -> str:
    whose = {Step.ANSWERED: "答复", Step.ADDED: "您补充", Step.ASKED: "您的问题"}[row.step]
    return f"▍{whose}（{say_moment(row.at)}）\n{row.words or consultations.ERASED}"


def _next_acts(case: Consultation) -> str:
    if case.state in assignment.OPEN:
        return f"回复“补充 内容”可以接着说｜{tap('撤回', f'撤回 {case.number}')}"
    acts = [tap("删除内容", f"删除 {case.number}")]
    if case.state is CaseState.CLOSED and case.rating is None:
        acts.insert(0, tap("评价", f"评价 {case.number}"))
    return "｜".join(acts)
