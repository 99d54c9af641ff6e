"""The twelve counties: brand, middle, and how many branches of each kind the demonstration puts there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A county (县、市、区). Stations lie within `reach` degrees of its middle."""

    name: str
    brand: str
    brand_note: str
    latitude: float
    longitude: float
    reach: float
    stations: int
    firms: int
    associations: int


# Brands: work report L18, L20, L22. The columns of numbers add up to 150, 377 and 135 (L10).
PLACES = (
    Place("中原区", "法治校园", "“八员进校园、合力保平安”", 34.748, 113.613, 0.025, 14, 46, 14),
    Place("二七区", "法治广场", "商贸区广场、二七纪念塔等", 34.724, 113.640, 0.020, 14, 44, 13),
    Place("惠济区", "法治社区", "清华园社区的规范化党建", 34.867, 113.617, 0.025, 10, 18, 8),
    Place("荥阳市", "法治乡村", "村级党建联络点参与制定“村规民约”", 34.787, 113.383, 0.040, 12, 18, 10),
    Place("新郑市", "长安杯创建", "社会治理法治化、智能化、专业化", 34.396, 113.740, 0.060, 13, 24, 11),
    Place("金水区", "特色法律服务", "流动人口法律服务站", 34.800, 113.660, 0.020, 18, 120, 28),
    Place("中牟县", "乡村两级综治中心规范化", "法律服务站联络点作用", 34.719, 113.976, 0.060, 12, 16, 9),
    Place("上街区", "法律服务站信息化", "为群众提供方便快捷的法律服务", 34.803, 113.308, 0.015, 8, 10, 6),
    Place("新密市", "法律服务站信息化", "为群众提供方便快捷的法律服务", 34.539, 113.391, 0.060, 12, 16, 9),
    Place("管城区", "法律服务社区（代书胡同）", "商都文化、民俗文化与法治文化", 34.744, 113.690, 0.020, 13, 33, 11),
    Place("登封市", "法治文化（法治武校）", "《平安是福》文化作品", 34.454, 113.050, 0.060, 12, 15, 8),
    Place("巩义市", "法治宣传", "升达学院普法志愿者、涉外企业", 34.748, 113.022, 0.050, 12, 17, 8),
)
