"""Who belongs to which branch, from when to when, as the desk writes it down: joining, leaving, another main branch (F025).

Every act locks the person's row first: what the database cannot promise (that rows of one branch never overlap, and on
MariaDB that one main affiliation is open) is checked under that lock. Nothing begins in the future, so that whoever
is listed today belongs today.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import beijing_date
from errors import Misunderstood, NotFound, RuleBroken
from models import Affiliation, Branch, Change, ChangeKind, Person, Post, Role
from models.base import vault_of
from models.people import TAIL
from services import audit
from services.membership import changes, people
from services.membership.changes import Book
from services.organisation import branch_history
from services.scope import Scope

#: The Party was founded in July 1921: no date of a roll lies before.
EARLIEST = date(1921, 7, 1)
LONGEST_NAME = 30
_UNSEEN = re.compile(r"[\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\u00ad]")


# --- what is typed -------------------------------------------------------------------------------------------


def read_name(said: str) -> str:
    """A name as it is kept: rare characters and the dot as typed, nothing that cannot be seen. Raises Misunderstood."""
    name = " ".join(_UNSEEN.sub("", said).split())
    if not 2 <= len(name) <= LONGEST_NAME:
        raise Misunderstood(f"姓名要 2–{LONGEST_NAME} 个字，与身份证一致。")
    if not all(_may_stand_in_a_name(each) for each in name):
        raise Misunderstood("姓名只用文字和间隔号“·”，不用数字、符号和表情。")
    return name


def _may_stand_in_a_name(each: str) -> bool:
    return each in " ·•・‧-.'’" or unicodedata.category(each)[0] in "LM"


def read_day(said: str, what: str, at: datetime) -> date:
    """A day of the past or today; nothing typed is today. Raises Misunderstood."""
    today = beijing_date(at)
    plain = unicodedata.normalize("NFKC", said).strip()
    if not plain:
        return today
    try:
        day = date.fromisoformat(plain)
    except ValueError:
        raise Misunderstood(f"{what}没看懂，请写成 {today} 这样。") from None
    if not EARLIEST <= day <= today:
        raise Misunderstood(f"{what}应在 {EARLIEST} 到今天（{today}）之间。")
    return day


def read_new_phone(session: Session, said: str, within: sa.ColumnElement[bool], but: int | None = None) -> str | None:
    """The number of somebody new, or another for the person `but`; nothing typed is none. Raises Misunderstood,
    RuleBroken where its owner may be seen; elsewhere that is not told, and the finder of duplicates will have them."""
    if not said.strip():
        return None
    number = people.read_phone(said)
    index = vault_of(session.get_bind().dialect).index(number)
    owned = Person.phone_index == index, Person.id != (but or 0), within
    known = session.scalar(sa.select(Person).where(*owned).limit(1))
    if known is not None:
        raise RuleBroken(
            f"这个手机号已登记在“{known.name}”（编号 {known.id}）名下；是同一个人就不用再登记，号码换了主人请先改那一位的。"
        )
    return number


# --- people --------------------------------------------------------------------------------------------------


def add(session: Session, name: str, phone: str, at: datetime, *, by: int, within: sa.ColumnElement[bool]) -> Person:
    """Somebody new. Raises Misunderstood, RuleBroken."""
    plain, number = read_name(name), read_new_phone(session, phone, within)
    index = vault_of(session.get_bind().dialect).index(number) if number else None
    values = {"name": plain, "phone": number, "phone_index": index, "is_fictional": False}
    book = Book(session)
    person_id = book.insert(Person, values)
    book.close(ChangeKind.ADDED, person_id, f"登记{plain}", at, by=by)
    audit.note(session, at, by, "people.add", f"person:{person_id}", plain)
    return people.get(session, person_id)


def must_be_another(session: Session, name: str, branch: Branch) -> None:
    """Whoever has no number cannot be told from another of the name in the branch: it is the same form sent twice, or a
    number is needed. Two who send it at once wait for each other at the branch. Raises RuleBroken."""
    session.refresh(branch, with_for_update=True)
    plain = read_name(name)
    alike = (
        sa.select(Person.id)
        .join(Affiliation, Affiliation.person_id == Person.id)
        .where(Affiliation.branch_id == branch.id, Affiliation.until_on.is_(None), Person.name == plain)
    )
    if session.scalar(alike.limit(1)) is not None:
        error = RuleBroken(f"本支部已有{plain}，可能刚才已经登记；确是另一个人，请填手机号以便区分。")
        error.about = "phone"
        raise error


def edit(
    session: Session, person: Person, name: str, phone: str, reason: str, at: datetime, *, by: int,
    within: sa.ColumnElement[bool],
) -> Change | None:  # fmt: skip
    """Another name or number; an empty number stays as it is. Nothing when nothing changes. Raises Misunderstood, RuleBroken."""
    changes.lock(session, person.id)
    values: dict[str, str] = {"name": read_name(name)}
    number = read_new_phone(session, phone, within, person.id)
    values |= {"phone": number} if number else {}
    values = {field: value for field, value in values.items() if value != (getattr(person, field) or "")}
    if not values:
        return None
    why = audit.reason(reason, "为什么改", "本人换了手机号")
    says = f"姓名 {person.name} → {values['name']}" if "name" in values else ""
    if "phone" in values:
        says = "；".join(filter(None, [says, f"手机号 {_masked(person.phone)} → {_masked(values['phone'])}"]))
    book = Book(session)
    book.change(Person.__table__, {"id": person.id}, values)
    change = book.close(ChangeKind.EDITED, person.id, says, at, by=by, reason=why)
    audit.note(session, at, by, "people.edit", f"person:{change.person_id}", f"{says}（{why}）")
    return change


def _masked(number: str | None) -> str:
    return f"{number[:3]}****{number[-TAIL:]}" if number else "未登记"


# --- affiliations --------------------------------------------------------------------------------------------


def every(session: Session, person_id: int) -> Sequence[Affiliation]:
    """All rows of one person, with their branches, by beginning."""
    rows = sa.select(Affiliation).options(joinedload(Affiliation.branch)).where(Affiliation.person_id == person_id)
    return session.scalars(rows.order_by(Affiliation.since_on, Affiliation.id)).all()


def main_of(rows: Sequence[Affiliation]) -> Affiliation | None:
    """The open main affiliation among these."""
    return next((row for row in rows if row.is_main and row.until_on is None), None)


def join(session: Session, person: Person, branch: Branch, since_on: date, at: datetime, *, by: int) -> Change:
    """Belong to a branch from a day on; to the first one as the main branch. Raises RuleBroken."""
    changes.lock(session, person.id)
    branch_history.refuse_gone(session, branch)
    rows = every(session, person.id)
    _refuse_overlap(rows, branch, since_on)
    is_main = main_of(rows) is None
    book = Book(session)
    _begin(book, person.id, branch.id, since_on, is_main=is_main)
    says = f"{since_on} 起加入{branch.name}{'（主支部）' if is_main else ''}"
    audit.note(session, at, by, "people.join", f"person:{person.id}", says)
    return book.close(ChangeKind.JOINED, person.id, says, at, by=by)


def leave(session: Session, row: Affiliation, on: date, reason: str, at: datetime, *, by: int) -> Change:
    """Belong to a branch no longer from a day on. Raises Misunderstood, RuleBroken."""
    changes.lock(session, row.person_id)
    why = audit.reason(reason, "为什么离开", "工作调动，组织关系转出")
    _refuse_end(session, row, on)
    book = Book(session)
    book.change(Affiliation.__table__, {"id": row.id}, {"until_on": on})
    says = f"{on} 起离开{row.branch.name}"
    audit.note(session, at, by, "people.leave", f"person:{row.person_id}", f"{says}（{why}）")
    return book.close(ChangeKind.LEFT, row.person_id, says, at, by=by, reason=why)


def move_main(
    session: Session, person: Person, branch: Branch, on: date, reason: str, at: datetime, *, by: int
) -> Change:
    """Another main branch: the old one ends and the new one begins on one day, with nothing between. Raises Misunderstood,
    RuleBroken."""
    changes.lock(session, person.id)
    branch_history.refuse_gone(session, branch)
    why = audit.reason(reason, "为什么转", "工作单位变动")
    rows = every(session, person.id)
    old = main_of(rows)
    if old is not None and old.branch_id == branch.id:
        raise RuleBroken(f"{branch.name}已经是主支部。")
    book = Book(session)
    if old is not None:
        _refuse_end(session, old, on)
        book.change(Affiliation.__table__, {"id": old.id}, {"until_on": on})
    here = next((row for row in rows if row.branch_id == branch.id and row.until_on is None), None)
    if here is None:
        _refuse_overlap(rows, branch, on)
        _begin(book, person.id, branch.id, on, is_main=True)
    elif here.since_on >= on:
        _refuse_future(here, on)
        book.change(Affiliation.__table__, {"id": here.id}, {"is_main": True})
    else:
        book.change(Affiliation.__table__, {"id": here.id}, {"until_on": on})
        _begin(book, person.id, branch.id, on, is_main=True)
    says = f"{on} 起主支部由{old.branch.name if old else '无'}转到{branch.name}"
    audit.note(session, at, by, "people.move", f"person:{person.id}", f"{says}（{why}）")
    return book.close(ChangeKind.MAIN_MOVED, person.id, says, at, by=by, reason=why)


def _begin(book: Book, person_id: int, branch_id: int, since_on: date, *, is_main: bool) -> None:
    values = {"person_id": person_id, "branch_id": branch_id, "is_main": is_main}
    book.insert(Affiliation, values | {"since_on": since_on, "until_on": None})


def _refuse_overlap(rows: Sequence[Affiliation], branch: Branch, since_on: date) -> None:
    for row in rows:
        if row.branch_id != branch.id:
            continue
        if row.until_on is None:
            raise RuleBroken(f"{row.since_on} 起已在{branch.name}，不用再加。")
        # A row that begins on the same day stands already, however short it was.
        if row.until_on > since_on or row.since_on >= since_on:
            raise RuleBroken(
                f"{row.since_on} 至 {row.until_on} 已在{branch.name}；新的开始日期请写在 {row.until_on} 之后。"
            )


def _refuse_future(row: Affiliation, on: date) -> None:
    if row.since_on > on:
        raise RuleBroken(f"{row.since_on} 才加入{row.branch.name}，日期不能早于这一天。")


def _refuse_end(session: Session, row: Affiliation, on: date) -> None:
    if row.until_on is not None:
        raise RuleBroken(f"{row.until_on} 已经离开{row.branch.name}。")
    _refuse_future(row, on)
    held = session.scalars(
        sa.select(Post).where(
            Post.person_id == row.person_id, Post.branch_id == row.branch_id, Post.until_on.is_(None)
        )
    ).all()
    if held:
        raise RuleBroken(f"还任着{row.branch.name}的{'、'.join(post.title for post in held)}，请先免职，再离开。")


def affiliation(session: Session, person_id: int, number: int) -> Affiliation:
    """One row of this person, with its branch. Raises NotFound."""
    row = session.get(Affiliation, number, options=[joinedload(Affiliation.branch)])
    if row is None or row.person_id != person_id:
        raise NotFound("没有这条支部关系。")
    return row


# --- at the desk ---------------------------------------------------------------------------------------------


def own_branches(session: Session, scope: Scope, words: str, limit: int = 8) -> list[Branch]:
    """Branches whose roll is theirs, by characters of the name; the very name alone if there is one."""
    question = sa.select(Branch).where(scope.own_branches).order_by(Branch.name)
    exact = session.scalar(question.where(Branch.name == words)) if words else None
    if exact is not None:
        return [exact]
    return list(session.scalars(question.where(Branch.name.contains(words, autoescape=True)).limit(limit)))


def branch_called(session: Session, scope: Scope, words: str) -> Branch:
    """The one branch of theirs that is meant. Raises Misunderstood."""
    plain = words.replace(" ", "")
    found = own_branches(session, scope, plain)
    if not plain and len(found) != 1:
        raise Misunderstood("请写支部名称中的几个字。")
    if not found:
        raise Misunderstood(f"您管的支部里没有名称含“{plain[:20]}”的。")
    if len(found) > 1:
        raise Misunderstood(f"有几个支部含“{plain[:20]}”，请写得更全：{'；'.join(each.name for each in found[:5])}。")
    return found[0]


def branch_named(session: Session, name: str) -> Branch | None:
    """A branch of ours by its whole name."""
    return session.scalar(sa.select(Branch).where(Branch.name == name.replace(" ", "")))


def refuse_main_of_others(session: Session, scope: Scope, person: Person) -> None:
    """Whoever takes somebody out of a main branch has to answer for that branch too. Raises RuleBroken."""
    old = main_of(every(session, person.id))
    if old is None:
        return
    if session.scalar(sa.select(Branch.id).where(Branch.id == old.branch_id, scope.own_branches)) is None:
        raise RuleBroken(f"主支部是{old.branch.name}，不归您管；转主支部请两边共同的上级办公室办理。")


def recent(scope: Scope) -> sa.Select[Change]:
    """What was changed lately: by anybody for the city office, else by oneself."""
    question = sa.select(Change).options(joinedload(Change.person), joinedload(Change.by)).order_by(Change.id.desc())
    return question.where(may_undo(scope))


def may_undo(scope: Scope) -> sa.ColumnElement[bool]:
    """Changes that are theirs to take back."""
    return sa.true() if scope.holds(Role.OFFICE) else Change.by_person_id == scope.person_id
