"""The audience as rows of a form: each one condition, joined by 且 and 或, turned by 非, into the one expression that
`services/sending/audience.py` reads. Whoever prefers writes the expression."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from errors import Misunderstood
from models import Matter
from services import figures
from services.organisation import branches
from services.scope import Scope
from services.sending import audience
from services.sending.audience_terms import SHORT_KINDS, SHORT_ROLES, TERMS

MOST_ROWS = 12
JOINTS = ("且", "或")
NOT = "非"
#: Conditions whose value is typed; every other one is chosen whole.
TYPED = {
    "支部": "一个支部（写名称中的几个字）",
    "已签到": "已签到（写日期）",
    "未签到": "未签到（写日期）",
    "缺记录": "缺记录（写日期）",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One condition as it stands in the form; `term` ends with a colon where `value` is typed behind it."""

    term: str = audience.EVERYBODY
    value: str = ""
    joint: str = JOINTS[0]
    turn: str = ""

    @property
    def is_typed(self) -> bool:
        return self.term.endswith(":")


def read(form: MultiDict[str, str]) -> list[Row]:
    """The rows that were sent, at least one."""
    columns = [form.getlist(name) for name in ("term", "value", "joint", "turn")]
    rows = [
        Row(term[:100], value.strip()[:100], joint if joint in JOINTS else JOINTS[0], NOT if turn == NOT else "")
        for term, value, joint, turn in list(zip(*columns, strict=False))[:MOST_ROWS]
    ]
    return rows or [Row()]


def expression(session: Session, rows: list[Row]) -> str:
    """What the rows say, as one would write it. Raises Misunderstood."""
    said = [_one(session, row) for row in rows]
    joined = [f"{row.joint} {text}" for row, text in zip(rows[1:], said[1:], strict=True)]
    return " ".join([said[0], *joined])


def _one(session: Session, row: Row) -> str:
    if not row.is_typed:
        return f"{row.turn} {row.term}".strip()
    name = row.term[:-1]
    if not row.value:
        hint = TERMS[name].hint.partition(":")[2] if name in TERMS else ""
        raise Misunderstood(f"“{name}”后面还要写一项，例如“{hint}”。")
    value = f"“{_branch(session, row.value)}”" if name == "支部" else row.value
    return f"{row.turn} {row.term}{value}".strip()


def _branch(session: Session, words: str) -> str:
    found = branches.called(session, words.replace(" ", ""))
    if not found:
        raise Misunderstood(f"没有名称含“{words[:20]}”的支部。")
    if len(found) > 1:
        raise Misunderstood(f"有几个支部含“{words[:20]}”，请写得更全些：{'；'.join(found[:5])}。")
    return found[0]


def choices(session: Session, scope: Scope, *, is_county: bool) -> list[tuple[str, list[tuple[str, str]]]]:
    """What a row may say, group by group; a county's office has no citizens and no other county."""
    saved = audience.saved(session)
    groups = [
        ("", [(audience.EVERYBODY, "全体党员会员")]),
        (
            "县（市）区",
            [] if is_county else _each("县", [c.name for c in figures.counties(session, scope)] + ["市本级"]),
        ),
        ("支部类型", _each("类型", list(SHORT_KINDS.values()))),
        ("支部、签到", [(f"{name}:", label) for name, label in TYPED.items()]),
        ("职务", _each("职务", list(SHORT_ROLES.values()))),
        ("咨询过", _each("咨询过", [matter.label for matter in Matter])),
        ("保存过的名单", _each("名单", [row.name for row in saved])),
    ]
    if not is_county:
        citizens = [(audience.CITIZENS, "群众（关注公众号、不是党员会员的）")]
        matters = [(f"{audience.CITIZENS}:{matter.label}", f"群众，咨询过{matter.label}") for matter in Matter]
        groups.append(("群众（只能单独选）", citizens + matters))
    return [(label, options) for label, options in groups if options]


def _each(term: str, values: list[str]) -> list[tuple[str, str]]:
    return [(f"{term}:{value}", value) for value in values]
