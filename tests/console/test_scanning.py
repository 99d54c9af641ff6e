"""Logging in by scanning with WeChat, through the local WeChat as it would be through the real one (F136)."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
import sqlalchemy as sa

import app
from models import Account, AuditEntry, Follower, ScanLogin, ScanState
from services.entry import accounts, scans
from services.membership import binding
from simulator.phone import LocalWeChat
from tests import serving
from tests.conftest import CAST, FRIDAY, Clock, settings
from tests.console.browser import at_width
from tests.console.conftest import Office

QR = "/cgi-bin/qrcode/create"


@pytest.fixture
def open_office(office_stage, tmp_path, local_wechat: LocalWeChat):
    """An office whose WeChat is the local one; with other settings of the account if the test wants them."""
    opened = []

    def open_(**wechat) -> Office:
        path, clock = tmp_path / "bot.db", Clock()
        shutil.copyfile(office_stage, path)
        local_wechat.reset()
        local_wechat.clock.set(FRIDAY, freeze=True)
        given = settings(f"sqlite:///{path}", api_base_url=local_wechat.url, **wechat)
        opened.append(Office(app.make(given, clock), clock))
        return opened[-1]

    yield open_
    for each in opened:
        each.database.close()
    local_wechat.heal()


@pytest.fixture
def scene_of(local_wechat):
    """The code that the browser shows, as a phone reads it."""
    return lambda: local_wechat.qr_codes()[-1]["scene"]


@pytest.fixture
def office(open_office, local_wechat):
    """An office that answers WeChat."""
    office = open_office()
    desk = office.parts.desk()
    with serving.served(app.web(office.parts, desk)) as address:
        local_wechat.settings(callback_url=f"{address}/wechat", mode=office.parts.settings.wechat.mode)
        office.url = address
        yield office
    desk.stop()


@pytest.fixture
def phone(office, local_wechat):
    """赵敏's phone; her account belongs to the demonstration's 'office'."""
    with office.database.reading() as session:
        person_id = accounts.get(session, "office").person_id
        openid = session.scalar(sa.select(Follower.openid).where(Follower.person_id == person_id))
    return local_wechat.phone(openid)


@pytest.fixture
def allowed(office):
    """She has allowed it, from a session with both factors."""
    visitor = office.visitor("office")
    answer = visitor.send("/console/mine/scan", "/console/mine", allow="yes")
    assert answer.status_code == 302
    return visitor


def show_code(office):
    visitor = office.visitor()
    answer = visitor.send("/console/login/scan", on="/console/login")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    visitor.page = answer.get_data(as_text=True)
    return visitor


def ask_state(visitor):
    """As the page does by itself, every two seconds."""
    token = visitor.page.split('name="csrf_token" value="')[1].split('"')[0]
    headers = {"HX-Request": "true", "X-CSRFToken": token}
    return visitor.client.post("/console/login/scan/state?next=/console/people", headers=headers)


def acts(office):
    with office.database.reading() as session:
        return list(session.scalars(sa.select(AuditEntry.act).where(AuditEntry.act.startswith("account."))))


def test_scanned_and_confirmed_the_browser_is_in(office, allowed, phone, scene_of):
    visitor = show_code(office)
    assert "等待扫码" in ask_state(visitor).get_data(as_text=True)
    asked = phone.scans(scene_of())
    assert asked.startswith("有人要在电脑上登录控制台")
    assert "09:00" in asked
    assert "已扫码" in ask_state(visitor).get_data(as_text=True)
    assert visitor.open("/console/people").status_code == 302, "not yet"
    assert phone.says("确认登录") == "已确认，电脑上马上登录。"
    answer = ask_state(visitor)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/console/people")
    assert visitor.open("/console/people").status_code == 200
    assert acts(office)[-2:] == ["account.scan", "account.login"]


def test_a_code_is_good_once_and_for_its_own_browser(office, allowed, phone, scene_of):
    visitor, thief = show_code(office), office.visitor()
    phone.scans(scene_of())
    phone.says("确认登录")
    thief.page = visitor.page
    thief.open("/console/login")
    assert thief.client.post("/console/login/scan/state").status_code in {302, 400}
    assert thief.open("/console/people").status_code == 302
    assert ask_state(visitor).status_code == 204
    again = office.visitor()
    again.page = visitor.page
    assert phone.scans(scene_of()) == scans.EXPIRED
    with office.database.reading() as session:
        assert session.scalars(sa.select(ScanLogin.state)).all() == [ScanState.USED]


def test_two_polls_at_once_make_one_session(office, allowed, phone, scene_of):
    visitor = show_code(office)
    phone.scans(scene_of())
    phone.says("确认登录")
    with office.database.reading() as session:
        seen = session.scalars(sa.select(ScanLogin)).one()
    with office.database.transaction() as session:
        row = session.get_one(ScanLogin, seen.id)
        assert scans.enter(session, row, scans.Where("", ""), office.clock.at)
    with office.database.transaction() as session:
        assert scans.enter(session, seen, scans.Where("", ""), office.clock.at) is None
    assert ask_state(visitor).status_code == 200


def test_who_says_no_keeps_the_browser_out_and_leaves_a_trace(office, allowed, phone, scene_of):
    visitor = show_code(office)
    phone.scans(scene_of())
    assert "登录不了" in phone.says("不是我")
    assert "没有登录" in ask_state(visitor).get_data(as_text=True)
    assert phone.says("确认登录") == scans.NOTHING_WAITS
    assert visitor.open("/console/people").status_code == 302
    assert acts(office)[-1] == "account.scan_refused"


def test_after_two_minutes_the_code_is_over(office, allowed, phone, scene_of):
    visitor = show_code(office)
    phone.scans(scene_of())
    office.clock.at += timedelta(minutes=2)
    assert phone.says("确认登录") == scans.NOTHING_WAITS
    assert "过期" in ask_state(visitor).get_data(as_text=True)
    assert phone.scans(scene_of()) == scans.EXPIRED


def test_a_yes_that_comes_in_time_is_of_no_use_too_late(office, allowed, phone, scene_of):
    visitor = show_code(office)
    phone.scans(scene_of())
    phone.says("确认登录")
    office.clock.at += timedelta(minutes=2)
    assert "过期" in ask_state(visitor).get_data(as_text=True)


@pytest.mark.parametrize("who", ["张伟", "王芳", "陈刚"])
def test_members_citizens_and_whoever_has_not_allowed_it_stay_out(office, local_wechat, scene_of, who):
    """陈刚 has an account and has not allowed it; the others have none."""
    from demo import cast

    visitor = show_code(office)
    other = local_wechat.phone(cast.openid_of(CAST[who]))
    assert other.scans(scene_of()) == scans.NOT_ALLOWED
    assert other.says("确认登录") == scans.NOTHING_WAITS
    assert "等待扫码" in ask_state(visitor).get_data(as_text=True)


def test_a_phone_bound_to_somebody_else_meanwhile_opens_nothing(office, allowed, phone, scene_of):
    """What was allowed was this WeChat for this person: unbound, it opens nothing."""
    with office.database.transaction() as session:
        binding.unbind(session, phone.openid, office.clock.at)
    show_code(office)
    assert phone.scans(scene_of()) == scans.NOT_ALLOWED


def test_locked_and_closed_accounts_stay_out_even_after_a_yes(office, allowed, phone, scene_of):
    with office.database.transaction() as session:
        accounts.get(session, "office").locked_until = office.clock.at + timedelta(minutes=5)
    visitor = show_code(office)
    assert "锁定到" in phone.scans(scene_of())
    with office.database.transaction() as session:
        accounts.get(session, "office").locked_until = None
    phone.scans(scene_of())
    phone.says("确认登录")
    with office.database.transaction() as session:
        accounts.close(session, accounts.get(session, "office"), office.clock.at, by=None)
    assert ask_state(visitor).status_code == 200
    assert visitor.open("/console/people").status_code == 302


def test_a_reset_takes_the_permission_back(office, allowed, phone, scene_of):
    with office.database.transaction() as session:
        accounts.reset(session, accounts.get(session, "office"), office.clock.at, by=None)
        assert session.scalar(sa.select(Account.scan_openid).where(Account.name == "office")) is None
    show_code(office)
    assert phone.scans(scene_of()) == scans.NOT_ALLOWED


def test_with_two_phones_bound_it_cannot_be_allowed(office, phone):
    with office.database.transaction() as session:
        who = accounts.get(session, "office").person_id
        session.add(Follower(openid="o" * 28, person_id=who, met_at=office.clock.at, bound_at=office.clock.at))
    answer = office.visitor("office").send("/console/mine/scan", "/console/mine", allow="yes")
    assert answer.status_code == 422
    assert "绑定了 2 个微信" in answer.get_data(as_text=True)


@pytest.mark.parametrize(("inject", "says"), [(48001, "请用密码登录"), (45009, "请用密码登录"), (-1, "请用密码登录")])
def test_when_wechat_gives_no_code_the_password_stays(office, local_wechat, inject, says):
    local_wechat.inject(QR, inject)
    answer = office.visitor().send("/console/login/scan", on="/console/login")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert says in page
    assert 'name="password"' in page


@pytest.mark.parametrize("wechat", [{"account_type": "subscription"}, {"verified": False}])
def test_an_account_that_can_make_no_codes_offers_none(open_office, wechat):
    visitor = open_office(**wechat).visitor()
    assert "扫码" not in visitor.open("/console/login").get_data(as_text=True)
    assert visitor.send("/console/login/scan", on="/console/login").status_code == 302


def test_a_scan_by_somebody_who_did_not_follow_yet_asks_as_well(office, allowed, phone, scene_of):
    phone.unfollows()
    show_code(office)
    assert "是您本人吗" in phone.scans(scene_of())


@pytest.mark.xdist_group("browser")
def test_in_a_real_browser_the_page_goes_on_by_itself(office, allowed, phone, chromium, scene_of):
    context = chromium.new_context(locale="zh-CN")
    page = at_width(context, 390)
    page.goto(f"{office.url}/console/login")
    page.get_by_role("button", name="用微信扫码登录").click()
    page.get_by_text("等待扫码").wait_for()
    assert page.locator(".qr svg").bounding_box()["width"] > 150
    phone.scans(scene_of())
    page.get_by_text("已扫码").wait_for()
    phone.says("确认登录")
    page.get_by_role("heading", name="今日").wait_for()
    context.close()
