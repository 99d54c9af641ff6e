"""To whom: an expression such as “县:金水区 且 非 职务:书记”, always a set of people (F102, pitfall 8).

Every condition becomes a question with parameters, never text pasted into SQL; 且, 或, 非 and parentheses are set
operations, so nobody can be in an audience twice. Citizens are not members: “群众” stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count as count_from
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import Misunderstood
from models import Branch, Consultation, Follower, Matter, Person, SavedAudience
from services import audit
from services.audience_terms import TERMS, Context, People, in_branches, members, one_of

LONGEST = 500
#: Parentheses and saved lists inside one another; more than this is a mistake, not an audience.
DEEPEST = 8
#: Conditions of one audience, those of its saved lists counted in.
MOST_TERMS = 200
EVERYBODY = "全体"
CITIZENS = "群众"
SAVED = "名单"
HINTS = (*(term.hint for term in TERMS.values()), "名单:保存过的名称")

_TOKEN = re.compile(r'\s*([()（）]|(?:[“"][^”"]*[”"]|[^\s()（）“”"])+|[“”"])')
_QUOTES = frozenset('“”"')
_COLON = re.compile(r'^([^:：“”"]*)：')
_MARKS = {
    "（": "(", "）": ")", "且": "且", "并且": "且", "and": "且", "或": "或", "或者": "或", "or": "或", "非": "非", "not": "非",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Audience:
    """People who are meant: an expression, and the county that bounds it whatever it says (F032)."""

    expression: str = EVERYBODY
    county_id: int | None = None

    @property
    def is_of_citizens(self) -> bool:
        """Whether it means citizens rather than members: then somebody else must approve (F109)."""
        return self.expression.strip().partition("：")[0].partition(":")[0] == CITIZENS

    def ids(self, session: Session, at: datetime) -> People:
        """The ids of the members, each once. Raises Misunderstood with one sentence that names the place."""
        context = Context(session, beijing_date(at))
        chosen = _read(context, self.expression)
        if self.county_id is None:
            return chosen
        return _select(sa.intersect(chosen, in_branches(context, Branch.county_id == self.county_id)))

    def accounts(self, session: Session, at: datetime) -> sa.Select[*tuple[Any, ...]]:
        """Everybody who is meant with each of their accounts, or with none. Raises Misunderstood."""
        if self.is_of_citizens:
            return self._citizens()
        chosen = self.ids(session, at).subquery()
        return (
            sa.select(chosen.c[0].label("person_id"), Follower.openid, Follower.is_subscribed)
            .outerjoin(Follower, Follower.person_id == chosen.c[0])
            .order_by(chosen.c[0], Follower.is_subscribed, Follower.bound_at)
        )

    def _citizens(self) -> sa.Select[*tuple[Any, ...]]:
        """Followers whom the society does not know as people; with a matter, those who asked about it."""
        if self.county_id is not None:
            raise Misunderstood("群众不分县区，只有市法学会办公室可以发给群众。")
        chosen = sa.select(Follower.person_id, Follower.openid, Follower.is_subscribed).where(
            Follower.person_id.is_(None), Follower.is_subscribed
        )
        value = self.expression.strip().replace("：", ":").partition(":")[2]
        if value:
            matter = one_of(value, {matter: matter.label for matter in Matter}, "咨询事项")
            asked = sa.select(Consultation.openid).where(Consultation.matter == matter)
            chosen = chosen.where(Follower.openid.in_(asked))
        return chosen.order_by(Follower.openid)


# --- reading -------------------------------------------------------------------------------------------------


def how_to_write() -> str:
    """One sentence that names every condition."""
    return f"可以写：{'、'.join(HINTS)}，用“且”“或”“非”和括号连起来；发给群众单写“群众”。"


def _read(
    context: Context, expression: str, lists: tuple[str, ...] = (), counted: Iterator[int] | None = None
) -> People:
    """`lists` names the saved lists that lead here, so that none can lead back to itself; `counted` counts terms."""
    if len(expression) > LONGEST:
        raise Misunderstood(f"条件有 {len(expression)} 个字，最多 {LONGEST} 个字；可以先保存成名单再引用。")
    reader = _Reader(context, list(_tokens(expression)), lists, counted or count_from(1))
    chosen = reader.either()
    if reader.next is not None:
        raise Misunderstood(f"“{reader.next[:20]}”前面少了“且”或“或”。")
    return chosen


def _tokens(expression: str) -> Iterator[str]:
    """Words, parentheses and operators; a 非 that stands right before its condition is one too."""
    for found in _TOKEN.finditer(expression):
        if found[1] in _QUOTES:
            raise Misunderstood(f"“{expression[found.start() :].strip()[:20]}”这里的引号只有一半。")
        # What stands in quotes stays as it is written: names of branches have parentheses and colons of their own.
        word = _COLON.sub(r"\1:", found[1])
        name = word.partition(":")[0]
        if name.startswith("非") and name.lstrip("非") in {*TERMS, SAVED}:
            yield from "非" * (len(name) - len(name.lstrip("非")))
            word = word.lstrip("非")
        yield _MARKS.get(word.lower(), word)


class _Reader:
    """Recursive descent: 或 binds loosest, then 且, then 非. A chain of one operator is one set operation, however
    long: databases refuse what is nested too deep."""

    def __init__(self, context: Context, tokens: list[str], lists: tuple[str, ...], counted: Iterator[int]) -> None:
        self._context, self._tokens, self._lists, self._counted = context, tokens, lists, counted
        self._at = self._depth = 0

    @property
    def next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, token: str) -> bool:
        if self.next != token:
            return False
        self._at += 1
        return True

    def either(self) -> People:
        some = [self._both()]
        while self._take("或"):
            some.append(self._both())
        return some[0] if len(some) == 1 else _select(sa.union(*some))

    def _both(self) -> People:
        wanted: list[People] = []
        unwanted: list[People] = []
        while True:
            is_negated, chosen = self._one()
            (unwanted if is_negated else wanted).append(chosen)
            if not self._take("且"):
                break
        if not wanted:
            wanted.append(members(self._context))
        chosen = wanted[0] if len(wanted) == 1 else _select(sa.intersect(*wanted))
        return _select(sa.except_(chosen, *unwanted)) if unwanted else chosen

    def _one(self) -> tuple[bool, People]:
        """One condition, and whether it is negated; 非 twice is none, among the members."""
        times = 0
        while self._take("非"):
            times += 1
        chosen = self._inner() if self._take("(") else self._term()
        if times and times % 2 == 0:
            chosen = _select(sa.intersect(members(self._context), chosen))
        return times % 2 == 1, chosen

    def _inner(self) -> People:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Misunderstood(f"括号最多套 {DEEPEST} 层，请把条件写得简单些。")
        chosen = self.either()
        self._depth -= 1
        if not self._take(")"):
            raise Misunderstood(f"少了一个右括号{f'，在“{self.next[:20]}”前面' if self.next else ''}。")
        return chosen

    def _term(self) -> People:
        word = self.next
        if word is None:
            raise Misunderstood(f"条件没有写完。{how_to_write()}")
        if next(self._counted) > MOST_TERMS:
            raise Misunderstood(f"条件太多：连名单里的一起最多 {MOST_TERMS} 个，到“{word[:20]}”超过了。")
        name, _, value = word.partition(":")
        value = value.strip('“”"')
        self._at += 1
        if name == SAVED and value:
            return self._saved(value)
        if name == CITIZENS:
            raise Misunderstood("群众不是党员会员，只能单写“群众”或“群众:劳动工伤”，不能与别的条件连用。")
        term = TERMS.get(name)
        if term is None:
            raise Misunderstood(f"看不懂“{word[:20]}”。{how_to_write()}")
        if term.takes_value != bool(value):
            raise Misunderstood(f"“{word[:20]}”应写成“{term.hint}”。")
        return term.ask(self._context, value)

    def _saved(self, name: str) -> People:
        session = self._context.session
        if name in self._lists:
            raise Misunderstood(f"名单“{name[:20]}”绕了一圈又引用到自己，请改写其中一个。")
        if len(self._lists) >= DEEPEST:
            raise Misunderstood(f"名单最多套 {DEEPEST} 层，请把“{name[:20]}”的条件直接写出来。")
        row = session.get(SavedAudience, name)
        if row is None:
            known = session.scalars(sa.select(SavedAudience.name).order_by(SavedAudience.name).limit(10)).all()
            raise Misunderstood(f"没有保存过“{name[:20]}”。已保存的：{'、'.join(known) or '还没有'}。")
        return _read(self._context, row.expression, (*self._lists, name), self._counted)


def _select(compound: sa.CompoundSelect[Any]) -> People:
    """A set operation as a plain question again: SQLite takes no parentheses inside one."""
    inner = compound.subquery()
    return sa.select(inner.c[0])


def label(audience: Audience, county: str = "") -> str:
    """An audience in words; `county` is the name of the county that bounds it."""
    simple = re.fullmatch(r'\s*([^\s:：()（）]+)(?:[:：][“"]?([^\s:：()（）“”"]+)[”"]?)?\s*', audience.expression)
    name, value = simple.groups() if simple else ("", "")
    if name == EVERYBODY:
        return county or "全体党员会员"
    if name in {"县", "支部"}:
        says = value
    elif name == "类型":
        says = f"{value}党支部"
    else:
        says = name if name == CITIZENS and not value else f"“{audience.expression.strip()}”"
    return f"{county}的{says}" if county else says


# --- who they are --------------------------------------------------------------------------------------------


def count(session: Session, audience: Audience, at: datetime) -> int:
    """How many people are meant. Raises Misunderstood."""
    chosen = audience.accounts(session, at) if audience.is_of_citizens else audience.ids(session, at)
    return session.scalar(sa.select(sa.func.count()).select_from(chosen.order_by(None).subquery())) or 0


def sample(session: Session, audience: Audience, at: datetime, limit: int = 10) -> list[str]:
    """A few names to recognise the audience by; citizens have none that we know."""
    if audience.is_of_citizens:
        return []
    chosen = audience.ids(session, at).subquery()
    rows = sa.select(Person.name).where(Person.id.in_(sa.select(chosen.c[0]))).order_by(Person.id).limit(limit)
    return list(session.scalars(rows))


def save(
    session: Session, name: str, expression: str, at: datetime, *, by: int | None, note: str = ""
) -> SavedAudience:
    """Keep an expression under a name; a known name gets the new expression. Raises Misunderstood.

    `by` is nobody when it was typed on the command line, and `note` tells the audit so.
    """
    if not re.fullmatch(r"[^\s:：()（）“”\"]{1,32}", name):
        raise Misunderstood("名单的名称要 1–32 个字，不含空格、冒号、引号和括号。")
    if Audience(expression).is_of_citizens:
        raise Misunderstood("名单里只能是党员会员；发给群众请直接写“群众”。")
    # Read as a part of the list itself, so that none can lead back to itself and never end.
    _read(Context(session, beijing_date(at)), expression, (name,))
    row = session.merge(SavedAudience(name=name, expression=expression, saved_by=by, saved_at=at))
    audit.note(session, at, by, "audience.save", f"audience:{name}", f"{expression}；{note}" if note else expression)
    return row


def saved(session: Session, limit: int = 20) -> list[SavedAudience]:
    """The lists that were kept, the newest first."""
    return list(session.scalars(sa.select(SavedAudience).order_by(SavedAudience.saved_at.desc()).limit(limit)))
