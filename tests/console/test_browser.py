"""The console as people meet it: a real browser, a keyboard, a phone's width, a screen reader's checker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from models import AuditEntry, Branch, County
from services.entry import accounts
from tests.conftest import Clock
from tests.console import addresses, shots
from tests.console.browser import WIDTHS, at_width, log_in, overflow, served
from tests.console.conftest import Office

# Some tests open every page three times, on whatever machine.
pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(400)]
#: Seconds for a test that looks at every page, on a machine with other work to do.
LONG = 900
#: What axe calls serious or worse is a person who cannot go on.
GRAVE = {"serious", "critical"}
REPEATED = "tbody tr:nth-child(n+21), .sheet:nth-of-type(n+4)"
#: What may be another in larger type.
OF_SIZE = ("color-contrast", "target-size", "scrollable-region-focusable")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One office with a past for all tests here; each has browsers of its own."""
    opened = shots.furnished(f"sqlite:///{tmp_path_factory.mktemp('browser') / 'bot.db'}", Clock())
    yield opened
    opened.database.close()


@pytest.fixture(scope="module")
def url(office: Office) -> Iterator[str]:
    with served(office) as address:
        yield address


class Seen:
    """A browser that remembers what went wrong in it."""

    def __init__(self, context: BrowserContext) -> None:
        self.context, self.complaints = context, []
        context.on("console", lambda said: self._note(said.type, said.text))
        context.on("weberror", lambda error: self._note("error", str(error.error)))
        context.on("request", lambda asked: self._foreign(asked.url))
        self.page = context.new_page()

    def _note(self, kind: str, words: str) -> None:
        # A page that answers 404 or 422 on purpose is told as an error as well.
        if kind == "error" and "status of 4" not in words:
            self.complaints.append(words)

    def _foreign(self, address: str) -> None:
        if not address.startswith(("http://127.0.0.1", "data:")):
            self.complaints.append(f"foreign host: {address}")


@pytest.fixture
def seen(chromium: Browser) -> Iterator[Seen]:
    context = chromium.new_context(locale="zh-CN")
    yield Seen(context)
    context.close()


@pytest.fixture
def enter(office: Office, url: str, seen: Seen):
    """Logs somebody in and gives the page."""

    def entered(name: str) -> Page:
        log_in(seen.page, url, name)
        office.clock.at += shots.STEP
        return seen.page

    return entered


