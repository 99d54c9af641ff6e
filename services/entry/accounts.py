"""Console accounts: made with a first password, reset, closed. Entering with one is services/entry/logins.py."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager, joinedload

from clock import beijing_date
from errors import Misunderstood, NotFound, RuleBroken
from models import Account, AccountSession, BackupCode, Person, Post
from services import audit
from services.custody.retention import SESSION_DAYS
from services.entry import logins, passwords
from services.membership import people, roster

_NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")


def add(session: Session, name: str, person_id: int, at: datetime, *, by: int | None) -> tuple[Account, str]:
    """A new account and its first password, which is not kept. Raises Misunderstood, NotFound, RuleBroken."""
    if not _NAME.fullmatch(name):
        raise Misunderstood("登录名用 2–32 个小写字母、数字、点、横线，以字母开头，例如 zhaomin。")
    person = people.get(session, person_id)
    if session.scalar(sa.select(Account.id).where(Account.name == name)):
        raise RuleBroken(f"登录名 {name} 已经有人用了。")
    if session.scalar(sa.select(Account.id).where(Account.person_id == person_id)):
        raise RuleBroken(f"{person.name}已经有账号了；忘了密码请重置。")
    password = passwords.first()
    account = Account(name=name, person_id=person_id, password=passwords.seal(password), made_at=at)
    session.add(account)
    session.flush()
    audit.note(session, at, by, "account.add", f"account:{name}", f"{person.name}")
    return account, password


def by_name(session: Session, name: str) -> Account | None:
    return session.scalar(
        sa.select(Account).options(joinedload(Account.person)).where(Account.name == name.strip().lower())
    )


def get(session: Session, name: str) -> Account:
    """Raises NotFound."""
    account = by_name(session, name)
    if account is None:
        raise NotFound(f"没有登录名是 {name} 的账号。")
    return account


def matching(session: Session, words: str = "") -> sa.Select[Account]:
    """Every account by name, or those whose name or person a word means."""
    question = sa.select(Account).join(Account.person).options(contains_eager(Account.person)).order_by(Account.name)
    if not words.strip():
        return question
    called = Account.name.startswith(words.strip().lower(), autoescape=True)
    return question.where(sa.or_(called, roster.named(session, words)))


@dataclass(frozen=True, slots=True)
class Line:
    """An account in the list: what its person holds today, when it was used last, in how many places."""

    account: Account
    roles: list[str]
    seen_at: datetime | None
    sessions: int

    def is_locked(self, at: datetime) -> bool:
        return self.account.locked_until is not None and self.account.locked_until > at

    def says(self, at: datetime) -> str:
        """How it stands, in a word."""
        if self.account.closed_at is not None:
            return "已停用"
        if self.is_locked(at):
            return "锁定中"
        if not self.account.is_totp_confirmed:
            return "还没有首次登录"
        return f"{self.sessions} 处登录" if self.sessions else "未登录"


def lines(session: Session, some: Sequence[Account], at: datetime) -> list[Line]:
    """These accounts as a list shows them, with two statements."""
    roles: dict[int, list[str]] = {}
    held = sa.select(Post.person_id, Post.role).where(
        Post.person_id.in_([account.person_id for account in some]), *people.holds(Post, beijing_date(at))
    )
    for person_id, role in session.execute(held.distinct()):
        roles.setdefault(person_id, []).append(role.label)
    used: dict[int, list[AccountSession]] = {}
    for row in session.scalars(
        sa.select(AccountSession).where(
            AccountSession.account_id.in_([account.id for account in some]),
            AccountSession.made_at > at - timedelta(days=SESSION_DAYS),
        )
    ):
        used.setdefault(row.account_id, []).append(row)
    return [
        Line(
            account,
            sorted(roles.get(account.person_id, [])),
            max((row.seen_at for row in used.get(account.id, [])), default=None),
            sum(logins.is_alive(row, at) for row in used.get(account.id, [])),
        )
        for account in some
    ]


def reset(session: Session, account: Account, at: datetime, *, by: int | None) -> str:
    """A new first password; the second factor is set up anew, every session ends. Also opens a closed account."""
    password = passwords.first()
    account.password, account.must_change = passwords.seal(password), True
    account.totp_secret, account.is_totp_confirmed, account.scan_openid = None, False, None
    account.failed, account.locked_until, account.closed_at = 0, None, None
    session.execute(sa.delete(BackupCode).where(BackupCode.account_id == account.id))
    logins.end_sessions(session, account, at, by=by)
    audit.note(session, at, by, "account.reset", f"account:{account.name}")
    return password


def close(session: Session, account: Account, at: datetime, *, by: int | None) -> None:
    """Nobody enters with it any more; what was done with it stays."""
    account.closed_at = at
    logins.end_sessions(session, account, at, by=by)
    audit.note(session, at, by, "account.close", f"account:{account.name}")


def person_called(session: Session, said: str) -> Person:
    """A person by number, or by a name that only one has. Raises Misunderstood, NotFound, RuleBroken."""
    said = unicodedata.normalize("NFKC", said).strip()
    if not said:
        raise Misunderstood("请填姓名或人员编号。")
    if said.isascii() and said.isdecimal() and len(said) < 10:
        return people.get(session, int(said))
    found = session.scalars(sa.select(Person).where(Person.name == said).order_by(Person.id).limit(6)).all()
    if not found:
        raise NotFound(f"没有叫“{said}”的人；新人请先导入名册。")
    if len(found) > 1:
        raise RuleBroken(f"叫“{said}”的不止一位，请写编号：{'、'.join(str(p.id) for p in found)}。")
    return found[0]


def new_person(session: Session, name: str, at: datetime) -> Person:
    """Somebody whom the roll does not know yet, by name alone. Raises Misunderstood, RuleBroken."""
    plain = name.strip()
    if not plain or len(plain) > 64 or plain.isdigit():
        raise Misunderstood("请写姓名，不超过 64 个字。")
    if session.scalar(sa.select(Person.id).where(Person.name == plain).limit(1)):
        raise RuleBroken(f"名册里已有“{plain}”，不用 --new。")
    person = Person(name=plain)
    session.add(person)
    session.flush()
    audit.note(session, at, None, "people.add", f"person:{person.id}", plain)
    return person
