"""All that is held about an account can be shown and erased; the figures stay (F100, P5)."""

import json

import pytest
import sqlalchemy as sa

import demo
from errors import NotFound
from models import AuditEntry, Base, BindingClaim, CaseState, ClaimState, Consultation, Follower, Person
from services.custody import privacy
from tests.filling import add_row

WANG_FANG = demo.cast.openid_of("WangFang")
ZHANG_WEI = demo.cast.openid_of("ZhangWei")
WORDS = "老板三个月没有发工资了"


@pytest.fixture
def told(house, wang_fang):
    """A citizen has asked a question and an answer waits to be sent."""
    from services.consulting import consultations
    from services.consulting.consultations import Question
    from services.meetings import rhythm

    wang_fang.says("咨询")
    at = house.clock()
    with house.database.transaction() as session:
        from models import Matter, Urgency, Wish

        question = Question(WANG_FANG, Matter.LABOUR, 1, Urgency.LATER, Wish.ANSWER, WORDS)
        holidays = rhythm.calendar(session, house.settings.calendar).holidays
        case, _ = consultations.ask(session, question, holidays, at)
        consultations.tell_citizen(session, case, "有答复", f"您说“{WORDS}”，我们在办。", at)
    return house


def export(house, openid):
    with house.database.transaction() as session:
        return privacy.export(session, openid, house.clock())


def erase(house, openid):
    with house.database.transaction() as session:
        return privacy.erase(session, openid, house.clock())


def everything(database, but=()):
    """All that the database holds, decrypted, as one text."""
    with database.reading() as session:
        return "\n".join(
            str(tuple(row))
            for table in Base.metadata.sorted_tables
            if table.name not in but
            for row in session.execute(sa.select(table))
        )


def test_all_of_it_is_shown(told):
    shown = export(told, WANG_FANG)
    assert "咨询" in shown["messages"][0]["body"]
    assert shown["messages"][0]["reply"]
    assert shown["consultations"][0]["steps"][0]["words"] == WORDS
    assert WORDS in shown["notices"][0]["words"]["text"]
    json.dumps(shown)


def test_a_members_branches_and_attendance_are_shown_too(house, zhang_wei):
    zhang_wei.says("签到")
    shown = export(house, ZHANG_WEI)
    assert shown["person"]["name"] == "张伟"
    assert shown["person"]["branches"]
    assert [row["presence"] for row in shown["person"]["attendance"]] == ["出席"]


def test_the_look_is_in_the_audit(told):
    export(told, WANG_FANG)
    with told.database.reading() as session:
        acts = session.scalars(sa.select(AuditEntry.act).where(AuditEntry.subject == f"openid:{WANG_FANG}")).all()
    assert acts == ["privacy.export"]


def test_nothing_is_held_about_a_stranger(house):
    with pytest.raises(NotFound):
        export(house, "oNobody")


def test_after_erasing_neither_words_nor_openid_are_anywhere_but_the_audit(told):
    before = everything(told.database)
    assert WORDS in before
    assert WANG_FANG in before
    erase(told, WANG_FANG)
    after = everything(told.database, but={"audit"})
    assert WORDS not in after
    assert WANG_FANG not in after


def test_figures_stay(told):
    def cases():
        with told.database.reading() as session:
            return session.scalars(sa.select(Consultation)).all()

    before = len(cases())
    erase(told, WANG_FANG)
    assert len(cases()) == before
    assert {case.state for case in cases()} == {CaseState.WITHDRAWN}


def test_what_waits_for_the_account_is_not_sent(told):
    erase(told, WANG_FANG)
    mark = told.phone("王芳").mark()
    told.deliver()
    assert told.phone("王芳").received(mark) == []


def test_erasing_twice_changes_nothing(told):
    assert erase(told, WANG_FANG)["consultations"] == 1
    before = everything(told.database)
    assert not any(erase(told, WANG_FANG).values())
    assert everything(told.database) == before


def test_whoever_writes_again_begins_as_somebody_new(told, wang_fang):
    erase(told, WANG_FANG)
    assert wang_fang.says("帮助")
    with told.database.reading() as session:
        assert session.get(Follower, WANG_FANG).person_id is None


def test_a_member_is_unbound_and_stays_on_the_roll(house, zhang_wei):
    zhang_wei.says("签到")
    erase(house, ZHANG_WEI)
    with house.database.reading() as session:
        assert session.scalars(sa.select(Person).where(Person.name == "张伟")).first() is not None
        assert session.get(Follower, ZHANG_WEI) is None
    assert export_fails(house, ZHANG_WEI)


def export_fails(house, openid):
    with pytest.raises(NotFound):
        export(house, openid)
    return True


def naming(of):
    """Every column of every table that names an account, or a person."""
    return [
        (table, column)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if (of == "openid" and ("openid" in column.name or column.name in privacy.OPENIDS))
        or (of == "person" and any(key.column.table.name == "people" for key in column.foreign_keys))
    ]


def test_every_column_that_names_a_person_is_shown_to_them_or_is_what_they_did_for_the_society():
    for table, column in naming("person"):
        assert column.name in {"person_id", *privacy.ACTED, *privacy.PAIRED}, f"{table.name}.{column.name}"


def test_every_table_that_names_an_account_is_shown_and_erased(told):
    """Found from the tables: a new one cannot be forgotten."""
    with told.database.transaction() as session:
        for table, column in naming("openid"):
            if not session.scalar(sa.select(sa.func.count()).select_from(table).where(column == WANG_FANG)):
                add_row(session, table, {column.name: WANG_FANG})
    shown = json.dumps(export(told, WANG_FANG), ensure_ascii=False)
    for table, _column in naming("openid"):
        assert table.name in privacy.SHOWN or f'"{table.name}"' in shown, table.name
    erase(told, WANG_FANG)
    assert WANG_FANG not in everything(told.database, but={"audit"})
    with told.database.reading() as session:
        for table, column in naming("openid"):
            assert not session.scalar(sa.select(sa.func.count()).select_from(table).where(column == WANG_FANG))


def test_what_opens_a_door_is_not_shown(house, zhang_wei):
    zhang_wei.says("签到")
    with house.database.transaction() as session:
        who = session.get_one(Follower, ZHANG_WEI).person_id
        add_row(
            session,
            Base.metadata.tables["accounts"],
            {"person_id": who, "password": "argon2-secret", "totp_secret": "TOTP-SECRET"},
        )
    shown = json.dumps(export(house, ZHANG_WEI), ensure_ascii=False)
    assert '"accounts"' in shown
    assert "argon2-secret" not in shown
    assert "TOTP-SECRET" not in shown


def test_a_claim_that_waits_lapses_and_its_number_goes(house, wang_fang):
    with house.database.transaction() as session:
        who = session.scalars(sa.select(Person).where(Person.name == "周杰")).one()
        session.add(
            BindingClaim(
                openid=WANG_FANG,
                person_id=who.id,
                claimed_at=house.clock(),
                doubts="phone_differs",
                phone="19911112222",
            )
        )
    assert "19911112222" in everything(house.database)
    assert erase(house, WANG_FANG)["claims"] == 1
    assert "19911112222" not in everything(house.database)
    with house.database.reading() as session:
        assert session.scalar(sa.select(BindingClaim.state)) is ClaimState.LAPSED
