"""Coming in: password, second factor, first password, phone, lock, sessions (F136)."""

from __future__ import annotations

import re
from datetime import timedelta

import pyotp
import pytest
import sqlalchemy as sa

from demo import logins as demo_logins
from models import Account, AccountSession, AuditEntry
from services.entry import accounts, logins


def acts(office, *only: str) -> list[str]:
    with office.database.reading() as session:
        found = session.scalars(sa.select(AuditEntry.act).order_by(AuditEntry.id)).all()
    return [act for act in found if not only or act in only]


def wrong(office, visitor, name="office", password="nonsense-nonsense"):
    return visitor.send("/console/login", name=name, password=password)


@pytest.fixture
def newcomer(office):
    """An account just made for 张伟, and its first password."""
    with office.database.transaction() as session:
        person = accounts.new_person(session, "新来的", office.clock.at)
        _account, password = accounts.add(session, "newcomer", person.id, office.clock.at, by=None)
    return password


def test_nobody_sees_a_page_before_both_factors(office):
    visitor = office.visitor()
    assert visitor.open("/console/").location == "/console/login?next=/console/"
    assert visitor.send("/console/login", name="office", password=demo_logins.PASSWORD).status_code == 302
    assert visitor.open("/console/people").location.startswith("/console/login/code")
    assert visitor.send("/console/login/code", code="000000").status_code == 422
    assert visitor.open("/console/people").status_code == 302
    assert visitor.send("/console/login/code", code=office.code("office")).status_code == 302
    assert visitor.open("/console/people").status_code == 200


def test_the_token_of_the_first_half_is_worth_nothing_afterwards(office):
    """Whoever caught the cookie before the second factor has nothing in hand after it."""
    visitor, thief = office.visitor(), office.visitor()
    visitor.send("/console/login", name="office", password=demo_logins.PASSWORD)
    caught = visitor.client.get_cookie("console", path="/console").value
    visitor.send("/console/login/code", code=office.code("office"))
    thief.client.set_cookie("console", caught, path="/console")
    assert thief.open("/console/").location.startswith("/console/login")


def test_a_code_is_good_once(office):
    first, second = office.visitor(), office.visitor()
    for visitor in (first, second):
        visitor.send("/console/login", name="office", password=demo_logins.PASSWORD)
    code = office.code("office")
    assert first.send("/console/login/code", code=code).status_code == 302
    said = second.send("/console/login/code", code=code)
    assert said.status_code == 422
    assert "已用过" in said.get_data(as_text=True)


def test_wrong_names_and_wrong_passwords_are_told_alike(office):
    visitor = office.visitor()
    for name in ("office", "nobody"):
        page = wrong(office, visitor, name).get_data(as_text=True)
        assert logins.WRONG in page
        assert f'value="{name}"' in page


def test_the_fifth_wrong_password_locks_and_says_until_when(office):
    visitor = office.visitor()
    said = [wrong(office, visitor).get_data(as_text=True) for _ in range(5)]
    assert "再错 1 次" in said[3]
    assert "锁定到今天 09:15（北京时间）" in said[4]
    right = visitor.send("/console/login", name="office", password=demo_logins.PASSWORD)
    assert "锁定到今天 09:15" in right.get_data(as_text=True)
    assert acts(office, "account.wrong", "account.locked") == ["account.wrong"] * 5 + ["account.locked"]
    office.clock.at += timedelta(minutes=16)
    assert visitor.send("/console/login", name="office", password=demo_logins.PASSWORD).status_code == 302


def test_wrong_codes_lock_as_well(office):
    visitor = office.visitor()
    visitor.send("/console/login", name="office", password=demo_logins.PASSWORD)
    said = [visitor.send("/console/login/code", code="000000").get_data(as_text=True) for _ in range(5)]
    assert "锁定到" in said[4]
    assert visitor.send("/console/login/code", code=office.code("office")).status_code == 422


def test_digits_of_a_chinese_keyboard_open_the_door_and_an_empty_code_costs_nothing(office):
    visitor = office.visitor()
    visitor.send("/console/login", name="office", password=demo_logins.PASSWORD)
    said = [visitor.send("/console/login/code", code=" ").get_data(as_text=True) for _ in range(6)]
    assert all("请输入手机上的六位数字" in each for each in said)
    wide = office.code("office").translate({ord(str(n)): chr(ord("０") + n) for n in range(10)})
    assert visitor.send("/console/login/code", code=wide).status_code == 302
    assert visitor.open("/console/").status_code == 200


def test_one_address_cannot_try_every_account(office):
    visitor = office.visitor()
    page = visitor.open("/console/login", environ_overrides={"REMOTE_ADDR": "10.0.0.9"}).get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]

    def attempt(number: int) -> str:
        form = {"name": f"nobody{number}", "password": "x", "csrf_token": token}
        answer = visitor.client.post("/console/login", data=form, environ_overrides={"REMOTE_ADDR": "10.0.0.9"})
        return answer.get_data(as_text=True)

    said = [attempt(n) for n in range(logins.MAX_FROM_ADDRESS + 1)]
    assert logins.WRONG in said[-2]
    assert "15 分钟后再试" in said[-1]


