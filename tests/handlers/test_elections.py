"""选举 in the chat: the secretary's own branch, and nobody else's (F028)."""

from __future__ import annotations

import sqlalchemy as sa

from clock import beijing_date
from models import Branch, ElectionKind, Person, Post, Role, Seat
from services.elections import drafts, records
from services.elections.drafts import Row, Typed
from services.elections.records import Decision
from services.elections.rules import Rules
from tests.conftest import LOADED_AT


def test_a_secretary_reads_the_last_election_of_the_branch(open_house):
    house = open_house()
    li_na = house.phone("李娜")
    assert "还没有选举记录" in li_na.says("选举")
    on = beijing_date(LOADED_AT)
    with house.database.transaction() as session:
        post = session.scalars(
            sa.select(Post).join(Person, Person.id == Post.person_id)
            .where(Person.name == "李娜", Post.role == Role.SECRETARY).order_by(Post.id)
        ).first()  # fmt: skip
        branch = session.get_one(Branch, post.branch_id)
        begun = drafts.begin(session, branch, ElectionKind.RENEWAL, on, "", Rules(), LOADED_AT, by=1)
        number, many = begun.id, begun.due
    assert "还是草稿" in li_na.says("选举")
    with house.database.transaction() as session:
        begun = drafts.whole(session, number)
        row = Row(post.person_id, "李娜", False, Seat.SECRETARY, Role.SECRETARY, None, many)
        drafts.write(session, begun, Typed(begun.kind, on, returned=many, seats={Seat.SECRETARY: 1}, rows=(row,)))
        records.record(session, begun, Decision(True, ""), Rules(), 3, LOADED_AT, by=1)
    said = li_na.says("选举")
    assert f"{branch.name} {on} 换届选举：有效\n当选：李娜（书记）" in said
    assert "书记任期至 " in said
    assert "/console/elections" in said
    assert "选举" in li_na.says("帮助 书记")
    assert "当选" not in house.phone("张伟").says("选举")
