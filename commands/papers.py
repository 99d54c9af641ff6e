"""stats, import, export: figures on the terminal, tables in, tables out."""

from __future__ import annotations

import getpass
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click

import clock
from commands import columns
from commands import parts as made
from errors import AssistantError, NotFound
from models import BranchKind
from services import publicity
from services.organisation import coverage, organisations
from services.tables import exports, imports, table_files
from services.tables.sheets import TableFile

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
@click.option("--sheet", default="", help="工作簿里的哪张表，默认第一张不空的 · which sheet")
@click.option("--apply", "is_for_real", is_flag=True, help="没有错误就写入 · write it, if there are no errors")
def bring_in(kind: str, file: Path, sheet: str, is_for_real: bool) -> None:
    """导入表格：people 人员、branches 支部、stations 服务站、holidays 节假日、publicity 宣传台账。

    Excel 工作簿（.xlsx）或 CSV（UTF-8、GBK）。先不带 --apply 预览。再次导入同一张表是更新，不会重复；表里没有的人和职务不会被删去。

    \b
    people     姓名,手机号,支部,加入日期,职务（可无）
    branches   支部,类别,县（市）区
    stations   服务站,县（市）区,地址,经度,纬度,开放时间（可无）,电话（可无）,支部（可无）
    holidays   日期,类别（放假/调休）,名称,来源
    publicity  编号,年份,类别,数量,来源,日期（可无）,单位（可无）

    Bring in a workbook or a CSV table. Without --apply nothing is written. The same rows again are an update.
    """
    parts = made.parts()
    table = table_files.opened(_content(file), sheet)
    try:
        with imports.Prepared() as prepared:
            with parts.database.reading() as session, _bar("检查", table) as bar:
                task = imports.Task(imports.Kind(kind), table, clock.now(), progress=bar)
                found = imports.check(session, task, prepared if is_for_real else None)
            _say_findings(found, file, kind)
            if is_for_real:
                with parts.database.transaction() as session:
                    imports.apply(session, task, prepared, file.name)
    except OSError as error:
        says = f"临时文件夹 {tempfile.gettempdir()} 写不下了（{error.strerror}），什么也没有写入；腾出空间再试。"
        raise AssistantError(says) from error
    click.echo(f"已写入：{found.counts}。" if is_for_real else "这是预览，什么也没有写入；加 --apply 写入。")


class _Bar:
    """How far one is, on a terminal only."""

    def __init__(self, shown: Any) -> None:
        self._shown, self._done = shown, 0

    def __call__(self, rows: int) -> None:
        self._shown.update(rows - self._done)
        self._done = rows


@contextmanager
def _bar(label: str, table: TableFile) -> Iterator[_Bar]:
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=table.about, label=label, file=sys.stderr, hidden=hidden) as shown:
        yield _Bar(shown)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise AssistantError(f"读不了 {file}：{error.strerror}。") from None


def _say_findings(found: imports.Findings, file: Path, kind: str) -> None:
    """What a file would do; raises AssistantError after its problems."""
    click.echo(f"{file.name}（{imports.Kind(kind).label}）：{found.counts}，有错 {found.wrong_rows} 行。")
    for remark in found.remarks:
        click.echo(f"提示：{remark}")
    for problem in found.problems[:SHOWN_PROBLEMS]:
        click.echo(f"  {problem}")
    if found.problem_count > SHOWN_PROBLEMS:
        click.echo(f"  ……还有 {found.problem_count - SHOWN_PROBLEMS} 处")
    if found.problem_count:
        raise AssistantError(f"有 {found.problem_count} 处错误，什么也没有写入；改正后再导入。")


# --- out -----------------------------------------------------------------------------------------------------


@click.command(short_help="导出 · hand out a table")
@click.argument("kind", type=click.Choice([kind.value for kind in exports.Kind]))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="写到 .csv 或 .xlsx 文件，默认打印 · a file",
)
@click.option("--reason", default="", help="用途，写进文件和审计 · what for")
@click.option("--unmasked", is_flag=True, help="人员：手机号不隐去，须写 --reason · whole telephone numbers")
@click.option("--from", "start", type=DAY, help="出席情况：开始日期 · attendance: first day")
@click.option("--to", "end", type=DAY, help="出席情况：结束日期 · attendance: last day")
def export(
    kind: str, out: Path | None, reason: str, unmasked: bool, start: datetime | None, end: datetime | None
) -> None:
    """导出表格：people、branches、attendance、holidays、publicity、stations、coverage、changes。

    --out 的文件以 .xlsx 结尾就是工作簿，否则是 CSV（Excel 可直接打开）。手机号默认隐去；末行写明谁在何时为何导出，每次导出都记入审计。

    Hand out a table, a workbook if the file ends in .xlsx, else CSV. Numbers are masked, the last line says whose it
    is, the audit knows.
    """
    parts = made.parts()
    asked = exports.Request(
        exports.Kind(kind), f"命令行用户 {getpass.getuser()}", reason.strip(), unmasked,
        start.date() if start else None, end.date() if end else None,
        is_workbook=out is not None and out.suffix.lower() == ".xlsx",
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
