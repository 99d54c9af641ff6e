"""stats, import, export: figures on the terminal, tables in, tables out."""

from __future__ import annotations

import getpass
import os
import sys
from datetime import datetime
from pathlib import Path

import click

import clock
from commands import columns
from commands import parts as made
from errors import AssistantError, NotFound
from models import BranchKind
from services import coverage, exports, imports, organisations, publicity
from services.imports_people import Fate

#: More problems than this tell nobody more.
SHOWN_PROBLEMS = 200
DAY = click.DateTime(["%Y-%m-%d"])


@click.group(short_help="统计 · figures")
def stats() -> None:
    """统计数字。

    Figures.
    """


@stats.command("branches", short_help="支部 · branches by kind and county")
@click.option("--on", type=DAY, help="那一天的支部，默认今天 · as they were on that day")
def branches(on: datetime | None) -> None:
    """支部数：按类别，按县（市）区；--on 2025-12-31 是那一天的数，以后的撤销、改名不影响它。

    Branches by kind and by county, today or as they were on a day.
    """
    with made.parts().database.reading() as session:
        counts = organisations.branch_counts(session, on.date() if on else clock.beijing_date(clock.now()))
    total = organisations.totals(counts)
    click.echo(" + ".join(str(total[kind]) for kind in BranchKind) + f" = {sum(total.values())}")
    click.echo("\n".join(columns.lines([(kind.label, total[kind]) for kind in BranchKind])) + "\n")
    heads = [kind.label.removesuffix("流动党支部").removesuffix("党支部") for kind in BranchKind]
    rows: list[tuple[object, ...]] = [("", *heads, "合计")]
    rows += [(count.place, *(count.by_kind[kind] for kind in BranchKind), count.total) for count in counts]
    rows.append(("合计", *(total[kind] for kind in BranchKind), sum(total.values())))
    click.echo("\n".join(columns.lines(rows)))


@stats.command("coverage", short_help="四级覆盖 · townships, villages, liaison points")
@click.option("--on", type=DAY, help="那一天的覆盖，默认今天 · as it was on that day")
def four_levels(on: datetime | None) -> None:
    """党建联络点覆盖：各县（市）区的乡镇、村（社区）、有联络点的、缺的。

    How many villages of each county have a liaison point, and how many have none.
    """
    day = on.date() if on else clock.beijing_date(clock.now())
    with made.parts().database.reading() as session:
        found = coverage.whole_city(session, day)
    heads: tuple[object, ...] = ("", "乡镇（街道）", "村（社区）", "有联络点", "缺", "覆盖")
    rows = [(row.name, row.townships, row.villages, row.covered, row.gaps, row.percent) for row in found]
    click.echo("\n".join(columns.lines([heads, *rows])))


@stats.command("people", short_help="人员 · people, each counted once")
def people() -> None:
    """党员人数：各类支部的人次之和，去重以后的人数。

    Members by kind of branch; somebody in two branches is counted in both, and once in the total.
    """
    with made.parts().database.reading() as session:
        found = organisations.member_counts(session, clock.beijing_date(clock.now()))
    rows = [(kind.label, found.by_kind[kind]) for kind in BranchKind]
    rows += [("各支部合计", found.affiliations), ("去重（在两个以上支部的）", -found.twice), ("人数", found.people)]
    click.echo("\n".join(columns.lines(rows)))


@stats.command("publicity", short_help="法治宣传台账 · the publicity ledger")
@click.option("--year", type=click.IntRange(1950, 2100), required=True, help="年份，例如 2017 · the year")
@click.option("--rows", is_flag=True, help="列出每个数字背后的记录 · the rows behind each figure")
def publicity_ledger(year: int, rows: bool) -> None:
    """一年的法治宣传台账；不同单位的数字从不相加。

    The ledger of a year, each figure with its own unit; figures of different units are never added.
    """
    with made.parts().database.reading() as session:
        ledger = publicity.ledger(session, year)
        known = publicity.years(session)
    if not ledger:
        said = f"已有：{'、'.join(map(str, known))} 年。" if known else "可用 python app.py import publicity 导入。"
        raise NotFound(f"没有 {year} 年的台账。{said}")
    click.echo(f"{year} 年法治宣传台账")
    heads = columns.lines([(line.item.label, line.total.figure) for line in ledger])
    for line, head in zip(ledger, heads, strict=True):
        click.echo(f"{head} {line.total.unit.label}（{len(line.rows)} 条记录）")
        for row in line.rows if rows else ():
            click.echo(f"    {row.key}  {row.held_on or '未记日期'}  {publicity.amount_of(row)}  {row.source}")
    if any(line.total.is_at_least for line in ledger):
        click.echo("“余”表示不少于这个数。人与人（次）分别统计，不相加。")