def test_a_person_is_found_by_pinyin_while_typing(enter, url, seen):
    page = enter("office")
    page.keyboard.press("/")
    expect(page).to_have_url(f"{url}/console/search")
    page.keyboard.type("zhangwei")
    found = page.get_by_role("link", name="张伟", exact=True)
    found.first.wait_for()
    assert "q=zhangwei" in page.url
    page.get_by_role("link", name="张伟", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("张伟")
    assert seen.complaints == []


def test_a_newcomer_changes_the_password_and_sets_up_the_phone(office, url, seen):
    with office.database.transaction() as session:
        person = accounts.new_person(session, "欧阳·𬀩", office.clock.at)
        _account, first = accounts.add(session, "ouyang", person.id, office.clock.at, by=None)
    page = seen.page
    page.goto(f"{url}/console/")
    page.get_by_label("登录名").fill("ouyang")
    page.get_by_label("密码").fill(first)
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("先改成自己的密码")
    page.get_by_label("现在的密码").fill(first)
    page.get_by_label("新密码", exact=True).fill("too short")
    page.get_by_label("再输一次新密码").fill("too short")
    page.get_by_role("button", name="改密码").click()
    expect(page.get_by_role("alert")).to_contain_text("至少 10 个字符")
    page.get_by_label("现在的密码").fill(first)
    page.get_by_label("新密码", exact=True).fill("山高水长 shan gao")
    page.get_by_label("再输一次新密码").fill("山高水长 shan gao")
    page.get_by_role("button", name="改密码").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("绑定手机验证器")
    assert page.locator(".qr svg").bounding_box()["width"] > 150
    page.get_by_label("六位数字").fill(office.code("ouyang"))
    page.get_by_role("button", name="绑定").click()
    expect(page.locator(".codes li")).to_have_count(8)
    page.get_by_role("link", name="抄好了，进入").click()
    expect(page.get_by_role("heading", name="我的账号")).to_be_visible()
    assert seen.complaints == []


def test_five_wrong_passwords_lock_and_the_page_says_until_when(office, url, seen):
    page = seen.page
    page.goto(f"{url}/console/login")
    for _ in range(5):
        page.get_by_label("登录名").fill("lawyer")
        page.get_by_label("密码").fill("not the password")
        page.get_by_role("button", name="下一步").click()
    expect(page.get_by_role("alert")).to_contain_text("锁定到今天")
    with office.database.transaction() as session:
        accounts.get(session, "lawyer").locked_until = None


def test_a_secretary_does_not_find_another_countys_branch(office, enter, url, seen):
    page = enter("secretary")
    with office.database.reading() as session:
        foreign = session.scalar(sa.select(Branch.id).join(County).where(County.name == "登封市").limit(1))
    answer = page.goto(f"{url}/console/branches/{foreign}")
    assert answer.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("没有这个页面")
    with office.database.reading() as session:
        last = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (last.act, last.subject) == ("console.refused", f"/console/branches/{foreign}")


def test_everything_is_reached_by_keyboard(enter, url, seen):
    """The first Tab offers to skip the menu; focus can be seen; the menu goes in its order."""
    page = enter("office")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到正文")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.goto(f"{url}/console/")
    visited = []
    for _ in range(30):
        page.keyboard.press("Tab")
        visited.append(page.evaluate("document.activeElement.textContent.trim()"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", visited[-1]
    assert [word for word in visited if word in {"今日", "搜索", "支部", "人员", "设置"}] == [
        "今日", "搜索", "支部", "人员", "设置",
    ]  # fmt: skip


def test_the_menu_of_a_phone_opens_and_closes_by_keyboard(enter, url, seen):
    enter("office")
    page = at_width(seen.context, 390)
    page.goto(f"{url}/console/")
    expect(page.get_by_role("navigation", name="主菜单")).to_be_hidden()
    page.get_by_role("button", name="菜单").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("link", name="服务站", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation", name="主菜单")).to_be_hidden()
    expect(page.get_by_role("button", name="菜单")).to_be_focused()


def test_a_filter_changes_the_list_and_the_address(enter, url, seen):
    page = enter("office")
    page.goto(f"{url}/console/consultations")
    page.get_by_label("状态").select_option("closed")
    page.wait_for_url("**state=closed**")
    states = page.locator("td[data-label=状态]").all_inner_texts()
    assert states
    assert all("已结案" in each for each in states)
    assert seen.complaints == []


def test_large_type_stays_from_page_to_page(enter, url, seen):
    page = enter("office")
    before = page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
    page.get_by_role("button", name="大字").click()
    page.goto(f"{url}/console/people")
    assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") == before * 1.25
    assert overflow(page) <= 0
    page.get_by_role("button", name="恢复字号").click()
    assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") == before


def test_a_click_on_a_figure_opens_its_rows(enter, url, seen):
    page = enter("office")
    page.goto(f"{url}/console/figures")
    page.get_by_text("看表").first.click()
    cell = page.locator("#kinds tbody tr").nth(1).locator("td a").first
    shown = int(cell.inner_text())
    cell.click()
    expect(page.locator("[data-count]")).to_contain_text(f"共 {shown} 个支部")
    page.go_back()
    bar = "echarts.getInstanceByDom(document.querySelector('[data-of=kinds]')).convertToPixel('grid', [30, 1])"
    page.wait_for_function("window.echarts && document.querySelector('[data-of=kinds] canvas')")
    x, y = page.evaluate(bar)
    page.locator("[data-of=kinds]").click(position={"x": x, "y": y})
    page.wait_for_url("**/console/branches?**kind=firm**")


def _too_wide(page: Page, name: str) -> dict[str, object]:
    """The page at every width of a screen; it stays at the widest."""
    found: dict[str, object] = {}
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        if overflow(page) > 0:
            found[f"{name} at {width}"] = overflow(page)
    return found


def _grave(axe: Axe, page: Page, name: str, rules: Sequence[str] = ()) -> dict[str, object]:
    """What all rules, or these, find on a page; of a list the first rows, the fiftieth is made of the same."""
    page.evaluate(f"document.querySelectorAll('{REPEATED}').forEach(each => each.remove())")
    options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    violations = axe.run(page, options=options).response["violations"]
    grave = [(each["id"], each["nodes"][0]["html"][:120]) for each in violations if each["impact"] in GRAVE]
    return {name: grave} if grave else {}


@pytest.mark.timeout(LONG)
def test_no_page_is_too_wide_none_complains_and_a_checker_finds_no_serious_barrier(office, enter, url, seen):
    """F147."""
    axe = Axe()
    seen.page.goto(f"{url}/console/login")
    found = _grave(axe, seen.page, "login")
    page = enter("office")
    for endpoint, path in {**addresses.of(office), "nothing": "/console/nothing"}.items():
        answer = page.goto(url + path)
        assert answer.status == (404 if endpoint == "nothing" else 200), path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        found |= _too_wide(page, endpoint) | _grave(axe, page, endpoint)
    phone = at_width(seen.context, 390)
    for path in ("/console/", "/console/people", "/console/consultations"):
        phone.goto(url + path)
        found |= _grave(axe, phone, f"390 {path}")
    assert found == {}
    assert seen.complaints == []


@pytest.mark.timeout(LONG)
def test_in_large_type_no_page_is_too_wide_and_the_checker_finds_no_barrier(office, enter, url, seen):
    """Words are wider there, and all else is the same."""
    axe, found = Axe(), {}
    page = enter("office")
    page.get_by_role("button", name="大字").click()
    for endpoint, path in addresses.of(office).items():
        page.goto(url + path)
        assert page.evaluate("document.documentElement.classList.contains('large')"), endpoint
        found |= _too_wide(page, endpoint) | _grave(axe, page, endpoint, OF_SIZE)
    assert found == {}
