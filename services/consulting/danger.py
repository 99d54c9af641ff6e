"""Words that mean somebody may come to harm: which numbers they need at once, and that people are told (F082).

A table of phrases, read in one pass whatever its length. It would rather alarm once too often; the second table
holds what only looks dangerous (跳楼价, 群体性免疫). Pure: nothing here is stored, sent or logged.
"""

from __future__ import annotations

import unicodedata
from itertools import product

import ahocorasick

from models.base import Labelled


class Danger(Labelled):
    """The kinds of danger, the most pressing first."""

    SELF_HARM = "self_harm", "自伤"
    BODILY = "bodily", "人身危险"
    DOMESTIC = "domestic", "家暴"
    CROWD = "crowd", "群体性"


# Somebody close, and what they do: 老公打我, 被前夫殴打. Written as a product so that no pair is forgotten.
RELATIVES = (
    "老公", "丈夫", "老婆", "妻子", "男朋友", "女朋友", "男友", "女友", "对象", "前夫", "前妻", "我爸", "爸爸",
    "父亲", "我妈", "妈妈", "母亲", "继父", "继母", "公公", "婆婆", "岳父", "儿子", "儿媳", "女婿",
)  # fmt: skip
HITS_ME = ("打我", "又打我", "老打我", "总打我", "经常打我", "动手打", "打了我", "殴打", "家暴", "虐待", "掐我")

PHRASES: dict[Danger, tuple[str, ...]] = {
    Danger.SELF_HARM: (
        "自杀", "自残", "自伤", "轻生", "不想活", "活不下去", "活不成了", "活着没意思", "活着没有意思", "没有活路",
        "想死", "寻死", "去死了算了", "死了算了", "一死了之", "一了百了", "跳楼", "跳河", "跳江", "跳桥", "割腕",
        "喝农药", "喝了农药", "服毒", "上吊", "自焚", "烧炭自", "吞安眠药", "吞了安眠药", "写好遗书", "写了遗书",
        "留下遗书", "结束生命", "结束自己的生命", "了结自己", "死给他看", "死给你们看",
    ),
    Danger.BODILY: (
        "杀人", "要杀我", "杀了我", "杀我全家", "杀他全家", "弄死我", "打死我", "砍死", "要砍我", "拿刀", "持刀", "拿着刀",
        "提着刀", "追着砍", "砍伤", "追杀", "绑架", "非法拘禁", "被关起来", "关着不让", "被拘禁", "被软禁",
        "限制人身自由", "限制我的人身自由", "不让我出门", "传销窝点", "强奸", "性侵", "猥亵", "跟踪我", "泼硫酸",
        "泼汽油", "浇汽油", "纵火", "放火", "炸药", "同归于尽", "报复社会", "救命", "正在打人", "正在挨打",
        "掐我脖子", "有生命危险", "人身安全受到威胁",
    ),
    Danger.DOMESTIC: (
        "家暴", "家庭暴力", "打老婆", "打媳妇", "打妻子", "殴打妻子", "虐待孩子", "虐待儿童", "虐待老人",
        "打我和孩子", "打我跟孩子", "往死里打", "保护令", "就打我", "总是打我", "天天打我", "一直打我", "还打我",
        "会打我", "喝酒打我", "喝醉打我", "打得我", "又打我", "老打我",
        *(who + does for who, does in product(RELATIVES, HITS_ME)),
        *(f"被{who}{does}" for who, does in product(RELATIVES, ("打", "殴打", "掐", "关在家"))),
    ),
    Danger.CROWD: (
        "群体性", "群体事件", "聚众", "集体上访", "集体讨薪", "集体讨要", "集体维权", "集体去堵", "一起去堵",
        "拉横幅", "打横幅", "围堵", "堵政府", "堵大门", "堵公路", "堵铁路", "堵高速", "游行", "静坐", "罢工", "示威",
        "打砸抢", "上百人聚集", "几十人聚集", "几百人聚集", "上百人围", "几十人围", "几百人围", "封路抗议",
    ),
}  # fmt: skip

