"""The office keeps the organisation at the desk, form by form (F022–F024, F033, F034)."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from config import Privacy
from models import (
    AuditEntry,
    Branch,
    BranchKind,
    BrandStory,
    County,
    Gathering,
    LiaisonPoint,
    Organisation,
    PartyGroup,
    PartyGroupMember,
    Post,
    Role,
    Village,
)
from services import scope
from services.custody import retention
from services.membership import people
from services.organisation import brands, coverage, liaison, organisations
from tests.console.test_pages import text

HOSTILE = [
    "", " \u200b ", "名" * 65, "<script>alert(1)</script>", "'; DROP TABLE branches; --", "😀𬀩䶮", "\x00\x07",
]  # fmt: skip


def branch(office, county: str = "金水区", kind: BranchKind = BranchKind.FIRM, n: int = 0) -> Branch:
    with office.database.reading() as session:
        of = sa.select(Branch).join(County, County.id == Branch.county_id).where(County.name == county)
        return session.scalars(of.where(Branch.kind == kind).order_by(Branch.id).offset(n).limit(1)).one()


def again(office, row: Branch) -> Branch:
    with office.database.reading() as session:
        return session.get_one(Branch, row.id)


def last_audit(office, act: str) -> AuditEntry:
    with office.database.reading() as session:
        newest = sa.select(AuditEntry).where(AuditEntry.act == act).order_by(AuditEntry.id.desc()).limit(1)
        return session.scalars(newest).one()


def total(visitor, query: str = "") -> int:
    page = visitor.open(f"/console/branches?{query}").get_data(as_text=True)
    return int(re.search(r"共 (\d+) 个支部", page)[1])


# --- the life of a branch ------------------------------------------------------------------------------------


def test_a_branch_is_founded_renamed_dissolved_and_restored_and_every_step_is_in_its_history(office):
    visitor = office.visitor("office")
    with office.database.reading() as session:
        county_id = session.scalar(sa.select(County.id).where(County.name == "金水区"))
    fields = {"kind": "firm", "county": str(county_id), "room": "三楼 305", "reason": "市委批复成立"}
    made = visitor.send("/console/branches/new", name="金水区䶮𬀩律师事务所流动党支部", **fields)
    assert made.status_code == 302
    assert total(visitor) == 675
    fields["reason"] = "律所改名"
    changed = visitor.send(f"{made.location}/edit", name="金水区新名律师事务所流动党支部", **fields)
    assert changed.status_code == 302
    page = text(visitor.open(f"{made.location}/dissolve"))
    assert "离开本支部 0 人" in page
    assert visitor.send(f"{made.location}/dissolve", reason="律所注销").status_code == 302
    assert total(visitor) == 674
    page = text(visitor.open(made.location))
    assert "（周五） 撤销：律所注销" in page
    assert "不再排活动、发通知、登记人员" in page
    assert visitor.send(f"{made.location}/restore", reason="撤销有误").status_code == 302
    page = text(visitor.open(made.location))
    for said in ("恢复 撤销有误", "撤销 律所注销", "䶮𬀩律师事务所流动党支部 → 金水区新名", "建立 市委批复成立"):
        assert said in page
    assert total(visitor) == 675
    assert total(visitor, "on=2026-11-26") == 674, "yesterday is as it was"
    entry = last_audit(office, "branch.change")
    assert entry.details == "名称：金水区䶮𬀩律师事务所流动党支部 → 金水区新名律师事务所流动党支部；原因：律所改名"


def test_a_merger_says_in_numbers_what_it_will_do_and_does_that(office):
    visitor, row, into = office.visitor("office"), branch(office), branch(office, n=1)
    path = f"/console/branches/{row.id}/merge"
    with office.database.reading() as session:
        mine = {p.id for p in people.members_of(session, row.id, office.clock.at.date())}
        theirs = {p.id for p in people.members_of(session, into.id, office.clock.at.date())}
    moving = len(mine - theirs)
    page = text(visitor.client.get(path, query_string={"into": into.name}))
    assert f"转过去 {moving} 人" in page
    coming = int(re.search(r"取消今后 (\d+) 场", page)[1])
    assert coming > 0
    refused = visitor.send(path, into=into.name, reason="并")
    assert refused.status_code == 422
    assert "请写明合并的原因" in text(refused)
    assert again(office, row).is_living
    assert visitor.send(path, into=into.name, reason="人数不足合并").status_code == 302
    assert not again(office, row).is_living
    with office.database.reading() as session:
        now = {p.id for p in people.members_of(session, into.id, office.clock.at.date())}
        assert now == mine | theirs
        left = sa.select(sa.func.count()).where(
            Gathering.branch_id == row.id, Gathering.opens_at > office.clock.at, Gathering.state == "PLANNED"
        )
        assert session.scalar(left) == 0
    assert f"“{row.name}”并入本支部" in text(visitor.open(f"/console/branches/{into.id}"))
    assert "0 个之后" not in text(visitor.open(f"/console/branches/{row.id}/restore"))
    visitor.send(f"/console/branches/{row.id}/restore", reason="合并有误")
    with office.database.reading() as session:
        assert {p.id for p in people.members_of(session, row.id, office.clock.at.date())} == mine


@pytest.mark.parametrize("into", ["没有这个支部", "", "<script>", "x" * 500])
def test_a_merger_into_nothing_is_said_at_the_field(office, into):
    visitor, row = office.visitor("office"), branch(office)
    answer = visitor.send(f"/console/branches/{row.id}/merge", into=into, reason="人数不足合并")
    assert answer.status_code == 422
    assert "支部" in re.search(r'id="into-says" role="alert">([^<]+)<', answer.get_data(as_text=True))[1]
    assert again(office, row).is_living


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused_at_the_field_or_shown_as_they_were_typed(office, name):
    visitor = office.visitor("office")
    fields = {"kind": "firm", "county": "city", "reason": "市委批复成立", "room": "记得住"}
    answer = visitor.send("/console/branches/new", name=name, **fields)
    page = answer.get_data(as_text=True)
    assert "<script>alert" not in page
    if answer.status_code == 422:
        assert 'id="name-says" role="alert"' in page
        assert 'value="记得住"' in page, "what was typed is not lost"
    else:
        assert answer.status_code == 302
        assert "<script>alert" not in visitor.open(answer.location).get_data(as_text=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [("kind", "group"), ("kind", ""), ("county", "99999"), ("county", "1 OR 1=1"), ("reason", "短")],
)
def test_a_wrong_choice_is_said_at_its_field(office, field, value):
    fields = {"name": "新支部", "kind": "firm", "county": "city", "reason": "市委批复成立", field: value}
    answer = office.visitor("office").send("/console/branches/new", **fields)
    assert answer.status_code == 422
    assert f'id="{field}-says" role="alert"' in answer.get_data(as_text=True)


def test_a_county_office_keeps_its_own_branches_and_no_others(office):
    visitor = office.visitor("county")
    own, foreign = branch(office), branch(office, "登封市")
    assert visitor.open(f"/console/branches/{own.id}/dissolve").status_code == 200
    for act in ("edit", "merge", "dissolve", "restore"):
        assert visitor.open(f"/console/branches/{foreign.id}/{act}").status_code == 404
    answer = visitor.send(f"/console/branches/{own.id}/merge", into=foreign.name, reason="人数不足合并")
    assert answer.status_code == 422
    assert "不在您的管理范围内" in text(answer)
    fields = {"name": "市直某支部", "kind": "research", "reason": "市委批复成立"}
    for county in ("city", str(foreign.county_id)):
        answer = visitor.send("/console/branches/new", county=county, **fields)
        assert answer.status_code == 422
        assert "请选择所在地" in text(answer)


def test_the_auditor_reads_and_is_offered_nothing_to_change(office):
    visitor, row = office.visitor("auditor"), branch(office)
    page = visitor.open(f"/console/branches/{row.id}").get_data(as_text=True)
    for act in ("edit", "merge", "dissolve"):
        assert f"/{act}" not in page
        assert visitor.open(f"/console/branches/{row.id}/{act}").status_code == 404


def test_a_dissolved_branch_can_be_chosen_nowhere(office):
    visitor, row = office.visitor("office"), branch(office)
    visitor.send(f"/console/branches/{row.id}/dissolve", reason="律所注销")
    other = branch(office, n=1)
    visitor.open("/console/")
    assert row.name not in visitor.open(f"/console/branches/{other.id}/merge").get_data(as_text=True)
    assert visitor.send(f"/console/branches/{other.id}/merge", into=row.name, reason="并进去").status_code == 422
    page = text(visitor.client.get("/console/search", query_string={"q": row.name}))
    assert "2026-11-27 撤销" in page
    assert row.name in text(visitor.open("/console/branches?lacking=dissolved"))
    for act in ("edit", "merge", "dissolve"):
        visitor.send(f"/console/branches/{row.id}/{act}", on="/console/branches", name="另一名称", kind="firm",
                     county="city", into=other.name, reason="再来一次")  # fmt: skip
    assert again(office, row).name == row.name
    assert again(office, other).is_living


def test_what_was_held_under_an_old_name_is_shown_under_it(office):
    visitor, row = office.visitor("office"), branch(office)
    fields = {"name": "金水区改了名的流动党支部", "kind": "firm", "county": str(row.county_id), "reason": "律所改名"}
    with office.database.reading() as session:
        held = session.scalars(sa.select(Gathering).where(Gathering.branch_id == row.id).limit(1)).one()
    office.clock.at += timedelta(days=20)
    visitor = office.visitor("office")
    assert visitor.send(f"/console/branches/{row.id}/edit", **fields).status_code == 302
    page = text(visitor.open(f"/console/gatherings/{held.id}"))
    assert row.name in page
    assert "现在叫金水区改了名的流动党支部" in page


# --- Party groups --------------------------------------------------------------------------------------------


def own_branch(office) -> int:
    with office.database.reading() as session:
        return session.scalar(sa.select(Post.branch_id).where(Post.role == Role.SECRETARY).order_by(Post.id).limit(1))


def test_a_secretary_forms_party_groups_and_somebody_is_in_one_only(office):
    visitor, branch_id = office.visitor("secretary"), own_branch(office)
    with office.database.reading() as session:
        first, second, third = [p.id for p in people.members_of(session, branch_id, office.clock.at.date())][:3]
    path = f"/console/branches/{branch_id}/party-groups/new"
    assert visitor.send(path, name="青年党小组", member=[first, second], leader=str(first)).status_code == 302
    assert visitor.send(path, name="老年党小组", member=[second, third]).status_code == 302
    with office.database.reading() as session:
        of = sa.select(PartyGroup.name, PartyGroupMember.person_id).join(
            PartyGroupMember, PartyGroupMember.group_id == PartyGroup.id
        )
        rows = {who: name for name, who in session.execute(of.where(PartyGroup.branch_id == branch_id))}
    assert (rows[first], rows[second], rows[third]) == ("青年党小组", "老年党小组", "老年党小组")
    answer = visitor.send(path, name="青年党小组")
    assert answer.status_code == 422
    assert "同名" in text(answer)
    page = visitor.open(f"/console/branches/{branch_id}").get_data(as_text=True)
    group = re.findall(r"/console/party-groups/(\d+)/end", page)[-1]
    back = f"/console/branches/{branch_id}"
    assert visitor.send(f"/console/party-groups/{group}/end", on=back).status_code == 302
    assert visitor.send(f"/console/party-groups/{group}/resume", on=back).status_code == 302
    assert last_audit(office, "party_group.resume").subject == f"branch:{branch_id}"


def test_nobody_of_another_branch_gets_into_a_party_group(office):
    visitor, branch_id = office.visitor("secretary"), own_branch(office)
    other = branch(office, "登封市")
    with office.database.reading() as session:
        stranger = people.members_of(session, other.id, office.clock.at.date())[0].id
    path = f"/console/branches/{branch_id}/party-groups/new"
    answer = visitor.send(path, name="混编党小组", member=[stranger])
    assert answer.status_code == 422
    assert "不在本支部" in text(answer)
    assert visitor.open(f"/console/branches/{other.id}/party-groups/new").status_code == 404


# --- the tree ------------------------------------------------------------------------------------------------


def test_the_tree_shows_both_relations_apart_and_foots(office):
    page = text(office.visitor("office").open("/console/organisations"))
    assert "郑州市法学会机关党总支 – 党总支 隶属 中共郑州市委政法委员会 指导 中共郑州市法学会党组" in page
    assert "中共登封市法学会党组 – 党组 隶属 中共登封市委" in page
    assert "12 + 150 + 377 + 135" in page
    assert "党支部 674 个" in page


def test_a_branch_names_whom_it_belongs_to_and_who_guides_it(office):
    page = text(office.visitor("secretary").open(f"/console/branches/{own_branch(office)}"))
    assert "隶属 郑州市法学会机关党总支 指导 中共金水区法学会党组" in page


def test_a_county_office_keeps_its_own_leading_group(office):
    visitor = office.visitor("county")
    with office.database.reading() as session:
        rows = dict(session.execute(sa.select(Organisation.name, Organisation.id)).all())
    path = f"/console/organisations/{rows['中共金水区法学会党组']}"
    with office.database.reading() as session:
        home = session.scalar(sa.select(County.id).where(County.name == "金水区"))
    fields = {"kind": "leading_group", "name": "中共金水区法学会党组", "county": str(home), "guided_by": ""}
    assert visitor.send(path, belongs_to="", **fields).status_code == 422
    assert visitor.send(path, belongs_to="中共郑州市金水区委", **fields).status_code == 302
    assert (
        "中共金水区委；指导：无） → 中共金水区法学会党组（隶属：中共郑州市金水区委"
        in last_audit(office, "organisation.change").details
    )
    assert visitor.open(f"/console/organisations/{rows['中共登封市法学会党组']}").status_code == 404
    assert visitor.open(f"/console/organisations/{rows['郑州市法学会机关党总支']}").status_code == 404
    assert "登封" not in text(visitor.open("/console/organisations"))


# --- coverage ------------------------------------------------------------------------------------------------


def gap(office, county: str = "金水区") -> Village:
    with office.database.reading() as session:
        county_id = session.scalar(sa.select(County.id).where(County.name == county))
        return coverage.gaps(session, county_id, office.clock.at.date())[0]


def percent(visitor, county: str) -> str:
    return re.search(
        rf">{county}</a></th>.*?覆盖\">([^<]+)<", visitor.open("/console/coverage").get_data(as_text=True)
    )[1]


def test_a_gap_is_filled_ended_and_filled_again_and_yesterday_stays_as_it_was(office):
    visitor, village = office.visitor("office"), gap(office)
    county = f"/console/coverage/counties/{village.township.county_id}"
    path, township = (
        f"/console/coverage/villages/{village.id}/point",
        f"/console/coverage/townships/{village.township_id}",
    )
    before = percent(visitor, "金水区")
    gaps = int(re.search(r"还没有联络点的村（社区）：(\d+) 个", text(visitor.open(county)))[1])
    fields = {"contact": "䶮·阿依古丽", "phone": "19900004321", "since_on": "2026-11-27"}
    assert visitor.send(path, **fields).status_code == 302
    assert percent(visitor, "金水区") > before
    assert f"还没有联络点的村（社区）：{gaps - 1} 个" in text(visitor.open(county))
    page = text(visitor.open(township))
    assert "䶮·阿依古丽 199****4321" in page
    assert "19900004321" not in page
    with office.database.reading() as session:
        point = session.scalars(sa.select(LiaisonPoint).where(LiaisonPoint.village_id == village.id)).one()
    again_ = visitor.send(path, **fields)
    assert again_.status_code == 422
    assert "已经有联络点" in text(again_)
    end = f"/console/coverage/points/{point.id}/end"
    assert visitor.send(end, reason="走").status_code == 422
    office.clock.at += timedelta(days=1)
    visitor = office.visitor("office")
    assert visitor.send(end, reason="联系人调离").status_code == 302
    assert percent(visitor, "金水区") == before
    assert visitor.send(f"/console/coverage/points/{point.id}/resume", on=township).status_code == 302
    assert percent(visitor, "金水区") > before
    with office.database.reading() as session:
        rows = coverage.by_county(session, scope.of(session, 1, office.clock.at.date()), office.clock.at.date())
        assert rows == [], "nobody's scope is no county"
        city = coverage.whole_city(session, office.clock.at.date())
        assert city[-1].covered == sum(row.covered for row in city[:-1])


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("contact", "\u200b", "请填写联系人"), ("contact", "张😀", "只用文字"), ("contact", "12345", "只用文字"),
        ("contact", "<b>张</b>", "只用文字"), ("phone", "12345", "手机号"), ("phone", "'; DROP", "手机号"),
        ("since_on", "2026-13-01", "没看懂"), ("since_on", "2030-01-01", "应在"), ("contact", "长" * 65, "最多 64 个字"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_point_is_said_at_the_field(office, field, value, says):
    visitor, village = office.visitor("county"), gap(office)
    fields = {"contact": "留得住", "phone": "19900004321", "since_on": "2026-11-27", field: value}
    answer = visitor.send(f"/console/coverage/villages/{village.id}/point", **fields)
    assert answer.status_code == 422
    said = re.search(rf'id="{field}-says" role="alert">([^<]+)<', answer.get_data(as_text=True))[1]
    assert says in said


def test_the_number_of_a_point_is_shown_for_a_reason(office):
    visitor = office.visitor("office")
    with office.database.reading() as session:
        point = session.scalars(sa.select(LiaisonPoint).options(joinedload(LiaisonPoint.village)).limit(1)).one()
    page, path = (
        f"/console/coverage/townships/{point.village.township_id}",
        f"/console/coverage/points/{point.id}/phone",
    )
    refused = visitor.send(path, on=page, reason="看")
    assert refused.status_code == 422
    assert point.phone not in text(refused)
    assert point.phone in text(visitor.send(path, on=page, reason="核对联系电话"))
    assert last_audit(office, "point.phone_shown").details == "核对联系电话"


def test_the_number_of_a_point_that_ended_long_ago_is_forgotten_and_no_other(office):
    with office.database.transaction() as session:
        old, fresh = session.scalars(sa.select(LiaisonPoint).order_by(LiaisonPoint.id).limit(2)).all()
        liaison.close_point(session, old, "联系人调离", office.clock.at - timedelta(days=91), by=1)
        liaison.close_point(session, fresh, "联系人调离", office.clock.at - timedelta(days=90), by=1)
    with office.database.transaction() as session:
        retention.sweep(session, Privacy(), office.clock.at)
        assert session.get_one(LiaisonPoint, old.id).phone is None
        assert session.get_one(LiaisonPoint, fresh.id).phone is not None


def test_villages_are_registered_a_line_each_and_typing_errors_taken_back(office):
    visitor, village = office.visitor("county"), gap(office)
    page = f"/console/coverage/townships/{village.township_id}"
    answer = visitor.send(f"{page}/villages", on=page, names=f"䶮家村\n\n {village.name} \n108社区")
    assert answer.status_code == 302
    assert "新登记 2 个村（社区），1 个本来就有。" in text(visitor.open(page))
    with office.database.reading() as session:
        new = session.scalar(sa.select(Village.id).where(Village.name == "䶮家村"))
    assert visitor.send(f"/console/coverage/villages/{new}/remove", on=page).status_code == 302
    assert visitor.send(f"{page}/villages", on=page, names="长" * 33).status_code == 422
    assert visitor.send(f"{page}/villages", on=page, names=" \u200b").status_code == 422
    for odd in ("😀村", "12345", "<b>村</b>", "abc"):
        assert f"“{odd}”不像村、社区名称" in text(visitor.send(f"{page}/villages", on=page, names=f"好村\n{odd}"))
    with office.database.reading() as session:
        used = session.scalar(sa.select(LiaisonPoint.village_id).join(Village, Village.id == LiaisonPoint.village_id)
                              .where(Village.township_id == village.township_id).limit(1))  # fmt: skip
    refused = visitor.send(f"/console/coverage/villages/{used}/remove", on=page)
    assert "设过联络点，不能删除" in text(refused)


def test_an_earlier_day_of_the_coverage_says_what_of_it_is_of_today(office):
    visitor = office.visitor("county")
    assert "以当时导出的表为准" not in text(visitor.open("/console/coverage"))
    page = text(visitor.open("/console/coverage?on=2026-11-20"))
    assert "乡镇、村按今天的登记，联络点按 2026-11-20 那一天" in page


def test_the_auditor_sees_coverage_and_changes_nothing(office):
    visitor, village = office.visitor("auditor"), gap(office)
    page = visitor.open(f"/console/coverage/townships/{village.township_id}").get_data(as_text=True)
    assert "登记村" not in page
    assert visitor.open(f"/console/coverage/villages/{village.id}/point").status_code == 404
    assert village.name in text(visitor.open(f"/console/coverage/counties/{village.township.county_id}"))


# --- brands --------------------------------------------------------------------------------------------------


def test_twelve_counties_have_eleven_themes_and_figures_that_open(office):
    page = office.visitor("office").open("/console/brands")
    assert "12 个县（市）区，11 个主题" in text(page)
    with office.database.reading() as session:
        lines = brands.lines(session, scope_of(session), office.clock.at)
        counts = {count.place: count.total for count in organisations.branch_counts(session, date(2026, 11, 27))}
    assert [line.county.name for line in lines if line.county.brand == "法律服务站信息化"] == ["上街区", "新密市"]
    assert {line.county.name: line.branches for line in lines} == {k: v for k, v in counts.items() if k != "市本级"}
    assert sum(line.stations for line in lines) == 150


def scope_of(session):
    who = session.scalar(sa.select(Post.person_id).where(Post.role == Role.OFFICE).limit(1))
    return scope.of(session, who, date(2026, 11, 27))


def test_a_story_is_written_changed_withdrawn_and_put_back(office):
    visitor, county = office.visitor("county"), branch(office).county_id
    page = f"/console/brands/{county}"
    fields = {
        "kind": "story",
        "title": "䶮𬀩的<b>故事</b>",
        "words": "第一行\n第二行<script>alert(1)</script>",
        "happened_on": "2026-11-20",
    }
    assert visitor.send(f"{page}/stories/new", **fields).status_code == 302
    shown = visitor.open(page).get_data(as_text=True)
    assert "<script>alert" not in shown
    assert "䶮𬀩的&lt;b&gt;故事" in shown
    with office.database.reading() as session:
        story = session.scalar(sa.select(BrandStory.id).where(BrandStory.title.startswith("䶮𬀩")))
    fields["title"] = "改过的标题"
    assert visitor.send(f"/console/stories/{story}", **fields).status_code == 302
    assert visitor.send(f"/console/stories/{story}/withdraw", on=page).status_code == 302
    assert "已撤下" in text(visitor.open(page))
    assert visitor.send(f"/console/stories/{story}/put-back", on=page).status_code == 302
    assert "– 已撤下" not in text(visitor.open(page))


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", ""), ("title", "长" * 65), ("words", " \u200b\n"), ("words", "长" * 2001), ("happened_on", "明天"), ("kind", "x")],
)  # fmt: skip
def test_what_is_wrong_with_a_story_is_said_at_the_field(office, field, value):
    visitor, county = office.visitor("office"), branch(office).county_id
    fields = {"kind": "story", "title": "标题在", "words": "正文在", "happened_on": "2026-11-20", field: value}
    answer = visitor.send(f"/console/brands/{county}/stories/new", **fields)
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert f'id="{field}-says" role="alert"' in page
    assert ("正文在" in page) == (field != "words")


def test_a_county_without_stories_says_so_and_keeps_its_theme(office):
    visitor, county = office.visitor("office"), branch(office, "巩义市").county_id
    page = f"/console/brands/{county}"
    assert "还没有写过活动和故事" in text(visitor.open(page))
    assert visitor.send(page, brand="").status_code == 422
    assert visitor.send(page, brand="法治宣传", brand_note="升达学院").status_code == 302
    assert last_audit(office, "brand.change").subject == f"county:{county}"
    assert office.visitor("county").open(page).status_code == 404
