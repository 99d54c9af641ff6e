"""`accounts`, as an operator types it."""

from __future__ import annotations

import re
import shutil

import pytest
import sqlalchemy as sa

from demo import logins as demo_logins
from models import Account, AuditEntry, Database, Post, Role, Vault
from services.entry import passwords
from tests.conftest import LOADED_AT, SECRET


@pytest.fixture
def office(stage, tmp_path, on_database):
    path = tmp_path / "bot.db"
    shutil.copyfile(stage, path)
    on_database(path)
    database = Database(f"sqlite:///{path}", Vault(SECRET))
    yield database
    database.close()


def account(database, name: str) -> Account:
    with database.reading() as session:
        return session.scalars(sa.select(Account).where(Account.name == name)).one()


def test_the_first_account_is_made_with_person_post_and_a_password_that_is_shown_once(office, typed):
    said = typed(
        "accounts", "add", "ouyang", "--person", "欧阳𬀩", "--new", "--role", "county_office", "--place", "金水区"
    )
    assert said.code == 0, said.err
    password = re.search(r"：(\S{14})$", said.out.strip())[1]
    made = account(office, "ouyang")
    assert passwords.matches(password, made.password)
    assert password not in made.password
    assert made.must_change
    with office.reading() as session:
        post = session.scalars(sa.select(Post).where(Post.person_id == made.person_id)).one()
        acts = session.scalars(sa.select(AuditEntry.act).order_by(AuditEntry.id)).all()
    assert post.role is Role.COUNTY_OFFICE
    assert acts[-3:] == ["people.add", "post.appoint", "account.add"]
    assert "ouyang\t欧阳𬀩\t县（市）区法学会办公室" in typed("accounts", "list").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "x", "--person", "赵敏"), "登录名用"),
        (("add", "zhao", "--person", "没有这个人"), "没有叫“没有这个人”的人"),
        (("add", "zhao", "--person", "赵敏", "--new"), "名册里已有"),
        (("add", "zhao", "--person", "赵敏", "--role", "secretary"), "要写明任职的支部"),
        (("add", "zhao", "--person", "赵敏", "--role", "office", "--place", "金水区"), "管全市"),
        (("reset", "nobody"), "没有登录名是 nobody 的账号"),
        (("code", "nobody"), "没有登录名是 nobody 的账号"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(office, typed, words, says):
    said = typed("accounts", *words)
    assert (said.code, said.out) == (1, "")
    assert says in said.err
    with office.reading() as session:
        assert session.scalars(sa.select(Account)).all() == []


def test_a_reset_gives_another_password_and_a_fresh_second_factor(office, typed):
    typed("accounts", "add", "zhaomin", "--person", "赵敏")
    before = account(office, "zhaomin").password
    with office.transaction() as session:
        row = session.scalars(sa.select(Account)).one()
        row.totp_secret, row.is_totp_confirmed, row.closed_at = "ABCDEFGH", True, LOADED_AT
    assert typed("accounts", "reset", "zhaomin").code == 0
    after = account(office, "zhaomin")
    assert after.password != before
    assert (after.totp_secret, after.is_totp_confirmed, after.closed_at, after.must_change) == (
        None,
        False,
        None,
        True,
    )


def test_only_a_demonstration_account_tells_its_code(office, typed):
    demo_logins.open_accounts(office, at=LOADED_AT)
    assert re.fullmatch(r"\d{6}\n", typed("accounts", "code", "office").out)
    typed("accounts", "add", "real", "--person", "孙丽")
    said = typed("accounts", "code", "real")
    assert said.code == 1
    assert "不是演示账号" in said.err


def test_demonstration_accounts_are_made_once(office):
    first = demo_logins.open_accounts(office, at=LOADED_AT)
    with office.reading() as session:
        before = session.scalars(sa.select(Account.password).order_by(Account.id)).all()
    assert demo_logins.open_accounts(office, at=LOADED_AT) == first == list(demo_logins.LOGINS)
    with office.reading() as session:
        assert session.scalars(sa.select(Account.password).order_by(Account.id)).all() == before
