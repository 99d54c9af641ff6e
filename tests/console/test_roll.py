"""The roll at the desk: what is typed stays, what is done is written down, and can be undone (F025–F031)."""

from __future__ import annotations

import re
from datetime import date

import pytest
import sqlalchemy as sa

from models import Affiliation, AuditEntry, Branch, Change, Person, Post, Role
from tests.console.test_pages import add, text


def newest(office) -> Change:
    with office.database.reading() as session:
        return session.scalars(sa.select(Change).order_by(Change.id.desc()).limit(1)).one()


def test_a_secretary_registers_somebody_in_their_branch_and_takes_it_back(office):
    visitor = office.visitor("secretary")
    page = visitor.open("/console/people/new").get_data(as_text=True)
    branch = re.search(r'name="branch"[^>]*value="([^"]+)"', page)[1]
    wrong = visitor.send("/console/people/new", name="张3", phone="12", branch=branch, since="2031-01-01")
    assert wrong.status_code == 422
    assert all(each in text(wrong) for each in ("姓名只用文字", "11 位数字", "到今天"))
    assert 'value="张3"' in wrong.get_data(as_text=True), "what was typed is not lost"
    done = visitor.send("/console/people/new", name="夏𬀩䶮", phone="１９９８８８８００００", branch=branch, since="")
    assert done.status_code == 302
    assert "夏𬀩䶮" in text(visitor.open(done.location))
    change = newest(office)
    assert visitor.send(f"/console/people/changes/{change.id}/undo", on="/console/people/changes").status_code == 302
    with office.database.reading() as session:
        who = session.scalar(sa.select(Person.id).where(Person.name == "夏𬀩䶮"))
        assert session.scalar(sa.select(Affiliation.id).where(Affiliation.person_id == who)) is None
        acts = session.scalars(sa.select(AuditEntry.act).where(AuditEntry.subject == f"person:{who}")).all()
    assert acts == ["people.add", "people.join", "people.undo"]


def test_a_branch_of_another_is_not_the_secretarys_to_fill(office):
    with office.database.reading() as session:
        own = sa.select(Post.branch_id).where(Post.role == Role.SECRETARY).order_by(Post.id).limit(1)
        other = session.scalar(
            sa.select(Branch.name).where(Branch.id != session.scalar(own)).order_by(Branch.id.desc())
        )
    wrong = office.visitor("secretary").send("/console/people/new", name="外人", phone="", branch=other, since="")
    assert wrong.status_code == 422
    assert "您管的支部里没有" in text(wrong)


def test_two_entries_are_merged_and_the_old_address_leads_to_the_survivor(office):
    one, other = add(office, "重名", "19988887777"), add(office, "重名")
    visitor = office.visitor("office")
    path = f"/console/duplicates/{one}/{other}"
    assert visitor.send(f"{path}/merge", on=path, keep=str(one), why="嗯").status_code == 422
    sure = visitor.send(f"{path}/merge", on=path, keep=str(one), why="核对过，登记了两次")
    assert "没有别的记录" in text(sure)
    assert visitor.open(f"/console/people/{other}").status_code == 200, "nothing has happened yet"
    done = visitor.send(f"{path}/merge", on=path, keep=str(one), why="核对过，登记了两次", sure="yes")
    assert done.location.endswith(f"/people/{one}")
    assert visitor.open(f"/console/people/{other}").location.endswith(f"/people/{one}")
    assert f"编号 {other}" in text(visitor.open(f"/console/people/{one}"))
    visitor.send(f"/console/people/changes/{newest(office).id}/undo", on="/console/people/changes")
    assert visitor.open(f"/console/people/{other}").status_code == 200


def test_before_a_merge_the_page_says_in_numbers_what_it_will_do_and_that_is_what_it_does(office):
    with office.database.reading() as session:
        post = session.scalars(sa.select(Post).where(Post.role == Role.SECRETARY).order_by(Post.id)).first()
        here = sa.select(Affiliation.person_id).where(
            Affiliation.branch_id == post.branch_id, Affiliation.person_id != post.person_id
        )
        one, other = post.person_id, session.scalars(here).first()
        before = session.scalar(sa.select(sa.func.count()).select_from(Affiliation))
    visitor, path = office.visitor("office"), f"/console/duplicates/{one}/{other}"
    page = text(visitor.send(f"{path}/merge", on=path, keep=str(one), why="核对过，登记了两次"))
    assert "支部关系 1 条与保留的重复，并成一条" in " ".join(page.split())
    with office.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Affiliation)) == before, "it was only a trial"
        assert session.scalar(sa.select(Change.id)) is None
    visitor.send(f"{path}/merge", on=path, keep=str(one), why="核对过，登记了两次", sure="yes")
    with office.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Affiliation)) == before - 1


