"""Danger words: what must alarm does, what only looks like it does not (F082)."""

from __future__ import annotations

import pytest

from services.consulting import danger
from services.consulting.danger import Danger

REAL = [
    ("我不想活了", Danger.SELF_HARM),
    ("欠这么多债，活着没意思，想死", Danger.SELF_HARM),
    ("我要从楼上跳楼", Danger.SELF_HARM),
    ("他说要自*杀", Danger.SELF_HARM),
    ("自 杀", Danger.SELF_HARM),
    ("她留下遺書就走了，怕她輕生", Danger.SELF_HARM),
    ("昨晚喝了农药", Danger.SELF_HARM),
    ("债主拿刀上门，说要弄死我", Danger.BODILY),
    ("孩子被猥亵了怎么办", Danger.BODILY),
    ("有人威胁要杀我全家", Danger.BODILY),
    ("我在传销窝点，救命", Danger.BODILY),
    ("对方限制我的人身自由", Danger.BODILY),
    ("前男友一直跟踪我", Danger.BODILY),
    ("他要跟我同归于尽", Danger.BODILY),
    ("老公打我", Danger.DOMESTIC),
    ("我被丈夫打了", Danger.DOMESTIC),
    ("昨天老公又打我和孩子", Danger.DOMESTIC),
    ("婆婆经常打我", Danger.DOMESTIC),
    ("长期家庭暴力", Danger.DOMESTIC),
    ("老公一喝酒就打我", Danger.DOMESTIC),
    ("怎么申请人身安全保护令", Danger.DOMESTIC),
    ("工友们商量集体上访", Danger.CROWD),
    ("几百人围在售楼部", Danger.CROWD),
    ("明天去拉横幅", Danger.CROWD),
    ("会不会变成群体性事件", Danger.CROWD),
    ("他们要罢工", Danger.CROWD),
    # A harmless phrase does not cover a real one beside it.
    ("商家打出跳楼价，我被骗光了，真的不想活了", Danger.SELF_HARM),
    ("老公打我电话说要杀了我", Danger.BODILY),
    ("自杀条款怎么理解？我现在就想自杀", Danger.SELF_HARM),
]

ONLY_LOOKS_LIKE_IT = [
    "公司搞自杀式销售，欠供应商的钱不给",
    "商场打着跳楼价的招牌，买了不退",
    "游乐园的跳楼机出故障，门票能退吗",
    "达到群体性免疫以前要隔离，工资怎么算",
    "保险合同的自杀条款有效吗",
    "旅游行程被取消，旅行社不退钱",
    "装修时没装上吊顶就收全款",
    "这笔救命钱被亲戚借走不还",
    "老公打我电话说合同的事",
    "老公打工的工资没发",
    "银行天天打我电话催收",
    "妈妈打官司需要什么材料",
    "他打死我也不还钱，我该怎么起诉",
    "网上玩剧本杀人数不够，押金不退",
    "秒杀人气商品下单后不发货",
    "亲戚道德绑架让我借钱",
    "参加了一个聚众筹款的项目，钱要不回来",
    "不想活动，物业强收活动费",
    "空调罢工了，商家不保修",
    "怎么跟踪我的案件进度",
    "爸爸想死你了，这样的聊天记录能作证据吗",
    "小区静坐冥想班退费",
    "拖欠工资三个月怎么办",
    "离婚后抚养费多少",
]


@pytest.mark.parametrize(("text", "kind"), REAL)
def test_what_is_dangerous_alarms(text: str, kind: Danger) -> None:
    assert danger.found(text) is kind


@pytest.mark.parametrize("text", ONLY_LOOKS_LIKE_IT)
def test_what_only_looks_dangerous_does_not(text: str) -> None:
    assert danger.found(text) is None


@pytest.mark.parametrize("kind", Danger)
def test_every_phrase_of_the_table_alarms_by_itself(kind: Danger) -> None:
    asleep = [phrase for phrase in danger.PHRASES[kind] if danger.found(phrase) is None]
    assert asleep == []


@pytest.mark.parametrize("phrase", danger.HARMLESS)
def test_every_harmless_phrase_is_harmless_by_itself(phrase: str) -> None:
    assert danger.found(phrase) is None


@pytest.mark.parametrize("kind", Danger)
def test_every_kind_names_the_police_the_ambulance_and_the_law_line(kind: Danger) -> None:
    numbers = danger.numbers(kind)
    assert all(number in numbers for number in ("110", "120", "12348"))


def test_the_numbers_of_each_kind_come_first_in_their_sentence() -> None:
    assert danger.numbers(Danger.DOMESTIC).startswith("请先打电话：110")
    assert "12338" in danger.numbers(Danger.DOMESTIC)
    assert danger.numbers(Danger.SELF_HARM).startswith("请先打电话：12356")
