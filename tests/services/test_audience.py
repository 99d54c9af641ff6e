"""Audiences: every expression is a set of people, whatever it is made of (F102, pitfall 8)."""

from __future__ import annotations

import shutil

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import Misunderstood
from models import Affiliation, Branch, County, Database, Person, Vault
from services import audience
from services.audience import Audience
from tests import audiences
from tests.audiences import AT, FRIDAY, ODD_NAME
from tests.conftest import SECRET

ANYTIME = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def people(stage, tmp_path_factory):
    """The demonstration with a Friday behind it, and what everybody in it is."""
    path = tmp_path_factory.mktemp("audience") / "bot.db"
    shutil.copyfile(stage, path)
    database = Database(f"sqlite:///{path}", Vault(SECRET))
    with database.transaction() as session:
        audiences.furnish(session)
        session.flush()
        known = audiences.world(session)
    yield database, known
    database.close()


@pytest.fixture
def session(people):
    with people[0].transaction() as opened:
        yield opened
        opened.rollback()


def ids(session, expression, county_id=None):
    found = session.scalars(Audience(expression, county_id).ids(session, AT)).all()
    assert len(found) == len(set(found)), "nobody is in an audience twice"
    return set(found)


def refusal(session, expression):
    with pytest.raises(Misunderstood) as refused:
        ids(session, expression)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


# --- what an expression means --------------------------------------------------------------------------------


def test_every_condition_means_what_it_says(people, session):
    for term, meant in people[1].terms.items():
        assert ids(session, term) == meant, term
    assert all(people[1].terms.values()), "a condition that fits nobody proves nothing"


@ANYTIME
@given(data=st.data())
def test_any_nesting_means_what_sets_mean(people, data):
    expression, meant = data.draw(audiences.expressions(people[1]))
    with people[0].reading() as session:
        assert ids(session, expression) == meant
        assert audience.count(session, Audience(expression), AT) == len(meant)


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("县:金水区 或 职务:书记 且 类型:行业研究会", "县:金水区 或 (职务:书记 且 类型:行业研究会)"),
        ("非 县:金水区 且 职务:书记", "(非 县:金水区) 且 职务:书记"),
        ("非县:金水区", "非 县:金水区"),
        ("非非县:金水区", "县:金水区"),
        ("县：金水区", "县:金水区"),
        ("县:“金水区”", "县:金水区"),
        ('县:"金水区"', "县:金水区"),
        ("县:金水区 and not 职务:书记", "县:金水区 且 非 职务:书记"),
        ("（县:金水区）或者（县:中原区）", "县:金水区 或 县:中原区"),
    ],
)
def test_what_is_written_differently_means_the_same(session, written, same):
    assert ids(session, written) == ids(session, same) != set()


def test_a_name_in_quotes_may_hold_operators_colons_and_parentheses(people, session):
    assert ids(session, f"支部:“{ODD_NAME}”") == people[1].terms[f"支部:“{ODD_NAME}”"] != set()


@pytest.mark.parametrize("operator", [" 或 ", " 且 "])
def test_a_long_chain_is_no_deeper_than_a_short_one(people, session, operator):
    assert ids(session, operator.join(["职务:书记"] * 60)) == people[1].terms["职务:书记"]
    assert ids(session, "非 " * 60 + "职务:书记") == people[1].terms["职务:书记"]


def test_whoever_is_in_two_branches_is_there_once(session):
    twice = session.execute(
        sa.select(Affiliation.person_id, sa.func.min(Branch.name), sa.func.max(Branch.name))
        .join(Branch, Branch.id == Affiliation.branch_id)
        .group_by(Affiliation.person_id)
        .having(sa.func.count() > 1)
        .limit(1)
    ).one()
    person, *both = twice
    assert both[0] != both[1]
    expression = " 或 ".join(f"支部:“{name}”" for name in both)
    assert person in ids(session, expression)
    accounts = session.execute(Audience(expression).accounts(session, AT)).all()
    assert [row.person_id for row in accounts].count(person) == 1


def test_a_county_bounds_whatever_is_written(people, session):
    county_id = session.scalar(sa.select(County.id).where(County.name == "金水区"))
    home = people[1].terms["县:金水区"]
    assert ids(session, "全体", county_id) == home
    assert ids(session, "县:中原区 或 职务:书记", county_id) <= home
    assert ids(session, "非 县:金水区", county_id) <= home
    with pytest.raises(Misunderstood, match="群众不分县区"):
        Audience("群众", county_id).accounts(session, AT)