def test_the_first_password_must_be_changed_and_a_phone_set_up(office, newcomer):
    visitor = office.visitor()
    assert visitor.send("/console/login", name="newcomer", password=newcomer).status_code == 302
    assert visitor.open("/console/").location == "/console/login/password"
    for fields, says in (
        ({"old": "wrong", "new": "a new password", "again": "a new password"}, "现在的密码不对"),
        ({"old": newcomer, "new": "short", "again": "short"}, "至少 10 个字符"),
        ({"old": newcomer, "new": "newcomer-2026", "again": "newcomer-2026"}, "不要有登录名"),
        ({"old": newcomer, "new": "1234567890", "again": "1234567890"}, "太简单"),
        ({"old": newcomer, "new": newcomer, "again": newcomer}, "不一样"),
        ({"old": newcomer, "new": "a new password", "again": "another one"}, "两次输入的不一样"),
    ):
        answer = visitor.send("/console/login/password", **fields)
        assert answer.status_code == 422
        assert says in answer.get_data(as_text=True)
    fields = {"old": newcomer, "new": "a new password", "again": "a new password"}
    assert visitor.send("/console/login/password", **fields).status_code == 302
    page = visitor.open("/console/", follow_redirects=True).get_data(as_text=True)
    assert "绑定手机验证器" in page
    assert "<svg" in page
    secret = re.search(r"<code>([A-Z2-7 ]+)</code>", page)[1].replace(" ", "")
    code = pyotp.TOTP(secret).at(int(office.clock.at.timestamp()))
    page = visitor.send("/console/login/phone", code=code).get_data(as_text=True)
    backup = re.findall(r"<code>([a-z0-9]{5}-[a-z0-9]{5})</code>", page)
    assert len(backup) == 8
    assert visitor.open("/console/").location == "/console/mine", "a person without a post has nothing else to see"
    assert "没有您的任职" in visitor.open("/console/mine").get_data(as_text=True)
    assert visitor.open("/console/branches").status_code == 404

    again = office.visitor()
    again.send("/console/login", name="newcomer", password="a new password")
    assert again.send("/console/login/code", code=backup[0]).status_code == 302
    third = office.visitor()
    third.send("/console/login", name="newcomer", password="a new password")
    assert third.send("/console/login/code", code=backup[0]).status_code == 422


def test_a_session_ends_when_idle_when_old_and_when_ended_elsewhere(office):
    desk, phone = office.visitor("office"), office.visitor("office")
    page = desk.open("/console/mine").get_data(as_text=True)
    [other] = re.findall(r"/console/mine/sessions/(\d+)/end", page)
    assert desk.send(f"/console/mine/sessions/{other}/end", on="/console/mine").status_code == 302
    assert phone.open("/console/").status_code == 302
    office.clock.at += timedelta(minutes=29)
    assert desk.open("/console/").status_code == 200
    office.clock.at += timedelta(minutes=31)
    assert desk.open("/console/").status_code == 302

    fresh = office.visitor("office")
    for _ in range(25):
        office.clock.at += timedelta(minutes=29)
        last = fresh.open("/console/").status_code
    assert last == 302, "twelve hours are the end, however busy"


def test_somebody_elses_session_cannot_be_ended_by_its_number(office):
    office.visitor("office")
    auditor = office.visitor("auditor")
    with office.database.reading() as session:
        number = session.scalars(sa.select(AccountSession.id).order_by(AccountSession.id)).first()
    assert auditor.send(f"/console/mine/sessions/{number}/end", on="/console/mine").status_code == 404


def test_leaving_ends_the_session(office):
    visitor = office.visitor("office")
    cookie = visitor.client.get_cookie("console", path="/console").value
    assert visitor.send("/console/logout", on="/console/").status_code == 302
    visitor.client.set_cookie("console", cookie, path="/console")
    assert visitor.open("/console/").status_code == 302


def test_demonstration_accounts_stay_out_of_a_real_installation(office_stage, tmp_path):
    import shutil

    import app
    from tests.conftest import Clock, settings
    from tests.console.conftest import Office

    shutil.copyfile(office_stage, tmp_path / "real.db")
    clock = Clock()
    given = settings(f"sqlite:///{tmp_path / 'real.db'}", api_base_url="https://api.weixin.qq.com")
    real = Office(app.make(given, clock), clock)
    said = real.visitor().send("/console/login", name="office", password=demo_logins.PASSWORD)
    assert "只能在本地微信的演示里" in said.get_data(as_text=True)
    real.database.close()


def test_only_a_demonstration_account_shows_its_code(office):
    visitor = office.visitor()
    visitor.send("/console/login", name="office", password=demo_logins.PASSWORD)
    assert office.code("office") in visitor.open("/console/login/code").get_data(as_text=True)
    with office.database.transaction() as session:
        session.execute(sa.update(Account).where(Account.name == "office").values(is_demo=False))
    assert office.code("office") not in visitor.open("/console/login/code").get_data(as_text=True)


def test_a_form_without_its_token_changes_nothing(office):
    visitor = office.visitor("office")
    assert visitor.client.post("/console/accounts/county/reset").status_code == 400
    assert "account.reset" not in acts(office)


@pytest.mark.parametrize(
    "where", ["https://evil.example/", "//evil.example/", "/console/\\evil", "/console//evil", "/console/%0d%0aX:1"]
)
def test_a_login_leads_to_no_other_host(office, where):
    visitor = office.visitor()
    visitor.send("/console/login", name="office", password=demo_logins.PASSWORD)
    answer = visitor.send(f"/console/login/code?next={where}", code=office.code("office"))
    assert answer.location == "/console/"
