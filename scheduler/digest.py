"""The rule of the week's digest: on Sunday, what was too much for a week becomes one message (F046)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from sqlalchemy.orm import Session

from clock import at_beijing
from config import Settings
from models import Due
from scheduler.clockwork import Asked, Rule
from services import broadcasts, digests
from services.burden import Week

#: On the Monday after, a digest of last week is still news until then.
USEFUL_UNTIL = time(12, 0)


def rule(settings: Settings) -> Rule:
    sending = settings.sending
    says = f"每周日把每人超出 {sending.per_week} 条的可退订通知合成一条汇总，少打扰（减轻基层负担）"

    def due_at(week: Week) -> datetime:
        return at_beijing(week.sunday, sending.digest_at)

    def not_after(week: Week) -> datetime:
        return at_beijing(week.sunday + timedelta(days=1), USEFUL_UNTIL)

    def ask(_session: Session, at: datetime) -> Iterable[Asked]:
        week = Week.of(at)
        # Back on Monday morning after a Sunday off, last week's is still asked for.
        for each in (week.before, week):
            if at <= not_after(each):
                yield Asked(each.name, due_at(each), not_after(each))

    def act(session: Session, dues: list[Due], at: datetime) -> list[str]:
        return [_decide(session, due, at) for due in dues]

    def _decide(session: Session, due: Due, at: datetime) -> str:
        week = Week.of(due.due_at)
        if due.due_at != due_at(week):
            return "汇总的时刻改过了，按新的时刻办"
        goes_at = broadcasts.after_quiet(at, sending)
        many = digests.compose(session, week, at, due_at=goes_at, not_after=not_after(week))
        return f"汇总给 {many} 人"

    return Rule("digest", says, ask, act)
