"""The roll at the desk: what is typed stays, what is done is written down, and can be undone (F025–F031)."""

from __future__ import annotations

import re

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
    done = visitor.send(f"{path}/merge", on=path, keep=str(one), why="核对过，登记了两次")
    assert done.location.endswith(f"/people/{one}")
    assert visitor.open(f"/console/people/{other}").location.endswith(f"/people/{one}")
    assert f"编号 {other}" in text(visitor.open(f"/console/people/{one}"))
    visitor.send(f"/console/people/changes/{newest(office).id}/undo", on="/console/people/changes")
    assert visitor.open(f"/console/people/{other}").status_code == 200
