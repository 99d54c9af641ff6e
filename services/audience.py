"""To whom: an expression such as “县:金水区 且 非 职务:书记”, always a set of people (F102, pitfall 8).

Every condition becomes a question with parameters, never text pasted into SQL; 且, 或, 非 and parentheses are set
operations, so nobody can be in an audience twice. Citizens are not members: “群众” stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import Misunderstood
from models import Branch, Consultation, Follower, Matter, Person, SavedAudience
from services.audience_terms import TERMS, Context, People, in_branches, members, one_of

LONGEST = 500
#: Parentheses and saved lists inside one another; more than this is a mistake, not an audience.
DEEPEST = 8
EVERYBODY = "全体"
CITIZENS = "群众"
SAVED = "名单"
HINTS = (*(term.hint for term in TERMS.values()), "名单:保存过的名称")

_TOKEN = re.compile(r'\s*([()（）]|(?:[“"][^”"]*[”"]|[^\s()（）“”"])+)')
_OPERATORS = {"且": "且", "并且": "且", "and": "且", "或": "或", "或者": "或", "or": "或", "非": "非", "not": "非"}


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


def _read(context: Context, expression: str, depth: int = 0) -> People:
    if depth > DEEPEST:
        raise Misunderstood("名单套名单太多层了，请把条件直接写出来。")
    if len(expression) > LONGEST:
        raise Misunderstood(f"条件有 {len(expression)} 个字，最多 {LONGEST} 个字；可以先保存成名单再引用。")
    reader = _Reader(context, list(_tokens(expression)), depth)
    chosen = reader.either()
    if reader.next is not None:
        raise Misunderstood(f"“{reader.next[:20]}”前面少了“且”或“或”。")
    return chosen


def _tokens(expression: str) -> Iterator[str]:
    """Words, parentheses and operators; a 非 that stands right before its condition is one too."""
    for found in _TOKEN.finditer(expression):
        word = found[1].replace("（", "(").replace("）", ")").replace("：", ":")
        if word[0] == "非" and word.partition(":")[0][1:] in {*TERMS, SAVED}:
            yield "非"
            word = word[1:]
        yield _OPERATORS.get(word.lower(), word)


class _Reader:
    """Recursive descent: 或 binds loosest, then 且, then 非."""

    def __init__(self, context: Context, tokens: list[str], depth: int) -> None:
        self._context, self._tokens, self._at, self._depth = context, tokens, 0, depth

    @property
    def next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, token: str) -> bool:
        if self.next != token:
            return False
        self._at += 1
        return True

    def either(self) -> People:
        chosen = self._both()
        while self._take("或"):
            chosen = _select(sa.union(chosen, self._both()))
        return chosen

    def _both(self) -> People:
        chosen = self._one()
        while self._take("且"):
            if self._take("非"):
                chosen = _select(sa.except_(chosen, self._one()))
                continue
            chosen = _select(sa.intersect(chosen, self._one()))
        return chosen

    def _one(self) -> People:
        if self._take("非"):
            return _select(sa.except_(members(self._context), self._one()))
        return self._inner() if self._take("(") else self._term()

    def _inner(self) -> People:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Misunderstood("括号套得太多层了，请把条件写得简单些。")
        chosen = self.either()
        self._depth -= 1
        if not self._take(")"):
            raise Misunderstood("少了一个右括号。")
        return chosen

    def _term(self) -> People:
        word = self.next
        if word is None:
            raise Misunderstood(f"条件没有写完。{how_to_write()}")
        name, _, value = word.partition(":")
        value = value.strip('“”"')
        self._at += 1
        if name == SAVED and value:
            return self._saved(value)
        term = TERMS.get(name)
        if term is None:
            raise Misunderstood(f"看不懂“{word[:20]}”。{how_to_write()}")
        if term.takes_value != bool(value):
            raise Misunderstood(f"“{word[:20]}”应写成“{term.hint}”。")
        return term.ask(self._context, value)

    def _saved(self, name: str) -> People:
        session = self._context.session
        row = session.get(SavedAudience, name)
        if row is None:
            known = session.scalars(sa.select(SavedAudience.name).order_by(SavedAudience.name).limit(10)).all()
            raise Misunderstood(f"没有保存过“{name[:20]}”。已保存的：{'、'.join(known) or '还没有'}。")
        return _read(self._context, row.expression, self._depth + 1)


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


def save(session: Session, name: str, expression: str, at: datetime, *, by: int) -> SavedAudience:
    """Keep an expression under a name; a known name gets the new expression. Raises Misunderstood."""
    if not re.fullmatch(r"[^\s:：()（）“”\"]{1,32}", name):
        raise Misunderstood("名单的名称要 1–32 个字，不含空格、冒号、引号和括号。")
    Audience(expression).accounts(session, at)
    # A list that names itself would never end.
    if f"{SAVED}:{name}" in expression.replace("：", ":"):
        raise Misunderstood("名单不能引用自己。")
    return session.merge(SavedAudience(name=name, expression=expression, saved_by=by, saved_at=at))


def saved(session: Session, limit: int = 20) -> list[SavedAudience]:
    """The lists that were kept, the newest first."""
    return list(session.scalars(sa.select(SavedAudience).order_by(SavedAudience.saved_at.desc()).limit(limit)))
