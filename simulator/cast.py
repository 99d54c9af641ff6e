"""The people of the demonstration: who they are and what they may like to try."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a phone; ``chips`` are the words the page offers to send."""

    nickname: str
    openid: str
    hint: str
    chips: tuple[str, ...] = ()


def openid_of(pinyin: str) -> str:
    """The made-up openid of a member of the cast: 28 characters like WeChat's own (§0)."""
    return f"oSim{pinyin}".ljust(28, "0")


CAST = (
    Person("张伟", openid_of("ZhangWei"), "党员：签到、请假、看自己的记录", ("签到", "请假", "我的", "帮助")),
    Person("孙丽", openid_of("SunLi"), "党员，另一个支部：同样的话，不同的答", ("签到", "我的", "帮助")),
    Person("李娜", openid_of("LiNa"), "支部书记：看名单、替人签到", ("名单", "代签", "签到")),
    Person("王芳", openid_of("WangFang"), "群众：法律咨询、查进展、找服务站", ("咨询", "查询", "服务站")),
    Person("陈刚", openid_of("ChenGang"), "值班律师：看待办、接单", ("待办", "接单")),
    Person("赵敏", openid_of("ZhaoMin"), "市法学会办公室：群发通知、看进度", ("群发", "进度")),
    Person("何静", openid_of("HeJing"), "市法学会办公室另一位：审核别人写的群发", ("审核", "进度")),
)
BY_OPENID = {person.openid: person for person in CAST}
BY_NAME = {person.nickname: person for person in CAST}


def find(name: str) -> str:
    """The openid behind a nickname; anything else is taken for an openid."""
    return BY_NAME[name].openid if name in BY_NAME else name


def nickname(openid: str) -> str:
    """What to call this person on the page."""
    person = BY_OPENID.get(openid)
    return person.nickname if person else f"微信用户{openid[-4:]}"
