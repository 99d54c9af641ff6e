"""Whom no message reached is told by hand; and what does not fit a template is said when it is written (F110, F114)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

import config
from handlers import template_limits
from models import Affiliation, Follower, NoticeKind, Outgoing, Person, Post, Role, SendState
from services.sending import campaigns, outbox
from services.sending.outbox import Letter

FACTS = {"title": "周五学习", "text": "【周五学习】\n请准时参加。"}


def plain(text):
    return re.sub(r"<a [^>]*>|</a>", "", text)


@pytest.fixture
def branches(house, li_na):
    """Her branch, and another one whose people are none of hers."""
    with house.database.reading() as session:
        person_id = session.get_one(Follower, li_na.openid).person_id
        own = session.scalar(
            sa.select(Post.branch_id).where(Post.person_id == person_id, Post.role == Role.SECRETARY)
        )
        hers = sa.select(Affiliation.person_id).where(Affiliation.branch_id == own)
        other = session.scalar(
            sa.select(Affiliation.branch_id)
            .where(Affiliation.branch_id != own, Affiliation.person_id.not_in(hers))
            .limit(1)
        )
    return own, other


def tell_everybody(house, branches, days_ago=0):
    """A notice to both branches. Returns who was not reached, branch by branch."""
    at = house.clock.at - timedelta(days=days_ago)
    with house.database.transaction() as session:
        ids = session.scalars(sa.select(Affiliation.person_id).where(Affiliation.branch_id.in_(branches))).all()
        recipients = outbox.accounts_of(session, ids)
        outbox.queue(session, Letter(NoticeKind.BROADCAST, "broadcast:7", FACTS, recipients), at)
        session.flush()
        missed = []
        for branch_id in branches:
            rows = (
                sa.select(Person.name)
                .join(Outgoing, Outgoing.person_id == Person.id)
                .join(Affiliation, Affiliation.person_id == Person.id)
                .where(Affiliation.branch_id == branch_id, Outgoing.state == SendState.UNREACHABLE)
            )
            missed.append(set(session.scalars(rows)))
        return missed


def test_a_secretary_sees_whom_to_tell_in_her_own_branch_only(house, branches, li_na):
    own, others = tell_everybody(house, branches)
    assert own
    assert others - own
    answer = plain(li_na.says("代告"))
    assert "▍【周五学习】\n请准时参加。" in answer
    assert f"没收到 {len(own)} 人：" in answer
    assert all(f"{name}（" in answer for name in own)
    assert not any(f"{name}（" in answer for name in others - own)


def test_after_seven_days_it_is_past(house, branches, li_na):
    tell_everybody(house, branches, days_ago=8)
    assert "都没有漏下的" in li_na.says("代告")


def test_what_was_cancelled_is_not_told(house, branches, li_na):
    tell_everybody(house, branches)
    with house.database.transaction() as session:
        campaigns.cancel(session, "broadcast:7", house.clock.at, by=None)
    assert "都没有漏下的" in li_na.says("代告")


def test_whoever_declined_such_notices_is_left_in_peace(house, branches, li_na):
    tell_everybody(house, branches)
    with house.database.transaction() as session:
        session.execute(
            sa.update(Outgoing).where(Outgoing.state == SendState.UNREACHABLE).values(reason="本人退订了“活动”类通知")
        )
    assert "都没有漏下的" in li_na.says("代告")


def test_members_and_citizens_are_shown_nobody(zhang_wei, wang_fang):
    assert "由支部书记办理" in zhang_wei.says("代告")
    assert "绑定" in wang_fang.says("代告")


# --- what a template shows -----------------------------------------------------------------------------------


def test_a_title_of_21_characters_is_refused_with_the_room_there_is(zhao_min):
    zhao_min.says("群发")
    zhao_min.says("1")
    answer = plain(zhao_min.says("字" * 21))
    assert "标题有 21 个字，微信模板最多显示 20 个字，请缩短。" in answer


def test_a_narrow_field_makes_the_title_shorter():
    template = config.Template(id="T", fields={"phrase1": "{title}", "thing2": "通知：{words}"})
    assert template_limits.room(template, "title", 20) == template_limits.Room("微信模板", 5)
    assert template_limits.room(template, "title", 3).characters == 3
    assert template_limits.room(None, "title", 20) == template_limits.Room("这里", 20)


def test_what_the_template_cuts_off_is_said_in_the_preview():
    template = config.Template(id="T", fields={"thing1": "{title}", "thing2": "通知：{words}"})
    assert template_limits.shortened(template, "字" * 17) == ""
    assert template_limits.shortened(template, "字" * 18) == "微信模板只显示正文前 16 个字。\n"
