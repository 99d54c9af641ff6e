"""What the author was told, and what came of it: the same people in the same buckets (F103, F111, P3)."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from demo import cast
from errors import NotFound
from models import Branch, Follower, NoticeKind, Outgoing, SendState
from services.membership import people
from services.sending import broadcasts, delivery_report, ladder, outbox, quotas
from services.sending.audience import Audience
from services.sending.broadcasts import Text
from services.sending.forecast import Means
from services.sending.outbox import Letter, Recipient


@pytest.fixture
def sent(house, zhao_min):
    """A notice to one branch, written, confirmed and delivered; everybody who follows is known to WeChat."""
    settings, at = house.settings, house.clock.at
    with house.database.transaction() as session:
        author = session.get_one(Follower, zhao_min.openid).person_id
        branch = session.scalar(
            sa.select(Branch.name).where(Branch.id == people.branches_of(session, _li_na(session), at.date())[0].id)
        )
        means = Means(ladder.official(settings.wechat), quotas.daily(settings.sending))
        to = Audience(f"支部:“{branch}”")
        row = broadcasts.draft(session, to, Text("周五学习", "请准时参加。"), at, means, by=author)
        broadcasts.confirm(session, row.id, row.code, at, settings.sending, by=author)
        name = broadcasts.campaign(row.id)
        openids = session.scalars(sa.select(Outgoing.openid).where(Outgoing.state == SendState.WAITING)).all()
    house.wechat.add_followers(openids)
    house.deliver()
    return name


def _li_na(session):
    return session.get_one(Follower, cast.openid_of("LiNa")).person_id


def read(house, name):
    with house.database.reading() as session:
        return delivery_report.report(session, name), list(delivery_report.people(session, name))


def test_what_was_forecast_is_what_came_of_it(house, sent):
    found, _ = read(house, sent)
    assert found.expected is not None
    assert found.whole.counted[SendState.DELIVERED] > 0
    assert found.whole.counted[SendState.UNREACHABLE] > 0
    assert dict(found.ways) == dict(found.expected)
    assert sum(found.expected.values()) == found.whole.total


def test_every_figure_opens_to_its_people(house, sent):
    found, everybody = read(house, sent)
    assert len(everybody) == found.whole.total
    for state, many in found.whole.counted.items():
        assert sum(one.state is state for one in everybody) == many
    for line in found.by_county:
        assert sum(one.place == line.name for one in everybody) == line.total
    for line in found.by_kind:
        assert sum(one.kind == line.name for one in everybody) == line.total
    assert all("****" in one.phone for one in everybody if one.phone)


def test_people_stand_in_the_order_of_branches_and_names(house, sent):
    _, everybody = read(house, sent)
    order = [(one.branch_id, one.name) for one in everybody]
    assert order == sorted(order)


def test_citizens_and_people_of_no_branch_are_counted_too(house):
    with house.database.transaction() as session:
        unknown = [Recipient(None, f"o{n}") for n in range(3)]
        office = session.get_one(Follower, cast.openid_of("ZhaoMin")).person_id
        everybody = [*unknown, *outbox.accounts_of(session, [office])]
        outbox.queue(session, Letter(NoticeKind.BROADCAST, "mixed", {"text": "x"}, everybody), house.clock.at)
        places = len(people.branches_of(session, office, house.clock.at.date()))
    found, listed = read(house, "mixed")
    assert found.whole.total == len(listed) == 4
    lines = {line.name: line.total for line in found.by_county}
    assert lines[delivery_report.CITIZENS] == 3
    assert lines.get(delivery_report.ELSEWHERE, 0) == (0 if places else 1)
    assert found.expected is None


def test_a_notice_that_does_not_exist_has_no_report(house):
    with pytest.raises(NotFound):
        read(house, "broadcast:999")
