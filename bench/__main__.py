"""python -m bench storm|fanout|audience|imports|drill: what this project measures and rehearses, each a command of its own."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import click

from bench import audience as meant
from bench import drill as rehearsal
from bench import drill_report
from bench import fanout as sending
from bench import imports as bringing
from bench.stores import KINDS
from bench.storm import Plan, storm
from bench.table import lines

TARGETS = ("werobot", "flask_wechatpy", "ours")
CLIENTS = tuple(sender.key for sender in sending.SENDERS)


def _names(allowed: tuple[str, ...]) -> Callable[[click.Context, click.Parameter, str], tuple[str, ...]]:
    def split(_: click.Context, __: click.Parameter, text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if unknown := set(names) - set(allowed):
            raise click.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(allowed)}")
        return names

    return split


@click.group()
def bench() -> None:
    """Benchmarks 性能测试."""
    signal.signal(signal.SIGTERM, _end)


@bench.command("storm")
@click.option(
    "--messages",
    default=20_000,
    show_default=True,
    type=click.IntRange(1),
    help="members who check in 签到人数",
)
@click.option(
    "--connections", default=128, show_default=True, type=click.IntRange(1, 2000), help="at a time 并发连接"
)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="runs of every target 轮数")
@click.option(
    "--limit",
    default=20.0,
    show_default=True,
    type=click.FloatRange(1, 600),
    help="seconds a run 每次上限秒数",
)
@click.option("--databases", default="postgresql,sqlite", show_default=True, callback=_names(tuple(KINDS)))
@click.option("--targets", default=",".join(TARGETS), show_default=True, callback=_names(TARGETS))
@click.option(
    "--workers",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help="ours, on a server 我们的进程数",
)
@click.option("--quick", is_flag=True, help="2,000 messages, one round of at most 6 s 快速看一眼")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="write every figure there")
def _storm(
    messages: int,
    connections: int,
    rounds: int,
    limit: float,
    databases: tuple[str, ...],
    targets: tuple[str, ...],
    workers: int,
    quick: bool,
    json_file: Path | None,
) -> None:
    """The Friday storm 周五签到风暴: everybody checks in at once.

    Exit status 1 if a target could not be measured, or ours failed anybody or lost a row.
    """
    if quick:
        messages, rounds, limit = min(messages, 2_000), 1, min(limit, 6.0)
    plan = Plan(messages, connections, rounds, limit, databases, targets, workers)
    results = storm(plan, say=lambda line: click.echo(line, err=True))
    click.echo("\n".join(lines(results)))
    _end_with(results, json_file)


@bench.command("fanout")
@click.option(
    "--messages",
    default=10_000,
    show_default=True,
    type=click.IntRange(1),
    help="people who get one 收到通知的人数",
)
@click.option(
    "--latency",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 10),
    help="seconds until WeChat answers 微信回答的延迟",
)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="runs of every sender 轮数")
@click.option("--senders", default=",".join(CLIENTS), show_default=True, callback=_names(CLIENTS))
@click.option("--quick", is_flag=True, help="2,000 messages, one round 快速看一眼")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="write every figure there")
def _fanout(
    messages: int, latency: float, rounds: int, senders: tuple[str, ...], quick: bool, json_file: Path | None
) -> None:
    """Sending 群发: a notice to everybody, while WeChat takes its time to answer.

    Exit status 1 if a sender could not be measured, or somebody got ours never or twice.
    """
    if quick:
        messages, rounds = min(messages, 2_000), 1
    results = sending.fanout(
        sending.Plan(messages, latency, rounds, senders), say=lambda line: click.echo(line, err=True)
    )
    click.echo("\n".join(sending.lines(results)))
    _end_with(results, json_file)


@bench.command("audience")
@click.option(
    "--databases", default="postgresql,sqlite", show_default=True, callback=_names(("postgresql", "sqlite"))
)
@click.option("--quick", is_flag=True, help="100,000 people 快速看一眼")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="write every figure there")
def _audience(databases: tuple[str, ...], quick: bool, json_file: Path | None) -> None:
    """The audience 收件范围: the members of one county out of a million people.

    Exit status 1 if somebody was not found, or it took too long.
    """
    plan = meant.Plan(databases, meant.PEOPLE // 10) if quick else meant.Plan(databases)
    results = meant.audiences(plan, say=lambda line: click.echo(line, err=True))
    click.echo("\n".join(meant.lines(results)))
    _end_with(results, json_file)


@bench.command("imports")
@click.option(
    "--databases", default="sqlite,postgresql", show_default=True, callback=_names(("postgresql", "sqlite"))
)
@click.option("--quick", is_flag=True, help="6,313 people 快速看一眼")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="write every figure there")
def _imports(databases: tuple[str, ...], quick: bool, json_file: Path | None) -> None:
    """Imports 导入: 63,130 people from a CSV file and a workbook, checked and written.

    Exit status 1 if a row was not written, or a row of many costs more than a row of few.
    """
    plan = bringing.Plan(databases, bringing.PEOPLE // 10) if quick else bringing.Plan(databases)
    results = bringing.bring(plan, say=lambda line: click.echo(line, err=True))
    click.echo("\n".join(bringing.lines(results)))
    _end_with(results, json_file)


@bench.command("drill")
@click.option(
    "--people", default=10_000, show_default=True, type=click.IntRange(100), help="who is told 收通知的人数"
)
@click.option("--databases", default=",".join(KINDS), show_default=True, callback=_names(tuple(KINDS)))
@click.option(
    "--kills", default=5, show_default=True, type=click.IntRange(0, 50), help="moments of kill -9 强制结束次数"
)
@click.option("--seed", default=1, show_default=True, help="another seed, other moments 随机种子")
@click.option("--quick", is_flag=True, help="1,000 people, two kills, PostgreSQL only 快速看一眼")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="write all lists there")
def _drill(
    people: int, databases: tuple[str, ...], kills: int, seed: int, quick: bool, json_file: Path | None
) -> None:
    """The drill 演练: a notice to everybody while its senders are killed with kill -9.

    Exit status 1 if somebody got it twice, somebody is missing without a reason, or a row was stuck.
    """
    if quick:
        people, kills, databases = min(people, 1_000), min(kills, 2), ("postgresql",)
    variants = tuple(variant for variant in rehearsal.VARIANTS if variant.database in databases)
    results = rehearsal.drill(
        rehearsal.Plan(people, kills, seed, variants), say=lambda line: click.echo(line, err=True)
    )
    click.echo("\n".join(drill_report.lines(results)))
    _end_with(results, json_file)


class _Results(Protocol):
    @property
    def is_clean(self) -> bool: ...

    def as_json(self) -> dict[str, Any]: ...


def _end_with(results: _Results, json_file: Path | None) -> None:
    if json_file:
        json_file.write_text(json.dumps(results.as_json(), ensure_ascii=False, indent=2) + "\n", "utf-8")
    sys.exit(0 if results.is_clean else 1)


def _end(number: int, _: FrameType | None) -> None:
    """A polite kill unwinds like Ctrl-C, so that everything started is stopped."""
    sys.exit(128 + number)


if __name__ == "__main__":
    bench(prog_name="python -m bench")
