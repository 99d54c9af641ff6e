"""Who may say a command. One place for the chat's guards; outside a scope means not there."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from typing import cast

from bot.replies import Reply
from bot.turn import Handler, Talking, Turn
from clock import beijing_date
from handlers import wording
from models import Post, Role
from services.membership import people

#: A handler that is also told the posts which let it be called.
PostHandler = Callable[[Turn, list[Post]], Reply]


def for_members(handler: Handler) -> Handler:
    """Only for accounts that are bound to a person; others are told how to bind."""
    if isgeneratorfunction(handler):

        @wraps(handler)
        def talking(turn: Turn) -> Talking:
            if turn.person_id is None:
                return wording.NOT_BOUND
            return (yield from cast(Talking, handler(turn)))

        return _admitting(talking, _is_bound)

    @wraps(handler)
    def plain(turn: Turn) -> Reply | Talking:
        return wording.NOT_BOUND if turn.person_id is None else handler(turn)

    return _admitting(plain, _is_bound)


def for_posts(*roles: Role) -> Callable[[PostHandler], Handler]:
    """Only for people who hold one of these posts today."""

    def guard(handler: PostHandler) -> Handler:
        @wraps(handler)
        def guarded(turn: Turn) -> Reply:
            if turn.person_id is None:
                return wording.NOT_BOUND
            held = _held(turn, roles)
            if not held:
                return wording.not_for_you(roles)
            return handler(turn, held)

        return _admitting(guarded, lambda turn: bool(_held(turn, roles)))

    return guard


def admits(handler: Handler, turn: Turn) -> bool:
    """Whether a guarded handler would let this person in."""
    test: Callable[[Turn], bool] = handler.admits  # type: ignore[attr-defined]
    return test(turn)


def person_of(turn: Turn) -> int:
    """The person behind a turn that `for_members` let through."""
    if turn.person_id is None:
        raise RuntimeError("for_members guards this handler")
    return turn.person_id


def _held(turn: Turn, roles: tuple[Role, ...]) -> list[Post]:
    return [p for p in people.posts(turn.session, turn.person_id, beijing_date(turn.at)) if p.role in roles]


def _is_bound(turn: Turn) -> bool:
    return turn.person_id is not None


def _admitting(handler: Handler, test: Callable[[Turn], bool]) -> Handler:
    """The handler, with its guard's test written on it, so that the router can ask beforehand."""
    handler.admits = test  # type: ignore[attr-defined]
    return handler
