"""Reads and writes WeChat's XML, and nothing that XML could do beyond it: no DTD, no entities, no depth."""

from __future__ import annotations

import re
from typing import Any
from xml.parsers import expat

from bot.crypto import Refused

MAX_DEPTH = 8
MAX_ELEMENTS = 600

# Phones send control characters that XML 1.0 forbids; so do members who paste from elsewhere (§1.9).
_FORBIDDEN_BYTES = bytes(set(range(0x20)) - set(b"\t\n\r"))
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")

Fields = dict[str, Any]


class _Reader:
    """Collects elements into nested dicts; repeated names become lists, text is kept as it stands."""

    def __init__(self) -> None:
        self.stack: list[tuple[str, Fields, list[str]]] = [("", {}, [])]
        self.elements = 0

    def start(self, name: str, _attributes: object) -> None:
        self.elements += 1
        if len(self.stack) > MAX_DEPTH or self.elements > MAX_ELEMENTS:
            raise Refused("xml", "消息结构过深或过大。", 400)
        self.stack.append((name, {}, []))

    def data(self, text: str) -> None:
        self.stack[-1][2].append(text)

    def end(self, _name: str) -> None:
        name, children, texts = self.stack.pop()
        text = "".join(texts)
        value: Any = children or (text if name == "Content" else text.strip())
        parent = self.stack[-1][1]
        if name not in parent:
            parent[name] = value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]

    def refuse(self, *_: object) -> None:
        raise Refused("doctype", "消息里不得有 DTD 或实体。", 400)


def read(body: bytes) -> Fields:
    """The children of the root element. Raises Refused for anything that is not a message."""
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(body.translate(None, _FORBIDDEN_BYTES), True)
    except expat.ExpatError as error:
        raise Refused("xml", f"消息不是合格的 XML（第 {error.lineno} 行）。", 400) from None
    root = next(iter(reader.stack[0][1].values()))
    if not isinstance(root, dict):
        raise Refused("xml", "消息是空的。", 400)
    return root


def cdata(text: str) -> str:
    """Any text as CDATA: forbidden characters dropped, a closing mark inside it split in two."""
    return "<![CDATA[" + _FORBIDDEN.sub("", text).replace("]]>", "]]]]><![CDATA[>") + "]]>"
