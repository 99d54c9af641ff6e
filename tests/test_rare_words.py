"""Rare characters go round whole: the chat, the desk, the search, the table that is handed out (F149)."""

from __future__ import annotations

import csv
import io

import pytest
import sqlalchemy as sa

from clock import beijing_date
from models import Affiliation, CaseStep, Follower, Gathering, Person
from services import scope
from services.custody import privacy
from services.membership import binding, roster
from services.tables import exports
from services.tables.exports import Kind, Request

PHONE = "19912345678"
NAMES = ["郑䶮", "夏𬀩", "𠮷野𡈽", "买买提·吐尔逊江", "欧阳·𬀩", "王\U00030000", "龘靐齉", "〇一"]
WORDS = "老板姓䶮，欠我３个月工资😀👨‍👩‍👧，合同在𬀩路，١٢٣"


def enrol(house, name: str) -> int:
    """Somebody on the roll of 张伟's branch."""
    with house.database.transaction() as session:
        vault = house.database.vault
        person = Person(name=name, phone=PHONE, phone_index=vault.index(PHONE))
        session.add(person)
        session.flush()
        branch = session.scalar(sa.select(sa.func.min(Gathering.branch_id)))
        session.add(Affiliation(person_id=person.id, branch_id=branch, since_on=beijing_date(house.clock())))
    return person.id


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_bound_said_searched_and_handed_out_as_it_is_written(house, name):
    person_id = enrol(house, name)
    with house.database.transaction() as session:
        code = binding.invite(session, house.database.vault, person_id, house.clock(), by=None)
    phone = house.phone("oRare".ljust(28, "r"))
    phone.follows()
    # In the chat.
    assert phone.says(f"绑定 {code}").startswith(f"绑定成功：{name}。")
    assert name in phone.says("绑定")
    # At the desk: found by what is written, and by its first character.
    with house.database.reading() as session:
        zhao_min = sa.select(Follower.person_id).where(Follower.openid.contains("ZhaoMin"))
        office = scope.of(session, session.scalar(zhao_min), beijing_date(house.clock()))
        for words in (name, name[0]):
            question = roster.matching(session, office, words, 0, 0, None, "")
            assert person_id in {row.id for row in session.scalars(question)}, words
    # In the table that is handed out, opened by a spreadsheet.
    with house.database.transaction() as session:
        content, _count = exports.export(session, Request(Kind.PEOPLE, "命令行用户 某人"), house.clock())
    table = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert name in {row[0] for row in table}
    # And in what is shown to the person themselves.
    with house.database.transaction() as session:
        assert privacy.export(session, phone.openid, house.clock())["person"]["name"] == name


def test_a_citizens_words_are_stored_as_they_were_typed(house, wang_fang):
    wang_fang.says("咨询")
    for word in ("1", "金水", "3", "1"):
        wang_fang.says(word)
    assert WORDS in wang_fang.says(WORDS)
    with house.database.reading() as session:
        assert WORDS in session.scalars(sa.select(CaseStep.words)).all()
