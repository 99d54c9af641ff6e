"""Voice, pictures, links and kinds nobody knows: an answer or a quiet success, never an error (F012, F020)."""

from __future__ import annotations

import pytest


def test_speech_without_text_is_told_how_to_become_text(wang_fang):
    answer = wang_fang.sends_voice()
    assert "话筒" in answer
    assert "转文字" in answer


@pytest.mark.parametrize(
    ("said", "answer"), [("签到。", "签到成功"), ("我要咨询", "属于哪一类"), ("帮助", "可以办的事")]
)
def test_recognised_speech_goes_the_way_of_text(zhang_wei, said, answer):
    assert answer in zhang_wei.sends_voice(said)


def test_pictures_videos_and_links_are_answered_usefully(wang_fang):
    assert "收到图片" in wang_fang.sends_image()
    assert "收到视频" in wang_fang.sends_video()
    assert "收到分享" in wang_fang.sends_link()
    assert ">咨询</a>" in wang_fang.sends_image()


def test_a_place_is_answered_with_the_nearest_stations(wang_fang):
    answer = wang_fang.sends_location(34.75, 113.66, "金水区")
    assert answer.startswith("离您最近的法律服务站：")
    assert "位置只用于这次查找" in answer


@pytest.mark.parametrize(("latitude", "longitude"), [(91, 0), (0, 181), ("x", "y"), ("nan", "nan"), ("inf", "1")])
def test_a_place_that_is_none_is_not_looked_up(wang_fang, latitude, longitude):
    answer = wang_fang.sends("location", Location_X=str(latitude), Location_Y=str(longitude), Scale="15", Label="")
    assert "没有读到位置" in answer


@pytest.mark.parametrize("kind", ["hardware", "device_text", "新的种类", "x" * 60])
def test_a_kind_nobody_knows_is_taken_and_not_answered(wang_fang, kind):
    assert wang_fang.sends(kind) == ""
    assert wang_fang.last["tries"][-1]["status"] == 200


@pytest.mark.parametrize("name", ["user_info_modified", "ShakearoundUserShake", "VIEW", "x" * 60])
def test_an_event_nobody_knows_is_taken_and_not_answered(wang_fang, name):
    assert wang_fang.event(name, EventKey="") == ""
    assert wang_fang.last["tries"][-1]["status"] == 200
