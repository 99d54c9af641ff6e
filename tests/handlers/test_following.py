"""Following, leaving, coming back (F015)."""

from __future__ import annotations

import pytest

from models import Follower

NEW = "oNewcomer".ljust(28, "0")


def follower(house) -> Follower | None:
    with house.database.reading() as session:
        return session.get(Follower, NEW)


def test_a_newcomer_is_greeted_and_told_what_to_do(house):
    answer = house.phone(NEW).follows()
    assert answer.startswith("您好，这里是法学会助手。")
    for word in ("咨询", "绑定", "帮助"):
        assert f">{word}</a>" in answer
    assert follower(house).is_subscribed


def test_who_leaves_and_comes_back_is_welcomed_back_and_still_known(house, zhang_wei):
    zhang_wei.unfollows()
    with house.database.reading() as session:
        row = session.get_one(Follower, zhang_wei.openid)
        assert (row.is_subscribed, row.left_at) == (False, house.clock())
        assert row.person_id
    assert zhang_wei.follows().startswith("欢迎回来！")
    assert zhang_wei.says("签到").startswith("签到成功")


def test_where_somebody_came_from_is_kept_from_the_first_time(house):
    phone = house.phone(NEW)
    phone.follows("consult-1")
    phone.unfollows()
    phone.follows("checkin")
    assert follower(house).scene == "consult-1"


def test_a_scene_that_follows_a_command_is_served_with_the_welcome(house):
    answer = house.phone(NEW).follows("station")
    assert answer.startswith("您好")
    assert "发送位置" in answer.split("\n\n", 1)[1]


@pytest.mark.parametrize("scene", ["", "nothing-known", "last_trade_no_4200"])
def test_an_unknown_scene_does_not_spoil_the_welcome(house, scene):
    assert house.phone(NEW).follows(scene) == house.phone("oOther".ljust(28, "0")).follows()


def test_leaving_is_not_answered(house, zhang_wei):
    assert zhang_wei.unfollows() == ""


def test_somebody_nobody_knows_may_leave(house):
    phone = house.phone(NEW)
    assert phone.event("unsubscribe", EventKey="") == ""
    assert phone.last["tries"][-1]["status"] == 200