# --- in ------------------------------------------------------------------------------------------------------


@click.command("import", short_help="导入 · bring in a table")
@click.argument("kind", type=click.Choice([kind.value for kind in imports.Kind]))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--apply", "is_for_real", is_flag=True, help="没有错误就写入 · write it, if there are no errors")
def bring_in(kind: str, file: Path, is_for_real: bool) -> None:
    """导入 CSV 表：people 人员、holidays 节假日、publicity 宣传台账。UTF-8 或 GBK 编码。

    先不带 --apply 预览。再次导入同一张表是更新，不会重复；表里没有的人和职务不会被删去。

    \b
    people     姓名,手机号,支部,职务（可无）,加入日期
    holidays   日期,类别（放假/调休）,名称,来源
    publicity  编号,年份,日期（可无）,类别,数量,单位（可无）,来源

    Bring in a CSV table. Without --apply nothing is written. The same rows again are an update, never doubles.
    """
    parts = made.parts()
    of, raw = imports.Kind(kind), _content(file)
    at = clock.now()
    with parts.database.transaction() as session:
        plan = imports.plan(session, parts.database.vault, of, raw, at)
        if is_for_real and not plan.problems:
            imports.apply(session, plan, file.name, at)
        else:
            session.rollback()
    _say_plan(plan, file, is_for_real)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise AssistantError(f"读不了 {file}：{error.strerror}。") from None


def _say_plan(plan: imports.Plan, file: Path, is_for_real: bool) -> None:
    counts = "，".join(f"{fate.label} {plan.fates[fate]}" for fate in Fate)
    click.echo(f"{file.name}（{plan.kind.label}）：{counts}，有错 {len({p.row for p in plan.problems})} 行。")
    for remark in plan.remarks:
        click.echo(f"提示：{remark}")
    for problem in plan.problems[:SHOWN_PROBLEMS]:
        click.echo(f"  {problem}")
    if len(plan.problems) > SHOWN_PROBLEMS:
        click.echo(f"  ……共 {len(plan.problems)} 处")
    if plan.problems:
        raise AssistantError(f"有 {len(plan.problems)} 处错误，什么也没有写入；改正后再导入。")
    click.echo("已写入。" if is_for_real else "这是预览，什么也没有写入；加 --apply 写入。")


# --- out -----------------------------------------------------------------------------------------------------


@click.command(short_help="导出 · hand out a table")
@click.argument("kind", type=click.Choice([kind.value for kind in exports.Kind]))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="写到文件，默认打印 · a file")
@click.option("--reason", default="", help="用途，写进文件和审计 · what for")
@click.option("--unmasked", is_flag=True, help="人员：手机号不隐去，须写 --reason · whole telephone numbers")
@click.option("--from", "start", type=DAY, help="出席情况：开始日期 · attendance: first day")
@click.option("--to", "end", type=DAY, help="出席情况：结束日期 · attendance: last day")
def export(
    kind: str, out: Path | None, reason: str, unmasked: bool, start: datetime | None, end: datetime | None
) -> None:
    """导出 CSV 表（Excel 可直接打开）：people、branches、attendance、holidays、publicity、stations、coverage、changes。

    手机号默认隐去；末行写明谁在何时为何导出，每次导出都记入审计。

    Hand out a CSV table for any spreadsheet. Numbers are masked, the last line says whose it is, the audit knows.
    """
    parts = made.parts()
    asked = exports.Request(
        exports.Kind(kind), f"命令行用户 {getpass.getuser()}", reason.strip(), unmasked,
        start.date() if start else None, end.date() if end else None,
    )  # fmt: skip
    if out is not None:
        require_writable(out)
    with parts.database.transaction() as session:
        content, count = exports.export(session, asked, clock.now())
    if out is None:
        sys.stdout.buffer.write(content)
        return
    write_file(out, content)
    click.echo(f"已导出 {asked.kind.label} {count} 行到 {out}。")


def write_file(out: Path, content: bytes) -> None:
    """For its owner's eyes only: there are people in it."""
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        raise AssistantError(f"写不了 {out}：{error.strerror}。") from None


def require_writable(out: Path) -> None:
    """Before the audit says that something was handed out."""
    if not out.absolute().parent.is_dir():
        raise AssistantError(f"写不了 {out}：没有这个目录。")


COMMANDS: list[click.Command] = [stats, bring_in, export]
