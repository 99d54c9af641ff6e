"""The same audiences and reports on PostgreSQL and MariaDB, whose set operations differ from SQLite's."""

from __future__ import annotations

import warnings
from contextlib import ExitStack

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import Misunderstood
from models import Affiliation, County, Database, NoticeKind, SendState, Vault
from services.sending import audience, by_hand, delivery_report, outbox, watch
from services.sending.audience import Audience
from services.sending.outbox import Letter
from tests import audiences, servers
from tests.audiences import AT
from tests.conftest import SECRET, furnish
from tests.conftest import settings as configured

pytestmark = pytest.mark.xdist_group("databases")


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def people(request):
    with ExitStack() as stack:
        try:
            url = stack.enter_context(getattr(servers, request.param)(durable=False))
        except servers.Missing as missing:
            warnings.warn(f"NOT TESTED ON {request.param.upper()}: {missing}", stacklevel=1)
            pytest.skip(str(missing))
        address = str(servers.fresh_database(url))
        furnish(address, people_per_branch=3)
        database = Database(address, Vault(SECRET))
        with database.transaction() as session:
            audiences.furnish(session)
            session.flush()
            known = audiences.world(session)
        database.refresh_statistics()
        yield database, known
        database.close()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_nesting_means_what_sets_mean(people, data):
    expression, meant = data.draw(audiences.expressions(people[1]))
    with people[0].reading() as session:
        found = session.scalars(Audience(expression).ids(session, AT)).all()
    assert set(found) == meant
    assert len(found) == len(meant)


@pytest.mark.parametrize("operator", [" 或 ", " 且 "])
def test_a_long_chain_is_no_deeper_than_a_short_one(people, operator):
    with people[0].reading() as session:
        chain = Audience(operator.join(["职务:书记"] * 60))
        assert set(session.scalars(chain.ids(session, AT))) == people[1].terms["职务:书记"]


def test_saved_lists_and_a_county_bound_what_is_written(people):
    with people[0].transaction() as session:
        audience.save(session, "书记们", "职务:书记", AT, by=None)
        bounded = set(session.scalars(Audience("非 名单:书记们", county_id=6).ids(session, AT)))
        home = session.scalar(sa.select(County.name).where(County.id == 6))
        session.rollback()
    assert bounded == people[1].terms[f"县:{home}"] - people[1].terms["职务:书记"] != set()


@pytest.mark.parametrize("nasty", ["x' OR '1'='1", "\\' OR 1=1 --", "%", "x'; DROP TABLE people; --"])
def test_values_are_parameters_and_never_become_sql(people, nasty):
    with people[0].reading() as session, pytest.raises(Misunderstood, match="没有叫"):
        Audience(f"支部:“{nasty}”").ids(session, AT)


def test_a_report_adds_up_and_opens_to_the_people(people):
    """F111: window functions and grouping are where the three databases differ."""
    with people[0].transaction() as session:
        letter = Letter(
            NoticeKind.BROADCAST, "report", {"text": "通知"}, outbox.accounts_of(session, people[1].members), why="试"
        )
        outbox.queue(session, letter, AT)
        session.flush()
        found = delivery_report.report(session, "report")
        listed = list(delivery_report.people(session, "report"))
        pages = list(by_hand.lists(session, "report", AT))
        places = by_hand.places(session, found)
        apart = {place: list(by_hand.lists(session, "report", AT, place=place)) for place in places}
        session.rollback()
    assert found.whole.total == len(people[1].members) == len(listed) == sum(found.ways.values())
    for lines in (found.by_county, found.by_kind):
        assert sum(line.total for line in lines) == found.whole.total
    unreached = [one for one in listed if one.state is SendState.UNREACHABLE]
    assert sum(len(page.people) for page in pages) == len(unreached) == found.whole.counted[SendState.UNREACHABLE]
    assert len({page.branch for page in pages}) == len(pages), "each branch has one page"
    assert {place: sum(len(page.people) for page in some) for place, some in apart.items()} == places
    assert sum(len(some) for some in apart.values()) == len(pages), "each page is one place's"


def test_a_branch_sees_its_own_people(people):
    with people[0].transaction() as session:
        outbox.queue(
            session,
            Letter(NoticeKind.BROADCAST, "own", {"text": "通知"}, outbox.accounts_of(session, people[1].members)),
            AT,
        )
        session.flush()
        for branch_id in (1, 2, 3):
            members = session.scalar(
                sa.select(sa.func.count()).select_from(Affiliation).where(Affiliation.branch_id == branch_id)
            )
            assert sum(len(one.people) for one in by_hand.of_branch(session, branch_id, AT)) <= members
        session.rollback()


def test_the_watch_can_look(people):
    with people[0].reading() as session:
        assert list(watch.look(session, configured("sqlite:///x"), AT)) == []
