"""How often one person, or one address, may do what on the console; the sentence that tells how long to wait (F138)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import flask_login
from flask import Blueprint, Response, make_response, render_template, request

import windows
from admin.guard import Visitor
from clock import Now
from services.entry.logins import OWN_ADDRESSES
from windows import Rate, Windows

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
#: Whoever works at the desk never meets these; a script does.
POSTS = Rate("操作", 120, MINUTE)
SEARCHES = Rate("搜索", 120, MINUTE)
REVEALS = Rate("查看手机号和咨询内容", 60, HOUR)
EXPORTS = Rate("导出", 20, HOUR)
SCANS = Rate("取登录码", 10, 10 * MINUTE)
UPLOADS = Rate("上传图片", 30, HOUR)
#: Everybody behind one address together.
ADDRESS = Rate("这个网络地址的操作", 600, MINUTE)

#: What is more than an ordinary form; a test sees to it that every page named here is there.
OF = {
    "console.search": SEARCHES,
    "console.show_phone": REVEALS,
    "console.case_words": REVEALS,
    "console.by_hand_numbers": REVEALS,
    "console.show_point_phone": REVEALS,
    "console.workbook": EXPORTS,
    "console.hand_out": EXPORTS,
    "console.scan": SCANS,
    "console.add_picture": UPLOADS,
    "console.change_picture": UPLOADS,
}
#: The page asks for it by itself.
UNCOUNTED = frozenset({"console.scan_state"})


def watch(pages: Blueprint, now: Now) -> None:
    """Put the limits before every form and search; after the guard, which knows who it is."""
    counted = Windows()

    @pages.before_request
    def slow_down() -> Response | None:
        for rate, who in _rates():
            wait = counted.wait(rate, who, now())
            if wait is not None:
                return _too_often(rate, wait)
        return None


def _rates() -> Iterator[tuple[Rate, str]]:
    """What this request counts as, and for whom."""
    endpoint = request.endpoint or ""
    rate = OF.get(endpoint) or (POSTS if request.method == "POST" else None)
    if rate is None or endpoint in UNCOUNTED:
        return
    address, user = request.remote_addr or "", flask_login.current_user
    # Behind a proxy that is not told of in the settings everybody has the machine's own address.
    if address not in OWN_ADDRESSES:
        yield ADDRESS, address
    if isinstance(user, Visitor):
        yield rate, f"account:{user.account.id}"
    elif rate is not POSTS:
        yield rate, f"address:{address}"


def _too_often(rate: Rate, wait: timedelta) -> Response:
    says = windows.say(rate, wait)
    page = render_template("console/error.html", status=429, title="慢一点", says=says, error_id="")
    answer = make_response(page, 429)
    answer.headers["Retry-After"] = str(max(1, round(wait.total_seconds())))
    return answer
