"""Holds the configured templates against the account's: ids, fields, and a sample of every notice (F114)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from bot import fields
from config import Template, WeChat
from models import NoticeKind, RegisteredTemplate, TemplateKind
from scheduler import letters
from services.findings import Finding, Findings, bad, good, note

FIELD = re.compile(r"\{\{\s*(\w+)\.DATA\s*\}\}")
PLACEHOLDER = re.compile(r"\{(\w+)\}")
#: What a notice may say at its longest and with every fact there is; a template that takes it takes the others too.
LONG = "很长的名称" * 10
SAMPLES = {
    "topic": "集中学习", "branch": LONG, "time": "2026年11月27日 08:30", "hint": "参加后请回复“签到”",
    "title": "周五学习日改在下午三点整，请准时参加学习", "words": LONG, "sender": "市法学会", "number": "ZX261127-0001",
    "state": "等待接单", "note": LONG, "matter": "劳动工伤", "county": "金水区", "text": LONG,
}  # fmt: skip
#: What every notice says (scheduler/letters.py fills it in), and what each kind says besides.
ALWAYS = ("words", "sender", "time", "text")
BESIDES: dict[NoticeKind, tuple[str, ...]] = {
    NoticeKind.STUDY_DAY: ("topic", "branch", "hint"),
    NoticeKind.CASE_ASSIGNED: ("number", "matter", "county"),
    NoticeKind.CASE_UPDATE: ("number", "state", "note"),
}
USUAL = ("title",)


def check(we: WeChat, there: Iterable[RegisteredTemplate]) -> Findings:
    """Every configured template exists, is filled wholly, and takes what we would write into it."""
    known = {row.id: row for row in there}
    for block, configured in (("templates", we.templates), ("subscriptions", we.subscriptions)):
        for kind, template in configured.items():
            yield from _one(f"wechat.{block}.{kind}", kind, template, known, is_private=block == "templates")
    if not we.templates:
        yield note("模板：一个也没有配置，48 小时没来过消息的人都通知不到")


def _one(
    place: str, kind: str, template: Template, known: Mapping[str, RegisteredTemplate], *, is_private: bool
) -> Findings:
    of = next((each for each in NoticeKind if each.value == kind), None)
    row = known.get(template.id)
    if of is None:
        yield bad(f"模板 {place}：没有这种通知", f"可用的种类：{'、'.join(each.value for each in NoticeKind)}")
    elif row is None:
        yield bad(f"模板 {place}.id：账号里没有 {template.id}", "在公众平台核对编号；平台上刚改过就先 templates sync")
    elif is_private and row.kind is not TemplateKind.TEMPLATE:
        yield bad(
            f"模板 {place}.id：{template.id} 是{row.kind.label}模板，不能作模板消息", "移到 wechat.subscriptions"
        )
    else:
        wrong = [*_fields(place, template, set(FIELD.findall(row.content))), *_values(place, of, template)]
        yield from wrong
        if not wrong:
            yield good(f"模板 {place}（{of.label}）：{len(template.fields)} 个字段都对上了，写得进去")


def _fields(place: str, template: Template, theirs: set[str]) -> Iterator[Finding]:
    ours = set(template.fields)
    if missing := sorted(theirs - ours):
        yield bad(f"模板 {place}.fields：字段 {'、'.join(missing)} 没有填，微信会拒收", "在 fields 里补上")
    if extra := sorted(ours - theirs):
        says = f"模板 {place}.fields：模板里没有字段 {'、'.join(extra)}"
        yield bad(says, "从 fields 里去掉，或改成模板里的名字")


def _values(place: str, kind: NoticeKind, template: Template) -> Iterator[Finding]:
    """A sample of what we would write, held against each field's type and length (§4.7)."""
    facts = {name: SAMPLES[name] for name in (*BESIDES.get(kind, USUAL), *ALWAYS)}
    for name, text in template.fields.items():
        here = f"模板 {place}.fields.{name}"
        unknown = [word for word in PLACEHOLDER.findall(text) if word not in facts]
        if unknown:
            yield bad(f"{here}：这种通知里没有 {'、'.join(unknown)}", f"可用：{'、'.join(facts)}")
            continue
        try:
            value = letters.rendered(Template(id=template.id, fields={name: text}), facts)[name]
        except (ValueError, KeyError, IndexError, AttributeError):
            yield bad(f"{here}：“{text}”的花括号写得不对", "写成 {title} 这样，两个括号成对")
            continue
        if problem := fields.problem(name, value):
            yield bad(f"{here}：填不进去：{problem}", "换一个类型合适的字段，或把内容写短")
