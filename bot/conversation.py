"""Talks of several steps: a list of questions, each asked until it is answered, then one act at the end.

State is two things: which flow, and what was said. The next question follows from them, so a restart, a second
process or a lost reply changes nothing (F013, F014).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bot import words
from bot.replies import Reply, tap
from bot.turn import Talk, Turn
from errors import AssistantError, Misunderstood

Said = dict[str, str]

#: After this long a talk is a draft: the next words are not taken for its answer (F013).
EXPIRES_AFTER = timedelta(minutes=30)
#: Drafts nobody came back to are forgotten (least data, product.md P5).
FORGOTTEN_AFTER = timedelta(days=7)

CANCEL = frozenset({"取消", "退出", "算了"})
BACK = frozenset({"返回", "返回上一题", "返回上一步", "上一题", "上一步"})
AGAIN = frozenset({"重来", "重新开始"})
CONTINUE = frozenset({"继续"})
STEERING = CANCEL | BACK | AGAIN | CONTINUE

HINT = f"（{tap('取消')}｜{tap('返回')}上一题｜{tap('重来')}）"
OFFERED = "_offered"
#: A text that may be an answer or a command, until its author has said which.
HELD = "_held"


@dataclass(frozen=True, slots=True)
class Question:
    """`ask` is the sentence; `read` turns an answer into what is kept, or raises Misunderstood."""

    name: str
    ask: Callable[[Turn, Said], str]
    read: Callable[[Turn, str, Said], str]
    when: Callable[[Said], bool] = field(default=lambda _said: True)

    def takes(self, turn: Turn, text: str, said: Said) -> bool:
        """Whether a text is an answer to this question."""
        try:
            self.read(turn, text, said)
        except Misunderstood:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Flow:
    """Questions in order, and what to do when all are answered."""

    name: str
    questions: tuple[Question, ...]
    done: Callable[[Turn, Said], Reply]

    def next_question(self, said: Mapping[str, str]) -> Question | None:
        return next((q for q in self.questions if q.name not in said and q.when(dict(said))), None)

    def proceed(self, turn: Turn, *, first: bool = False) -> Reply:
        """Ask the next question, or finish."""
        talk = _talk_of(turn)
        question = self.next_question(talk.said)
        if question is None:
            turn.keep(None)
            return self.done(turn, talk.said)
        sentence = question.ask(turn, talk.said)
        return f"{sentence}\n{HINT}" if first else sentence

    def hear(self, turn: Turn, text: str) -> Reply:
        """Take a text as steering or as the answer to the present question."""
        talk, word = _talk_of(turn), words.key(text)
        if word in CANCEL:
            turn.keep(None)
            return f"已取消{self.name}，什么也没有提交。"
        if word in AGAIN:
            # What was known before the first question (which gathering, which case) still is.
            asked = {question.name for question in self.questions}
            turn.keep(Talk(self.name, {k: v for k, v in talk.said.items() if k not in asked}, turn.at))
            return self.proceed(turn, first=True)
        if word in BACK:
            return self._go_back(turn, talk)
        question = self.next_question(talk.said)
        if question is None:
            return self.proceed(turn)
        if word in CONTINUE:
            turn.keep(Talk(self.name, talk.said, turn.at))
            return question.ask(turn, talk.said)
        try:
            value = question.read(turn, text, talk.said)
        except Misunderstood as error:
            turn.keep(Talk(self.name, talk.said, turn.at))
            return f"{error}\n{question.ask(turn, talk.said)}"
        turn.keep(Talk(self.name, {**talk.said, question.name: value}, turn.at))
        try:
            return self.proceed(turn)
        except AssistantError as error:
            # All of this turn is dropped: the talk stands where it stood before this answer, and that is said.
            raise type(error)(f"{error}\n还在办“{self.name}”，可以换个回答。{HINT}") from error

    def is_meant(self, _turn: Turn, _text: str) -> bool:
        """Whether a text must be heard at once, even if it may be a command."""
        return False

    def hold(self, turn: Turn, text: str, command: str) -> Reply:
        """Ask whether a text is an answer or a command. Nothing is done until that is said."""
        talk = _talk_of(turn)
        turn.keep(Talk(self.name, {**talk.said, HELD: text}, turn.at))
        return (
            f"您正在办“{self.name}”，还没有结束。刚才这句话：\n{tap('1 当作回答', '1')}\n"
            f"{tap(f'2 去办【{command}】', '2')}\n{tap(f'取消{self.name}', '取消')}"
        )

    def resume(self, turn: Turn) -> Reply:
        """Take a draft up again where it was left."""
        said = {k: v for k, v in _talk_of(turn).said.items() if k not in {OFFERED, HELD}}
        turn.keep(Talk(self.name, said, turn.at))
        return f"继续{self.name}。\n{self.proceed(turn)}"

    def offer(self, turn: Turn) -> Reply:
        """Say that a draft is still there. The next word decides; any other word is then taken as itself."""
        talk = _talk_of(turn)
        turn.keep(Talk(self.name, {**talk.said, OFFERED: "1"}, talk.updated_at))
        return f"上次{self.name}草稿还在，回复 {tap('1')} 继续，回复 {tap('0')} 放弃。"

    def _go_back(self, turn: Turn, talk: Talk) -> Reply:
        answered = [q.name for q in self.questions if q.name in talk.said]
        said = {k: v for k, v in talk.said.items() if not answered or k != answered[-1]}
        turn.keep(Talk(self.name, said, turn.at))
        start = "" if answered else "已经是第一题了。\n"
        return f"{start}{self.proceed(turn)}"


def _talk_of(turn: Turn) -> Talk:
    if turn.talk is None:
        raise RuntimeError("no conversation is under way")
    return turn.talk


def choice(name: str, question: str, options: Iterable[tuple[str, str]], **more: object) -> Question:
    """A question with numbered answers that can be tapped; a number, a label or part of one is understood."""
    listed = list(options)

    def ask(_turn: Turn, _said: Said) -> str:
        lines = [f"{i} {tap(label, str(i))}" for i, (_value, label) in enumerate(listed, 1)]
        return "\n".join([question, *lines])

    def read(_turn: Turn, text: str, _said: Said) -> str:
        return pick(text, listed)

    return Question(name, ask, read, **more)  # type: ignore[arg-type]


def confirmation(name: str, question: str, act: str, yes: str, no: str) -> Question:
    """Whether an act is really meant: kept as “yes” or “no”. A yes, a no, or the act's own name is understood."""
    options = [("yes", yes), ("no", no)]

    def read(_turn: Turn, text: str, _said: Said) -> str:
        said = words.key(text)
        if words.is_yes(text) or said in {"确定", f"确定{act}", f"确认{act}", act}:
            return "yes"
        return "no" if words.is_no(text) or said == f"不{act}" else pick(text, options)

    return replace(choice(name, question, options), read=read)


def pick(text: str, options: list[tuple[str, str]]) -> str:
    """The value that a text chooses by number or by name. Raises Misunderstood."""
    said = words.key(text)
    if said.isdigit() and 1 <= int(said) <= len(options):
        return options[int(said) - 1][0]
    found = [value for value, label in options if said and (said == words.key(label) or said in label)]
    if len(found) == 1:
        return found[0]
    raise Misunderstood(f"请回复 1–{len(options)} 之间的数字。")


def free_text(name: str, question: str, longest: int, **more: object) -> Question:
    """A question answered in one's own words, up to `longest` characters."""

    def read(_turn: Turn, text: str, _said: Said) -> str:
        said = text.strip()
        if not any(letter.isalpha() for letter in words.tidy(said)):
            raise Misunderstood("请用文字说明。")
        if len(said) > longest:
            raise Misunderstood(f"写了 {len(said)} 个字，最多 {longest} 个字；请拣要紧的说，之后还可以补充。")
        return said

    return Question(name, lambda _turn, _said: question, read, **more)  # type: ignore[arg-type]
