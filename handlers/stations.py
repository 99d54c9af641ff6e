"""服务站: by county, or the nearest to where somebody stands; the place is used for the answer and not kept (F035)."""

from __future__ import annotations

from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Turn
from clock import beijing_date
from handlers.context import house
from models import County, Station
from services.meetings import rhythm
from services.meetings.calendar import Holidays
from services.organisation import stations

SHOWN = 5
#: Further than this the nearest station is no help; somebody is out of town.
FAR_AWAY_KM = 80


topic = Router()


def holidays(turn: Turn) -> Holidays:
    return rhythm.calendar(turn.session, house(turn).settings.calendar).holidays


@topic.text(
    "服务站",
    "附近服务站",
    "法律服务站",
    help="服务站 — 附近的法律服务站，今天开不开",
    number=5,
    menu="STATIONS",
    scene="station",
)
def find(turn: Turn) -> Reply:
    if turn.message.kind == "event" and turn.rest.isdecimal():
        station = stations.get(turn.session, int(turn.rest))
        if stations.closure(turn.session, station.id, beijing_date(turn.at)) is not None:
            return (
                f"{station.name}暂停服务。发送位置，或回复 {tap('服务站')}，可以找附近的；也可以直接 {tap('咨询')}。"
            )
        return "\n".join(_lines(turn, station, holidays(turn)))
    known = stations.counties(turn.session)
    county = stations.county_named(known, turn.rest) if turn.rest else None
    if county is None:
        return _where(known, turn.rest)
    return _of_county(turn, county, holidays(turn))


@topic.on("location")
def near(turn: Turn) -> Reply:
    place = _place(turn)
    if place is None:
        return f"没有读到位置，请重新发送；也可以按县（市）区找：{tap('服务站')}"
    found = stations.nearest(turn.session, *place, beijing_date(turn.at))
    if not found:
        return f"还没有登记服务站。法律问题可以直接 {tap('咨询')}，或拨打 12348。"
    far = "您离本市较远，以下是最近的服务站：" if found[0][1] > FAR_AWAY_KM else "离您最近的法律服务站："
    days_off = holidays(turn)
    parts = [
        "\n".join(_lines(turn, station, days_off, f"（{station.county.name}，{stations.say_distance(km)}）"))
        for station, km in found
    ]
    return "\n\n".join([far, *parts, f"位置只用于这次查找，不保存。也可以直接 {tap('咨询')}。"])


def _place(turn: Turn) -> tuple[float, float] | None:
    """Latitude and longitude: WeChat's X is the latitude (wechat-platform.md §2.1)."""
    fields = turn.message.fields
    try:
        latitude, longitude = float(str(fields["Location_X"])), float(str(fields["Location_Y"]))
    except (KeyError, ValueError):
        return None
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _where(known: list[County], said: str) -> Reply:
    start = f"没有找到“{said[:10]}”。" if said else ""
    names = "｜".join(tap(county.name, f"服务站 {county.name}") for county in known)
    return f"{start}点输入框旁的“＋”→“位置”→“发送位置”，就能看到最近的服务站；或者选县（市）区：\n{names}"


def _of_county(turn: Turn, county: County, holidays: Holidays) -> Reply:
    today = beijing_date(turn.at)
    found = stations.of_county(turn.session, county.id, today)
    if not found:
        return f"{county.name}还没有登记服务站。法律问题可以直接 {tap('咨询')}，或拨打 12348。"
    found.sort(key=lambda s: (not stations.on(s.hours, today, holidays).is_open(turn.at), s.id))
    parts = ["\n".join(_lines(turn, station, holidays)) for station in found[:SHOWN]]
    more = f"{county.name}共 {len(found)} 个服务站，先列出 {SHOWN} 个；发送位置可以看到最近的。"
    return "\n\n".join([f"{county.name}的法律服务站：", *parts, *([more] if len(found) > SHOWN else [])])


def _lines(turn: Turn, station: Station, holidays: Holidays, beside: str = "") -> list[str]:
    today = stations.on(station.hours, beijing_date(turn.at), holidays)
    fictional = "（演示）" if station.is_fictional else ""
    return [
        f"{station.name}{fictional}{beside}",
        f"地址：{station.address}",
        *([f"电话：{station.phone}"] if station.phone else []),
        stations.say_today(today, turn.at),
        *([f"服务：{'、'.join(offer.label for offer in offered)}"] if (offered := stations.offers(station)) else []),
    ]
