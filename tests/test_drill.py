"""The drill of `make drill`, small: real senders killed in the middle of a notice, counted by WeChat's own record."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from bench import drill
from bench.drill import Plan, Variant
from tests import servers

PLAN = Plan(people=400, kills=2, seed=7, variants=(), per_second=150.0, connections=16, waits_for_leases=False)
VARIANTS = (
    Variant("three", "PostgreSQL + Redis", "postgresql", ("worker", "worker", "scheduler"), has_redis=True),
    Variant("one", "SQLite, with delivery events", "sqlite", ("run",)),
)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.database)
def test_senders_are_killed_and_everybody_is_told_once_or_stands_on_a_list(variant: Variant, tmp_path: Path):
    """With Redis it is emptied and then stopped on the way, too."""
    try:
        outcome = drill.rehearse(PLAN, variant, tmp_path, say=lambda _: None)
    except servers.Missing as missing:
        warnings.warn(f"NOT DRILLED ON {variant.database.upper()}: {missing}", stacklevel=1)
        pytest.skip(str(missing))
    told = outcome.reckoning
    assert outcome.broken == []
    assert outcome.kills >= PLAN.kills
    assert told.total == PLAN.people
    assert len(told.got) > PLAN.people * 0.8
    assert all(reason for _, reason in told.not_got)
    assert (outcome.delivered > 0) is (variant.sender == "run")
