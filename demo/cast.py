"""The people whose phones the local WeChat lends to a newcomer. 王芳 is a citizen: the society does not know her."""

from __future__ import annotations

from demo.branches import PlannedBranch, PlannedStation
from demo.people import PlannedPerson, PlannedPost
from models import BranchKind, Role

HOME = "金水区"
SUN_LI_LIVES_IN = "中原区"
INVITED = "周杰"
INVITED_PHONE = "19900001234"
INVITE_CODE = "JS2026"
NAMES = frozenset({"张伟", "孙丽", "李娜", "陈刚", "赵敏", "何静", "王芳", INVITED})


def openid_of(pinyin: str) -> str:
    """The made-up openid of one of the cast: 28 characters like WeChat's own."""
    return f"oSim{pinyin}".ljust(28, "0")


#: Whose branches `open_today` opens.
OPENIDS = tuple(map(openid_of, ("ZhangWei", "SunLi", "LiNa", "ChenGang", "ZhaoMin", "HeJing")))


def plan(branches: list[PlannedBranch], stations: list[PlannedStation]) -> list[PlannedPerson]:
    """The cast, each in a branch; 周杰 has no account yet but a printed invite code."""
    station = next(each for each in stations if each.county == HOME)
    constitution, criminal_law, *_ = (each.name for each in branches if each.kind is BranchKind.RESEARCH)
    firm = next(each.name for each in branches if (each.kind, each.county) == (BranchKind.FIRM, SUN_LI_LIVES_IN))
    secretary = PlannedPost(Role.SECRETARY, branch=station.branch)
    lawyer = PlannedPost(Role.LAWYER, station=station.name)
    return [
        PlannedPerson("张伟", station.branch, openid=openid_of("ZhangWei")),
        PlannedPerson("孙丽", firm, second=criminal_law, openid=openid_of("SunLi")),
        PlannedPerson("李娜", station.branch, openid=openid_of("LiNa"), posts=[secretary]),
        PlannedPerson("陈刚", station.branch, openid=openid_of("ChenGang"), posts=[lawyer]),
        PlannedPerson("赵敏", constitution, openid=openid_of("ZhaoMin"), posts=[PlannedPost(Role.OFFICE)]),
        PlannedPerson("何静", constitution, openid=openid_of("HeJing"), posts=[PlannedPost(Role.OFFICE)]),
        PlannedPerson(INVITED, station.branch, phone=INVITED_PHONE),
    ]
