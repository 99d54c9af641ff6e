"""Pushes as XML or JSON, and the XML of replies (§1.8, §1.9)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.parsers import expat

Fields = Mapping[str, Any]


class Bare(str):
    """Text that stands in the XML without CDATA, such as a number with its decimals kept."""

    __slots__ = ()


class BadMarkup(ValueError):
    """Not XML that WeChat would read."""


def cdata(text: str) -> str:
    """The text as CDATA; ``]]>`` inside is split (§1.9)."""
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"


def to_xml(fields: Fields) -> bytes:
    """A push as WeChat writes it: strings as CDATA, numbers bare, lists as repeated elements."""
    return f"<xml>{_elements(fields)}</xml>".encode()


def _elements(fields: Fields) -> str:
    return "".join(_element(name, value) for name, value in fields.items() if value is not None)


def _element(name: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        return "".join(_element(name, one) for one in value)
    if isinstance(value, Mapping):
        inside = _elements(value)
    elif isinstance(value, str) and not isinstance(value, Bare):
        inside = cdata(value)
    else:
        inside = str(value)
    return f"<{name}>{inside}</{name}>"


def to_json(fields: Fields) -> bytes:
    """The same push for a mini program with JSON: the lists of subscription events lie flat (§1.8)."""
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping) and set(value) == {"List"}:
            rows = [{key: str(one) for key, one in row.items()} for row in value["List"]]
            flat["List"] = rows[0] if len(rows) == 1 else rows
            flat["CreateTime"] = str(fields["CreateTime"])
        elif value is not None:
            flat[name] = value
    return json.dumps(flat, ensure_ascii=False).encode()


def parse(data: bytes) -> dict[str, Any]:
    """The children of the root element: text, nested dict, or list where a name repeats. No DTD is read."""
    parser = expat.ParserCreate()
    reader = _Reader()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, UnicodeError, ValueError) as error:
        raise BadMarkup(f"不是合法的 XML：{error}") from error
    if not isinstance(reader.root, dict):
        raise BadMarkup("XML 的根元素是空的")
    return reader.root


class _Reader:
    """Collects what expat reports."""

    def __init__(self) -> None:
        self.root: Any = None
        self._open: list[tuple[dict[str, Any], list[str]]] = []

    def start(self, _name: str, _attributes: Mapping[str, str]) -> None:
        self._open.append(({}, []))

    def text(self, data: str) -> None:
        self._open[-1][1].append(data)

    def end(self, name: str) -> None:
        children, text = self._open.pop()
        value: Any = children or "".join(text)
        if not self._open:
            self.root = value
            return
        siblings = self._open[-1][0]
        if name not in siblings:
            siblings[name] = value
        elif isinstance(siblings[name], list):
            siblings[name].append(value)
        else:
            siblings[name] = [siblings[name], value]

    def doctype(self, *_: object) -> None:
        raise BadMarkup("XML 不允许 DOCTYPE")


def items(value: Any) -> Sequence[Any]:
    """A repeated element's values, whether it came once or more often."""
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]
