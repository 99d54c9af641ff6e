"""audience: how many people an expression means, who they are, and lists kept for another time (F102, F103)."""

from __future__ import annotations

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session

import clock
from commands import columns
from commands import parts as made
from commands.outbox import COMMAND_LINE
from errors import NotFound
from models import County
from services import audience as audiences
from services import forecast, ladder, quotas
from services.audience import Audience
from services.forecast import Means

COUNTY = click.option("--county", help="只算这个县（市）区的人 · bounded by a county")


@click.group(short_help="发给谁 · audiences")
def audience() -> None:
    """发给谁：一句条件是多少人，怎样才能送到，是哪些人；常用的条件存成名单。

    \b
    例如  县:金水区 且 非 职务:书记
          类型:律师事务所流动 或 名单:骨干
          (已签到:2026-11-20 或 缺记录:2026-11-20) 且 县:“金水区”
    条件  全体、县、类型、支部、职务、已签到、未签到、缺记录、咨询过、名单；群众单写

    Whom a notice is for: an expression of conditions with 且 (and), 或 (or), 非 (not) and parentheses.
    """


@audience.command("count", short_help="多少人 · how many")
@click.argument("expression", nargs=-1, required=True)
@COUNTY
def count(expression: tuple[str, ...], county: str | None) -> None:
    """多少人，其中每条途径能送到多少，其余为什么送不到；各项相加等于总数。

    How many people, and by which way each would be reached now. The buckets add up to the people.
    """
    parts, at = made.parts(), clock.now()
    means = Means(ladder.official(parts.settings.wechat), quotas.daily(parts.settings.sending))
    with parts.database.reading() as session:
        seen = forecast.of(session, _audience(session, expression, county), means, at)
    click.echo(f"共 {seen.people} 人，可达 {seen.reachable} 人。")
    buckets = sorted(seen.buckets.items(), key=lambda item: item[1], reverse=True)
    for line in columns.lines(buckets) if buckets else ():
        click.echo(f"  {line}")


@audience.command("sample", short_help="是哪些人 · some names")
@click.argument("expression", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 100), default=10, help="最多几个，默认 10 · at most so many")
@COUNTY
def sample(expression: tuple[str, ...], limit: int, county: str | None) -> None:
    """几个名字，用来核对条件写得对不对。

    A few names, to see whether the expression means what you think.
    """
    at = clock.now()
    with made.parts().database.reading() as session:
        to = _audience(session, expression, county)
        many, names = audiences.count(session, to, at), audiences.sample(session, to, at, limit)
    click.echo(f"共 {many} 人" + (f"，例如：{'、'.join(names)}" if names else ""))


@audience.command("list", short_help="存着的名单 · saved lists")
def saved() -> None:
    """存着的名单，各有多少人。

    The lists that were kept, with how many people each means now.
    """
    at = clock.now()
    with made.parts().database.reading() as session:
        kept = audiences.saved(session, limit=1000)
        rows = [(row.name, row.expression, audiences.count(session, Audience(row.expression), at)) for row in kept]
    click.echo("\n".join(columns.lines([("名单", "条件", "人数"), *rows])) if rows else "还没有存过名单。")


@audience.command("save", short_help="存一个名单 · keep a list")
@click.argument("name")
@click.argument("expression", nargs=-1, required=True)
def save(name: str, expression: tuple[str, ...]) -> None:
    """把一句条件存成名单，以后写“名单:名称”。已有的名称换成新的条件。

    Keep an expression under a name; a known name gets the new expression.
    """
    parts, at = made.parts(), clock.now()
    with parts.database.transaction() as session:
        row = audiences.save(session, name, " ".join(expression), at, by=None, note=COMMAND_LINE)
        many = audiences.count(session, Audience(row.expression), at)
    click.echo(f"已保存名单“{name}”：{' '.join(expression)}，现在 {many} 人。")


def _audience(session: Session, expression: tuple[str, ...], county: str | None) -> Audience:
    """Raises NotFound for a county that does not exist."""
    if county is None:
        return Audience(" ".join(expression))
    county_id = session.scalar(sa.select(County.id).where(County.name == county))
    if county_id is None:
        names = session.scalars(sa.select(County.name).order_by(County.id))
        raise NotFound(f"没有“{county}”这个县（市）区。可以写：{'、'.join(names)}。")
    return Audience(" ".join(expression), county_id)


COMMANDS: list[click.Command] = [audience]
