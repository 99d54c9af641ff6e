"""What a drill found, as people read it: the three lists of each variant, and one table over all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.drill import Outcome, Plan, Results, Variant
from bench.table import laid_out

COLUMNS = (
    ("", ""),
    ("s", "秒"),
    ("killed", "被杀"),
    ("calls", "调用"),
    ("got it once", "收到一次"),
    ("not got", "没收到，有原因"),
    ("unknown", "结果不明"),
    ("together", "合计"),
    ("doubled", "收到两次"),
    ("lost", "丢失"),
    ("recovery s", "接手秒数"),
)
A_LINE = 3


def lines(results: Results) -> list[str]:
    """The lists, the table, and what was promised and not kept."""
    plan = results.plan
    variants = {variant.key: variant for variant in plan.variants}
    said = [line for outcome in results.outcomes for line in _lists(variants[outcome.variant], outcome)]
    rows = [_row(variants[outcome.variant], outcome) for outcome in results.outcomes]
    said += [*_title(plan), *laid_out([*zip(*COLUMNS, strict=True), *rows]), ""]
    said += [f"{key}: could not be held 未能演练: {reason}" for key, reason in results.unavailable.items()]
    broken = [f"{outcome.variant}: {promise}" for outcome in results.outcomes for promise in outcome.broken]
    said += [f"BROKEN 承诺没有做到 · {each}" for each in broken]
    return said + ["Every promise was kept. 没有人收到两次，没有人不知去向。"] * results.is_clean


def _title(plan: Plan) -> list[str]:
    return [
        "The drill 演练",
        f"one notice to {plan.people:,} people · at most {plan.per_second:,.0f} a second · seed {plan.seed} · "
        f"kill -9 at {plan.kills} moments · WeChat slow, busy, cut off and silent now and then",
    ]


def _lists(variant: Variant, outcome: Outcome) -> Iterator[str]:
    told = outcome.reckoning
    yield f"{variant.title}"
    heard = f", {outcome.delivered:,} of them confirmed by WeChat later" if outcome.delivered else ""
    yield f"  1. got it once 收到一次: {len(told.got):,}{heard}"
    yield f"  2. not got 没收到: {sum(map(len, told.not_got.values())):,}"
    for (fate, reason), people in sorted(told.not_got.items()):
        yield f"       {len(people):6,}  {fate}：{reason}"
    arrived = sum(told.unknown.values())
    yield f"  3. unknown 结果不明: {len(told.unknown):,} (by WeChat's record {arrived:,} of them got it)"
    for first in range(0, len(told.unknown), A_LINE):
        yield "       " + "  ".join(sorted(told.unknown)[first : first + A_LINE])
    yield f"  together 合计: {told.total:,}"
    yield ""


def _row(variant: Variant, outcome: Outcome) -> Sequence[str]:
    told = outcome.reckoning
    counts = (len(told.got), sum(map(len, told.not_got.values())), len(told.unknown), told.total)
    return (
        variant.title,
        f"{outcome.seconds:.0f}",
        str(outcome.kills),
        f"{outcome.calls:,}",
        *(f"{count:,}" for count in counts),
        str(len(told.doubled)),
        str(len(told.lost)),
        f"{outcome.slowest_recovery_seconds:.1f}",
    )
