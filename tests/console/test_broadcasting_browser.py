"""The issue's sentence, as two people at two desks do it, with the local WeChat behind: build an audience, send with a
second person's approval, watch the progress, open the report down to one person."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyotp
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

import app
from demo import cast
from demo import logins as demo_logins
from models import Account, Broadcast, Follower, Outgoing, SendState
from services.entry import passwords
from simulator.phone import LocalWeChat
from tests import serving
from tests.conftest import FRIDAY, Clock, settings
from tests.console import sent
from tests.console.browser import at_width, log_in, overflow
from tests.console.conftest import Office

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(400)]


@pytest.fixture
def office(office_stage: Path, tmp_path: Path, local_wechat: LocalWeChat) -> Iterator[Office]:
    """An office whose messages arrive at the local WeChat; everybody needs approval from twenty people on."""
    path, clock = tmp_path / "bot.db", Clock()
    shutil.copyfile(office_stage, path)
    local_wechat.reset()
    local_wechat.clock.set(FRIDAY, freeze=True)
    given = settings(f"sqlite:///{path}", {"approval_above": 20}, api_base_url=local_wechat.url)
    opened = Office(app.make(given, clock), clock)
    with opened.database.transaction() as session:
        session.add(
            Account(
                name="second", person_id=sent.second_person(session), password=passwords.seal(demo_logins.PASSWORD),
                must_change=False, totp_secret=pyotp.random_base32(), is_totp_confirmed=True, is_demo=True,
                made_at=clock.at,
            )
        )  # fmt: skip
    yield opened
    opened.database.close()


@pytest.fixture
def url(office: Office, local_wechat: LocalWeChat) -> Iterator[str]:
    """The pages, and the door at which WeChat tells what became of each message."""
    desk = office.parts.desk()
    with serving.served(app.web(office.parts, desk)) as address:
        local_wechat.settings(callback_url=f"{address}/wechat", mode=office.parts.settings.wechat.mode)
        yield address
    desk.stop()


@pytest.fixture
def desk(chromium: Browser, url: str) -> Iterator[Callable[[str], Page]]:
    """Opens a browser of somebody's own, logged in; it notes what goes wrong in it, and is closed before the server."""
    opened: list[Page] = []

    def sit_down(name: str) -> Page:
        page = chromium.new_context(locale="zh-CN").new_page()
        page.complaints = []
        # A page that answers 422 on purpose is told as an error as well.
        page.on("console", lambda said: _note(page, said) if "status of 4" not in said.text else None)
        opened.append(page)
        log_in(page, url, name)
        return page

    yield sit_down
    for page in opened:
        page.context.close()
    assert [page.complaints for page in opened] == [[]] * len(opened)


def _note(page: Page, said: ConsoleMessage) -> None:
    if said.type == "error":
        page.complaints.append(said.text)


