"""outbox report: what became of a notice, on the terminal, as a workbook, and as lists to be told by hand (F110, F111)."""

from __future__ import annotations

import getpass
from dataclasses import dataclass, replace
from pathlib import Path

import click
from sqlalchemy.orm import Session

import clock
from commands import columns
from commands import parts as made
from commands.papers import require_writable, write_file
from errors import RuleBroken
from models import SendState
from services.sending import by_hand, delivery_report, report_book
from services.sending.delivery_report import Line, Report
from services.sending.report_book import BY_HAND, ORDER, REPORT, Asked
from services.tables import csv_files, workbooks

FILE = click.Path(dir_okay=False, path_type=Path)
STATES = {state.label: state for state in SendState}


@click.command(short_help="送达报告 · the delivery report")
@click.argument("campaign")
@click.option("--xlsx", type=FILE, help="写成工作簿 · a workbook")
@click.option("--by-hand", "hand", type=FILE, help="代告名单，.xlsx 每支部一页，.csv 一张表 · whom to tell by hand")
@click.option("--rows", "state", type=click.Choice(list(STATES)), help="列出这一类的人 · the people of one state")
@click.option("--reason", default="", help="用途，写进文件和审计 · what for")
@click.option("--unmasked", is_flag=True, help="代告名单里手机号不隐去，须写 --reason · whole telephone numbers")
def report(
    campaign: str, xlsx: Path | None, hand: Path | None, state: str | None, reason: str, unmasked: bool
) -> None:
    """一次发送的结果：下落、县区、支部类型，合计都等于总人数；预计与实际并列。

    两个支部都在的人算在主要支部里，只算一次。文件末行和审计写明谁在何时为何导出。

    What became of a campaign. Every table adds up to the audience; a person in two branches counts once.
    """
    parts = made.parts()
    if unmasked and not reason.strip():
        raise RuleBroken("完整手机号要写明用途，例如 --reason 逐个打电话告知。")
    asked = Asked(clock.now(), f"命令行用户 {getpass.getuser()}", reason.strip())
    for path in (xlsx, hand):
        if path is not None:
            require_writable(path)
    files: list[Paper] = []
    # Reading waits for nobody and holds nobody up, however long a workbook of 63,130 people takes.
    with parts.database.reading() as session:
        found = delivery_report.report(session, campaign)
        click.echo("\n".join(_shown(found)))
        if state is not None:
            _list(session, campaign, STATES[state])
        if xlsx is not None:
            content = report_book.write(session, found, asked.mark(found, REPORT))
            files.append(Paper(xlsx, REPORT, content, f"{found.whole.total} 人", asked))
        if hand is not None:
            files.append(_by_hand(session, found, hand, replace(asked, is_unmasked=unmasked)))
    with parts.database.transaction() as session:
        for paper in files:
            paper.asked.note(session, found, paper.what, paper.size)
    for paper in files:
        write_file(paper.path, paper.content)
        click.echo(f"{paper.what}：{paper.size}，已写到 {paper.path}。")


@dataclass(frozen=True, slots=True)
class Paper:
    """A file that is about to be handed out."""

    path: Path
    what: str
    content: bytes
    size: str
    asked: Asked


def _by_hand(session: Session, found: Report, path: Path, asked: Asked) -> Paper:
    mark = asked.mark(found, BY_HAND)
    pages = list(by_hand.lists(session, found.name, asked.at, is_unmasked=asked.is_unmasked))
    if path.suffix.lower() == ".csv":
        content, _count = csv_files.write(by_hand.table(pages), mark)
    else:
        content = workbooks.write([by_hand.sheet(pages)], mark)
    size = f"{len(pages)} 个支部，{sum(len(page.people) for page in pages)} 人"
    return Paper(path, BY_HAND, content, size, asked)


def _shown(found: Report) -> list[str]:
    states = [state for state in ORDER if found.whole.counted.get(state)]
    return [
        f"{found.name}　{found.state.label}　{clock.say_moment(found.begun_at)} 开始",
        found.title,
        "",
        *columns.lines(
            [("途径或原因", "预计", "实际"), *_ways(found), ("合计", _expected(found), found.whole.total)]
        ),
        "",
        *_table("县（市）区", found.by_county, found.whole, states),
        "",
        *_table("支部类型", found.by_kind, found.whole, states),
        *([""] if found.reasons else []),
        *(f"{state.label} {many}：{reason}" for state, reason, many in found.reasons),
    ]


def _ways(found: Report) -> list[tuple[object, ...]]:
    told = found.expected
    return [
        (name, "—" if told is None else told.get(name, 0), found.ways.get(name, 0))
        for name in report_book.ways(found)
    ]


def _expected(found: Report) -> object:
    return "—" if found.expected is None else sum(found.expected.values())


def _table(first: str, lines: list[Line], whole: Line, states: list[SendState]) -> list[str]:
    rows: list[tuple[object, ...]] = [(first, *(state.label for state in states), "合计")]
    rows += [(line.name, *(line.counted.get(s, 0) for s in states), line.total) for line in (*lines, whole)]
    return columns.lines(rows)


def _list(session: Session, campaign: str, state: SendState) -> None:
    click.echo(f"\n{state.label}：")
    for one in delivery_report.people(session, campaign, state):
        parts = (one.place, one.branch, one.name, one.phone, one.reason)
        click.echo("  " + "　".join(part for part in parts if part))
