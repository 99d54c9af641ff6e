"""What the typed fields of a template take, checked before WeChat would refuse them (wechat-platform.md §4.7)."""

from __future__ import annotations

import re

#: Field type → longest value and the form it must have.
RULES: dict[str, tuple[int, re.Pattern[str]]] = {
    "thing": (20, re.compile(r".+")),
    "number": (32, re.compile(r"-?\d+(\.\d+)?")),
    "letter": (32, re.compile(r"[A-Za-z]+")),
    "symbol": (5, re.compile(r"[^\w\s]+")),
    "character_string": (32, re.compile(r"[\x21-\x7e]+")),
    "time": (64, re.compile(r"(\d{4}[年/.-]\d{1,2}[月/.-]\d{1,2}日?\s*)?\d{1,2}:\d{2}(:\d{2})?(~.+)?")),
    "date": (64, re.compile(r"\d{4}[年/.-]\d{1,2}[月/.-]\d{1,2}日?(\s*\d{1,2}:\d{2})?(~.+)?")),
    "amount": (12, re.compile(r"[¥￥$]?\d{1,10}(\.\d+)?元?")),
    "phone_number": (17, re.compile(r"[\d+\-()# ]+")),
    "car_number": (8, re.compile(r".+")),
    "phrase": (5, re.compile(r"[\u4e00-\u9fff]+")),
    "const": (20, re.compile(r".+")),
    "enum": (20, re.compile(r".+")),
    "enum_string": (20, re.compile(r".+")),
}
CHINESE_NAME_LENGTH, LATIN_NAME_LENGTH = 10, 20
_CUTTABLE = frozenset({"thing", "name", "phrase"})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


def kind(field: str) -> str:
    """`thing3` → `thing`; fields of history templates (`keyword1`) have no type."""
    return field.rstrip("0123456789")


def problem(field: str, value: str) -> str | None:
    """Why WeChat would refuse this value, in Chinese, or None."""
    if not value.strip() or _CONTROLS.search(value):
        return f"{field} 不能为空，也不能换行"
    if kind(field) == "name":
        longest = LATIN_NAME_LENGTH if value.isascii() else CHINESE_NAME_LENGTH
        return f"{field} 最多 {longest} 个字，现在 {len(value)} 个" if len(value) > longest else None
    if kind(field) not in RULES:
        return None
    longest, form = RULES[kind(field)]
    if len(value) > longest:
        return f"{field} 最多 {longest} 个字，现在 {len(value)} 个"
    return None if form.fullmatch(value) else f"{field} 的写法不对：{value}"


def fitted(field: str, value: str) -> str:
    """The value on one line, cut where a cut does no harm; other values are returned as they are."""
    clean = _CONTROLS.sub(" ", value).strip()
    if kind(field) not in _CUTTABLE:
        return clean
    longest = (
        RULES[kind(field)][0]
        if kind(field) in RULES
        else (LATIN_NAME_LENGTH if clean.isascii() else CHINESE_NAME_LENGTH)
    )
    mark = "" if kind(field) == "phrase" else "…"
    return clean if len(clean) <= longest else clean[: longest - len(mark)] + mark
