"""How a name is looked for: by its characters, its pinyin, its initials; whatever dot or width was typed (F149)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

#: Surnames that are not read as the same character is elsewhere.
SURNAMES = {
    "单": "shan", "仇": "qiu", "解": "xie", "区": "ou", "查": "zha", "曾": "zeng", "任": "ren", "盖": "ge",
    "朴": "piao", "翟": "zhai", "燕": "yan", "华": "hua", "尉迟": "yuchi", "万俟": "moqi", "长孙": "zhangsun",
    "缪": "miao", "乐": "yue", "覃": "qin", "冼": "xian",
}  # fmt: skip
_DOTS = re.compile(r"[\s·•・‧∙.．'’\u200b-\u200d\ufeff]")
LONGEST = 255
LONGEST_SOUND = 128
KEPT_READINGS = 4096


def fold(text: str) -> str:
    """One form for what people type alike: full width, case, dots between the parts of a name, blanks, ü."""
    plain = _DOTS.sub("", unicodedata.normalize("NFKC", text)).lower()
    return plain.replace("ü", "v").replace("lyu", "lv").replace("nyu", "nv")


def key(name: str) -> str:
    """What a name can be found by: “张伟 zhangwei zw”."""
    plain = fold(name)
    read, first = _read(plain)
    initials = read[0][:1] + first + "".join(part[:1] for part in read[1:]) if read else ""
    return f"{plain} {''.join(read)} {initials}"[:LONGEST]


def sound(name: str) -> str:
    """How a name is read, in one word: the same for 张玮 and 张伟, for 吕 and 呂."""
    return "".join(_read(fold(name))[0])[:LONGEST_SOUND]


@lru_cache(KEPT_READINGS)
def _read(plain: str) -> tuple[tuple[str, ...], str]:
    """The pinyin of a folded name part by part, and the further initial of a surname of two characters.

    Kept for a while: `key` and `sound` ask one after the other, and spelling is most of what an import costs.
    """
    # Its dictionaries take tens of megabytes: whoever spells nothing, as a sender, does without.
    from pypinyin import lazy_pinyin

    surname = next((s for s in sorted(SURNAMES, key=len, reverse=True) if plain.startswith(s)), "")
    rest = lazy_pinyin(plain[len(surname) :])
    # A surname of two characters has two initials, as people type them: 尉迟 → yc.
    first = "".join(part[:1] for part in lazy_pinyin(surname)[1:]) if surname else ""
    return (SURNAMES[surname], *rest) if surname else tuple(rest), first
