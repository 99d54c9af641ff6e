"""Invents names: of people, some with rare characters or a middle dot (F149), and of places and firms."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random

SURNAMES = (
    *"王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗" * 4,
    *"梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康",
    *("欧阳", "上官", "司徒", "诸葛", "令狐"),
)
GIVEN = (
    "安博诚楚丹帆芳菲峰桂涵浩和荷虹慧嘉洁静娟岚乐蕾磊莉琳玲璐梅萌萍琪倩晴然"
    "蓉瑞珊诗爽思婷桐晓欣星秀旭雪雅妍阳瑶怡颖咏宇雨玉远悦哲珍舟伟涛鑫亮辉超"
)
RARE = ("䶮", "𬀩", "㛃", "旸", "翀", "媖")
MINORITY = (
    ("阿依古丽", "迪丽娜尔", "古丽米热", "买尔旦", "艾力亚尔", "巴哈尔"),
    ("吐尔逊", "阿不都", "依明", "库尔班", "热合曼"),
)
RARE_IN_A_THOUSAND = 12
MINORITY_IN_A_THOUSAND = 8

#: Three-character names that no firm bears: 24 × 16 = 384 of them.
FIRM_WORDS = (
    "萤火", "纸鸢", "蒲草", "竹马", "青梅", "红杏", "白露", "芦花",
    "采薇", "听蝉", "晚稻", "早春", "团扇", "木屐", "酸枣", "麦浪",
    "石榴", "菱角", "茶烟", "棉桃", "藕花", "柿霜", "槐序", "梧叶",
)  # fmt: skip
FIRM_ENDINGS = "渡坞汀圩矶埠栈坪浦塬峪垭崮岗沚湄"
#: 16 × 10 = 160 neighbourhoods.
STATION_WORDS = (
    "听雨", "望晴", "拾穗", "晒谷", "织布", "磨镜", "弹棉", "放灯",
    "养蜂", "种豆", "摘星", "数帆", "卖饼", "捣衣", "打铁", "栽桃",
)  # fmt: skip
STATION_ENDINGS = "里巷井桥湾场口园台坡"
#: 15 × 10 = 150 bodies that are group members of the society.
BODY_WORDS = (
    "远帆", "禾苗", "知更", "云雀", "布谷", "松果", "银杏", "山楂",
    "月见", "朝颜", "鹿鸣", "鱼跃", "燕归", "星河", "芒种",
)  # fmt: skip
BODY_KINDS = (
    "人民调解委员会", "公证服务社", "司法鉴定所", "法律援助中心", "基层法律服务所",
    "企业法务部", "法学教研室", "社区矫正服务社", "仲裁咨询处", "普法志愿服务队",
)  # fmt: skip


def person(rng: Random) -> str:
    """The name of one invented person."""
    lot = rng.randrange(1000)
    if lot < MINORITY_IN_A_THOUSAND:
        return "·".join(rng.choice(part) for part in MINORITY)
    given = "".join(rng.sample(GIVEN, rng.choice((1, 2, 2, 2))))
    if lot < MINORITY_IN_A_THOUSAND + RARE_IN_A_THOUSAND:
        given = rng.choice(RARE) if len(given) == 1 else given[0] + rng.choice(RARE)
    return f"{rng.choice(SURNAMES)}{given}"


def firms(rng: Random) -> Iterator[str]:
    return _shuffled(rng, FIRM_WORDS, FIRM_ENDINGS)


def neighbourhoods(rng: Random) -> Iterator[str]:
    return _shuffled(rng, STATION_WORDS, STATION_ENDINGS)


def bodies(rng: Random) -> Iterator[str]:
    return _shuffled(rng, BODY_WORDS, BODY_KINDS)


def _shuffled(rng: Random, *parts: tuple[str, ...] | str) -> Iterator[str]:
    """Every combination once, in an order of the seed's own."""
    combinations = ["".join(each) for each in product(*parts)]
    rng.shuffle(combinations)
    return iter(combinations)
