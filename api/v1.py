"""`/api/v1`: the public calls. Nothing here is about a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from pydantic import ValidationError
from spectree import Response as Answers
from spectree import SpecTree

import models
from api import shapes
from api.shapes import (
    Branches,
    Calendar,
    CalendarQuery,
    Day,
    Error,
    KindCount,
    Ledger,
    LedgerLine,
    PlaceCount,
    PublicityQuery,
    Station,
    Stations,
    StationsQuery,
)
from clock import Now, beijing_date
from config import Settings
from errors import NotFound
from models import BranchKind, Database
from services import publicity
from services.meetings import rhythm
from services.meetings.calendar import Holidays, PlannedDay, month_span, year_span
from services.organisation import organisations, stations

PREFIX = "/api/v1"
#: Per address and process; a phone asks a few times, a county system once a day.
LIMIT = "60/minute"
WRONG = {
    "type": "不是需要的类型",
    "missing": "缺少",
    "greater_than_equal": "太小",
    "less_than_equal": "太大",
}


def blueprint(settings: Settings, database: Database, now: Now, limit: str = LIMIT) -> Blueprint:
    """The calls, and the document that describes them."""
    calls = Blueprint("api_v1", __name__)
    spec = SpecTree(
        "flask", title="法学会助手 API", version="1", mode="strict", page_templates={},
        naming_strategy=lambda model: model.__name__, nested_naming_strategy=lambda _parent, child: child,
        validation_error_model=Error, before=_worded,
    )  # fmt: skip
    limiter, rate = MovingWindowRateLimiter(MemoryStorage()), parse(limit)

    @calls.before_request
    def slow_down() -> Response | None:
        return None if limiter.hit(rate, request.remote_addr or "") else _too_many(rate)

    @calls.errorhandler(NotFound)
    def not_found(error: NotFound) -> tuple[Response, int]:
        return _refused(str(error)), 404

    @calls.get(f"{PREFIX}/calendar")
    @spec.validate(resp=_answers(Calendar), operation_id="calendar")
    def calendar(query: CalendarQuery) -> Calendar:
        """一年或一个月的党员学习日、活动日，每天都说明依据。"""
        start, end = year_span(query.year) if query.month is None else month_span(query.year, query.month)
        with database.reading() as session:
            of = rhythm.calendar(session, settings.calendar)
        days = [_day(day) for day in of.planned(start, end)]
        return Calendar(year=query.year, month=query.month, warnings=of.warnings(query.year), days=days)

    @calls.get(f"{PREFIX}/branches")
    @spec.validate(resp=_answers(Branches), operation_id="branches")
    def branches() -> Branches:
        """支部数：按类别，按县（市）区。"""
        with database.reading() as session:
            counts = organisations.branch_counts(session, beijing_date(now()))
        totals = organisations.totals(counts)
        places = [PlaceCount(place=c.place, total=c.total, kinds=_kinds(c.by_kind)) for c in counts]
        return Branches(total=sum(totals.values()), kinds=_kinds(totals), places=places)

    @calls.get(f"{PREFIX}/stations")
    @spec.validate(resp=_answers(Stations), operation_id="stations")
    def nearest(query: StationsQuery) -> Stations:
        """最近的法律服务站，今天开不开门。位置只用于这次计算，不保存。"""
        at = now()
        with database.reading() as session:
            found = stations.nearest(session, query.latitude, query.longitude, beijing_date(at), query.limit)
            holidays = rhythm.calendar(session, settings.calendar).holidays
        return Stations(stations=[_station(each, kilometres, at, holidays) for each, kilometres in found])

    @calls.get(f"{PREFIX}/publicity")
    @spec.validate(resp=_answers(Ledger), operation_id="publicity")
    def ledger(query: PublicityQuery) -> Ledger:
        """一年的法治宣传台账，每个数字带着自己的单位。"""
        with database.reading() as session:
            lines = publicity.ledger(session, query.year)
        if not lines:
            raise NotFound(f"没有 {query.year} 年的台账。")
        return Ledger(year=query.year, lines=[_line(line) for line in lines])

    # Ours, because spectree leaves every call below its document's folder out of the document.
    @calls.get(f"{PREFIX}/openapi.json")
    def document() -> Response:
        return jsonify(spec.spec)

    @calls.get(f"{PREFIX}/<path:other>")
    def unknown(other: str) -> tuple[Response, int]:
        return _refused(f"没有 {PREFIX}/{other} 这个接口；全部接口见 {PREFIX}/openapi.json。"), 404

    return calls


def _answers(shape: type[shapes.Shape]) -> Answers:
    return Answers(
        HTTP_200=shape, HTTP_404=(Error, "没有"), HTTP_422=(Error, "参数不对"), HTTP_429=(Error, "请求太频繁")
    )


def _day(day: PlannedDay) -> Day:
    return Day(
        nominal_on=day.nominal_on, held_on=day.held_on, kind=day.kind.value, label=day.kind.label,
        outcome=day.outcome.value, outcome_label=day.outcome.label, is_combined=day.is_combined, why=day.why,
    )  # fmt: skip


def _station(station: models.Station, kilometres: float, at: datetime, holidays: Holidays) -> Station:
    today = stations.on(station.hours, beijing_date(at), holidays)
    return Station(
        name=station.name, county=station.county.name, address=station.address, phone=station.phone,
        hours=station.hours, today=stations.say_today(today, at), is_open=today.is_open(at),
        latitude=station.latitude, longitude=station.longitude, kilometres=round(kilometres, 1),
    )  # fmt: skip


def _kinds(counts: dict[BranchKind, int]) -> list[KindCount]:
    return [KindCount(kind=kind.value, label=kind.label, count=count) for kind, count in counts.items()]


def _line(line: publicity.Line) -> LedgerLine:
    return LedgerLine(
        item=line.item.value, label=line.item.label, number=line.total.number, unit=line.total.unit.value,
        unit_label=line.total.unit.label, is_at_least=line.total.is_at_least,
        sources=sorted({row.source for row in line.rows}),
    )  # fmt: skip


def _worded(_request: Any, response: Any, error: ValidationError | None, _instance: object) -> None:
    """Say in Chinese which parameter is wrong, in the one shape that errors have."""
    if error is None:
        return
    said = []
    for each in error.errors():
        name = ".".join(map(str, each["loc"]))
        limits = each.get("ctx", {})
        bound = limits.get("ge", limits.get("le", ""))
        wrong = WRONG.get(each["type"], WRONG["type"])
        said.append(f"{name} {wrong}" + (f"（应{_bound(each['type'])} {bound}）" if bound != "" else ""))
    response.set_data(_refused("；".join(said) + "。").get_data())


def _bound(kind: str) -> str:
    return "不小于" if kind == "greater_than_equal" else "不大于"


def _refused(sentence: str) -> Response:
    return Response(Error(error=sentence).model_dump_json(), mimetype="application/json")


def _too_many(rate: RateLimitItem) -> Response:
    response = _refused("请求太频繁，请一分钟后再试。")
    response.status_code = 429
    response.headers["Retry-After"] = str(rate.get_expiry())
    return response
