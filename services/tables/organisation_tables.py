"""The organisation as tables that are handed out: stations, coverage village by village, what happened to branches."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from models import Branch, BranchChange, County, LiaisonPoint, Station, Township, Village
from services.organisation import branch_history, coverage, stations
from services.tables.sheets import Table


def stations_of(session: Session, on: date) -> Table:
    """Every station, those that are shut as well, in columns that `import stations` reads."""
    shut = set(session.scalars(sa.select(Station.id).where(stations.is_shut(on))))
    branches = {row.id: row.name for row in session.execute(sa.select(Branch.id, Branch.name))}
    rows = session.scalars(sa.select(Station).options(joinedload(Station.county)).order_by(Station.id))
    listed = (
        (
            row.name, row.county.name, row.address, row.phone, row.hours,
            "、".join(offer.label for offer in stations.offers(row)), row.latitude, row.longitude,
            branches[row.branch_id] if row.branch_id else "", "已关停" if row.id in shut else "开放",
        )
        for row in rows
    )  # fmt: skip
    columns = ("服务站", "县（市）区", "地址", "电话", "开放时间", "服务", "纬度", "经度", "支部", "状态")
    return Table(columns, listed, frozenset({"电话"}))


def coverage_of(session: Session, on: date) -> Table:
    """Every village, with since when it has a liaison point; who is asked for there is not handed out."""
    rows = session.execute(
        sa.select(County.name, Township.name, Village.name, LiaisonPoint.since_on)
        .join(Township, Township.county_id == County.id)
        .join(Village, Village.township_id == Township.id)
        .outerjoin(LiaisonPoint, sa.and_(LiaisonPoint.village_id == Village.id, coverage.holds(on)))
        .order_by(County.id, Township.id, Village.id)
    )
    listed = ((*row[:3], "有" if row[3] else "缺", row[3] or "") for row in rows)
    return Table(("县（市）区", "乡镇（街道）", "村（社区）", "联络点", "设立日期"), listed)


def changes_of(session: Session) -> Table:
    """What happened to every branch, branch by branch, the earliest first."""
    changed = sa.select(BranchChange.branch_id)
    branches = session.scalars(sa.select(Branch).where(Branch.id.in_(changed)).order_by(Branch.id)).all()
    listed = (
        (branch.name, event.on, event.act.label, event.says, event.reason)
        for branch in branches
        for event in reversed(branch_history.events(session, branch))
    )
    return Table(("支部（现名）", "日期", "事项", "内容", "原因"), listed)
