"""What leads the branches, townships and villages with their liaison points, Party groups and stories: all invented
but for the names of the city's bodies, which stand in the work report (L9, L18).

It draws from a lot of its own, so that the people and branches of the demonstration stay who they are.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import product
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from demo import names
from demo.places import PLACES
from models import (
    Affiliation,
    Branch,
    BrandStory,
    LiaisonPoint,
    Organisation,
    OrganisationKind,
    PartyGroup,
    PartyGroupMember,
    StoryKind,
    Township,
    Village,
    insert_new,
)

SEED = 4
TOWNSHIPS, VILLAGES = (5, 9), (6, 12)
#: The share of villages with a liaison point.
COVERED = 0.93
SINCE_ON = date(2020, 1, 1)
#: Branches of the demonstration that have Party groups.
GROUPED = 24
CITY_LEADING_GROUP = "中共郑州市法学会党组"
#: 36 × 3 = 108 townships, as many as twelve counties can have here.
TOWNSHIP_WORDS = (
    "柳絮", "荷塘", "稻香", "枣花", "杏林", "槐荫", "竹溪", "松岗", "梅岭", "桑田", "棠梨", "榆钱",
    "菊园", "兰圃", "蓼湾", "苇荡", "菱塘", "葛坡", "芦渡", "桐坡", "樱坞", "柚林", "茶坪", "麻湾",
    "豆沟", "粟原", "麦垄", "芝岭", "椒坡", "枫林", "橘洲", "榴园", "蒲滩", "莲池", "菜畦", "瓜洲坡",
)  # fmt: skip
TOWNSHIP_ENDINGS = ("镇", "乡", "街道")
VILLAGE_WORDS = (
    "东坪", "西坪", "上湾", "下湾", "前坡", "后坡", "大槐", "小槐", "石桥", "木桥", "南园", "北园",
    "新井", "老井", "高台", "低台", "长渠", "短渠", "双塔", "单塔", "青砖", "红瓦", "白杨", "黑松",
)  # fmt: skip


def write(session: Session, counties: dict[str, int], *, at: datetime) -> None:
    """All of it, in the transaction of the demonstration."""
    rng = Random(SEED)
    _lead(session, counties)
    _settle(session, rng, counties)
    _group(session)
    _tell(session, counties, at)


def _lead(session: Session, counties: dict[str, int]) -> None:
    """Work report L9: the city's leading group obeys the city committee, a county's its own; the general branch obeys
    the political and legal committee and is guided by the leading group."""
    rows: list[tuple[OrganisationKind, str, int | None, str, str]] = [
        (OrganisationKind.LEADING_GROUP, CITY_LEADING_GROUP, None, "中共郑州市委", ""),
        (OrganisationKind.GENERAL_BRANCH, "郑州市法学会机关党总支", None, "中共郑州市委政法委员会", CITY_LEADING_GROUP),
    ]  # fmt: skip
    rows += [
        (
            OrganisationKind.LEADING_GROUP,
            f"中共{place.name}法学会党组",
            counties[place.name],
            f"中共{place.name}委",
            "",
        )
        for place in PLACES
    ]
    names_ = ("kind", "name", "county_id", "belongs_to", "guided_by")
    insert_new(session, Organisation, [{**dict(zip(names_, row, strict=True)), "is_fictional": True} for row in rows])


def _settle(session: Session, rng: Random, counties: dict[str, int]) -> None:
    words = [f"{word}{ending}" for word, ending in product(TOWNSHIP_WORDS, TOWNSHIP_ENDINGS)]
    rng.shuffle(words)
    fresh = iter(words)
    townships: list[dict[str, Any]] = [
        {"county_id": counties[place.name], "name": next(fresh), "is_fictional": True}
        for place in PLACES
        for _ in range(rng.randint(*TOWNSHIPS))
    ]
    insert_new(session, Township, townships)
    villages = [
        {
            "township_id": township_id,
            "name": f"{word}{'社区' if name.endswith('街道') else '村'}",
            "is_fictional": True,
        }
        for township_id, name in session.execute(sa.select(Township.id, Township.name).order_by(Township.id)).all()
        for word in rng.sample(VILLAGE_WORDS, rng.randint(*VILLAGES))
    ]
    insert_new(session, Village, villages)
    numbers = iter(range(10_000))
    points = [
        {
            # The same invented range as the people's.
            "village_id": village_id, "contact": names.person(rng), "phone": f"1990000{next(numbers):04d}",
            "since_on": SINCE_ON + timedelta(days=rng.randint(0, 1500)), "is_current": True,
        }
        for village_id in session.scalars(sa.select(Village.id).order_by(Village.id))
        if rng.random() < COVERED
    ]  # fmt: skip
    insert_new(session, LiaisonPoint, points)


def _group(session: Session) -> None:
    """Two Party groups in some branches, their people by turns."""
    branch_ids = session.scalars(sa.select(Branch.id).order_by(Branch.id).limit(GROUPED)).all()
    rows = [{"branch_id": i, "name": name} for i in branch_ids for name in ("第一党小组", "第二党小组")]
    insert_new(session, PartyGroup, rows)
    groups: dict[int, list[int]] = {}
    for branch_id, group_id in session.execute(
        sa.select(PartyGroup.branch_id, PartyGroup.id).order_by(PartyGroup.id)
    ):
        groups.setdefault(branch_id, []).append(group_id)
    members: dict[int, list[int]] = {}
    of = sa.select(Affiliation.branch_id, Affiliation.person_id).where(Affiliation.branch_id.in_(branch_ids))
    for branch_id, person_id in session.execute(of.order_by(Affiliation.id)):
        members.setdefault(branch_id, []).append(person_id)
    filled = [
        {"branch_id": branch_id, "person_id": who, "group_id": groups[branch_id][n % 2], "is_leader": n < 2}
        for branch_id, people in members.items()
        for n, who in enumerate(people)
    ]
    insert_new(session, PartyGroupMember, filled)


def _tell(session: Session, counties: dict[str, int], at: datetime) -> None:
    """Stories for all counties but the last, so that an empty page is seen as well."""
    on = beijing_date(at)
    told = [
        (StoryKind.EVENT, "走进基层普法一日", "（演示）支部党员和值班律师摆台解答，发放宣传页，登记问题当天回复。"),
        (StoryKind.VISIT, "党建现场会观摩", "（演示）各支部书记观摩活动室建设和工作记录，交流做法。"),
    ]
    insert_new(
        session,
        BrandStory,
        [
            {
                "county_id": counties[place.name], "kind": kind, "title": f"{place.brand}：{title}"[:64], "words": words,
                "happened_on": on - timedelta(days=30 * (n + 1)), "written_at": at, "is_fictional": True,
            }
            for place in PLACES[:-1]
            for n, (kind, title, words) in enumerate(told)
        ],
    )  # fmt: skip
