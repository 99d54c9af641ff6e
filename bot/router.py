"""Which handler answers: commands by word, number, menu key and scene code; then the conversation; then a guess."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import isgeneratorfunction
from typing import Any, TypeVar

from bot import words
from bot.conversation import CANCEL, CONTINUE, EXPIRES_AFTER, HELD, OFFERED, STEERING, Flow
from bot.messages import Message
from bot.replies import Reply, tap
from bot.turn import Handler, Talk, Talking, Turn

T = TypeVar("T")

SUGGESTION = "建议"
#: How people begin when they ask for a thing by its name.
WISHES = ("我要", "我想", "请帮我", "帮我")


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be said. `words[0]` is its name; the others are aliases."""

    words: tuple[str, ...]
    handler: Handler
    help: str = ""
    number: int | None = None
    menu: str = ""
    scene: str = ""
    #: Whose business it is, as a heading of 帮助; nothing means everybody's.
    group: str = ""

    @property
    def name(self) -> str:
        return self.words[0]

    @property
    def is_shared(self) -> bool:
        """Whether the handler asks its questions together with all who speak at the same moment."""
        return isgeneratorfunction(self.handler)

    def is_for(self, turn: Turn) -> bool:
        """Whether its handler would let this person in; a handler without a guard lets in everybody."""
        admits: Callable[[Turn], bool] | None = getattr(self.handler, "admits", None)
        return admits is None or admits(turn)


