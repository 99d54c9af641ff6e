"""Legal service stations: which county is meant, what is near, and whether they are open today (F035).

Where somebody stands is used for one answer and kept nowhere.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time
from math import asin, cos, radians, sin, sqrt

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import beijing
from errors import NotFound
from models import County, Offer, Station, StationClosure
from services.meetings.calendar import FRIDAY, DayKind, Holidays

NEAREST = 3
EARTH_RADIUS_KM = 6371.0
WEEK = "一二三四五六日"

Span = tuple[time, time]


@dataclass(frozen=True, slots=True)
class Today:
    """A station's day: when it is open, and if it is not, why. Without readable hours, `is_known` is false."""

    spans: tuple[Span, ...]
    why_closed: str = ""
    is_known: bool = True

    def is_open(self, at: datetime) -> bool:
        wall = beijing(at).time()
        return any(opens <= wall < closes for opens, closes in self.spans)

    def opens_later(self, at: datetime) -> time | None:
        """When the doors open next on this day."""
        wall = beijing(at).time()
        return next((opens for opens, _closes in self.spans if wall < opens), None)


# --- counties ------------------------------------------------------------------------------------------------


def counties(session: Session) -> list[County]:
    """All of them, in the order in which they are always listed."""
    return list(session.scalars(sa.select(County).order_by(County.id)))


def county_named(known: list[County], said: str) -> County | None:
    """The one county that somebody means: 金水, 金水区, 郑州市金水区, 我在金水. None when none or several."""
    plain = "".join(unicodedata.normalize("NFKC", said).split()).strip("。.,!?、")
    exact = [c for c in known if plain == c.name]
    meant = exact or [c for c in known if len(plain) > 1 and (plain in c.name or c.name[:-1] in plain)]
    return meant[0] if len(meant) == 1 else None


# --- where they are ------------------------------------------------------------------------------------------


def get(session: Session, station_id: int) -> Station:
    """Raises NotFound."""
    station = session.get(Station, station_id)
    if station is None:
        raise NotFound("没有这个服务站。")
    return station


def is_shut(on: date) -> sa.ColumnElement[bool]:
    """Stations that are shut on a day, whatever their hours say: nobody is sent there."""
    ends = sa.or_(StationClosure.until_on.is_(None), StationClosure.until_on > on)
    return sa.exists().where(StationClosure.station_id == Station.id, StationClosure.since_on <= on, ends)


def closure(session: Session, station_id: int, on: date) -> StationClosure | None:
    """Since when and why a station is shut on a day; None while it is not."""
    row = sa.select(StationClosure).join(Station, Station.id == StationClosure.station_id)
    ends = sa.or_(StationClosure.until_on.is_(None), StationClosure.until_on > on)
    return session.scalar(row.where(Station.id == station_id, StationClosure.since_on <= on, ends).limit(1))


def offers(station: Station) -> list[Offer]:
    """What a station does for people."""
    return [Offer(word) for word in station.services.split()]


def of_county(session: Session, county_id: int, on: date) -> list[Station]:
    """Those that are not shut on that day."""
    there = sa.select(Station).where(Station.county_id == county_id, ~is_shut(on))
    return list(session.scalars(there.order_by(Station.id)))


def nearest(
    session: Session, latitude: float, longitude: float, on: date, limit: int = NEAREST
) -> list[tuple[Station, float]]:
    """The nearest stations that are not shut on that day, and how many kilometres away they are."""
    stations = session.scalars(sa.select(Station).options(joinedload(Station.county)).where(~is_shut(on)))
    measured = [(s, kilometres(latitude, longitude, s.latitude, s.longitude)) for s in stations]
    return sorted(measured, key=lambda pair: (pair[1], pair[0].id))[:limit]


def kilometres(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """The great-circle distance (haversine)."""
    north, south = radians(latitude), radians(to_latitude)
    across = sin(radians(to_longitude - longitude) / 2) ** 2 * cos(north) * cos(south)
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, sin((south - north) / 2) ** 2 + across)))


