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

        return talking

    @wraps(handler)
    def plain(turn: Turn) -> Reply | Talking:
        return wording.NOT_BOUND if turn.person_id is None else handler(turn)

    return plain


def for_posts(*roles: Role) -> Callable[[PostHandler], Handler]:
    """Only for people who hold one of these posts today."""

    def guard(handler: PostHandler) -> Handler:
        @wraps(handler)
        def guarded(turn: Turn) -> Reply:
            if turn.person_id is None:
                return wording.NOT_BOUND
            held = [p for p in people.posts(turn.session, turn.person_id, beijing_date(turn.at)) if p.role in roles]
            if not held:
                return wording.not_for_you(roles)
            return handler(turn, held)

        return guarded

    return guard


def person_of(turn: Turn) -> int:
    """The person behind a turn that `for_members` let through."""
    if turn.person_id is None:
        raise RuntimeError("for_members guards this handler")
    return turn.person_id
