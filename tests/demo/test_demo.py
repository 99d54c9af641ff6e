"""The demo data set has the numbers of the work report, is invented from end to end, and is written once (F145)."""

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

import demo
from clock import at_beijing, beijing_date
from demo import cast
from demo.people import demo_openid
from demo.places import PLACES
from errors import RuleBroken
from models import (
    Affiliation,
    Base,
    Branch,
    BranchKind,
    County,
    Database,
    Follower,
    Gathering,
    GatheringState,
    Invite,
    Person,
    Post,
    Purpose,
    Role,
    Station,
    Vault,
)

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)  # a Sunday, 16:00 in Beijing


def empty(path) -> Database:
    database = Database(f"sqlite:///{path}", Vault("a secret that only this test knows, 40 characters"))
    Base.metadata.create_all(database.engine)
    return database


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Loaded once; the tests that use it only look."""
    database = empty(tmp_path_factory.mktemp("demo") / "bot.db")
    demo.load(database, at=AT)
    yield database
    database.close()


@pytest.fixture
def database(tmp_path):
    """Small, and one's own to change."""
    database = empty(tmp_path / "bot.db")
    demo.load(database, at=AT, people_per_branch=3)
    yield database
    database.close()


def rows(database, statement):
    with database.reading() as session:
        found = session.execute(statement).all()
        session.expunge_all()  # what stays in the session forgets its values when the session ends
        return found


def values(database, statement):
    return [row[0] for row in rows(database, statement)]


def everything(database):
    """Every row of every table, as it lies on disk."""
    with database.reading() as session:
        return {
            table.name: [tuple(row) for row in session.connection().exec_driver_sql(f"SELECT * FROM {table.name}")]
            for table in Base.metadata.sorted_tables
        }


def who(database, openid):
    statement = sa.select(Person).join(Follower, Follower.person_id == Person.id).where(Follower.openid == openid)
    return next(iter(values(database, statement)), None)


def branches_of(database, person):
    statement = (
        sa.select(Branch, Affiliation.is_main)
        .join(Affiliation, Affiliation.branch_id == Branch.id)
        .where(Affiliation.person_id == person.id)
        .order_by(Affiliation.is_main.desc())
    )
    return [row[0] for row in rows(database, statement)]


def posts_of(database, person):
    return values(database, sa.select(Post.role).where(Post.person_id == person.id))


def test_there_are_674_branches_of_four_kinds(loaded):
    counted = Counter(values(loaded, sa.select(Branch.kind)))
    assert counted == {
        BranchKind.RESEARCH: 12,
        BranchKind.STATION: 150,
        BranchKind.FIRM: 377,
        BranchKind.ASSOCIATION: 135,
    }
    assert counted.total() == 674


def test_research_societies_are_the_citys_and_all_others_a_countys(loaded):
    of_the_city = values(loaded, sa.select(Branch.kind).where(Branch.county_id.is_(None)))
    assert of_the_city == [BranchKind.RESEARCH] * 12
    names = values(loaded, sa.select(Branch.name).where(Branch.kind == BranchKind.RESEARCH))
    assert {"宪法法理学研究会党支部", "刑法学研究会党支部"} <= set(names)


def test_twelve_counties_have_their_brands(loaded):
    brands = dict(tuple(row) for row in rows(loaded, sa.select(County.name, County.brand)))
    assert len(brands) == 12
    assert brands["中原区"] == "法治校园"
    assert brands["上街区"] == brands["新密市"] == "法律服务站信息化"
    assert "代书胡同" in brands["管城区"]
    assert "法治武校" in brands["登封市"]
    assert len(set(brands.values())) == 11


def test_every_county_has_branches_of_every_kind(loaded):
    kinds = {kind for kind in BranchKind if kind is not BranchKind.RESEARCH}
    held = set(map(tuple, rows(loaded, sa.select(County.name, Branch.kind).join(Branch.county))))
    assert held == {(place.name, kind) for place in PLACES for kind in kinds}


def test_every_station_branch_has_a_station_near_the_middle_of_its_county(loaded):
    places = {place.name: place for place in PLACES}
    found = rows(
        loaded,
        sa.select(Station, County.name, Branch.county_id)
        .join(Station.county)
        .join(Branch, Branch.id == Station.branch_id),
    )
    assert len(found) == len({station.branch_id for station, *_ in found}) == 150
    for station, county, county_of_branch in found:
        place = places[county]
        assert station.county_id == county_of_branch
        assert abs(station.latitude - place.latitude) <= place.reach
        assert abs(station.longitude - place.longitude) <= place.reach
        assert 34.2 < station.latitude < 35.0
        assert 112.7 < station.longitude < 114.3
        assert re.fullmatch(r"周一至周[五六] 9:00–12:00 14:00–17:30", station.hours)


def test_no_telephone_number_looks_real(loaded):
    phones = values(loaded, sa.select(Person.phone))
    assert all(re.fullmatch(r"1990000\d{4}", phone) for phone in phones)
    assert len(set(phones)) == len(phones)
    assert all(re.fullmatch(r"0371-0000\d{4}", phone) for phone in values(loaded, sa.select(Station.phone)))