def test_an_audience_is_built_approved_sent_watched_and_read_down_to_one_person(office, desk, local_wechat):
    with office.database.reading() as session:
        local_wechat.add_followers(list(session.scalars(sa.select(Follower.openid).where(Follower.is_subscribed))))
    author = desk("office")
    author.get_by_role("navigation", name="主菜单").get_by_role("link", name="群发").click()
    author.get_by_role("link", name="写群发").click()
    author.get_by_label("标题").fill("防汛值班安排")
    author.get_by_label("正文").fill("请各支部安排专人值班。")

    # Built by keyboard, and counted while it is built.
    author.get_by_label("条件", exact=True).select_option("县:金水区")
    expect(author.locator("#reach .expression")).to_have_text("县:金水区")
    whole = int(author.locator("#reach .many strong").first.inner_text())
    author.get_by_role("button", name="再加一个条件").press("Enter")
    author.locator("#turn2").select_option("不是")
    expect(author.locator("#value2")).to_be_hidden()
    author.locator("#term2").select_option("职务:书记")
    expect(author.locator("#reach .expression")).to_have_text("县:金水区 且 非 职务:书记")
    expect(author.locator("#reach .many strong").first).not_to_have_text(str(whole))
    author.get_by_role("button", name="再加一个条件").click()
    author.locator("#term3").select_option("未签到:")
    expect(author.get_by_role("alert")).to_contain_text("“未签到”后面还要写一项")
    author.locator("#value3").fill("昨天")
    expect(author.get_by_role("alert")).to_contain_text("“昨天”不是日期")
    author.get_by_role("button", name="去掉第 3 个条件").click()
    expect(author.get_by_role("alert")).to_have_count(0)
    expect(author.get_by_label("标题")).to_have_value("防汛值班安排")
    many = int(author.locator("#reach .many strong").first.inner_text())
    assert 20 < many < whole
    author.get_by_role("button", name="预览", exact=True).click()
    expect(author.locator(".notice")).to_have_text("【防汛值班安排】\n请各支部安排专人值班。\n——市法学会")
    author.get_by_role("button", name=f"提交审核（{many} 人）").click()
    expect(author.get_by_text("自己不能审核自己写的")).to_be_visible()

    second = desk("second")
    second.get_by_role("link", name="群发等您审核").click()
    second.get_by_role("link", name="防汛值班安排").click()
    expect(second.locator(".notice")).to_contain_text("请各支部安排专人值班。")
    second.get_by_role("button", name=f"通过，发给 {many} 人").click()
    expect(second.locator("#where")).to_contain_text(f"/ {many} 人有了结果")

    # The author's page is open while it goes, is held, and goes on.
    author.get_by_role("navigation", name="主菜单").get_by_role("link", name="群发").click()
    author.get_by_role("link", name="防汛值班安排").click()
    author.get_by_role("button", name="暂停").click()
    expect(author.locator("#where")).to_contain_text("已暂停")
    delivery = office.parts.delivery()
    zhang_wei = cast.openid_of("ZhangWei")
    local_wechat.deliveries("failed:user block", openid=zhang_wei)
    delivery.run_until_empty()
    assert local_wechat.sent(openid=zhang_wei) == []
    author.get_by_role("button", name="继续发送").click()
    expect(author.locator("#where")).to_contain_text("发送中")
    delivery.run_until_empty()
    local_wechat.settle()
    delivery.stop()
    assert len(local_wechat.sent(openid=zhang_wei)) == 1
    expect(author.locator("#where")).to_have_text(f"已完成：{many} / {many} 人有了结果", timeout=15_000)
    assert sum(int(tile.split("\n")[0]) for tile in author.locator(".tile").all_inner_texts()) == many

    author.get_by_role("link", name="送达报告").click()
    author.get_by_role("link", name=re.compile("被拒收")).first.click()
    author.locator("tbody th a").first.click()
    with office.database.reading() as session:
        number = int(author.url.rpartition("/")[2])
        person = sa.orm.joinedload(Outgoing.person)
        row = session.scalars(sa.select(Outgoing).options(person).where(Outgoing.id == number)).one()
        people = session.scalars(sa.select(Outgoing.recipient).where(Outgoing.campaign == row.campaign)).all()
        assert session.scalar(sa.select(Broadcast.decided_by)) != session.scalar(sa.select(Broadcast.author_id))
    assert (row.state, row.openid) == (SendState.REFUSED, zhang_wei)
    expect(author.get_by_role("heading", level=1)).to_have_text(f"{row.person.name}：{row.state.label}")
    expect(author.locator("dl.facts")).to_contain_text(row.reason)
    assert len(people) == len(set(people)) == many


def test_without_scripts_the_same_form_builds_the_same_audience(chromium, url):
    context = chromium.new_context(locale="zh-CN", java_script_enabled=False)
    page = context.new_page()
    log_in(page, url, "office")
    page.goto(f"{url}/console/broadcasts/new")
    page.get_by_label("条件", exact=True).select_option("县:金水区")
    page.get_by_role("button", name="再加一个条件").click()
    page.locator("#term2").select_option("未签到:")
    page.locator("#value2").fill("2026-11-20")
    page.get_by_role("button", name="算一算人数").click()
    expect(page.locator("#reach .expression")).to_have_text("县:金水区 且 未签到:2026-11-20")
    page.get_by_role("button", name="自己写条件").click()
    expect(page.locator("#written")).to_have_value("县:金水区 且 未签到:2026-11-20")
    page.locator("#written").fill("县:金水区 且 职务:书记")
    page.get_by_label("标题").fill("例会")
    # The key that sends a form sends it to the preview, not to one of its small buttons.
    page.get_by_label("标题").press("Enter")
    expect(page.get_by_role("alert")).to_have_text("正文不能为空。")
    page.get_by_label("正文").fill("周四开会。")
    page.get_by_role("button", name="预览", exact=True).click()
    expect(page.get_by_role("button", name=re.compile("确认发送|提交审核"))).to_be_visible()
    context.close()


def test_the_longest_words_break_no_page_on_a_phone(desk, url):
    page = desk("office")
    phone = at_width(page.context, 390)
    phone.goto(f"{url}/console/broadcasts/new")
    phone.get_by_label("标题").fill("W" * 20)
    phone.get_by_label("正文").fill("W" * 400)
    phone.get_by_role("button", name="自己写条件").click()
    phone.locator("#written").fill("县:金水区 或 " + "(" * 7 + "职务:书记" + ")" * 7)
    expect(phone.locator("#reach .expression")).to_contain_text("职务:书记")
    assert overflow(phone) <= 0
    phone.get_by_role("button", name="预览", exact=True).click()
    expect(phone.locator(".notice")).to_be_visible()
    assert overflow(phone) <= 0
