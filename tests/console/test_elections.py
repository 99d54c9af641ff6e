"""The way of an election at the desk: begun, filled in, checked, recorded, set aside (F028)."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import escape

import pytest
import sqlalchemy as sa

from errors import RuleBroken
from models import Affiliation, AuditEntry, Branch, Change, Election, ElectionState, Person, Post, Role, Voter
from services.elections import drafts, records
from services.elections.records import Decision
from services.elections.rules import Rules
from services.membership import merging, people
from tests.console.test_pages import text

NEW = "/console/elections/new"


def secretary(office) -> tuple[int, int, list[Person]]:
    """Of the account “secretary”: the person, the branch, its members without the secretary."""
    with office.database.reading() as session:
        post = session.scalars(sa.select(Post).where(Post.role == Role.SECRETARY).order_by(Post.id).limit(1)).one()
        everybody = people.members_of(session, post.branch_id, office.clock.at.date())
        return post.person_id, post.branch_id, [each for each in everybody if each.id != post.person_id]


def begin(visitor, office, **more) -> str:
    """A draft of the secretary's branch today; its address."""
    page = visitor.open(NEW).get_data(as_text=True)
    fields = {name: re.search(rf'name="{name}"[^>]*value="([^"]*)"', page)[1] for name in ("branch", "held_on")}
    answer = visitor.send(NEW, **{**fields, "kind": "renewal", "place": "活动室", **more})
    assert answer.status_code == 302, text(answer)
    return answer.location.removesuffix("/edit")


def filled(office, path: str, *, away: int = 0, **more: str) -> dict[str, str]:
    """The form as somebody fills it in who wants one secretary elected by all that came."""
    number = int(path.rsplit("/", 1)[1])
    _who, _branch, members = secretary(office)
    with office.database.reading() as session:
        voters = sorted(session.scalars(sa.select(Voter.person_id).where(Voter.election_id == number)))
        held_on = session.get_one(Election, number).held_on
    turnouts = {f"turnout-{each}": "absent" if place < away else "present" for place, each in enumerate(voters)}
    came = len(voters) - away
    return {
        "kind": "renewal", "held_on": str(held_on), "place": "活动室", "list": "yes", "rows": "3", **turnouts,
        "returned": str(came), "seats-secretary": "1", "who-0": str(members[0].id), "standing-0": "secretary",
        "for-0": str(came), **more,
    }  # fmt: skip


def record(visitor, path: str, **fields: str):
    return visitor.send(f"{path}/check", **{"as": "valid", "posts": "yes", **fields})


def test_a_secretary_enters_an_election_and_hands_the_branch_over(office):
    me, branch_id, members = secretary(office)
    visitor = office.visitor("secretary")
    assert "还没有选举记录" in text(visitor.open("/console/elections"))
    path = begin(visitor, office)
    page = text(visitor.open(f"{path}/edit"))
    assert all(each.name in page for each in members)
    answer = visitor.send(f"{path}/edit", **filled(office, path, do="check"))
    assert answer.location.endswith("/check")
    sure = text(visitor.open(answer.location))
    assert "选举有效" in sure
    assert f"任职 {members[0].name}：支部书记" in sure
    assert "您不再是本支部书记" in sure
    with office.database.reading() as session:
        assert people.holders(session, Role.SECRETARY, office.clock.at.date(), branch_id=branch_id) == [me]
    done = record(visitor, path)
    assert done.status_code == 302
    assert "已存档" in text(visitor.open(done.location)), "an outgoing secretary still reads that it is done"
    assert visitor.open(path).status_code == 404
    clerk = office.visitor("office")
    page = text(clerk.open(path))
    assert "有效" in page
    assert f"{members[0].name} 书记" in page
    with office.database.reading() as session:
        assert people.holders(session, Role.SECRETARY, office.clock.at.date(), branch_id=branch_id) == [members[0].id]
        acts = session.scalars(sa.select(AuditEntry.act).where(AuditEntry.subject.startswith("election:"))).all()
    assert acts == ["election.draft", "election.record"]
    assert members[0].name in text(clerk.open(f"/console/branches/{branch_id}"))
    assert members[0].name in text(clerk.open("/console/elections"))


