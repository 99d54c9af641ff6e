"""A secretary enters an election on a phone, from the branch's page to the record, in a real browser (F028)."""

from __future__ import annotations

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.console.browser import at_width, overflow
from tests.console.test_browser import GRAVE, enter, office, pytestmark, seen, url

__all__ = ["enter", "office", "pytestmark", "seen", "url"]


def clean(page) -> None:
    """Not wider than the phone, and the checker finds no barrier."""
    assert overflow(page) <= 0, page.url
    grave = [each["id"] for each in Axe().run(page).response["violations"] if each["impact"] in GRAVE]
    assert grave == [], page.url


def test_an_election_is_entered_on_a_phone(enter, url, seen):
    enter("secretary")
    page = at_width(seen.context, 390)
    page.goto(f"{url}/console/elections")
    page.get_by_role("link", name="登记一次选举").click()
    page.get_by_role("button", name="下一步").click()
    many = page.locator(".voter").count()
    page.locator(".voter select").nth(0).select_option("leave")
    expect(page.get_by_label("应到会（有选举权）")).to_be_hidden()
    page.get_by_label("收回（张）").fill(str(many - 1))
    page.get_by_label("书记", exact=True).fill("1")
    first = page.get_by_role("group", name="第 1 位")
    expect(first.get_by_label("另选的人姓名")).to_be_hidden()
    first.get_by_label("姓名").first.select_option(index=2)
    first.get_by_label("竞选职务").select_option(label="书记（党员大会直接选）")
    first.get_by_label("赞成").fill("很多")
    page.get_by_role("button", name="核对结果").click()
    expect(first.get_by_role("alert")).to_contain_text("0–99999 的整数")
    expect(page.get_by_label("收回（张）")).to_have_value(str(many - 1))
    clean(page)
    first.get_by_label("赞成").fill(str(many - 2))
    first.get_by_label("反对").fill("1")
    page.get_by_role("button", name="核对结果").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("核对")
    expect(page.get_by_role("listitem").filter(has_text="任职")).to_contain_text("支部书记")
    clean(page)
    page.get_by_role("radio", name="无效").check()
    page.get_by_role("button", name="存档").click()
    expect(page.get_by_role("alert")).to_contain_text("为什么无效")
    page.get_by_label("说明").fill("监票人中途离会，改期重选")
    page.get_by_role("button", name="存档").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("换届选举记录"))
    expect(page.get_by_text("说明：监票人中途离会，改期重选")).to_be_visible()
    clean(page)
    assert seen.complaints == []
