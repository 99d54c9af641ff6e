"""A real browser: Debian's Chromium, driven by Playwright. Where it is missing, that is said and not hidden."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from demo import logins as demo_logins
from tests import serving
from web.entrance import Entrance

if TYPE_CHECKING:
    from tests.console.conftest import Office

WIDTHS = {390: 844, 768: 1024, 1366: 768}


class Missing(Exception):
    """There is no Chromium on this machine."""


@contextmanager
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise Missing("没有 chromium（apt-get install chromium）")
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root, which is who runs tests in a container.
        options = ["--lang=zh-CN", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        opened = playwright.chromium.launch(executable_path=path, args=options)
        yield opened
        opened.close()


@contextmanager
def served(office: Office) -> Iterator[str]:
    """The office's pages at an address of their own."""
    with serving.served(Entrance({}, office.app, threads=8)) as url:
        yield url


def log_in(page: Page, url: str, name: str, password: str = demo_logins.PASSWORD) -> None:
    """As a person does it: two pages and what the second one shows."""
    page.goto(f"{url}/console/")
    page.get_by_label("登录名").fill(name)
    page.get_by_label("密码").fill(password)
    page.get_by_role("button", name="下一步").click()
    code = page.locator("strong.code").inner_text()
    page.get_by_label("手机验证器上的六位数字").fill(code)
    page.get_by_role("button", name="登录").click()
    page.get_by_role("heading", name="今日").wait_for()


def overflow(page: Page) -> int:
    """How many pixels a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def at_width(context: BrowserContext, width: int) -> Page:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": WIDTHS[width]})
    return page
