"""演练: makes a handler slow or broken on purpose, so that anyone can see what then happens (F003, F020).

Only with the local WeChat: on a real account these words are not commands.
"""

from __future__ import annotations

import time

from bot.replies import Reply
from bot.router import Router
from bot.turn import Turn

LONGEST_SECONDS = 30


class DrillFailure(Exception):
    """Raised because somebody asked for it."""


topic = Router()


@topic.text("演练慢")
def slow(turn: Turn) -> Reply:
    seconds = min(int(turn.rest), LONGEST_SECONDS) if turn.rest.isdigit() else 10
    time.sleep(seconds)
    return f"演练：这件事办了 {seconds} 秒，现在办好了。"


@topic.text("演练出错")
def broken(_turn: Turn) -> Reply:
    raise DrillFailure("演练：处理程序故意出错")
