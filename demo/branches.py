"""The 674 branches, 12 + 150 + 377 + 135 (work report L10), and the 150 stations, as they will be written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from demo import names
from demo.places import PLACES, Place
from models import BranchKind, Offer

SOCIETIES = (
    "宪法法理学", "刑法学", "民商法学", "行政法学", "诉讼法学", "经济法学", "劳动与社会保障法学",
    "环境资源法学", "知识产权法学", "未成年人保护法学", "农业农村法治", "社会治理法治",
)  # fmt: skip
WEEKDAYS_ONLY = "周一至周五 9:00–12:00 14:00–17:30"
#: What a demonstration's station offers; the first it always does.
OFFERS = tuple(Offer)
#: A Party room may be shared (work report L14).
SHARED = ("专用", "与会议室合用", "与道德讲堂合用", "与党员书屋合用")
WITH_SATURDAY = "周一至周六 9:00–12:00 14:00–17:30"


@dataclass(frozen=True, slots=True)
class PlannedBranch:
    name: str
    kind: BranchKind
    county: str | None = None

    @property
    def room(self) -> str:
        """Where its Party room is; a few have none registered."""
        lot = Random(self.name)
        return f"{lot.randint(1, 6)} 楼党员活动室，{lot.choice(SHARED)}（演示）" if lot.random() < 0.9 else ""


@dataclass(frozen=True, slots=True)
class PlannedStation:
    name: str
    branch: str
    county: str
    address: str
    phone: str
    hours: str
    latitude: float
    longitude: float
    services: str


def plan(rng: Random) -> tuple[list[PlannedBranch], list[PlannedStation]]:
    """All branches, the city's first, then county by county; and the stations, one for each station branch."""
    neighbourhoods, firms, bodies = names.neighbourhoods(rng), names.firms(rng), names.bodies(rng)
    branches = [PlannedBranch(f"{society}研究会党支部", BranchKind.RESEARCH) for society in SOCIETIES]
    stations: list[PlannedStation] = []
    for place in PLACES:
        for _ in range(place.stations):
            station = _station(rng, place, next(neighbourhoods), len(stations) + 1)
            stations.append(station)
            branches.append(PlannedBranch(station.branch, BranchKind.STATION, place.name))
        branches += _branches(place, BranchKind.FIRM, "律师事务所", firms, place.firms)
        branches += _branches(place, BranchKind.ASSOCIATION, "", bodies, place.associations)
    return branches, stations


def _branches(place: Place, kind: BranchKind, ending: str, words: Iterator[str], count: int) -> list[PlannedBranch]:
    return [PlannedBranch(f"{place.name}{next(words)}{ending}流动党支部", kind, place.name) for _ in range(count)]


def _station(rng: Random, place: Place, neighbourhood: str, number: int) -> PlannedStation:
    name = f"{place.name}{neighbourhood}法律服务站"
    return PlannedStation(
        name=name,
        branch=f"{name}流动党支部",
        county=place.name,
        address=f"{place.name}{neighbourhood}{rng.randint(1, 199)}号（演示地址）",
        # No number in the city begins with 0.
        phone=f"0371-0000{number:04d}",
        hours=WITH_SATURDAY if rng.random() < 0.3 else WEEKDAYS_ONLY,
        latitude=round(place.latitude + rng.uniform(-place.reach, place.reach), 6),
        longitude=round(place.longitude + rng.uniform(-place.reach, place.reach), 6),
        services=" ".join((OFFERS[0], *(offer for offer in OFFERS[1:] if Random(f"{name} {offer}").random() < 0.4))),
    )
