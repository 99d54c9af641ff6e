"""What `/api/v1` takes and gives. Chinese stands beside every stored word, so that no caller needs our tables."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

NEAREST_AT_MOST = 20


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class Error(Shape):
    """Every answer that is not 200."""

    error: str = Field(description="出了什么问题，一句话")


class CalendarQuery(Shape):
    year: int = Field(ge=1950, le=2100, description="年份")
    month: int | None = Field(None, ge=1, le=12, description="月份；不写为全年")


class Day(Shape):
    """A study day or activity day, and what becomes of it."""

    nominal_on: date = Field(description="原定日期")
    held_on: date | None = Field(description="举行日期；不举行或并入另一次时为空")
    kind: str
    label: str = Field(description="党员学习日、党员活动日")
    outcome: str
    outcome_label: str
    is_combined: bool = Field(description="活动日兼学习日")
    why: str = Field(description="这样安排的依据")


class Calendar(Shape):
    year: int
    month: int | None
    days: list[Day]
    warnings: list[str]


class KindCount(Shape):
    kind: str
    label: str
    count: int


class PlaceCount(Shape):
    place: str
    total: int
    kinds: list[KindCount]


class Branches(Shape):
    total: int
    kinds: list[KindCount]
    places: list[PlaceCount]


class StationsQuery(Shape):
    latitude: float = Field(ge=-90, le=90, description="纬度（GCJ-02）")
    longitude: float = Field(ge=-180, le=180, description="经度（GCJ-02）")
    limit: int = Field(3, ge=1, le=NEAREST_AT_MOST, description="最多几个")


class Station(Shape):
    name: str
    county: str
    address: str
    phone: str
    hours: str
    today: str = Field(description="今天的开放时间")
    is_open: bool
    latitude: float
    longitude: float
    kilometres: float


class Stations(Shape):
    stations: list[Station]


class PublicityQuery(Shape):
    year: int = Field(ge=1950, le=2100, description="年份")


class LedgerLine(Shape):
    """One figure with its unit; figures of different units must not be added."""

    item: str
    label: str
    number: int
    unit: str
    unit_label: str
    is_at_least: bool = Field(description="“600余”：不少于这个数")
    sources: list[str]


class Ledger(Shape):
    year: int
    lines: list[LedgerLine]