#: What holds a phrase and means something else. Whatever it overlaps is no alarm.
HARMLESS = (
    "自杀式", "自杀条款", "自杀免责", "自伤免赔", "跳楼价", "跳楼机", "跳楼甩卖", "跳楼大甩卖", "跳楼清仓",
    "想死你", "想死我了", "想死心", "不想活动", "上吊顶", "上吊灯", "上吊扇", "上吊牌", "上吊塔", "割腕表",
    "打死我也", "打死我都", "杀人游戏", "秒杀人", "抹杀人", "剧本杀人", "道德绑架", "情感绑架", "捆绑架",
    "救命稻草", "救命钱", "救命药", "救命恩人", "救命之恩", "主持刀", "保持刀", "放火锅", "放火腿", "放火车",
    "释放火", "跟踪我的快递", "跟踪我的订单", "跟踪我的案", "跟踪我的物流", "打我电话", "打我的电话", "打我手机",
    "打我微信", "打我卡", "打我账", "打官司", "打电话", "打招呼", "打工", "打折", "打欠条", "打借条", "打发",
    "打算", "打扫", "打听", "打动", "群体性免疫", "群体免疫", "凝聚众", "汇聚众", "聚众筹", "旅游行", "郊游行",
    "出游行程", "春游行程", "安静坐", "静坐冥想", "静坐养生", "空调罢工", "手机罢工", "电脑罢工", "电梯罢工",
    "拉横幅宣传", "环境保护令", "消防放火", "游行李",
)  # fmt: skip

# People write as they learnt to; only the characters that occur above.
_SIMPLER = str.maketrans(
    "殺殘傷輕樓橋農藥遺書結給們綁脅圍眾體遊罷媽親繼兒強姦蹤潑縱報復會",
    "杀残伤轻楼桥农药遗书结给们绑胁围众体游罢妈亲继儿强奸踪泼纵报复会",
)

_NUMBERS = {
    Danger.SELF_HARM: "请先打电话：12356 心理援助热线（随时有人听您说），有生命危险打 120 急救、110 报警；12348 法律热线。\n"
    "您不是一个人，现在就拨打，有人愿意听您说。",
    Danger.BODILY: "请先打电话：110 报警，有人受伤打 120 急救；12348 法律热线。先到安全、有人的地方。",
    Danger.DOMESTIC: "请先打电话：110 报警，受伤打 120 急救；12338 妇女热线，12348 法律热线。\n"
    "先到安全的地方，留好伤情照片和就诊、报警记录。",
    Danger.CROWD: "如有冲突或危险请先打电话：110 报警，有人受伤打 120 急救；12348 法律热线可以免费问。请不要过激，先保护好自己。",
}


def found(text: str) -> Danger | None:
    """The most pressing danger that a text speaks of, or None."""
    plain = _plain(text)
    hits = [(end - len(phrase) + 1, end, kind) for end, (phrase, kind) in _PHRASES.iter(plain)]
    if not hits:
        return None
    harmless = [(end - len(phrase) + 1, end) for end, phrase in _HARMLESS.iter(plain)]
    real = {kind for start, end, kind in hits if not any(s <= end and start <= e for s, e in harmless)}
    return next((kind for kind in Danger if kind in real), None)


def numbers(kind: Danger) -> str:
    """Whom to call, for the very beginning of a reply."""
    return _NUMBERS[kind]


def _plain(text: str) -> str:
    """Half-width letters and characters only: 自 杀, 自*杀 and 自殺 are one word."""
    normal = unicodedata.normalize("NFKC", text).translate(_SIMPLER)
    return "".join(c for c in normal if c.isalnum())


def _automaton(entries: dict[str, object]) -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton()
    for phrase, value in entries.items():
        automaton.add_word(phrase, value)
    automaton.make_automaton()
    return automaton


_PHRASES = _automaton({phrase: (phrase, kind) for kind, phrases in PHRASES.items() for phrase in phrases})
_HARMLESS = _automaton({phrase: phrase for phrase in HARMLESS})