def test_a_person_is_found_by_telephone_number(loaded):
    index = loaded.vault.index(cast.INVITED_PHONE)
    assert values(loaded, sa.select(Person.name).where(Person.phone_index == index)) == ["周杰"]


def test_everything_is_marked_as_fictional(loaded):
    for kind in (Branch, Station, Person):
        assert set(values(loaded, sa.select(kind.is_fictional))) == {True}


def test_no_real_kind_of_name_slips_in(loaded):
    names = values(loaded, sa.select(Person.name))
    assert any("䶮" in name for name in names)
    assert any("𬀩" in name for name in names)
    assert any("·" in name for name in names)
    assert Counter(names)["张伟"] == Counter(names)["李娜"] == 1
    assert "王芳" not in names


def test_within_a_branch_no_two_have_the_same_name(loaded):
    found = rows(loaded, sa.select(Affiliation.branch_id, Person.name).join(Person).where(Affiliation.is_main))
    assert max(Counter(map(tuple, found)).values()) == 1


def test_two_loads_give_the_same_names(loaded, tmp_path):
    other = empty(tmp_path / "other.db")
    demo.load(other, at=AT)
    for column in (Person.name, Branch.name, Station.address, Follower.openid, Person.phone):
        assert values(other, sa.select(column)) == values(loaded, sa.select(column))
    other.close()


def test_another_seed_gives_other_names(loaded, tmp_path):
    other = empty(tmp_path / "other.db")
    demo.load(other, at=AT, seed=1)
    assert values(other, sa.select(Person.name)) != values(loaded, sa.select(Person.name))
    other.close()


def test_a_second_load_changes_nothing(database):
    before = everything(database)
    first = demo.load(database, at=AT + timedelta(days=1), people_per_branch=3)
    assert not first.is_new
    assert everything(database) == before


def test_the_summary_counts_what_is_there(loaded):
    summary = demo.load(loaded, at=AT)
    assert (summary.counties, summary.stations, sum(summary.branches.values())) == (12, 150, 674)
    assert 5_000 < summary.people < 5_800
    assert 0.65 < summary.bound / summary.people < 0.8


def test_real_branches_are_never_mixed_with_invented_ones(tmp_path):
    database = empty(tmp_path / "bot.db")
    with database.transaction() as session:
        session.add(Branch(name="某研究会党支部", kind=BranchKind.RESEARCH))
    with pytest.raises(RuleBroken, match="真实的支部"):
        demo.load(database, at=AT)
    assert values(database, sa.select(Branch.name)) == ["某研究会党支部"]
    database.close()


def test_somebody_in_two_branches_is_one_person(loaded):
    people = len(values(loaded, sa.select(Person.id)))
    affiliations = values(loaded, sa.select(Affiliation.person_id))
    main = values(loaded, sa.select(Affiliation.person_id).where(Affiliation.is_main))
    assert len(set(affiliations)) == len(main) == len(set(main)) == people
    assert 200 < len(affiliations) - people < 500


def test_every_post_is_held(loaded):
    found = rows(loaded, sa.select(Post.role, Post.branch_id, Post.station_id, Post.county_id))
    held = Counter(role for role, *_ in found)
    assert held[Role.SECRETARY] == len({post.branch_id for post in found if post.branch_id}) == 674
    assert held[Role.COUNTY_OFFICE] == len({post.county_id for post in found if post.county_id}) == 12
    assert (held[Role.OFFICE], held[Role.AUDITOR]) == (2, 2)
    lawyers = Counter(post.station_id for post in found if post.role is Role.LAWYER)
    assert len(lawyers) == 150
    assert set(lawyers.values()) == {1, 2}


def test_lawyers_and_secretaries_belong_to_the_branch_they_serve(loaded):
    own = set(map(tuple, rows(loaded, sa.select(Affiliation.person_id, Affiliation.branch_id))))
    served = sa.func.coalesce(Post.branch_id, Station.branch_id)
    posts = rows(loaded, sa.select(Post.person_id, served).outerjoin(Station, Station.id == Post.station_id))
    assert {tuple(post) for post in posts if post[1] is not None} <= own


def test_everybody_has_been_there_since_2020(loaded):
    for kind in (Affiliation, Post):
        assert rows(loaded, sa.select(kind.since_on, kind.until_on).distinct()) == [(date(2020, 1, 1), None)]


def test_the_cast_is_bound_and_in_its_place(loaded):
    played = [who(loaded, openid) for openid in cast.OPENIDS]
    assert [each.name for each in played] == ["张伟", "孙丽", "李娜", "陈刚", "赵敏", "何静"]
    zhang_wei, sun_li, li_na, chen_gang, zhao_min, he_jing = played
    (home,) = branches_of(loaded, zhang_wei)
    assert home.kind is BranchKind.STATION
    assert home.name.startswith("金水区")
    assert [each.id for each in branches_of(loaded, li_na)] == [home.id]
    assert [each.id for each in branches_of(loaded, chen_gang)] == [home.id]
    firm, society = branches_of(loaded, sun_li)
    assert (firm.kind, society.kind) == (BranchKind.FIRM, BranchKind.RESEARCH)
    assert firm.name.startswith("中原区")
    assert branches_of(loaded, zhao_min)[0].kind is BranchKind.RESEARCH
    assert posts_of(loaded, zhang_wei) == posts_of(loaded, sun_li) == []
    assert posts_of(loaded, li_na) == [Role.SECRETARY]
    assert posts_of(loaded, chen_gang) == [Role.LAWYER]
    assert posts_of(loaded, zhao_min) == posts_of(loaded, he_jing) == [Role.OFFICE]


