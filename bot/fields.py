"""What the typed fields of a template take, checked before WeChat would refuse them (wechat-platform.md §4.7)."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

_DAY = r"\d{4}(?:年\d{1,2}月\d{1,2}日|-\d{1,2}-\d{1,2}|/\d{1,2}/\d{1,2}|\.\d{1,2}\.\d{1,2})"
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
_MOMENT = rf"(?:{_DAY} ?)?{_CLOCK}"
_DATE = rf"{_DAY}(?: ?{_CLOCK})?"

#: Field type → longest value and the form it must have.
RULES: dict[str, tuple[int, re.Pattern[str]]] = {
    "thing": (20, re.compile(r".+")),
    "number": (32, re.compile(r"-?[0-9]+(\.[0-9]+)?")),
    "letter": (32, re.compile(r"[A-Za-z]+")),
    "symbol": (5, re.compile(r"[^\w\s]+")),
    "character_string": (32, re.compile(r"[\x21-\x7e]+")),
    "time": (64, re.compile(rf"{_MOMENT}(?: ?~ ?{_MOMENT})?", re.ASCII)),
    "date": (64, re.compile(rf"{_DATE}(?: ?~ ?(?:{_DATE}|{_CLOCK}))?", re.ASCII)),
    "amount": (14, re.compile(r"[¥￥$]?[0-9]{1,10}(\.[0-9]+)?元?")),
    "phone_number": (17, re.compile(r"[0-9+\-() ]+")),
    "car_number": (8, re.compile(r"[\u4e00-\u9fff]?[A-Za-z0-9·]+[\u4e00-\u9fff]?")),
    "phrase": (5, re.compile(r"[\u4e00-\u9fff]+")),
    "const": (20, re.compile(r".+")),
    "enum": (20, re.compile(r".+")),
    "enum_string": (20, re.compile(r".+")),
}
CHINESE_NAME_LENGTH, LATIN_NAME_LENGTH = 10, 20
_NOT_CHINESE = re.compile(r"[^\u4e00-\u9fff]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def kind(field: str) -> str:
    """`thing3` → `thing`; fields of history templates (`keyword1`) have no type."""
    return field.rstrip("0123456789")


def problem(field: str, value: str) -> str | None:
    """Why WeChat would refuse this value, in Chinese, or None."""
    if not value.strip() or _CONTROLS.search(value):
        return f"{field} 不能为空，也不能换行"
    if not _has_real_days(value) and kind(field) in {"time", "date"}:
        return f"{field} 里没有这一天：{value}"
    if kind(field) == "name":
        if any(map(str.isdigit, value)):
            return f"{field} 里不能有数字：{value}"
        longest = LATIN_NAME_LENGTH if value.isascii() else CHINESE_NAME_LENGTH
        return f"{field} 最多 {longest} 个字，现在 {len(value)} 个" if len(value) > longest else None
    if kind(field) not in RULES:
        return None
    longest, form = RULES[kind(field)]
    if len(value) > longest:
        return f"{field} 最多 {longest} 个字，现在 {len(value)} 个"
    return None if form.fullmatch(value) and _is_symbols(field, value) else f"{field} 的写法不对：{value}"


def _has_real_days(value: str) -> bool:
    """Whether every date in a value exists: 2月30日 does not."""
    for parts in re.findall(r"([0-9]{4})[年./-]([0-9]{1,2})[月./-]([0-9]{1,2})", value):
        try:
            date(*map(int, parts))
        except ValueError:
            return False
    return True


def _is_symbols(field: str, value: str) -> bool:
    return kind(field) != "symbol" or all(unicodedata.category(one)[0] in "PS" for one in value)


def fitted(field: str, value: str) -> str:
    """The value on one line, without what its type cannot hold, cut where a cut does no harm."""
    clean = _CONTROLS.sub(" ", value).strip()
    match kind(field):
        case "thing":
            longest = RULES["thing"][0]
            return clean if len(clean) <= longest else clean[: longest - 1] + "…"
        case "name":
            letters = "".join(one for one in clean if not one.isdigit()).strip()
            return letters[: LATIN_NAME_LENGTH if letters.isascii() else CHINESE_NAME_LENGTH].strip()
        case "phrase":
            return _NOT_CHINESE.sub("", clean)[: RULES["phrase"][0]]
        case _:
            return clean
