"""A faulty list and then the right one, in a real browser: sent, watched, looked at, written (F030)."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.console.brought import FAULTY, HEAD, branch_in
from tests.console.test_browser import enter, office, pytestmark, seen, url

__all__ = ["enter", "office", "pytestmark", "seen", "url"]


def send(page, text):
    page.get_by_label("导入什么").select_option(label="人员")
    page.get_by_label("文件", exact=True).set_input_files(
        files=[{"name": "名册.csv", "mimeType": "text/csv", "buffer": text.encode()}]
    )
    page.get_by_role("button", name="上传并检查").click()


def test_a_faulty_list_is_told_by_cell_and_the_mended_one_is_written(enter, office, url, seen):
    page, branch = enter("office"), branch_in(office, "金水区")
    page.get_by_role("link", name="导入", exact=True).click()
    send(page, HEAD + FAULTY.format(branch=branch))
    expect(page.get_by_text("正在检查")).to_be_visible()
    # The page waits by itself; nobody presses anything.
    office.parts.importing().run()
    expect(page.get_by_role("alert")).to_contain_text("有 6 处错误，什么也没有写入")
    expect(page.get_by_role("row", name=re.compile("B3 手机号"))).to_be_visible()
    with page.expect_download() as handed_out:
        page.get_by_role("button", name="下载要改的行").click()
    assert handed_out.value.suggested_filename.endswith(".xlsx")
    page.get_by_role("link", name="导入", exact=True).first.click()
    send(page, HEAD + f"张三丰,19911112222,{branch},2020-01-31,\n")
    office.parts.importing().run()
    page.get_by_role("button", name="写入：新增 1，变更 0").click()
    expect(page.get_by_text("正在写入")).to_be_visible()
    office.parts.importing().run()
    expect(page.get_by_role("heading", name="已写入")).to_be_visible()
    page.goto(f"{url}/console/people?q=zhangsanfeng")
    expect(page.get_by_role("link", name="张三丰")).to_be_visible()
    assert seen.complaints == []