def test_a_short_quorum_asks_for_a_reason_and_keeps_the_draft_until_there_is_one(office):
    visitor = office.visitor("office")
    path = begin(office.visitor("secretary"), office)
    visitor.send(f"{path}/edit", **filled(office, path, away=6, do="save"))
    assert "到会人数不足" in text(visitor.open(f"{path}/check"))
    for fields, says in (
        ({}, "请写明为什么仍然有效"),
        ({"as": ""}, "请选记为有效还是无效"),
        ({"as": "invalid"}, "为什么无效"),
    ):
        answer = record(visitor, path, **fields)
        assert answer.status_code == 422
        assert says in text(answer)
    with office.database.reading() as session:
        assert session.scalar(sa.select(Election.state)) is ElectionState.DRAFT
    assert record(visitor, path, why="经党总支同意，见批复 3 号").status_code == 302
    assert "有效（有说明）" in text(visitor.open(path))
    assert "批复 3 号" in text(visitor.open(path))


@pytest.mark.parametrize(
    ("fields", "at", "says"),
    [
        ({"returned": "-1"}, "returned", "0–99999 的整数"),
        ({"returned": "99999999999999999999"}, "returned", "0–99999 的整数"),
        ({"returned": "😀"}, "returned", "0–99999 的整数"),
        ({"returned": "1e3"}, "returned", "0–99999 的整数"),
        ({"issued": "9999"}, "issued", "没有到会的不能委托投票"),
        ({"spoiled": "9999"}, "spoiled", "比收回的"),
        ({"held_on": "2031-01-01"}, "held_on", "应在"),
        ({"held_on": "😀"}, "held_on", "没看懂"),
        ({"kind": "coup"}, "kind", "请选择选举类别"),
        ({"place": "长" * 65}, "place", "最多 64 个字"),
        ({"who-0": "999999"}, "who-0", "从本支部名册里选人"),
        ({"who-0": "😀"}, "who-0", "从本支部名册里选人"),
        ({"who-0": "other", "name-0": ""}, "name-0", "请写另选的人的姓名"),
        ({"standing-0": "emperor"}, "standing-0", "请选竞选什么职务"),
        ({"for-0": "-3"}, "for-0", "整数"),
        ({"seats-secretary": "2"}, "seats-secretary", "0–1 的整数"),
        ({"seats-committee": "31"}, "seats-committee", "0–30"),
        ({"round": "10"}, "round", "1–9"),
        ({"round": "0"}, "round", "1–9"),
        ({"who-0": "other", "name-0": "王五<b>"}, "name-0", "姓名只用文字"),
        ({"who-0": "other", "name-0": "赵6"}, "name-0", "姓名只用文字"),
        ({"list": "no", "due": "3", "present": "4"}, "present", "比应到会 3 人还多"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(office, fields, at, says):
    visitor = office.visitor("secretary")
    path = begin(visitor, office)
    typed = filled(office, path, **{"do": "check", **fields})
    answer = visitor.send(f"{path}/edit", **typed)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert re.search(rf'id="{at}-says" role="alert">[^<]*{re.escape(says)}', page), text(answer)
    for name, value in typed.items():
        if name.split("-")[0] in {"returned", "issued", "spoiled", "for", "name", "due", "place", "round"}:
            assert f'name="{name}"' in page
            assert f'value="{escape(value)}"' in page, name


def test_somebody_of_another_branch_is_nobody_here(office):
    visitor = office.visitor("secretary")
    path = begin(visitor, office)
    with office.database.reading() as session:
        here = sa.select(Voter.person_id)
        other = session.scalars(sa.select(Person).where(Person.id.not_in(here)).order_by(Person.id.desc())).first()
    stranger = {"who-0": str(other.id), f"turnout-{other.id}": "present"}
    answer = visitor.send(f"{path}/edit", **filled(office, path, do="check", **stranger))
    assert answer.status_code == 422
    assert other.name not in text(answer)
    fine = filled(office, path, do="save") | {f"turnout-{other.id}": "present"}
    assert visitor.send(f"{path}/edit", **fine).status_code == 302
    with office.database.reading() as session:
        assert session.scalar(sa.select(Voter.person_id).where(Voter.person_id == other.id)) is None


def test_more_rows_lose_nothing_and_another_day_lists_another_roll(office):
    visitor = office.visitor("secretary")
    path = begin(visitor, office)
    answer = visitor.send(f"{path}/edit", **filled(office, path, do="more", returned="十二"))
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert 'name="who-5"' in page
    assert 'value="十二"' in page
    yesterday = str(office.clock.at.date() - timedelta(days=1))
    moved = visitor.send(f"{path}/edit", **filled(office, path, do="check", held_on=yesterday))
    assert moved.location.endswith("/edit")
    assert "名单已按那一天的名册重排" in text(visitor.open(moved.location))


def stored(office, path: str) -> str:
    with office.database.reading() as session:
        return drafts.mark(drafts.whole(session, int(path.rsplit("/", 1)[1])))


def test_a_slip_of_the_year_empties_nothing(office):
    visitor = office.visitor("secretary")
    path = begin(visitor, office)
    fields = filled(office, path, away=1, do="save")
    visitor.send(f"{path}/edit", **fields)
    before = stored(office, path)
    slip = visitor.send(f"{path}/edit", **{**fields, "held_on": "1990-11-10", "returned": "2"})
    page = slip.get_data(as_text=True)
    assert slip.status_code == 422
    assert re.search('id="held_on-says" role="alert">[^<]*名册里没有人，日期是不是写错了', page)
    assert 'value="1990-11-10"' in page
    assert re.search('name="returned"[^>]*value="2"', page)
    assert stored(office, path) == before
    assert visitor.send(f"{path}/edit", **fields).status_code == 302
    assert stored(office, path) == before


def test_another_day_keeps_who_is_still_there_and_names_who_is_not(office):
    visitor = office.visitor("secretary")
    path = begin(visitor, office)
    _me, branch_id, members = secretary(office)
    today, new = office.clock.at.date(), members[0]
    with office.database.transaction() as session:
        rows = sa.select(Affiliation).where(Affiliation.person_id == new.id, Affiliation.branch_id == branch_id)
        session.scalars(rows).one().since_on = today
    yesterday = str(today - timedelta(days=1))
    came = filled(office, path, do="save")
    alone = visitor.send(f"{path}/edit", **{**came, "held_on": yesterday})
    assert alone.status_code == 422
    assert "填了的候选人" in text(alone)
    two = {"who-1": str(members[1].id), "standing-1": "secretary", "for-1": "1", f"turnout-{members[2].id}": "leave"}
    fields = {**came, **two, "held_on": yesterday, "returned": "2"}
    moved = visitor.send(f"{path}/edit", **fields)
    assert moved.status_code == 302, text(moved)
    page = visitor.open(f"{path}/edit").get_data(as_text=True)
    assert f"从名单移出的：{new.name}" in page
    assert f'<option value="{new.id}" selected>{new.name}（{yesterday} 不在名册）' in page
    assert re.search(rf'name="for-0"[^>]*value="{came["for-0"]}"', page)
    assert re.search(rf'name="turnout-{members[2].id}">.*?value="leave" selected', page)
    back = visitor.send(f"{path}/edit", **{**fields, "held_on": str(today)})
    assert back.status_code == 302, "the form is not locked"
    with office.database.reading() as session:
        found = drafts.whole(session, int(path.rsplit("/", 1)[1]))
        assert [each.person_id for each in found.candidates] == [new.id, members[1].id]
        assert new.id in {voter.person_id for voter in found.voters}


def test_of_two_windows_on_one_draft_the_second_is_told_before_it_overwrites(office):
    visitor, clerk = office.visitor("secretary"), office.visitor("office")
    path = begin(visitor, office)
    seen = marked(visitor.open(f"{path}/edit"))
    assert marked(clerk.open(f"{path}/edit")) == seen
    assert visitor.send(f"{path}/edit", **filled(office, path, do="save", mark=seen)).status_code == 302
    before = stored(office, path)
    late = filled(office, path, away=1, do="save", place="礼堂", mark=seen)
    wrong = clerk.send(f"{path}/edit", **{**late, "returned": "十"})
    assert marked(wrong) == seen, "a slip elsewhere in the form is no look at the other's work"
    assert marked(clerk.send(f"{path}/edit", **{**late, "do": "more"})) == seen
    told = clerk.send(f"{path}/edit", **late)
    assert told.status_code == 422
    assert "别处改过这份草稿，这次没有保存" in text(told)
    assert 'value="礼堂"' in told.get_data(as_text=True)
    assert stored(office, path) == before
    assert clerk.send(f"{path}/edit", **{**late, "mark": marked(told)}).status_code == 302
    with office.database.reading() as session:
        assert session.scalar(sa.select(Election.place)) == "礼堂"


def marked(answer) -> str:
    return re.search(r'name="mark" value="([0-9a-f]{16})"', answer.get_data(as_text=True))[1]


def test_somebody_of_the_list_is_not_written_in_as_a_second_person(office):
    visitor = office.visitor("secretary")
    path = begin(visitor, office)
    _me, _branch, members = secretary(office)
    name = " ".join(members[0].name)
    more = {"who-1": "other", "name-1": name, "standing-1": "secretary", "for-1": "1"}
    answer = visitor.send(f"{path}/edit", **filled(office, path, do="check", **more))
    assert answer.status_code == 422
    assert re.search(f'id="name-1-says" role="alert">{members[0].name}在名册里', answer.get_data(as_text=True))


def test_who_is_elected_again_does_not_read_that_the_branch_is_gone(office):
    visitor = office.visitor("secretary")
    path = begin(visitor, office)
    me, _branch, _members = secretary(office)
    with office.database.transaction() as session:
        post = session.scalars(sa.select(Post).where(Post.person_id == me, Post.role == Role.SECRETARY)).one()
        post.since_on = office.clock.at.date() - timedelta(days=900)
    visitor.send(f"{path}/edit", **filled(office, path, do="save", **{"who-0": str(me)}))
    sure = text(visitor.open(f"{path}/check"))
    assert "到此为止" in sure
    assert "任期至" in sure
    assert "您不再是本支部书记" not in sure


def test_a_second_record_of_a_ballot_is_said_before_it_is_filed(office):
    clerk = office.visitor("office")
    first = begin(office.visitor("secretary"), office)
    clerk.send(f"{first}/edit", **filled(office, first, do="save"))
    assert "已经有一份生效的选举记录" not in text(clerk.open(f"{first}/check"))
    record(clerk, first)
    _me, branch_id, _members = secretary(office)
    with office.database.reading() as session:
        name = session.get_one(Branch, branch_id).name
    second = begin(clerk, office, branch=name, held_on=str(office.clock.at.date()))
    clerk.send(f"{second}/edit", **filled(office, second, do="save"))
    sure = text(clerk.open(f"{second}/check"))
    assert "已经有一份生效的选举记录" in sure
    assert "选举有效" not in sure
    clerk.send(f"{second}/edit", **filled(office, second, do="save", round="2"))
    assert "已经有一份生效的选举记录" not in text(clerk.open(f"{second}/check"))


def test_a_form_of_a_filed_record_leads_to_the_record_whatever_is_in_it(office):
    clerk = office.visitor("office")
    path = begin(office.visitor("secretary"), office)
    fields = filled(office, path, do="save")
    clerk.send(f"{path}/edit", **fields)
    record(clerk, path)
    for late in ({**fields, "do": "more"}, {**fields, "returned": "十个"}):
        answer = clerk.send(f"{path}/edit", on="/console/elections", **late)
        assert answer.location.endswith(path)
        assert "已经存档" in text(clerk.open(path))
    again = clerk.send(f"{path}/check", on="/console/elections", **{"as": "valid"})
    assert again.location.endswith(path)
    assert "已经存档" in text(clerk.open(path))


def test_counts_of_paper_that_do_not_fit_the_branch_ask_for_a_reason(office):
    visitor, clerk = office.visitor("secretary"), office.visitor("office")
    path = begin(visitor, office)
    many = len(secretary(office)[2]) + 1
    paper = filled(office, path, do="check", list="no", due="1", present="1", returned="1", **{"for-0": "1"})
    assert clerk.send(f"{path}/edit", **paper).location.endswith("/check")
    sure = text(clerk.open(f"{path}/check"))
    assert f"名册上那天有 {many} 人，应到会 1 人" in sure
    assert "选举有效" not in sure
    answer = record(clerk, path)
    assert answer.status_code == 422
    assert "请写明为什么仍然有效" in text(answer)
    assert record(clerk, path, why="多数党员组织关系未转入，见名单").status_code == 302
    assert f"名册上那天有 {many} 人" in text(clerk.open(path))


def test_a_filed_record_keeps_its_names_and_says_why_its_list_is_shorter(office):
    clerk = office.visitor("office")
    path = begin(office.visitor("secretary"), office)
    clerk.send(f"{path}/edit", **filled(office, path, do="save"))
    _me, _branch, members = secretary(office)
    first, second, third = (each.id for each in members[:3])
    with office.database.transaction() as session:
        session.get_one(Person, second).name = "改前名"
    record(clerk, path)
    with office.database.transaction() as session:
        session.get_one(Person, first).name = session.get_one(Person, second).name = "改后名"
    page = text(clerk.open(path))
    assert "改后名" not in page
    assert "改前名" in page
    assert page.count(members[0].name) >= 2, "among the votes and on the list"
    assert "合并了重复登记的人" not in page
    with office.database.transaction() as session:
        keep, gone = session.get_one(Person, second), session.get_one(Person, third)
        merging.merge(session, keep, gone, "核对过身份证，登记了两次", office.clock.at, by=None)
    many = len(members) + 1
    assert f"名单里现有 {many - 1} 人计入应到会，存档时是 {many} 人" in text(clerk.open(path))


def test_two_of_one_name_are_told_apart(office):
    visitor = office.visitor("secretary")
    _me, _branch, members = secretary(office)
    with office.database.transaction() as session:
        one, other = (session.get_one(Person, each.id) for each in members[:2])
        one.name = other.name = "张伟"
        one.phone, other.phone = "19900001234", None
    path = begin(visitor, office)
    page = visitor.open(f"{path}/edit").get_data(as_text=True)
    for called in ("张伟（手机尾号 1234）", f"张伟（编号 {members[1].id}）"):
        assert page.count(f"{called}</option>") == 3
        assert f"{called}</label>" in page


def test_somebody_written_in_needs_votes_only(office):
    visitor = office.visitor("secretary")
    path = begin(visitor, office)
    _me, _branch, members = secretary(office)
    more = {
        "who-1": str(members[1].id), "standing-1": "secretary", "written-1": "yes", "for-1": "1",
        "who-2": "other", "name-2": "王五·买买提", "standing-2": "secretary", "for-2": "1",
    }  # fmt: skip
    fields = filled(office, path, do="check", **more)
    fields |= {"for-0": str(int(fields["for-0"]) - 2)}
    assert visitor.send(f"{path}/edit", **fields).location.endswith("/check")
    page = visitor.open(f"{path}/check").get_data(as_text=True)
    assert "王五·买买提" in page
    assert page.count("（另选他人）") == 2
    assert record(visitor, path, why="").status_code == 302


def test_a_recorded_one_cannot_be_opened_to_write_nor_undone_from_the_list_of_changes(office):
    visitor, clerk = office.visitor("secretary"), office.visitor("office")
    path = begin(visitor, office)
    clerk.send(f"{path}/edit", **filled(office, path, do="save"))
    token_page = f"{path}/edit"
    fields = filled(office, path, do="save")
    record(clerk, path)
    assert clerk.open(f"{path}/edit").location.endswith(path)
    assert clerk.open(f"{path}/check").location.endswith(path)
    late = clerk.send(token_page, on="/console/elections", **fields)
    assert late.location.endswith(path)
    assert "已经存档" in text(clerk.open(path))
    assert clerk.send(f"{path}/discard", on="/console/elections").location.endswith(path)
    with office.database.reading() as session:
        change = session.scalar(sa.select(Change.id))
    answer = clerk.send(f"/console/people/changes/{change}/undo", on="/console/people/changes")
    assert answer.status_code == 422
    assert "在那份选举记录里撤销" in text(answer)


def test_what_was_looked_at_is_what_is_recorded(office):
    """Somebody changes the draft, or a post, between the look and the word."""
    path = begin(office.visitor("secretary"), office)
    clerk = office.visitor("office")
    clerk.send(f"{path}/edit", **filled(office, path, do="save"))
    seen = re.search(r'name="seen" value="([0-9a-f]{16})"', clerk.open(f"{path}/check").get_data(as_text=True))[1]
    _me, _branch, members = secretary(office)
    office.visitor("secretary").send(
        f"{path}/edit", **filled(office, path, do="save", **{"who-0": str(members[1].id)})
    )
    answer = record(clerk, path, seen=seen)
    assert answer.status_code == 422
    assert "请照现在的再核对一遍" in text(answer)
    assert f"任职 {members[1].name}" in text(answer)
    again = re.search(r'name="seen" value="([0-9a-f]{16})"', answer.get_data(as_text=True))[1]
    assert record(clerk, path, seen=again).status_code == 302


def test_a_draft_of_that_day_is_gone_on_with(office):
    visitor = office.visitor("secretary")
    first = begin(visitor, office)
    office.clock.at += timedelta(minutes=5)
    assert begin(visitor, office) == first
    assert "已有一份草稿，接着填" in text(visitor.open("/console/elections"))


def test_an_office_sets_it_aside_with_a_reason_and_the_old_secretary_is_back(office):
    me, branch_id, _members = secretary(office)
    visitor, clerk = office.visitor("secretary"), office.visitor("office")
    path = begin(visitor, office)
    clerk.send(f"{path}/edit", **filled(office, path, do="save"))
    record(clerk, path)
    wrong = clerk.send(f"{path}/set-aside", on=path, why="错")
    assert wrong.status_code == 422
    assert "请写明为什么撤销" in text(wrong)
    assert clerk.send(f"{path}/set-aside", on=path, why="计票有误，上级要求重新登记").status_code == 302
    assert "原来的内容留着备查" in text(clerk.open(path))
    with office.database.reading() as session:
        assert people.holders(session, Role.SECRETARY, office.clock.at.date(), branch_id=branch_id) == [me]
    assert "已撤销" in text(clerk.open("/console/elections?state=set_aside"))
    assert "没有符合条件" in text(clerk.open("/console/elections?state=valid"))
    answer = visitor.send(f"{path}/set-aside", on="/console/elections", why="计票有误，上级要求重新登记")
    assert answer.status_code == 404, "a secretary sets nothing aside"


def test_the_auditor_reads_and_writes_nothing(office):
    path = begin(office.visitor("secretary"), office)
    auditor = office.visitor("auditor")
    assert auditor.open(path).status_code == 200
    assert "接着填" not in text(auditor.open(path))
    for page in (NEW, f"{path}/edit", f"{path}/check"):
        assert auditor.open(page).status_code == 404


def test_a_draft_that_is_not_needed_goes_and_leaves_a_trace(office):
    visitor = office.visitor("secretary")
    path = begin(visitor, office)
    assert visitor.send(f"{path}/discard", on=path).status_code == 302
    assert visitor.open(path).status_code == 404
    with office.database.reading() as session:
        assert session.scalar(sa.select(Voter.person_id)) is None
        assert session.scalar(sa.select(AuditEntry.id).where(AuditEntry.act == "election.discard"))


@pytest.mark.parametrize("address", ["999999999", "99999999999999999999999", "-1", "%F0%9F%98%80"])
def test_an_address_of_nothing_is_not_there(office, address):
    assert office.visitor("office").open(f"/console/elections/{address}").status_code == 404


@pytest.mark.parametrize("year", ["0", "99999", "-1", "😀", "9999", "2026"])
def test_a_list_is_chosen_by_whatever_is_typed(office, year):
    begin(office.visitor("secretary"), office)
    answer = office.visitor("office").client.get(
        "/console/elections", query_string={"year": year, "q": "%", "county": "x"}
    )
    assert answer.status_code == 200


def test_the_list_is_handed_out_for_a_reason_with_who_was_elected(office):
    clerk = office.visitor("office")
    path = begin(office.visitor("secretary"), office)
    clerk.send(f"{path}/edit", **filled(office, path, do="save"))
    record(clerk, path)
    answer = clerk.send("/console/export/elections", reason="报送换届情况", form="csv")
    said = answer.get_data().decode("utf-8-sig")
    _me, _branch, members = secretary(office)
    assert f"{members[0].name}（书记）" in said
    assert "报送换届情况" in said
    with office.database.reading() as session:
        last = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (last.act, last.subject) == ("export", "list:elections")


def test_of_two_who_record_at_once_one_wins(office):
    """Two drafts of one day, two desks, one moment."""
    path = begin(office.visitor("secretary"), office)
    office.visitor("secretary").send(f"{path}/edit", **filled(office, path, do="save"))
    with office.database.transaction() as session:
        first = drafts.whole(session, int(path.rsplit("/", 1)[1]))
        first.state, first.recorded_at = ElectionState.DRAFT, None
        twin = Election(
            branch_id=first.branch_id, kind=first.kind, held_on=first.held_on, quorum_top=4, quorum_bottom=5,
            majority_of=first.majority_of, due=first.due, present=first.present, issued=first.issued,
            returned=first.returned, spoiled=0, secretary_seats=1, written_at=first.written_at,
            voters=[Voter(person_id=each.person_id, turnout=each.turnout) for each in first.voters],
            candidates=[type(c)(**{k.key: getattr(c, k.key) for k in c.__mapper__.column_attrs if k.key not in {"id", "election_id"}})
                        for c in first.candidates],
        )  # fmt: skip
        session.add(twin)
        session.flush()
        ids = [first.id, twin.id, first.id, twin.id]

    def go(number: int) -> str:
        try:
            with office.database.transaction() as session:
                found = drafts.whole(session, number)
                records.record(session, found, Decision(True, ""), Rules(), 3, office.clock.at, by=1)
        except RuleBroken as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as threads:
        said = list(threads.map(go, ids))
    assert said.count("") == 1
    assert all("已经" in each for each in said if each)
    with office.database.reading() as session:
        _me, branch_id, _members = secretary(office)
        assert session.scalar(sa.select(sa.func.count()).where(Election.counts_on.is_not(None))) == 1
        open_posts = sa.select(sa.func.count()).where(
            Post.branch_id == branch_id, Post.role == Role.SECRETARY, Post.until_on.is_(None)
        )
        assert session.scalar(open_posts) == 1