def say_distance(km: float) -> str:
    """约 300 米, 约 2.3 公里, 约 12 公里: no finer than a walk needs."""
    if km < 0.95:
        return f"约 {max(1, round(km * 10)) * 100} 米"
    return f"约 {km:.1f} 公里" if km < 9.95 else f"约 {round(km)} 公里"


# --- when they are open --------------------------------------------------------------------------------------

_DAY = "(?:周|星期|礼拜)"
_HOURS = re.compile(
    rf"(?P<kind>每天|每日|全天候|工作日|双休日|周末)"
    rf"|{_DAY}(?P<first>[一二三四五六日天])(?:(?:至|到|[-~–—～])(?:{_DAY})?(?P<last>[一二三四五六日天]))?"
    rf"(?P<more>(?:[、,和]?(?:{_DAY})?[一二三四五六日天](?![至到~–—～-]))*)"
    r"|(?P<opens>\d{1,2}:\d{2})(?:至|到|[-~–—～]+)(?P<closes>\d{1,2}:\d{2})"
)
_KINDS = {"工作日": range(5), "双休日": range(5, 7), "周末": range(5, 7)}


def week(hours: str) -> dict[int, tuple[Span, ...]] | None:
    """Hours as people write them, by weekday (0 is Monday); None when they cannot be read.

    “周一至周五 9:00–12:00 14:00–17:30，周六 9:00–12:00”: days hold until other days are named.
    """
    plain = "".join(unicodedata.normalize("NFKC", hours).split())
    days: set[int] = set()
    found: dict[int, list[Span]] = {}
    after_span = True
    for match in _HOURS.finditer(plain):
        if match["opens"]:
            span = _span(match["opens"], match["closes"])
            if span is None:
                return None
            for day in days or range(7):
                found.setdefault(day, []).append(span)
        else:
            days = _days(match) | (set() if after_span else days)
        after_span = bool(match["opens"])
    return {day: tuple(sorted(spans)) for day, spans in found.items()} or None


def on(hours: str, day: date, holidays: Holidays) -> Today:
    """What the hours mean on one day. A public holiday closes, unless the hours say 节假日; a weekend day that
    is worked (调休) is kept by who keeps every weekday."""
    known = week(hours)
    if known is None:
        return Today((), "", is_known=False)
    exception = holidays.of(day)
    spans = known.get(day.weekday(), ())
    if exception is not None and exception.kind is DayKind.HOLIDAY and "节假日" not in hours:
        return Today((), f"{exception.name}放假")
    if exception is not None and exception.kind is DayKind.WORKING and not spans:
        weekdays = [known.get(weekday, ()) for weekday in range(FRIDAY + 1)]
        spans = weekdays[FRIDAY] if all(weekdays) else ()
    return Today(spans, "" if spans else f"周{WEEK[day.weekday()]}不开")


def say_today(today: Today, at: datetime) -> str:
    """今天 9:00–12:00、14:00–17:30（现在开着）"""
    if not today.is_known:
        return "开放时间请先打电话问"
    if not today.spans:
        return f"今天不开放（{today.why_closed}）"
    spans = "、".join(f"{opens:%H:%M}–{closes:%H:%M}" for opens, closes in today.spans)
    later = today.opens_later(at)
    now = "现在开着" if today.is_open(at) else f"{later:%H:%M} 开门" if later else "今天已关门"
    return f"今天 {spans}（{now}）"


def _days(match: re.Match[str]) -> set[int]:
    if match["kind"]:
        return set(_KINDS.get(match["kind"], range(7)))
    first = _weekday(match["first"])
    last = _weekday(match["last"]) if match["last"] else first
    span = {(first + n) % 7 for n in range((last - first) % 7 + 1)}
    return span | {_weekday(c) for c in match["more"] or "" if c in WEEK + "天"}


def _weekday(letter: str) -> int:
    return 6 if letter == "天" else WEEK.index(letter)


def _span(opens: str, closes: str) -> Span | None:
    try:
        first, last = (time.fromisoformat(each.zfill(5)) for each in (opens, closes))
    except ValueError:
        return None
    return (first, last) if first < last else None