# --- what cannot be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("", "没有写完"),
        ("县:金水区 且", "没有写完"),
        ("县:金水区 县:中原区", "“县:中原区”前面少了"),
        ("(县:金水区", "少了一个右括号"),
        ("(县:金水区 县:中原区)", "少了一个右括号，在“县:中原区”前面"),
        ("县:金水区)", "“)”前面少了"),
        ("县:火星区", "没有“火星区”这个县"),
        ("县:", "“县:”应写成“县:金水区”"),
        ("全体:金水区", "“全体:金水区”应写成“全体”"),
        ("职务:皇帝", "没有“皇帝”这种职务"),
        ("类型:党校", "没有“党校”这种支部类型"),
        ("支部:没有的支部", "没有叫“没有的支部”的支部"),
        ("已签到:昨天", "“昨天”不是日期"),
        ("已签到:2026-02-30", "“2026-02-30”不是日期"),
        ("金水区", "看不懂“金水区”"),
        ("名单:没存过", "没有保存过“没存过”"),
        ("县:“金水区", "““金水区”这里的引号只有一半"),
        ("群众 且 县:金水区", "群众不是党员会员，只能单写"),
        ("(" * 9 + "全体" + ")" * 9, "括号最多套 8 层"),
        ("全体 或 " * 100 + "全体", "最多 500 个字"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_that_names_the_place(session, written, place):
    assert place in refusal(session, written)


@pytest.mark.parametrize(
    "nasty",
    ["x' OR '1'='1", "x'; DROP TABLE people; --", "%", "_", "金水区' UNION SELECT id FROM people --", "\\", "😀𬀩"],
)
def test_values_are_parameters_and_never_become_sql(session, nasty):
    before = session.scalar(sa.select(sa.func.count()).select_from(Person))
    for term in ("县", "支部", "职务", "类型", "已签到", "名单"):
        refusal(session, f"{term}:“{nasty}”")
    assert session.scalar(sa.select(sa.func.count()).select_from(Person)) == before


def test_nothing_that_anybody_types_does_more_than_be_refused(session):
    @settings(deadline=None, max_examples=200)
    @given(st.text(st.sampled_from(list("县:金水区 且或非()（）“”\"'全体职务书记%;-名单")), max_size=40))
    def read(text):
        try:
            session.scalars(Audience(text).ids(session, AT)).all()
        except Misunderstood as refused:
            assert str(refused)

    read()


# --- saved lists ---------------------------------------------------------------------------------------------


def save(session, name, expression):
    saved = audience.save(session, name, expression, AT, by=None)
    session.flush()
    return saved


def test_a_saved_list_is_counted_anew_each_time(people, session):
    save(session, "书记们", "职务:书记")
    save(session, "区里书记", "名单:书记们 且 县:金水区")
    assert ids(session, "名单:区里书记") == people[1].terms["职务:书记"] & people[1].terms["县:金水区"]
    save(session, "书记们", f"已签到:{FRIDAY}")
    came = people[1].terms[f"已签到:{FRIDAY}"]
    assert ids(session, "非 名单:区里书记") == people[1].members - (came & people[1].terms["县:金水区"])


def test_lists_that_lead_back_to_themselves_are_refused_when_they_are_kept(session):
    save(session, "甲", "全体")
    save(session, "乙", "名单:甲 且 职务:书记")
    save(session, "丙", "非 名单:乙")
    for name, expression in [
        ("甲", "名单:甲"),
        ("甲", "职务:书记 或 名单:“丙”"),
        ("乙", "名单:丙"),
        ("新", "名单:新"),
    ]:
        with pytest.raises(Misunderstood, match="绕了一圈|没有保存过"):
            save(session, name, expression)
    save(session, "甲甲", "名单:甲")


def test_lists_in_lists_end_somewhere(session):
    save(session, "一", "全体")
    for name, inner in zip("二三四五六七八", "一二三四五六七", strict=True):
        save(session, name, f"名单:{inner}")
    with pytest.raises(Misunderstood, match="最多套 8 层"):
        save(session, "九", "名单:八")


def test_lists_that_would_grow_beyond_measure_are_refused(session):
    save(session, "一", "全体")
    save(session, "二", " 或 ".join(["名单:一"] * 50))
    with pytest.raises(Misunderstood, match="最多 200 个"):
        save(session, "三", " 或 ".join(["名单:二"] * 50))


@pytest.mark.parametrize("name", ["", "有 空格", "冒:号", "引“号", "括(号", "长" * 33])
def test_a_name_that_could_not_be_written_again_is_refused(session, name):
    with pytest.raises(Misunderstood, match="名单的名称"):
        save(session, name, "全体")


def test_citizens_are_in_no_list(session):
    with pytest.raises(Misunderstood, match="名单里只能是党员会员"):
        save(session, "来问的人", "群众:劳动工伤")
