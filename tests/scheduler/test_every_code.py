"""Every error code of the platform reference, answered by the local WeChat to a real call, ends in words (F016)."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from bot import errcodes
from bot.errcodes import Reaction
from clock import parse_instant
from models import Outgoing, Pace, Quota, SendState
from tests.scheduler.test_delivery import CUSTOMER, TEMPLATE, row, tell

EVERY_CODE = sorted(errcodes.CODES.keys() - {0})
#: A refused token is the door's own matter: tests/bot/test_door.py.
SENDING = [code for code in EVERY_CODE if errcodes.CODES[code].reaction is not Reaction.TOKEN]


def forget(house: Any) -> None:
    """What one answer taught about the day and the pace is not for the next."""
    with house.database.transaction() as session:
        session.execute(sa.delete(Outgoing))
        session.execute(sa.delete(Quota))
        session.execute(sa.update(Pace).values(free_at=parse_instant("2026-11-26T09:00")))
    house.wechat.heal()


@pytest.mark.parametrize("path", [TEMPLATE, CUSTOMER])
def test_whatever_wechat_answers_the_row_says_why_and_what_to_do(house, zhang_wei, path):
    wordless = []
    for code in SENDING:
        if path == CUSTOMER:
            zhang_wei.says("帮助")
        house.wechat.inject(path, code)
        house.wechat.inject(TEMPLATE, code)
        tell(house, zhang_wei, campaign=f"code:{code}")
        house.delivery.run()
        known, found = errcodes.of(code, path), row(house, f"code:{code}")
        is_settled = found.state in {SendState.REFUSED, SendState.UNREACHABLE, SendState.UNKNOWN}
        is_again = found.state is SendState.WAITING
        says_why = found.reason is not None and (known.reason in found.reason or path == CUSTOMER)
        if known.is_ok:
            good = found.state in {SendState.SENT, SendState.DELIVERED}
        else:
            good = (is_settled or is_again) and says_why and "。" in (found.reason or "")
        if not good:
            wordless.append((code, found.state, found.reason))
        forget(house)
    assert wordless == []
