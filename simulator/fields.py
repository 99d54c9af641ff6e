"""What a template value may be, by the prefix of its key (§4.7)."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date

from simulator.account import Template
from simulator.errors import WeChatError

_DAY = r"(\d{1,2})"
_DATE = rf"(\d{{4}})(?:年{_DAY}月{_DAY}日|-{_DAY}-{_DAY}|/{_DAY}/{_DAY}|\.{_DAY}\.{_DAY})"
_TIME = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
_DATE_ONLY = re.compile(_DATE)
_DATE_MAYBE_TIME = re.compile(rf"{_DATE}(?: ?{_TIME})?")
_TIME_MAYBE_DATE = re.compile(rf"(?:{_DATE} ?)?{_TIME}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HAN = r"[㐀-鿿豈-﫿]"


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _real_date(text: str) -> bool:
    """The date part exists in the calendar: 2月30日 does not."""
    found = _DATE_ONLY.search(text)
    if not found:
        return True
    year, month, day = (int(part) for part in found.groups() if part)
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _range_of(*patterns: re.Pattern[str]) -> Callable[[str], bool]:
    def valid(value: str) -> bool:
        ends = [end.strip() for end in value.split("~")]
        if len(ends) > 2:
            return False
        first = patterns[0].fullmatch(ends[0])
        rest = all(any(pattern.fullmatch(end) for pattern in patterns) for end in ends[1:])
        return first is not None and rest and all(map(_real_date, ends))

    return valid


def _number(value: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", value) is not None and sum(map(str.isdigit, value)) <= 32


def _symbol(value: str) -> bool:
    return len(value) <= 5 and all(unicodedata.category(one)[0] in "PS" for one in value)


def _name(value: str) -> bool:
    if any(map(str.isdigit, value)):
        return False
    return len(value) <= (10 if re.search(_HAN, value) else 20)


RULES: dict[str, Callable[[str], bool]] = {
    "thing": lambda value: len(value) <= 20,
    "number": _number,
    "letter": _matches(r"[A-Za-z]{1,32}"),
    "symbol": _symbol,
    "character_string": _matches(r"[\x20-\x7e]{1,32}"),
    "time": _range_of(_TIME_MAYBE_DATE),
    "date": _range_of(_DATE_MAYBE_TIME, re.compile(_TIME)),
    "amount": _matches(r"(?:[¥￥$€£]|[A-Z]{3})?\d{1,10}(?:\.\d+)?元?"),
    "phone_number": _matches(r"[\d+\-() ]{1,17}"),
    "car_number": _matches(rf"{_HAN}?[A-Za-z0-9·]{{0,8}}{_HAN}?"),
    "name": _name,
    "phrase": _matches(rf"{_HAN}{{1,5}}"),
}
_PREFIX = re.compile(r"[a-z_]+?(?=\d*$)")
_prefixes: dict[str, str] = {}


def prefix_of(key: str) -> str:
    """``character_string`` of ``character_string12``."""
    if key not in _prefixes:
        found = _PREFIX.match(key)
        _prefixes[key] = found.group() if found else key
    return _prefixes[key]


def valid(key: str, value: str, listed: tuple[str, ...] = ()) -> bool:
    """Whether WeChat takes this value for this key; ``listed`` are an enumeration's values."""
    if not value.strip() or _CONTROL.search(value):
        return False
    prefix = prefix_of(key)
    if prefix in ("enum", "enum_string", "const"):
        return value in listed
    if prefix == "car_number" and len(value) > 8:
        return False
    rule = RULES.get(prefix)
    return rule is None or rule(value)


def check(template: Template, data: object) -> None:
    """Raise 47003 with the first field that WeChat would refuse; every key of the template must be there."""
    if not isinstance(data, Mapping):
        raise WeChatError(47003, "data invalid")
    for key in template.fields:
        entry = data.get(key)
        value = entry.get("value") if isinstance(entry, Mapping) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not valid(key, value, template.values.get(key, ())):
            raise WeChatError(47003, f"data.{key}.value invalid")
