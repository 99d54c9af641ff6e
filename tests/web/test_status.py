"""What an operator looks at: alive, ready with reasons, figures, the front page."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from email.message import Message
from html.parser import HTMLParser

import pytest
import sqlalchemy as sa

from models import Credential


def get(url: str) -> tuple[int, str, Message]:
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode(), refused.headers


def checks(house) -> dict[str, dict]:
    status, body, _ = get(f"{house.url}/readyz")
    assert status == 200
    return {check["name"]: check for check in json.loads(body)["checks"]}


def test_a_living_process_says_so(house):
    assert get(f"{house.url}/healthz")[:2] == (200, "ok\n")


def test_ready_says_why(house):
    house.tick()
    house.deliver()
    found = checks(house)
    assert found["数据库"]["is_ok"]
    assert found["定时"]["is_ok"]
    assert found["发送"]["is_ok"]


def test_a_database_file_that_was_put_in_the_place_of_ours_is_red(house, tmp_path):
    """What is written into the file that was taken away is lost at the next start."""
    assert checks(house)["数据库"]["is_ok"]
    path = tmp_path / "bot.db"
    path.rename(tmp_path / "away.db")
    for _ in ("taken away", "another in its place"):
        status, body, _headers = get(f"{house.url}/readyz")
        said = {check["name"]: check["says"] for check in json.loads(body)["checks"]}
        assert (status, "被删除或换掉了" in said["数据库"]) == (503, True)
        path.write_bytes(b"")
    path.unlink()
    (tmp_path / "away.db").rename(path)


def test_a_year_without_holidays_is_a_banner_not_a_crash(house):
    """F040: eight weeks from 27 November 2026 reach into 2027, which nobody has entered."""
    assert "2027 年假期未录入" in checks(house)["日历"]["says"]
    assert "2027 年假期未录入" in get(f"{house.url}/")[1]


def test_an_open_circuit_is_red(house):
    """F009."""
    with house.database.transaction() as session:
        session.add(
            Credential(
                app_id=house.settings.wechat.app_id,
                failures=3,
                open_until=house.clock.at.replace(hour=23),
                reason="微信拒绝",
            )
        )
    assert not checks(house)["调用微信"]["is_ok"]
    assert "微信拒绝" in get(f"{house.url}/")[1]


def test_a_broken_database_is_not_ready(house):
    with house.database.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE outbox"))
    status, body, _ = get(f"{house.url}/readyz")
    assert status == 503
    assert "Traceback" not in body


def test_the_front_page_is_whole_and_calls_no_other_host(house):
    _, page, headers = get(f"{house.url}/")
    assert "default-src 'none'" in headers["Content-Security-Policy"]

    class Links(HTMLParser):
        found: list[str]

        def handle_starttag(self, tag, attrs):
            self.found += [value for name, value in attrs if name in {"src", "href"} and value]

    links = Links()
    links.found = []
    links.feed(page)
    assert all(link.startswith(("/", house.wechat.url)) for link in links.found), links.found
    assert get(f"{house.url}/static/front.css")[0] == 200


def test_figures_carry_no_openid(house, zhang_wei):
    zhang_wei.says("签到")
    page = get(f"{house.url}/metrics")[1]
    assert "assistant_messages_total" in page
    assert zhang_wei.openid not in page


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("/nope", 404, "没有这个地址。\n"),
        ("/wechat/mini", 404, "没有这个地址。\n"),
        ("/api/v1/", 404, {"error": "没有这个地址。"}),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(house, path, code, says):
    status, body, headers = get(f"{house.url}{path}")
    assert status == code
    assert (json.loads(body) if headers.get_content_type() == "application/json" else body) == says


def test_the_wrong_way_to_ask_is_said_in_a_sentence_and_names_the_right_one(house):
    asked = urllib.request.Request(f"{house.url}/api/v1/calendar", data=b"x=1", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked)
    assert (refused.value.code, "GET" in refused.value.headers["Allow"]) == (405, True)
    assert json.loads(refused.value.read()) == {"error": "这个地址不接受这种请求。"}
