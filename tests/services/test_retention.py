"""What is over its term goes by itself, a bite at a time; the figures stay (F100, P5)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

import config
from config import Privacy
from errors import RuleBroken
from models import (
    AccountSession,
    Answer,
    Attendance,
    AuditEntry,
    Base,
    BindingClaim,
    CaseState,
    CaseStep,
    Change,
    ChangeKind,
    Consultation,
    Conversation,
    Due,
    Follower,
    InboxMessage,
    Invite,
    Matter,
    Notice,
    OptOut,
    Outgoing,
    ScanLogin,
    Urgency,
    Wish,
)
from services.consulting import cases, consultations
from services.consulting.consultations import Question
from services.custody import retention
from services.meetings import rhythm
from services.membership import changes, roll
from tests.conftest import CAST
from tests.filling import AT, add_row

PRIVACY = Privacy()
WORDS = "老板三个月没有发工资了 䶮"
CITIZEN = "oCitizen".ljust(28, "c")
YEAR = timedelta(days=365)


def sweep(database, at):
    with database.transaction() as session:
        return retention.sweep(session, PRIVACY, at)


def closed_case(database, settings, *, rating=None):
    """A case that was asked, answered and closed on AT."""
    with database.transaction() as session:
        lawyer = session.scalar(sa.select(Follower.person_id).where(Follower.openid.contains(CAST["陈刚"])))
        question = Question(CITIZEN, Matter.LABOUR, 1, Urgency.LATER, Wish.ANSWER, WORDS)
        case, _ = consultations.ask(session, question, rhythm.calendar(session, settings.calendar).holidays, AT)
        cases.take(session, case, AT, by=lawyer)
        cases.answer(session, case, "可以先投诉。", AT, by=lawyer)
        cases.close(session, case, "请评价", AT, by=lawyer)
        if rating:
            consultations.rate(session, case, rating, "很好", AT)
    return case


def count(database, table, *where):
    with database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table).where(*where))


def everything(database):
    with database.reading() as session:
        return "\n".join(
            str(tuple(row))
            for table in Base.metadata.sorted_tables
            if table.name != "audit"
            for row in session.execute(sa.select(table))
        )


def test_every_table_says_how_long_it_is_kept_and_why():
    """A new table cannot be forgotten: without a line in `retention.kept` it fails here."""
    assert set(retention.kept(PRIVACY)) == set(Base.metadata.tables)
    for table, kept in retention.kept(PRIVACY).items():
        assert kept.what, table
        assert kept.term, table
        assert len(kept.why) >= 4, table


def test_the_operators_guide_says_the_same():
    guide = Path(config.ROOT / "docs/operator-guide.zh-CN.md").read_text("utf-8")
    for kept in retention.kept(PRIVACY).values():
        assert f"| {kept.what} | {kept.term} | {kept.why} |" in guide, kept.what


def test_after_its_term_a_case_has_neither_words_nor_an_asker_and_goes_on_counting(house):
    case = closed_case(house.database, house.settings, rating=5)
    assert sweep(house.database, AT + YEAR - timedelta(hours=1)).counted["咨询文字"] == 0
    assert WORDS in everything(house.database)
    assert sweep(house.database, AT + YEAR + timedelta(hours=1)).counted["咨询文字"] == 1
    left = everything(house.database)
    assert WORDS not in left
    assert "可以先投诉" not in left
    assert "很好" not in left
    assert CITIZEN not in left.replace(f"('{CITIZEN}'", ""), (
        "the account itself is known for as long as it follows us"
    )
    with house.database.reading() as session:
        row = session.get_one(Consultation, case.id)
        assert (row.matter, row.county_id, row.rating, row.state) == (Matter.LABOUR, 1, 5, CaseState.CLOSED)
        assert row.asked_at == AT
        assert session.scalar(sa.select(sa.func.count()).where(CaseStep.consultation_id == case.id)) >= 4
    assert sweep(house.database, AT + 2 * YEAR).counted["咨询文字"] == 0, "once is enough"


def test_a_case_that_is_open_keeps_its_words_however_old(house):
    with house.database.transaction() as session:
        question = Question(CITIZEN, Matter.LABOUR, 1, Urgency.LATER, Wish.ANSWER, WORDS)
        consultations.ask(session, question, rhythm.calendar(session, house.settings.calendar).holidays, AT)
    sweep(house.database, AT + 10 * YEAR)
    assert WORDS in everything(house.database)


@pytest.mark.parametrize(
    ("table", "values", "days"),
    [
        (InboxMessage, {"received_at": AT}, retention.INBOX_DAYS),
        (Conversation, {"updated_at": AT}, retention.DRAFT_DAYS),
        (BindingClaim, {"openid": CITIZEN, "decided_at": AT}, retention.CLAIM_DAYS),
        (Invite, {"expires_at": AT}, retention.INVITE_DAYS),
        (Due, {"due_at": AT, "state": "done"}, retention.DUE_DAYS),
        (AccountSession, {"made_at": AT}, retention.SESSION_DAYS),
        (ScanLogin, {"expires_at": AT}, retention.SCAN_DAYS),
        (Follower, {"openid": CITIZEN, "left_at": AT, "is_subscribed": False}, retention.LEFT_DAYS),
    ],
    ids=lambda value: getattr(value, "__tablename__", ""),
)
def test_a_row_stays_for_its_term_and_not_longer(database, table, values, days):
    with database.transaction() as session:
        for old in (Invite, Follower):
            session.execute(sa.delete(old))
        add_row(session, table.__table__, dict(values))
    before = count(database, table)
    sweep(database, AT + timedelta(days=days) - timedelta(minutes=1))
    assert count(database, table) == before
    sweep(database, AT + timedelta(days=days) + timedelta(minutes=1))
    assert count(database, table) == before - 1


def test_a_claim_that_nobody_decided_stays(database):
    with database.transaction() as session:
        add_row(session, BindingClaim.__table__, {"openid": CITIZEN})
    sweep(database, AT + 3 * YEAR)
    assert count(database, BindingClaim) == 1


def test_answers_go_with_their_messages_and_choices_with_their_account(house, wang_fang):
    wang_fang.says("帮助")
    wang_fang.says("退订 普法")
    wang_fang.unfollows()
    assert count(house.database, OptOut) == 1
    sweep(house.database, AT + timedelta(days=retention.LEFT_DAYS + 1))
    assert count(house.database, InboxMessage) == count(house.database, Answer) == 0
    assert count(house.database, OptOut) == 0
    assert count(house.database, Follower, Follower.openid == wang_fang.openid) == 0


def test_the_words_of_a_notice_go_when_nothing_of_it_is_on_its_way(database):
    with database.transaction() as session:
        add_row(session, Notice.__table__, {"campaign": "done", "facts": '{"text": "词"}'})
        add_row(session, Notice.__table__, {"campaign": "open", "facts": '{"text": "词"}'})
        last = session.scalar(sa.select(sa.func.max(Notice.id)))
        add_row(session, Outgoing.__table__, {"notice_id": last, "campaign": "open"})
    late = AT + timedelta(days=retention.NOTICE_DAYS + 1)
    assert sweep(database, late).counted["通知文字"] == 1
    assert sweep(database, late).counted["通知文字"] == 0
    with database.reading() as session:
        assert dict(session.execute(sa.select(Notice.campaign, Notice.facts)).all()) == {
            "done": "{}", "open": '{"text": "词"}',
        }  # fmt: skip


def test_why_somebody_was_excused_goes_and_that_they_were_stays(database):
    with database.transaction() as session:
        add_row(session, Attendance.__table__, {"reason": "住院", "presence": "leave"})
    assert sweep(database, AT + timedelta(days=retention.REASON_DAYS + 1)).counted["请假原因"] == 1
    with database.reading() as session:
        row = session.scalars(sa.select(Attendance)).one()
        assert (row.reason, row.presence) == (None, "leave")


def test_much_goes_in_bites_and_the_clock_comes_again_until_nothing_is_left(house, monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 10)
    with house.database.transaction() as session:
        for n in range(25):
            values = {"key": f"k{n}", "signature": f"s{n}", "received_at": AT - timedelta(days=40)}
            add_row(session, InboxMessage.__table__, values)
    left, notes = [], []
    for minute in range(4):
        house.now(f"2026-11-27T09:0{minute}")
        notes += [decision.note for decision in house.tick() if decision.rule == "upkeep"]
        left.append(count(house.database, InboxMessage))
    assert left == [15, 5, 0, 0]
    assert notes == ["清理消息 10 条；还有，稍后接着", "清理消息 10 条；还有，稍后接着", "清理消息 5 条"]
    with house.database.reading() as session:
        rows = session.scalars(sa.select(AuditEntry).where(AuditEntry.act == "retention.erased")).all()
    assert [row.details for row in rows] == ["消息 10", "消息 10", "消息 5"]


def test_an_old_change_keeps_neither_the_old_number_nor_a_way_back(database):
    with database.transaction() as session:
        person = roll.add(session, "夏𬀩䶮", "19912340000", AT, by=1, within=sa.true())
        roll.edit(session, person, "夏𬀩䶮", "19912349999", "本人换了手机号", AT, by=1, within=sa.true())
    term = timedelta(days=retention.UNDO_DAYS)
    sweep(database, AT + term - timedelta(minutes=1))
    assert "19912340000" in everything(database), "until then it can be put back"
    assert sweep(database, AT + term + timedelta(minutes=1)).counted["名册改动前后的值"] == 2
    assert "19912340000" not in everything(database)
    with database.transaction() as session:
        change = session.scalars(sa.select(Change).where(Change.kind == ChangeKind.EDITED)).one()
        assert (change.says, change.reason, changes.steps_of(change)) == ("", "", [])
        with pytest.raises(RuleBroken, match="不能再撤销"):
            changes.undo(session, change, AT + term * 2, by=1)
    assert sweep(database, AT + term * 2).counted["名册改动前后的值"] == 0, "once is enough"