def test_a_citizen_is_unknown_to_the_society(loaded):
    assert who(loaded, cast.openid_of("WangFang")) is None


def test_zhou_jie_can_bind_with_the_printed_code(loaded):
    ((invite, person),) = rows(loaded, sa.select(Invite, Person).join(Person, Person.id == Invite.person_id))
    assert (person.name, person.phone) == ("周杰", "19900001234")
    assert invite.code_index == loaded.vault.index("JS2026")
    assert invite.used_at is None
    assert invite.expires_at == AT + timedelta(days=365)
    assert values(loaded, sa.select(Follower.openid).where(Follower.person_id == person.id)) == []
    home = branches_of(loaded, who(loaded, cast.openid_of("ZhangWei")))
    assert [each.id for each in branches_of(loaded, person)] == [each.id for each in home]


def test_ordinary_accounts_are_numbered_without_a_gap_and_a_few_have_left(loaded):
    found = rows(loaded, sa.select(Follower).where(Follower.openid.like("oDemo%")).order_by(Follower.openid))
    accounts = [row[0] for row in found]
    assert [each.openid for each in accounts] == [demo_openid(n) for n in range(1, len(accounts) + 1)]
    assert all(len(each.openid) == 28 and each.person_id and each.bound_at for each in accounts)
    gone = [each for each in accounts if not each.is_subscribed]
    assert 10 < len(gone) < 150
    assert all(each.left_at == AT for each in gone)


def test_as_many_members_as_a_measurement_needs(database):
    wanted = 3_000
    added = demo.load_members(database, wanted, at=AT)
    assert 0 < added < wanted
    assert demo.load_members(database, wanted, at=AT) == 0
    found = rows(
        database,
        sa.select(Follower.openid, Follower.person_id)
        .join(Affiliation, Affiliation.person_id == Follower.person_id)
        .where(Affiliation.is_main, Follower.is_subscribed, Follower.openid.like("oDemo%")),
    )
    assert {openid for openid, _ in found} >= {demo_openid(n) for n in range(1, wanted + 1)}
    assert len({person_id for _, person_id in found}) == len(found)
    assert set(values(database, sa.select(Person.is_fictional))) == {True}


def test_an_account_that_lost_its_person_gets_a_new_one(database):
    with database.transaction() as session:
        session.get_one(Follower, demo_openid(1)).person_id = None
    assert demo.load_members(database, 10, at=AT) == 1
    assert who(database, demo_openid(1)).is_fictional


def test_open_now_opens_what_is_not_open(database):
    some = values(database, sa.select(Branch.id).limit(5))
    assert demo.open_now(database, at=AT, branch_ids=some) == 5
    assert demo.open_now(database, at=AT) == 674 - 5
    assert demo.open_now(database, at=AT) == 0
    gathering = rows(database, sa.select(Gathering))[0][0]
    assert (gathering.purpose, gathering.topic, gathering.why) == (Purpose.EXTRA_STUDY, "演示集中学习", "演示数据")
    assert (gathering.opens_at, gathering.closes_at) == (AT - timedelta(hours=1), AT + timedelta(hours=12))
    assert gathering.period_on == gathering.held_on == beijing_date(AT)


def test_open_now_reopens_what_has_closed_the_same_day(database):
    morning = at_beijing(date(2026, 11, 23), datetime.min.time()) + timedelta(hours=1)
    evening = morning + timedelta(hours=20)
    assert demo.open_now(database, at=morning) == demo.open_now(database, at=evening) == 674
    assert set(values(database, sa.select(Gathering.closes_at))) == {evening + timedelta(hours=12)}


def test_open_today_opens_the_whole_day_for_the_cast_only(database):
    assert demo.open_today(database, at=AT) == 3
    assert demo.open_today(database, at=AT + timedelta(hours=7)) == 0
    midnight = at_beijing(date(2026, 11, 22), datetime.min.time())
    windows = rows(database, sa.select(Gathering.opens_at, Gathering.closes_at).distinct())
    assert windows == [(midnight, midnight + timedelta(days=1))]
    home = branches_of(database, who(database, cast.openid_of("ZhangWei")))[0]
    assert home.id in values(database, sa.select(Gathering.branch_id))
    assert demo.open_today(database, at=AT + timedelta(hours=8)) == 3  # midnight has passed


def test_open_today_leaves_a_planned_day_and_a_cancelled_one_alone(database):
    demo.open_today(database, at=AT)
    with database.transaction() as session:
        first, second, _ = session.scalars(sa.select(Gathering))
        first.state = GatheringState.CANCELLED
        second.purpose = Purpose.STUDY_DAY
    assert demo.open_today(database, at=AT) == 0