def test_a_merge_without_a_choice_or_a_reason_is_asked_for_at_the_field(office):
    one, other = add(office, "重名"), add(office, "重名")
    visitor, path = office.visitor("office"), f"/console/duplicates/{one}/{other}"
    page = visitor.send(f"{path}/merge", on=path, why="核对过，登记了两次").get_data(as_text=True)
    assert re.search(r'id="keep-says" role="alert">请选保留哪一条', page)
    assert 'value="核对过，登记了两次"' in page
    page = visitor.send(f"{path}/merge", on=path, keep=str(other), why="嗯").get_data(as_text=True)
    assert re.search(r'id="why-says" role="alert">请写明为什么是同一个人', page)
    assert re.search(rf'value="{other}" checked', page)


@pytest.mark.parametrize(
    ("form", "fields", "at", "says"),
    [
        ("edit", {"name": "张3", "new_phone": "", "why": "写错了名字"}, "name", "姓名只用文字"),
        ("edit", {"name": "李娜", "new_phone": "12", "why": "换了手机"}, "new_phone", "11 位"),
        ("edit", {"name": "李那", "new_phone": "", "why": "嗯"}, "why", "请写明为什么改"),
        ("branches", {"branch": "没有这个", "since": "", "why": ""}, "branch", "您管的支部里没有"),
        ("branches", {"branch": "刑法学研究会党支部", "since": "明天", "why": ""}, "since", "没看懂"),
        ("flows", {"direction": "", "branch": "x", "place": "外省", "since": ""}, "direction", "流入还是流出"),
        ("posts", {"role": "committee", "duty": "", "branch": "刑法学研究会党支部", "since": ""}, "duty", "要选分工"),
        (
            "posts",
            {"role": "deputy", "branch": "刑法学研究会党支部", "ends": "1999-01-01", "since": ""},
            "ends",
            "5 年",
        ),
        ("posts", {"role": "", "branch": "刑法学研究会党支部", "since": ""}, "role", "请选职务"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(office, form, fields, at, says):
    with office.database.reading() as session:
        one = session.scalar(sa.select(Post.person_id).where(Post.role == Role.SECRETARY).order_by(Post.id).limit(1))
    visitor = office.visitor("office")
    answer = visitor.send(f"/console/people/{one}/{form}", on=f"/console/people/{one}", **fields)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    box = {"branches": "join", "flows": "flow", "posts": "appoint"}.get(form, form)
    assert re.search(rf'id="{box}-{at}-says" role="alert">[^<]*{says}', page)
    assert f'id="{box}-wrong"' not in page, "said once"
    assert all(f'value="{typed}"' in page for typed in fields.values() if typed)


def test_who_only_shares_a_name_in_a_county_is_listed_when_asked_for(office):
    one, other = add(office, "尉迟空同"), add(office, "尉迟空同")
    with office.database.transaction() as session:
        county = sa.select(Branch.county_id).where(Branch.county_id.is_not(None)).limit(1).scalar_subquery()
        branches = session.scalars(sa.select(Branch.id).where(Branch.county_id == county).limit(2)).all()
        session.add_all(
            Affiliation(person_id=who, branch_id=branch, since_on=date(2024, 1, 1))
            for who, branch in zip((one, other), branches, strict=True)
        )
    visitor, link = office.visitor("office"), f"/console/duplicates/{one}/{other}"
    assert link not in visitor.open("/console/duplicates").get_data(as_text=True)
    asked = "/console/duplicates?namesakes=yes&page=999"
    pages = [visitor.open(asked.replace("999", str(n))).get_data(as_text=True) for n in range(1, 20)]
    assert any(link in page for page in pages)
    assert 'value="yes" selected' in pages[0]


def test_a_secretary_neither_sees_duplicates_nor_merges(office):
    one, other = add(office, "重名"), add(office, "重名")
    visitor, path = office.visitor("secretary"), f"/console/duplicates/{one}/{other}"
    assert visitor.open(path).status_code == 404
    answer = visitor.send(f"{path}/merge", on="/console/people", keep=str(one), why="核对过，登记了两次", sure="yes")
    assert answer.status_code == 404
    with office.database.reading() as session:
        assert session.scalar(sa.select(Change.id)) is None
        last = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (last.act, last.subject) == ("console.refused", f"{path}/merge")
