"""Keeping the stations: address, telephone, hours, what they offer, where they are, and when they are shut (F035)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import Misunderstood, RuleBroken
from models import Branch, Offer, Station, StationClosure
from services import audit
from services.fields import Fields
from services.organisation import branch_history, stations
from services.scope import Scope

LONGEST_NAME, LONGEST_ADDRESS, LONGEST_PHONE, LONGEST_HOURS = 64, 128, 32, 64
#: Henan, roughly, in degrees: a station elsewhere is a slip of the pen.
LATITUDES, LONGITUDES = (31.3, 36.5), (110.3, 116.7)
LIKE_THIS = "周一至周五 9:00–12:00 14:00–17:30，周六 9:00–12:00"
LABELS = {
    "name": "名称", "address": "地址", "phone": "电话", "hours": "开放时间", "services": "服务", "latitude": "纬度",
    "longitude": "经度", "county_id": "所在地", "branch_id": "流动党支部",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Details:
    """What somebody wants a station to be."""

    name: str
    county_id: int
    address: str
    phone: str
    hours: str
    services: str
    latitude: float
    longitude: float
    branch_id: int | None


def read(
    session: Session, said: Mapping[str, str], offers: list[str], scope: Scope, station: Station | None
) -> tuple[Details | None, Fields]:
    """A form; hours must be such that people can be told whether it is open today."""
    form = Fields(said)
    name = form.title("name", "名称", LONGEST_NAME)
    taken = session.scalar(sa.select(Station.id).where(Station.name == name))
    if taken is not None and (station is None or taken != station.id):
        form.wrong["name"] = "已有同名的服务站。"
    county_id = form.place(session, scope)
    if county_id is None:
        form.wrong["county"] = "请选择所在的县（市）区。"
    address = form.line("address", "地址", LONGEST_ADDRESS)
    phone = _phone(form)
    hours = form.line("hours", "开放时间", LONGEST_HOURS)
    if hours and "hours" not in form.wrong and stations.week(hours) is None:
        form.wrong["hours"] = f"这样写读不懂，群众就查不到今天开不开；请照这样写：{LIKE_THIS}"
    latitude, longitude = form.degrees("latitude", "纬度"), form.degrees("longitude", "经度")
    _check_place(form, latitude, longitude)
    branch_id = _branch(session, form, scope)
    if form.wrong or county_id is None:
        return None, form
    services = " ".join(offer for offer in Offer if offer in offers)
    return Details(name, county_id, address, phone, hours, services, latitude, longitude, branch_id), form


def _phone(form: Fields) -> str:
    phone = form.line("phone", "电话", LONGEST_PHONE, needed=False)
    if phone and (not set(phone) <= set("0123456789-+() 转（）") or sum(letter.isdecimal() for letter in phone) < 5):
        form.wrong["phone"] = "电话没看懂，例如 0371-67180000 或 12348。"
    return phone


def _check_place(form: Fields, latitude: float, longitude: float) -> None:
    if {"latitude", "longitude"} & form.wrong.keys():
        return
    if _within(LATITUDES, longitude) and _within(LONGITUDES, latitude):
        form.wrong["latitude"] = "纬度和经度好像写反了：郑州在北纬 34 度、东经 113 度附近。"
    elif not _within(LATITUDES, latitude):
        form.wrong["latitude"] = f"不在本省范围内，北纬应在 {LATITUDES[0]} 到 {LATITUDES[1]} 之间。"
    elif not _within(LONGITUDES, longitude):
        form.wrong["longitude"] = f"不在本省范围内，东经应在 {LONGITUDES[0]} 到 {LONGITUDES[1]} 之间。"


def _within(bounds: tuple[float, float], degrees: float) -> bool:
    """False for what is no number as well."""
    return bounds[0] <= degrees <= bounds[1]


def _branch(session: Session, form: Fields, scope: Scope) -> int | None:
    name = form.line("branch", "流动党支部", 64, needed=False)
    if not name:
        return None
    of = sa.select(Branch.id).where(Branch.name == name, branch_history.living(), scope.kept_branches)
    found = session.scalar(of)
    if found is None:
        form.wrong["branch"] = "没有这个支部，或它不在您的管理范围内；请写全名，或留空。"
    return found


def save(session: Session, station: Station | None, to: Details, at: datetime, *, by: int) -> str:
    """Write it down; gives what changed, in words. Raises Misunderstood where nothing did."""
    is_new = station is None
    station = station or Station()
    changed = []
    for name, label in LABELS.items():
        old, new = (None if is_new else getattr(station, name)), getattr(to, name)
        if old != new:
            changed.append(f"{label}：{new}" if is_new else f"{label}：{old} → {new}")
            setattr(station, name, new)
    if not changed:
        raise Misunderstood("没有改动任何一项。")
    session.add(station)
    session.flush()
    said = "；".join(changed)
    audit.note(session, at, by, "station.add" if is_new else "station.change", f"station:{station.id}", said)
    return said


# --- shut and open -------------------------------------------------------------------------------------------


def closures(session: Session, station_id: int) -> list[StationClosure]:
    """When a station was shut, the latest first."""
    question = sa.select(StationClosure).where(StationClosure.station_id == station_id)
    return list(session.scalars(question.order_by(StationClosure.since_on.desc(), StationClosure.id.desc())))


def shut(session: Session, station: Station, since_on: date, reason: str, at: datetime, *, by: int) -> None:
    """Shut it from a day on, today or to come. Raises Misunderstood, RuleBroken."""
    today = beijing_date(at)
    if since_on < today:
        raise Misunderstood("从今天或以后的一天起关停；过去的日子已经开过门了。")
    current = next((row for row in closures(session, station.id) if row.until_on is None), None)
    if current is not None:
        raise RuleBroken(f"已经从 {current.since_on} 起关停了。")
    session.add(StationClosure(station_id=station.id, since_on=since_on, reason=reason))
    session.flush()
    audit.note(session, at, by, "station.shut", f"station:{station.id}", f"{since_on} 起关停；原因：{reason}")


def reopen(session: Session, station: Station, at: datetime, *, by: int) -> None:
    """Open it from today on; a closing that was to come is as if it had not been. Raises RuleBroken."""
    today = beijing_date(at)
    current = next((row for row in closures(session, station.id) if row.until_on is None), None)
    if current is None:
        raise RuleBroken("这个服务站开着，不用恢复。")
    current.until_on, current.is_current = max(current.since_on, today), None
    said = f"{current.since_on} 起关停 → {current.until_on} 恢复"
    audit.note(session, at, by, "station.reopen", f"station:{station.id}", said)