class Router:
    """A table, filled by decorators and read from top to bottom; two routes that overlap stop the start.

    `house` is what its handlers are handed besides the turn; the router does not look into it.
    """

    def __init__(self, house: Any = None) -> None:
        self.house = house
        self.routes: list[Route] = []
        self.flows: dict[str, Flow] = {}
        self._words: dict[str, Route] = {}
        self._numbers: dict[str, Route] = {}
        self._menu: dict[str, Route] = {}
        self._scenes: dict[str, Route] = {}
        self._kinds: dict[str, Handler] = {}
        self._otherwise: Handler | None = None
        self._overhears: Callable[[Turn, Reply], Reply] | None = None
        self._sounds: words.Sounds | None = None

    # --- filling the table -------------------------------------------------------------------------------

    def text(
        self,
        *names: str,
        help: str = "",
        number: int | None = None,
        menu: str = "",
        scene: str = "",
        group: str = "",
    ) -> Callable[[Handler], Handler]:
        """Answer these words, alone or followed by more; the number in 帮助, a menu key, a scene code."""

        def register(handler: Handler) -> Handler:
            self._add(Route(names, handler, help, number, menu, scene, group))
            return handler

        return register

    def on(self, *labels: str) -> Callable[[Handler], Handler]:
        """Answer a kind of message (`image`) or an event (`event:subscribe`)."""

        def register(handler: Handler) -> Handler:
            for label in labels:
                _put(self._kinds, label, handler)
            return handler

        return register

    def otherwise(self, handler: Handler) -> Handler:
        """Answer text that nothing else understands."""
        if self._otherwise is not None:
            raise ValueError("there is one last answer, and it is given already")
        self._otherwise = handler
        return handler

    def overhears(self, hear: Callable[[Turn, Reply], Reply]) -> Callable[[Turn, Reply], Reply]:
        """Look at every text that is more than a command, whatever it answered, and at its reply."""
        self._overhears = hear
        return hear

    def flow(self, flow: Flow) -> Flow:
        """Make a conversation known by its name, so that it can be taken up after a restart."""
        _put(self.flows, flow.name, flow)
        return flow

    def include(self, others: Iterable[Router]) -> None:
        """Take over all that other routers know. Raises ValueError when two of them overlap."""
        for other in others:
            for route in other.routes:
                self._add(route)
            for label, handler in other._kinds.items():
                _put(self._kinds, label, handler)
            for flow in other.flows.values():
                self.flow(flow)
            if other._otherwise is not None:
                self.otherwise(other._otherwise)
            self._overhears = other._overhears or self._overhears

    def _add(self, route: Route) -> None:
        for word in route.words:
            if words.key(word) in STEERING:
                raise ValueError(f"{word} steers conversations and cannot be a command")
            _put(self._words, words.key(word), route)
        if route.number is not None:
            _put(self._numbers, str(route.number), route)
        if route.menu:
            _put(self._menu, route.menu, route)
        if route.scene:
            _put(self._scenes, route.scene, route)
        self.routes.append(route)
        self._sounds = None

    # --- reading the table -------------------------------------------------------------------------------

    def shares(self, message: Message, talk: Talk | None) -> bool:
        """Whether this message goes to a handler that answers many at once."""
        route, rest = self._command(message)
        is_alone = talk is not None and (bool(rest) or talk.flow == SUGGESTION)
        return route is not None and route.is_shared and not is_alone

    def answer(self, turn: Turn) -> Talking:
        """Answer a turn. A generator: what it yields is asked together with others."""
        turn.handled_by(self)
        reply = yield from self._respond(turn)
        if self._overhears is None or not turn.message.content or turn.message.content in self._words:
            return reply
        return self._overhears(turn, reply)

    def _respond(self, turn: Turn) -> Talking:
        route, rest = self._command(turn.message)
        if route is not None and turn.talk is not None and turn.talk.flow == SUGGESTION:
            # A guess that something else is said to has never been made.
            turn.keep(None)
        if route is not None and rest and turn.talk is not None:
            return (yield from self._between(turn, turn.talk, route, rest))
        if route is not None:
            return (yield from self._run(route, turn, rest))
        if turn.message.kind == "event" or not turn.message.content:
            return (yield from self._by_kind(turn))
        if turn.talk is not None:
            return (yield from self._in_conversation(turn, turn.talk))
        return (yield from self._fresh(turn))

    def scan(self, turn: Turn, code: str) -> Talking:
        """Answer a scanned code “name-rest” as if its command had been said; unknown codes say nothing."""
        name, _, rest = code.partition("-")
        route = self._scenes.get(name)
        if route is None:
            return None
        return (yield from self._run(route, turn, rest))

    def _between(self, turn: Turn, talk: Talk, route: Route, rest: str) -> Talking:
        """A command with more behind it, in the middle of a talk. What is no answer is a command; what could be
        both is obeyed if only figures follow (“查询 ZX01”), and asked about otherwise (“代签 石琪”)."""
        flow = self.flows.get(talk.flow)
        question = flow.next_question(talk.said) if flow else None
        # The same command again starts anew.
        is_live = turn.at - talk.updated_at <= EXPIRES_AFTER and route.name != talk.flow
        if (
            flow is None
            or question is None
            or not is_live
            or not question.takes(turn, turn.message.content, talk.said)
        ):
            return (yield from self._run(route, turn, rest))
        text = turn.message.content
        if flow.is_meant(turn, text) or not words.is_command(route.name, text, rest) or not route.is_for(turn):
            return (yield from self._in_conversation(turn, talk))
        if words.is_figures(rest):
            return (yield from self._run(route, turn, rest))
        turn.route = flow.name
        return flow.hold(turn, text, route.name)

    def _command(self, message: Message) -> tuple[Route | None, str]:
        if message.event == "click":
            return self._menu.get(message.event_key), ""
        if message.kind == "event" or not message.content:
            return None, ""
        if message.content in self._words:
            return self._words[message.content], ""
        said = words.key(message.content)
        if said in self._words:
            return self._words[said], ""
        for wish in WISHES:
            if said.startswith(wish) and said.removeprefix(wish) in self._words:
                return self._words[said.removeprefix(wish)], ""
        for head, rest in words.split(message.content):
            if head in self._words:
                return self._words[head], rest
        return None, ""

    def _run(self, route: Route, turn: Turn, rest: str = "") -> Talking:
        turn.rest, turn.route = rest, route.name
        answer = route.handler(turn)
        if answer is None or isinstance(answer, str):
            return answer
        return (yield from answer)

    def _by_kind(self, turn: Turn) -> Talking:
        handler = self._kinds.get(turn.message.label)
        if handler is None:
            turn.route = f"? {turn.message.label}"[:48]
            return None
        return (yield from self._run(Route((turn.message.label,), handler), turn))

    def _in_conversation(self, turn: Turn, talk: Talk) -> Talking:
        said = turn.message.content
        if talk.flow == SUGGESTION:
            turn.keep(None)
            route = self._words.get(talk.said["command"])
            is_live = turn.at - talk.updated_at <= EXPIRES_AFTER
            if route is not None and is_live and words.is_yes(said):
                return (yield from self._run(route, turn))
            return (yield from self._fresh(turn))
        flow = self.flows.get(talk.flow)
        if flow is None:
            turn.keep(None)
            return (yield from self._fresh(turn))
        turn.route = flow.name
        held = talk.said.get(HELD)
        if held is not None:
            talk = Talk(talk.flow, {k: v for k, v in talk.said.items() if k != HELD}, talk.updated_at)
            turn.keep(talk)
        if turn.at - talk.updated_at <= EXPIRES_AFTER:
            return flow.hear(turn, said) if held is None else (yield from self._decided(turn, flow, said, held))
        return (yield from self._with_draft(turn, flow, talk))

    def _decided(self, turn: Turn, flow: Flow, said: str, held: str) -> Talking:
        """What becomes of a text that was held back: an answer, a command, asked about again, or dropped for
        another answer. A mere “好的” could be either and must not be sent to anybody."""
        word = words.key(said)
        if word in {"1", *CONTINUE}:
            return flow.hear(turn, held)
        if word in CANCEL or not (words.is_yes(said) or words.is_no(said)):
            return flow.hear(turn, said)
        turn.says(held)
        route, rest = self._command(turn.message)
        if route is None:
            return flow.hear(turn, held)
        return (yield from self._run(route, turn, rest)) if word == "2" else flow.hold(turn, held, route.name)

    def _with_draft(self, turn: Turn, flow: Flow, talk: Talk) -> Talking:
        said = turn.message.content
        if OFFERED not in talk.said:
            return flow.offer(turn)
        if words.is_yes(said):
            return flow.resume(turn)
        if words.is_no(said):
            turn.keep(None)
            return f"已放弃上次的{flow.name}草稿。"
        return (yield from self._fresh(turn))

    def _fresh(self, turn: Turn) -> Talking:
        said = words.key(turn.message.content)
        if said in STEERING:
            turn.route = said
            return "现在没有进行中的事项。" + tap("帮助") + "里有可以办的事。"
        if said in self._numbers:
            return (yield from self._run(self._numbers[said], turn))
        if self._sounds is None:
            self._sounds = words.Sounds([r.name for r in self.routes if r.help])
        meant = self._sounds.nearest(turn.message.content)
        if meant is not None and turn.talk is None:
            turn.route = SUGGESTION
            turn.keep(Talk(SUGGESTION, {"command": words.key(meant)}, turn.at))
            return f"您是要【{meant}】吗？回复 {tap('1')} 确认。"
        if self._otherwise is None:
            return None
        return (yield from self._run(Route(("?",), self._otherwise), turn))

    def help(self) -> list[Route]:
        """The routes that 帮助 lists: everybody's by number, then each group's in order."""
        listed = [r for r in self.routes if r.help]
        return sorted(listed, key=lambda r: (r.group, r.number is None, r.number or 0))


def _put(table: dict[str, T], key: str, value: T) -> None:
    if key in table:
        raise ValueError(f"two routes answer {key!r}")
    table[key] = value
