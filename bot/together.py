"""Handlers that ask the same thing at the same moment ask it together (docs/decisions/0002)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy.orm import Session

from bot.replies import Reply
from bot.turn import Talking


def answer_all(talkings: Iterable[Talking], session: Callable[[], Session]) -> list[Reply]:
    """Drive many turns side by side: what they ask of the same service is asked in one call.

    Every round takes one question of each turn that has one, so the number of calls is that of the longest
    turn, not the sum of all.
    """
    waiting: dict[int, tuple[Talking, Any]] = {i: (talking, None) for i, talking in enumerate(talkings)}
    replies: list[Reply] = [None] * len(waiting)
    while waiting:
        asked: dict[Callable[..., Any], list[tuple[int, Talking, Any]]] = {}
        for i, (talking, heard) in waiting.items():
            try:
                service, question = talking.send(heard)
            except StopIteration as stop:
                replies[i] = stop.value
            else:
                asked.setdefault(service, []).append((i, talking, question))
        waiting = {}
        for service, questions in asked.items():
            results = service(session(), [question for _, _, question in questions])
            for (i, talking, _), result in zip(questions, results, strict=True):
                waiting[i] = (talking, result)
    return replies
