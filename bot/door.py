"""The way out of one account: many calls at once, each with a good token and at most one more try for a refused one.

Pitfalls 1 and 2: however many calls meet a token that is no longer good, the keeper is asked once; a call that is
refused twice comes back refused, and the breaker counts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from queue import Empty, SimpleQueue

from bot import errcodes
from bot.errcodes import Reaction
from bot.fanout import Answer, Call, Fanout, Outcome
from bot.tokens import TokenKeeper, TokenUnavailable


class Door:
    """Sends calls and gives back their answers, each call's exactly once. Used by one thread."""

    def __init__(self, keeper: TokenKeeper, base_url: str, connections: int, timeout_seconds: float) -> None:
        self._keeper, self._base_url = keeper, base_url
        self._connections, self._timeout_seconds = connections, timeout_seconds
        self._arrived: SimpleQueue[list[Answer]] = SimpleQueue()
        self._fanout: Fanout | None = None
        self._second: dict[int, Call] = {}
        self.under_way = 0

    def send(self, calls: Sequence[Call]) -> None:
        """Let the calls leave. Raises TokenUnavailable, and then none of them does."""
        if calls:
            self._submit(calls, self._keeper.get())
            self.under_way += len(calls)

    def answers(self, wait_seconds: float) -> list[Answer]:
        """What has come back; waits for the first answer so long, when any is out."""
        if not self.under_way:
            return []
        got = self._gather(wait_seconds)
        refused = [answer for answer in got if _is_token_refused(answer)]
        if refused:
            got = [answer for answer in got if not _is_token_refused(answer)] + self._renew(refused)
        elif self._second and any(self._second.pop(id(answer.call), None) for answer in got):
            self._keeper.confirm()
        self.under_way -= len(got)
        return got

    def close(self) -> None:
        """Stop at once; what was out is answered as far as anybody knows."""
        if self._fanout is not None:
            self._fanout.close()
            self._fanout = None

    def _submit(self, calls: Sequence[Call], token: str) -> None:
        if self._fanout is None:
            self._fanout = Fanout(self._base_url, self._arrived.put, self._connections, self._timeout_seconds)
        self._fanout.submit(calls, token)

    def _gather(self, wait_seconds: float) -> list[Answer]:
        got: list[Answer] = []
        try:
            got += self._arrived.get(timeout=wait_seconds)
            while True:
                got += self._arrived.get_nowait()
        except Empty:
            return got

    def _renew(self, refused: list[Answer]) -> list[Answer]:
        """Send these once more with another token; gives those for whom there is no second time."""
        over = [answer for answer in refused if self._second.pop(id(answer.call), None)]
        if over:
            self._keeper.refused_again()
        first = [answer for answer in refused if all(answer is not other for other in over)]
        try:
            token = ""
            for old in {answer.token for answer in first}:
                token = self._keeper.replace(old)
        except TokenUnavailable:
            return refused
        if first:
            self._second |= {id(answer.call): answer.call for answer in first}
            self._submit([answer.call for answer in first], token)
        return over


def _is_token_refused(answer: Answer) -> bool:
    if answer.outcome is not Outcome.ANSWERED:
        return False
    code = answer.result.get("errcode") or 0
    return code != 0 and errcodes.of(int(code), answer.call.path).reaction is Reaction.TOKEN
