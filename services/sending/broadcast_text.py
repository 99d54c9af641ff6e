"""What somebody writes for many to read, checked where it is written: the chat and the desk say the same."""

from __future__ import annotations

import re
import unicodedata

from errors import Misunderstood
from services.sending.broadcasts import LONGEST_TEXT

_BREAKS = re.compile(r"\r\n?|[\u2028\u2029]")


def visible(text: str) -> str:
    """Without what cannot be seen, such as zero-width characters; line breaks stay, those at the ends go."""
    plain = _BREAKS.sub("\n", text)
    return "".join(one for one in plain if one == "\n" or not _is_unseen(one)).strip()


def _is_unseen(one: str) -> bool:
    # The joiner holds an emoji of several characters together.
    return unicodedata.category(one) in {"Cc", "Cf"} and one not in "\t\u200d"


def title(text: str, place: str, most: int) -> str:
    """A title on one line. Raises Misunderstood when `place`, which shows `most` characters, has no room for it."""
    said = " ".join(visible(text).split())
    if not said.strip("\u200d "):
        raise Misunderstood("标题不能为空。")
    if len(said) > most:
        raise Misunderstood(f"标题有 {len(said)} 个字，{place}最多显示 {most} 个字，请缩短。")
    return said


def body(text: str) -> str:
    """The words of a notice. Raises Misunderstood."""
    said = visible(text)
    if not said.strip("\u200d "):
        raise Misunderstood("正文不能为空。")
    if len(said) > LONGEST_TEXT:
        raise Misunderstood(f"正文有 {len(said)} 个字，最多 {LONGEST_TEXT} 个字，请缩短。")
    return said
