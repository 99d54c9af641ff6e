"""One message being handled: who speaks, when, where their conversation stands, and the open transaction."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from bot.messages import Message
from bot.replies import Reply

if TYPE_CHECKING:
    from bot.conversation import Flow
    from bot.router import Router

#: What a handler may ask for together with others: a service function that answers many at once, and its
#: own question. The desk collects the questions of all who speak at the same moment (docs/decisions/0002).
Shared = tuple[Callable[[Session, list[Any]], list[Any]], Any]
Talking = Generator[Shared, Any, Reply]
Handler = Callable[["Turn"], Reply | Talking]


@dataclass(frozen=True, slots=True)
class Talk:
    """Where a conversation stands: the flow, what was said by question name, and when it last moved."""

    flow: str
    said: dict[str, str]
    updated_at: datetime


@dataclass(slots=True)
class Turn:
    """Handed to a handler. `at` is the instant of arrival (UTC); `rest` is what stood behind the command."""

    message: Message
    at: datetime
    person_id: int | None = None
    talk: Talk | None = None
    rest: str = ""
    route: str = ""
    _open: Callable[[], Session] | None = field(default=None, repr=False)
    talk_changed: bool = False
    _router: Router | None = field(default=None, repr=False)

    @property
    def openid(self) -> str:
        return self.message.openid

    @property
    def session(self) -> Session:
        """The transaction this turn is handled in; it begins when it is first needed."""
        if self._open is None:
            raise RuntimeError("a turn has a session only while it is handled")
        return self._open()

    @property
    def router(self) -> Router:
        """The table that this turn is answered from."""
        if self._router is None:
            raise RuntimeError("a turn has a router only while it is handled")
        return self._router

    def handled_by(self, router: Router) -> None:
        self._router = router

    def says(self, text: str) -> None:
        """From now on this text is what was said: one that was put aside for a question."""
        self.message = replace(self.message, content=text)

    def begin(self, flow: Flow, **said: str) -> Reply:
        """Start a conversation, with what is known already, and ask its first question."""
        self.keep(Talk(flow.name, dict(said), self.at))
        return flow.proceed(self, first=True)

    def keep(self, talk: Talk | None) -> None:
        """Remember where the conversation stands; None ends it."""
        self.talk = talk
        self.talk_changed = True
