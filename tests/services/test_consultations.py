"""Consultations as the organisation knows them: numbers, routing, who sees what, one winner of every race."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from clock import parse_instant
from errors import Misunderstood, NotFound, RuleBroken
from models import (
    AuditEntry,
    CaseState,
    CaseStep,
    Consultation,
    Database,
    Follower,
    Matter,
    Notice,
    NoticeKind,
    Outgoing,
    Post,
    SendState,
    Step,
    Urgency,
    Wish,
)
from services.consulting import cases, consultations
from services.consulting.consultations import Number, Question, read_number
from services.meetings.calendar import Holidays
from services.membership import people
from tests.consulting import MORNING, NIGHT, on_sqlite

HOLIDAYS = Holidays.seeded()
SECRET_WORDS = "老板拖欠工资三个月"
CHEN, LI, ZHOU, WU, ZHENG, OFFICE, COUNTY_OFFICE = range(1, 8)


@pytest.fixture
def town(tmp_path: Path) -> Database:
    return on_sqlite(tmp_path)


def ask(
    session: Session, county: int = 1, at: datetime = MORNING, words: str = SECRET_WORDS, **more: object
) -> Consultation:
    openid = str(more.pop("openid", "oWangFang"))
    question = Question(openid, Matter.LABOUR, county, Urgency.LATER, Wish.ANSWER, words, **more)  # type: ignore[arg-type]
    return consultations.ask(session, question, HOLIDAYS, at)[0]


def desk(session: Session, who: int, at: datetime = MORNING) -> cases.Desk:
    return cases.desk_of(session, who, people.posts(session, who, at.date()))


def told(session: Session, campaign: str) -> set[int]:
    rows = session.scalars(sa.select(Outgoing.person_id).where(Outgoing.campaign.startswith(campaign)))
    return {row for row in rows if row is not None}


def facts(session: Session, kind: NoticeKind) -> list[dict[str, str]]:
    return [
        json.loads(f) for f in session.scalars(sa.select(Notice.facts).where(Notice.kind == kind).order_by(Notice.id))
    ]


# --- numbers -------------------------------------------------------------------------------------------------


def test_numbers_are_dense_for_each_beijing_day(town: Database) -> None:
    with town.transaction() as session:
        numbers = [ask(session, at=parse_instant(at)).number for at in (
            "2026-11-26T23:59", "2026-11-26T23:59", "2026-11-27T00:00", "2026-11-27T09:00",
        )]  # fmt: skip
    assert numbers == ["ZX261126-0001", "ZX261126-0002", "ZX261127-0001", "ZX261127-0002"]


def test_twenty_at_once_get_twenty_dense_numbers(town: Database) -> None:
    start = threading.Barrier(20)

    def one(i: int) -> str:
        start.wait()
        with town.transaction() as session:
            return ask(session, openid=f"o-{i}").number

    with ThreadPoolExecutor(20) as threads:
        numbers = sorted(threads.map(one, range(20)))
    assert numbers == [f"ZX261127-{i:04d}" for i in range(1, 21)]


def test_a_case_that_fails_gives_its_number_back(town: Database) -> None:
    with pytest.raises(RuntimeError), town.transaction() as session:
        ask(session)
        raise RuntimeError
    with town.transaction() as session:
        assert ask(session).number == "ZX261127-0001"


@pytest.mark.parametrize(
    ("text", "number", "behind"),
    [
        ("ZX261122-0001", Number("261122", 1), ""),
        ("zx261122-0001", Number("261122", 1), ""),
        ("ＺＸ２６１１２２－０００１", Number("261122", 1), ""),
        ("ZX261122—0001", Number("261122", 1), ""),
        ("ZX2611220001", Number("261122", 1), ""),
        ("261122-12", Number("261122", 12), ""),
        ("0001", Number(None, 1), ""),
        ("１", Number(None, 1), ""),
        ("1号", Number(None, 1), ""),
        (" 0012 可以申请仲裁。\n带上合同", Number(None, 12), "可以申请仲裁。\n带上合同"),
        ("ZX261122-0001：可以申请", Number("261122", 1), "可以申请"),
        ("2016年签的合同", None, "2016年签的合同"),
        ("工资", None, "工资"),
        ("", None, ""),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, number: Number | None, behind: str) -> None:
    assert read_number(text) == (number, behind)


# --- routing -------------------------------------------------------------------------------------------------

JINSHUI, ZHONGYUAN, ERQI, HUIJI = 1, 2, 3, 4

ROUTES = [
    # Where, when, cases open already by station, the station it goes to, who is told, a word of the reason.
    (JINSHUI, "2026-11-27T10:00", [], 1, {CHEN}, "最少（0 件）"),
    (JINSHUI, "2026-11-27T10:00", [1], 2, {LI, ZHOU}, "花园路法律服务站未结案件最少（0 件）"),
    (JINSHUI, "2026-11-27T10:00", [1, 2], 1, {CHEN}, "最少（1 件）"),
    (JINSHUI, "2026-11-27T10:00", [1, 1, 2], 2, {LI, ZHOU}, "最少（1 件）"),
    (JINSHUI, "2026-11-27T13:00", [], 1, {CHEN}, "此刻没有开门的服务站"),
    (JINSHUI, "2026-11-27T22:00", [], 1, {CHEN}, "值班律师陈刚（0 件）"),
    (JINSHUI, "2026-11-28T10:00", [], 1, {CHEN}, "没有开门"),
    (JINSHUI, "2026-10-01T10:00", [], 1, {CHEN}, "没有开门"),
    (JINSHUI, "2026-10-10T10:00", [], 1, {CHEN}, "此刻开门"),
    (ZHONGYUAN, "2026-11-28T10:00", [], 3, {WU}, "桐柏路法律服务站"),
    (ZHONGYUAN, "2026-11-27T10:00", [], 3, {WU}, "值班律师吴静"),
    (ERQI, "2026-11-27T10:00", [], None, {ZHENG}, "值班律师郑浩"),
    (HUIJI, "2026-11-27T10:00", [], None, {OFFICE}, "惠济区没有值班律师，转市法学会办公室"),
    (HUIJI, "2026-11-28T22:00", [], None, {OFFICE}, "统一安排"),
]


@pytest.mark.parametrize(("county", "at", "loads", "station", "asked", "reason"), ROUTES)
def test_a_case_goes_where_the_rule_says(
    town: Database, county: int, at: str, loads: list[int], station: int | None, asked: set[int], reason: str
) -> None:
    with town.transaction() as session:
        for station_id in loads:
            busy = ask(session, county, parse_instant("2026-09-01T10:00"))
            busy.station_id = station_id
        session.flush()
        case = ask(session, county, parse_instant(at))
        assert case.station_id == station
        assert told(session, f"case:{case.number}:assigned") == asked
        step = session.scalars(sa.select(CaseStep).where(CaseStep.consultation_id == case.id)).all()[-1]
        assert step.step is Step.ASSIGNED
        assert reason in (step.words or "")


def test_the_lawyer_with_the_fewest_open_cases_is_asked_when_all_is_shut(town: Database) -> None:
    with town.transaction() as session:
        first = ask(session, at=NIGHT)
        cases.take(session, cases.find(session, desk(session, CHEN), Number(None, 1)), NIGHT, by=CHEN)
        second = ask(session, at=NIGHT)
        assert told(session, f"case:{first.number}:assigned") == {CHEN}
        assert told(session, f"case:{second.number}:assigned") == {LI}
        assert second.station_id == 2


def test_a_post_that_has_ended_is_asked_no_more(town: Database) -> None:
    with town.transaction() as session:
        session.execute(sa.update(Post).where(Post.person_id == CHEN).values(until_on=date(2026, 11, 27)))
        assert ask(session).station_id == 2


# --- secrecy -------------------------------------------------------------------------------------------------


def test_the_words_stand_nowhere_but_in_the_steps_and_there_encrypted(town: Database, tmp_path: Path) -> None:
    with town.transaction() as session:
        case = ask(session)
        found = cases.find(session, desk(session, CHEN), Number(None, 1))
        cases.take(session, found, MORNING, by=CHEN)
        cases.answer(session, found, "先到劳动监察大队投诉", MORNING, by=CHEN)
        cases.look(session, found, MORNING, by=CHEN)
        consultations.add(session, case, "还欠加班费", MORNING)
        assert [s.words for s in consultations.steps(session, case) if s.step is Step.ASKED] == [SECRET_WORDS]
        notices = facts(session, NoticeKind.CASE_ASSIGNED) + facts(session, NoticeKind.CASE_UPDATE)
        for each in notices:
            without_text = " ".join(value for key, value in each.items() if key != "text")
            assert "劳动监察" not in without_text
            assert SECRET_WORDS not in json.dumps(each, ensure_ascii=False)
            assert "加班费" not in json.dumps(each, ensure_ascii=False)
        assert sum("劳动监察" in each["text"] for each in notices) == 1
        details = session.scalars(sa.select(AuditEntry.details)).all()
        assert not any(SECRET_WORDS in (d or "") for d in details)
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert SECRET_WORDS.encode() not in raw
    assert "劳动监察".encode() not in raw


def test_what_a_template_may_show_fits_its_fields(town: Database) -> None:
    with town.transaction() as session:
        ask(session)
        case = cases.find(session, desk(session, CHEN), Number(None, 1))
        cases.take(session, case, MORNING, by=CHEN)
        cases.answer(session, case, "答复", MORNING, by=CHEN)
        assigned, updates = facts(session, NoticeKind.CASE_ASSIGNED), facts(session, NoticeKind.CASE_UPDATE)
    assert assigned[0].keys() == {"number", "matter", "county", "time", "text"}
    assert {key: assigned[0][key] for key in ("matter", "county", "time")} == {
        "matter": "劳动工伤", "county": "金水区", "time": "2026年11月27日 10:00",
    }  # fmt: skip
    assert all(each.keys() == {"number", "state", "note", "time", "text"} for each in updates)
    assert all(len(each["note"]) <= 20 and len(each["state"]) <= 5 for each in updates)
    assert updates[-1]["note"] == "有新的答复，请回复“查询”查看"


# --- danger --------------------------------------------------------------------------------------------------


def test_danger_reaches_the_lawyers_and_both_offices_with_the_number_only(town: Database) -> None:
    with town.transaction() as session:
        case = ask(session, words="老公打我，不想活了")
        assert case.is_dangerous
        assert told(session, f"case:{case.number}") == {CHEN, OFFICE, COUNTY_OFFICE}
        (notice,) = facts(session, NoticeKind.CASE_ASSIGNED)
    shown = json.dumps(notice, ensure_ascii=False)
    assert case.number in shown
    assert not any(word in shown for word in ("打我", "劳动工伤", "金水区"))


def test_danger_in_an_addition_alarms_once(town: Database) -> None:
    with town.transaction() as session:
        case = ask(session)
        assert consultations.add(session, case, "他说要弄死我", MORNING)
        assert consultations.add(session, case, "他又拿刀来了", MORNING)
        assert case.is_dangerous
        assert told(session, f"case:{case.number}:alarm") == {CHEN, LI, ZHOU, OFFICE, COUNTY_OFFICE}


# --- who sees what -------------------------------------------------------------------------------------------

VISIBLE = [
    # Who, of the case in 金水区: waiting, taken by 陈刚, dangerous and taken, closed and rated low.
    (CHEN, True, True, True, True),
    (LI, True, False, False, False),
    (WU, False, False, False, False),
    (COUNTY_OFFICE, True, False, True, False),
    (OFFICE, True, False, True, True),
]


@pytest.mark.parametrize(("who", "waiting", "taken", "dangerous", "complained"), VISIBLE)
def test_words_are_read_by_whoever_handles_the_case_and_nobody_else(
    town: Database, who: int, waiting: bool, taken: bool, dangerous: bool, complained: bool
) -> None:
    with town.transaction() as session:
        case = ask(session)
        number = Number("261127", 1)

        def sees() -> bool:
            try:
                return cases.find(session, desk(session, who), number) is not None
            except NotFound:
                return False

        assert sees() is waiting
        cases.take(session, case, MORNING, by=CHEN)
        assert sees() is taken
        case.is_dangerous = True
        session.flush()
        assert sees() is dangerous
        cases.answer(session, case, "答复", MORNING, by=CHEN)
        cases.close(session, case, "请评价", MORNING, by=CHEN)
        consultations.rate(session, case, 1, None, MORNING)
        assert sees() is complained


def test_every_look_and_every_refusal_leaves_a_trace(town: Database) -> None:
    with town.transaction() as session:
        case = ask(session)
        cases.look(session, case, MORNING, by=CHEN)
        cases.look(session, case, MORNING, by=CHEN)
        cases.refuse(session, WU, Number("261127", 1), MORNING)
        session.flush()
        acts = session.execute(sa.select(AuditEntry.person_id, AuditEntry.act, AuditEntry.subject)).all()
    assert [tuple(act) for act in acts] == [
        (CHEN, "case.read", f"case:{case.number}"),
        (CHEN, "case.read", f"case:{case.number}"),
        (WU, "case.refused", "case:261127-0001"),
    ]


def test_two_cases_with_one_ending_must_be_named_whole(town: Database) -> None:
    with town.transaction() as session:
        ask(session, at=NIGHT)
        ask(session)
        with pytest.raises(RuleBroken, match="ZX261126-0001、ZX261127-0001"):
            cases.find(session, desk(session, CHEN), Number(None, 1))
        assert cases.find(session, desk(session, CHEN), Number("261126", 1)).number == "ZX261126-0001"


# --- acts and races ------------------------------------------------------------------------------------------


def test_of_two_lawyers_at_once_one_has_the_case(town: Database) -> None:
    with town.transaction() as session:
        case_id = ask(session).id
    start = threading.Barrier(2)

    def one(who: int) -> str:
        with town.reading() as session:
            seen = session.scalars(
                sa.select(Consultation).options(*consultations.WITH_NAMES).where(Consultation.id == case_id)
            ).one()
        start.wait()
        try:
            with town.transaction() as session:
                cases.take(session, session.merge(seen, load=False), MORNING, by=who)
        except RuleBroken as lost:
            return str(lost)
        return "taken"

    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(one, (LI, ZHOU)))
    assert sorted(outcomes)[-1] == "taken"
    winner = "李强" if outcomes[0] == "taken" else "周敏"
    assert f"ZX261127-0001 已由{winner}于 11月27日 10:00 接单。" in outcomes
    with town.reading() as session:
        assert [s.step for s in session.scalars(sa.select(CaseStep))].count(Step.TAKEN) == 1


def test_a_withdrawal_and_a_taking_cannot_both_win(town: Database) -> None:
    with town.transaction() as session:
        case = ask(session)
        consultations.withdraw(session, case, MORNING)
        with pytest.raises(RuleBroken, match="已撤回"):
            cases.take(session, case, MORNING, by=CHEN)
        assert case.state is CaseState.WITHDRAWN


def test_nobody_takes_a_case_of_their_own(town: Database) -> None:
    with town.transaction() as session:
        case = ask(session, openid=f"o{CHEN}")
        with pytest.raises(RuleBroken, match="您自己提交的"):
            cases.take(session, case, MORNING, by=CHEN)


def test_an_addition_to_an_answered_case_makes_it_wait_for_an_answer_again(town: Database) -> None:
    with town.transaction() as session:
        case = ask(session)
        cases.take(session, case, MORNING, by=CHEN)
        cases.answer(session, case, "答复", MORNING, by=CHEN)
        assert case.state is CaseState.ANSWERED
        consultations.add(session, case, "那要带什么材料？", MORNING)
        assert case.state is CaseState.TAKEN
        assert told(session, f"case:{case.number}:added") == {CHEN}
        assert cases.mine(session, desk(session, CHEN)) == [case]


def test_only_the_owner_answers_and_closes_and_only_after_an_answer(town: Database) -> None:
    with town.transaction() as session:
        case = ask(session)
        cases.take(session, case, MORNING, by=CHEN)
        with pytest.raises(RuleBroken, match="不在您手上"):
            cases.answer(session, case, "答复", MORNING, by=LI)
        with pytest.raises(RuleBroken, match="还没有答复过"):
            cases.close(session, case, "", MORNING, by=CHEN)
        with pytest.raises(Misunderstood, match="一次最多 450 个字"):
            cases.answer(session, case, "长" * 451, MORNING, by=CHEN)


def test_a_transfer_keeps_the_history_and_tells_the_citizen(town: Database) -> None:
    with town.transaction() as session:
        case = ask(session)
        cases.take(session, case, MORNING, by=CHEN)
        cases.transfer(session, case, LI, "对方是我所客户", MORNING, by=CHEN)
        assert (case.lawyer_id, case.station_id, case.state) == (LI, 2, CaseState.TAKEN)
        assert "已转给李强（花园路法律服务站）办理" in facts(session, NoticeKind.CASE_UPDATE)[-1]["text"]
        assert "对方是我所客户" not in json.dumps(facts(session, NoticeKind.CASE_UPDATE), ensure_ascii=False)
        with pytest.raises(NotFound):
            cases.find(session, desk(session, CHEN), Number("261127", 1))
        cases.transfer(session, case, None, "需要援助中心", MORNING, by=LI)
        assert (case.lawyer_id, case.station_id, case.state) == (None, None, CaseState.WAITING)
        with pytest.raises(RuleBroken, match="本县"):
            cases.transfer(session, case, WU, "试试", MORNING, by=OFFICE)
        steps = [s.step for s in consultations.steps(session, case)]
    assert steps == [Step.ASKED, Step.ASSIGNED, Step.TAKEN, Step.TRANSFERRED, Step.TRANSFERRED]


def test_a_rating_is_given_once_and_a_low_one_reaches_the_office(town: Database) -> None:
    with town.transaction() as session:
        case = ask(session)
        with pytest.raises(RuleBroken, match="结案以后"):
            consultations.rate(session, case, 5, None, MORNING)
        cases.take(session, case, MORNING, by=CHEN)
        cases.answer(session, case, "答复", MORNING, by=CHEN)
        cases.close(session, case, "请评价", MORNING, by=CHEN)
        consultations.rate(session, case, 2, "没说清楚", MORNING)
        assert told(session, f"case:{case.number}:rated") == {OFFICE}
        assert "没说清楚" not in json.dumps(facts(session, NoticeKind.CASE_UPDATE), ensure_ascii=False)
        with pytest.raises(RuleBroken, match="评过 2 分"):
            consultations.rate(session, case, 5, None, MORNING)
        assert case.rating == 2


def test_erasing_takes_the_words_and_leaves_the_figures(town: Database) -> None:
    with town.transaction() as session:
        case = ask(session)
        with pytest.raises(RuleBroken, match="还在办理"):
            consultations.erase(session, case, MORNING)
        cases.take(session, case, MORNING, by=CHEN)
        cases.answer(session, case, "先投诉", MORNING, by=CHEN)
        cases.close(session, case, "请评价", MORNING, by=CHEN)
        consultations.rate(session, case, 5, "很好", MORNING)
        consultations.erase(session, case, MORNING)
    with town.transaction() as session:
        history = consultations.steps(session, case)
        assert consultations.is_erased(history)
        assert {s.words for s in history if s.step is not Step.ASSIGNED} == {None}
        assert "先投诉" not in json.dumps(facts(session, NoticeKind.CASE_UPDATE), ensure_ascii=False)
        assert session.get(Consultation, case.id).rating == 5  # type: ignore[union-attr]
        assert "case.erased" in session.scalars(sa.select(AuditEntry.act)).all()


def test_an_answer_to_somebody_who_left_is_known_to_be_undeliverable(town: Database) -> None:
    with town.transaction() as session:
        case = ask(session)
        cases.take(session, case, MORNING, by=CHEN)
        session.execute(sa.update(Follower).where(Follower.openid == "oWangFang").values(is_subscribed=False))
        session.expire_all()
        case = cases.find(session, desk(session, CHEN), Number(None, 1))
        assert cases.answer(session, case, "答复", MORNING + timedelta(hours=1), by=CHEN) is False
        states = session.scalars(
            sa.select(Outgoing.state).where(Outgoing.openid == "oWangFang").order_by(Outgoing.id)
        ).all()
    assert states[-1] is SendState.UNREACHABLE


def test_someone_elses_number_and_no_number_at_all_sound_the_same(town: Database) -> None:
    with town.transaction() as session:
        ask(session)
        for number in (Number("261127", 1), Number("261127", 99), Number(None, 1)):
            with pytest.raises(NotFound) as error:
                consultations.find_own(session, "oStranger", number)
            assert str(error.value) == consultations.NOT_YOURS
