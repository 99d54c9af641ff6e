"""The results as people read them: one plain table for each database."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import east_asian_width

from bench.storm import Results, Run, middle

DATABASES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "sqlite": "SQLite"}
COLUMNS = (
    ("", ""),
    ("check-ins/s", "每秒签到"),
    ("p50 ms", "中位"),
    ("p95 ms", ""),
    ("p99 ms", ""),
    ("max ms", "最长"),
    ("server µs", "程序CPU"),
    ("database µs", "数据库CPU"),
    ("peak MB", "内存峰值"),
    ("lost", "丢失行"),
    ("failed", "失败"),
    ("ours is", "我们的倍数"),
)


def lines(results: Results) -> list[str]:
    said = [*_title(results)]
    for database in results.plan.databases:
        said += ["", f"{DATABASES[database]}", *laid_out(_rows(results, database))]
    for name, reason in results.unavailable.items():
        said += ["", f"{name}: could not be measured 未能测量: {reason}"]
    return said


def _title(results: Results) -> list[str]:
    plan, machine = results.plan, results.machine
    return [
        "The Friday storm 周五签到风暴",
        f"{plan.messages:,} members send 签到, safe mode (AES) · {plan.connections} keep-alive connections · "
        f"{plan.rounds} rounds of at most {plan.limit_seconds:.0f} s, medians",
        f"{machine['cores']} cores, load generator and database included · Python {machine['python']} · "
        f"one fdatasync {machine['fdatasync_us']} µs · every database writes durably",
    ]


def _rows(results: Results, database: str) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [*zip(*COLUMNS, strict=True)]
    rows += [_row(title, results.of(key, database), results, database) for key, title in results.titles.items()]
    return rows


def _row(title: str, runs: list[Run], results: Results, database: str) -> Sequence[str]:
    if not runs:
        return (title, *["–"] * (len(COLUMNS) - 1))
    milliseconds = (f"{middle(runs, name):,.1f}" for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
    costs = (f"{middle(runs, name):,.0f}" for name in ("server_cpu_us", "database_cpu_us", "peak_mb"))
    lost = sum(run.rows_lost for run in runs)
    failed = sum(sum(run.failures.values()) for run in runs)
    ratio = None if runs[0].target == "ours" else results.ratio(runs[0].target, database)
    times = f"{ratio:.2f} ×" if ratio else "–"
    return (title, f"{middle(runs, 'rate'):,.0f}", *milliseconds, *costs, str(lost), str(failed), times)


def laid_out(rows: list[Sequence[str]]) -> list[str]:
    """Columns under their two lines of headings, Chinese letters counted as two."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    said = []
    for row in rows:
        first = row[0] + " " * (widths[0] - _width(row[0]))
        rest = (" " * (width - _width(cell)) + cell for cell, width in zip(row[1:], widths[1:], strict=True))
        said.append("  ".join([first, *rest]).rstrip())
    said.insert(2, "-" * max(_width(line) for line in said))
    return said


def _width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
