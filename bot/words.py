"""Reads what people type as they mean it: full width, spaces, traditional characters, homophones (F011)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from rapidfuzz import fuzz

_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
_ENDING = " 。．.！!？?~～、，,;；:：…"
_YES = frozenset({"1", "是", "是的", "对", "对的", "好", "好的", "嗯", "确认", "继续", "y", "yes", "ok"})
_NO = frozenset({"0", "2", "否", "不", "不是", "不用", "不要", "取消", "放弃", "n", "no"})
#: A number, a date, a code with a number in it; nothing else behind it, unless the code is unmistakable.
_FIGURES = re.compile(r"(?:[a-z]{0,2}[\s\-–—年月日号./]*\d+[\s\-–—年月日号./]*)+$|[a-z]{2}\d{6}", re.IGNORECASE)

# Longer words are sentences, and a sentence is not a misspelt command.
MAX_COMMAND = 8
ALIKE = 84.0


def tidy(text: str) -> str:
    """Half-width, visible, single-spaced."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).split())


def key(text: str) -> str:
    """The form in which commands are compared: tidy, no spaces, no closing punctuation, lower case."""
    return tidy(text).replace(" ", "").strip(_ENDING).lower()


def split(text: str) -> list[tuple[str, str]]:
    """Every way to read a text as a command and what follows it: “查询 ZX01”, “查询：ZX01”, “查询ZX01”."""
    clean = tidy(text)
    ways = []
    for mark in (r"[\s:：,，]+", r"(?<=[^\x00-\x7f])[^\w\s]*(?=[A-Za-z0-9])"):
        parts = re.split(mark, clean, maxsplit=1)
        if len(parts) == 2 and all(parts):
            ways.append((key(parts[0]), parts[1].strip()))
    return ways


def is_figures(text: str) -> bool:
    """Whether a text is a number, a date or a code, or begins with a code that cannot be a word."""
    return _FIGURES.match(tidy(text)) is not None


def is_command(name: str, text: str, rest: str) -> bool:
    """Whether a text looks like a command with something behind it and not like a sentence, as “我 病了” and
    “签到App坏了” do: one-letter aliases are everyday words, and only figures may be glued."""
    before = tidy(text).removesuffix(rest)
    is_everyday = len(key(before)) == 1 and key(before) != key(name)
    is_parted = not before[-1:].isalnum() or rest[0].isdigit() or is_figures(rest)
    return is_parted and not is_everyday


def is_yes(text: str) -> bool:
    return key(text) in _YES


def is_no(text: str) -> bool:
    return key(text) in _NO


class Sounds:
    """Finds the command that a text sounds like. Pinyin covers homophones, traditional characters and “qd”."""

    def __init__(self, commands: Iterable[str]) -> None:
        listed = list(commands)
        self._whole = {_sound(word): word for word in listed}
        heard = Counter(map(_initials, listed))
        # “jd” may be 接单 or 进度: two that begin alike are not guessed at.
        self._initials = {_initials(word): word for word in listed if heard[_initials(word)] == 1}

    def nearest(self, text: str) -> str | None:
        """The one command meant, or None when nothing or too much is alike."""
        heard = key(text)
        if not heard or len(heard) > MAX_COMMAND * (6 if heard.isascii() else 1):
            return None
        sound = _sound(heard)
        if sound in self._whole:
            return self._whole[sound]
        if heard in self._initials and len(heard) > 1:
            return self._initials[heard]
        if len(sound) < 4:
            return None
        best = sorted(((fuzz.ratio(sound, s), w) for s, w in self._whole.items()), reverse=True)[:2]
        if best and best[0][0] >= ALIKE and (len(best) == 1 or best[1][0] < best[0][0]):
            return best[0][1]
        return None


def _sound(word: str) -> str:
    # As in models/spelling.py: loaded by those who hear people, and not by a sender.
    from pypinyin import lazy_pinyin

    return "".join(lazy_pinyin(word)).lower()


def _initials(word: str) -> str:
    from pypinyin import Style, lazy_pinyin

    return "".join(lazy_pinyin(word, style=Style.FIRST_LETTER)).lower()
