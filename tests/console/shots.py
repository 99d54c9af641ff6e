"""`make shots`: a picture of every page at three widths, into build/shots, to be looked at."""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page

import app
import demo
from demo import logins as demo_logins
from models import Database, Vault
from services import audit
from services.entry import accounts
from services.meetings import rhythm
from tests.conftest import LOADED_AT, SECRET, Clock, furnish, settings
from tests.console import addresses
from tests.console.browser import WIDTHS, at_width, browser, log_in, served
from tests.console.conftest import Office

#: How often a code changes: one code opens one session.
STEP = timedelta(seconds=30)
FOLDER = Path(__file__).resolve().parents[2] / "build" / "shots"


def furnished(url: str, clock: Clock) -> Office:
    """The demonstration with its past, seen on a Friday morning."""
    furnish(url)
    given = settings(url)
    database = Database(url, Vault(SECRET))
    with database.reading() as session:
        calendar = rhythm.calendar(session, given.calendar)
    demo.write_history(database, calendar, at=clock.at)
    demo_logins.open_accounts(database, at=LOADED_AT)
    with database.transaction() as session:
        audit.seal(session)
    database.refresh_statistics()
    database.close()
    return Office(app.make(given, clock), clock)


def picture(page: Page, name: str) -> None:
    """The page as it stands, at every width."""
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=FOLDER / f"{name}-{width}.png", full_page=True)


def doors(office: Office, chromium: Browser, url: str) -> None:
    """A newcomer's way in, in large type at the end."""
    with office.database.transaction() as session:
        person = accounts.new_person(session, "新来的", office.clock.at)
        _account, first = accounts.add(session, "newcomer", person.id, office.clock.at, by=None)
    page = chromium.new_context(locale="zh-CN").new_page()
    page.goto(f"{url}/console/login")
    picture(page, "login")
    page.get_by_label("登录名").fill("newcomer")
    page.get_by_label("密码").fill(first)
    page.get_by_role("button", name="下一步").click()
    page.get_by_label("现在的密码").fill("wrong")
    page.get_by_role("button", name="改密码").click()
    picture(page, "first-password")
    page.get_by_label("现在的密码").fill(first)
    page.get_by_label("新密码", exact=True).fill("a new password")
    page.get_by_label("再输一次新密码").fill("a new password")
    page.get_by_role("button", name="改密码").click()
    picture(page, "phone")
    page.get_by_label("六位数字").fill(office.code("newcomer"))
    page.get_by_role("button", name="绑定").click()
    picture(page, "backup-codes")
    page.get_by_role("link", name="抄好了，进入").click()
    page.set_viewport_size({"width": 1366, "height": 768})
    page.get_by_role("button", name="大字").click()
    picture(page, "large-type")


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        office = furnished(f"sqlite:///{folder}/shots.db", Clock())
        with browser() as chromium, served(office) as url:
            doors(office, chromium, url)
            context = chromium.new_context(locale="zh-CN")
            log_in(context.new_page(), url, "office")
            for width in WIDTHS:
                page = at_width(context, width)
                for endpoint, path in {**addresses.of(office), "console.unknown": "/console/nothing"}.items():
                    page.goto(url + path)
                    page.wait_for_load_state("networkidle")
                    page.screenshot(path=FOLDER / f"{endpoint.removeprefix('console.')}-{width}.png", full_page=True)
                page.close()
        office.database.close()
    sys.stdout.write(f"{len(list(FOLDER.glob('*.png')))} 张截图在 {FOLDER}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
