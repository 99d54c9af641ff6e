"""The same promises on PostgreSQL, MariaDB and SQLite, with real servers that this test starts itself.

A server that is not installed is a skip with a warning in pytest's summary, never a silence (stack.md).
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import DatabaseError, IntegrityError

import schema
from bot import leases
from bot.inbox import SqlInbox
from bot.messages import Message
from bot.once import AlreadyAnswered, Answered, Delivery, Standing
from clock import beijing_date, parse_instant
from demo import logins as demo_logins
from errors import RuleBroken
from models import (
    Affiliation,
    Answer,
    Attendance,
    AuditEntry,
    Base,
    BindingClaim,
    Branch,
    BranchAct,
    BranchChange,
    BranchKind,
    Broadcast,
    Campaign,
    Channel,
    ClaimState,
    Consultation,
    Database,
    Election,
    ElectionKind,
    Follower,
    InboxMessage,
    LiaisonPoint,
    Notice,
    NoticeKind,
    Outgoing,
    Pace,
    Person,
    Post,
    Quota,
    Role,
    Seat,
    SendState,
    Topic,
    Vault,
    Village,
)
from scheduler import timetable
from scheduler.clockwork import Clockwork
from services import audit, figures, scope
from services.elections import drafts, records
from services.elections.drafts import Row, Typed
from services.elections.records import Decision
from services.elections.rules import Rules
from services.membership import claims, people, roll, roster
from services.organisation import branch_history, branches, coverage, liaison, lifecycle, organisations
from services.sending import campaigns, digests, fates, outbox, pace, quotas
from services.sending.burden import Week
from services.sending.outbox import Letter, Recipient
from tests import servers
from tests.conftest import SECRET, House, furnish
from tests.console import addresses, sent
from tests.console.conftest import Office
from tests.console.test_guard import ask

AT = parse_instant("2026-11-27T09:00")
KINDS = ["sqlite", "postgres", "mariadb"]
pytestmark = pytest.mark.xdist_group("databases")


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Gives fresh, empty databases of one kind."""
    kind = request.param
    with ExitStack() as stack:
        if kind == "sqlite":
            count = iter(range(1000))
            folder = tmp_path_factory.mktemp("sqlite")
            yield lambda: f"sqlite:///{folder / f'{next(count)}.db'}"
            return
        try:
            url = stack.enter_context(getattr(servers, kind)(durable=False))
        except servers.Missing as missing:
            warnings.warn(f"NOT TESTED ON {kind.upper()}: {missing}", stacklevel=1)
            pytest.skip(str(missing))
        yield lambda: str(servers.fresh_database(url))


@pytest.fixture(scope="module")
def furnished(server: Callable[[], str]) -> str:
    url = server()
    furnish(url, people_per_branch=3)
    return url


@pytest.fixture
def house(open_house: Callable[..., House], furnished: str) -> House:
    """The house on this database; what earlier tests said is swept out first."""
    database = Database(furnished, Vault(SECRET))
    with database.transaction() as session:
        for table in (Attendance, Outgoing, Notice, Answer, InboxMessage, Campaign, Quota, Broadcast):
            session.execute(sa.delete(table))
        session.execute(sa.update(Pace).values(free_at=AT - timedelta(days=1)))
    database.close()
    return open_house(url=furnished)


def count(house: House, table: Any, *where: Any) -> int:
    with house.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0


def test_the_tables_go_up_and_down_and_match_the_models(server):
    database = Database(server(), Vault(SECRET))
    schema.upgrade(database)
    with database.engine.connect() as connection:
        opts = {"compare_type": False, "include_object": schema.comparing(connection.dialect.name)}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, Base.metadata) == []
    schema.downgrade(database, "base")
    with database.engine.connect() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    schema.upgrade(database)
    assert schema.current(database) == schema.head()
    database.close()


def test_a_friday_is_spoken_through(house):
    zhang_wei, li_na = house.phone("张伟"), house.phone("李娜")
    assert zhang_wei.says("签到", lose_replies=1).startswith("签到成功")
    assert zhang_wei.says("签到").startswith("您已于 09:00 签到")
    assert "出席 1" in li_na.says("名单")
    assert count(house, Attendance) == 1


def test_the_life_of_a_branch_is_told_for_every_day(house):
    """F034, and every condition on dates, on every database; what is done is undone."""
    on, later = AT.date(), AT + timedelta(days=30)
    with house.database.transaction() as session:
        branch, into = session.scalars(
            sa.select(Branch).where(Branch.kind == BranchKind.FIRM).order_by(Branch.id).limit(2)
        )
        first = branch.name
        renamed = lifecycle.Details("改了名的流动党支部䶮𬀩", BranchKind.ASSOCIATION, None, "")
        lifecycle.change(session, branch, renamed, "律所改名", AT, by=1)
        lifecycle.end(session, branch, into, "人数不足合并", later, by=1)
    with house.database.reading() as session:
        for days, kinds in ((-1, [12, 150, 377, 135]), (0, [12, 150, 376, 136]), (30, [12, 150, 376, 135])):
            counts = organisations.branch_counts(session, on + timedelta(days=days))
            assert list(organisations.totals(counts).values()) == kinds, days
        members = organisations.member_counts(session, on + timedelta(days=30))
        assert members.affiliations - members.twice == members.people
        assert branch_history.names_on(session, [(branch.id, on - timedelta(days=1))]) == {
            (branch.id, on - timedelta(days=1)): first
        }
        assert [event.act for event in branch_history.events(session, branch)] == [
            BranchAct.MERGED, BranchAct.CHANGED,
        ]  # fmt: skip
        city = scope.of(session, session.scalar(sa.select(Post.person_id).where(Post.role == Role.OFFICE)), on)
        place = figures.branches_by_place(session, city, on)
        assert sum(each.total for each in place) == 674
        question = branches.matching(city, BranchKind.FIRM, 0, "", on - timedelta(days=1))
        assert session.scalar(sa.select(sa.func.count()).select_from(question.order_by(None).subquery())) == 377
    with house.database.transaction() as session:
        branch = session.get_one(Branch, branch.id)
        assert lifecycle.restore(session, branch, "合并有误", later, by=1).left == 0
        again = lifecycle.Details(first, BranchKind.FIRM, into.county_id, "")
        lifecycle.change(session, branch, again, "改回来", later, by=1)
        session.execute(sa.delete(BranchChange))


def test_a_village_has_one_liaison_point_at_a_time_and_coverage_foots(house):
    with house.database.transaction() as session:
        point = session.scalars(sa.select(LiaisonPoint).order_by(LiaisonPoint.id).limit(1)).one()
        village = session.get_one(Village, point.village_id)
        before = coverage.whole_city(session, AT.date())[-1]
        assert before.covered + before.gaps == before.villages == count(house, Village)
        liaison.close_point(session, point, "联系人调离", AT, by=1)
        assert coverage.whole_city(session, AT.date())[-1].covered == before.covered - 1
        assert coverage.whole_city(session, AT.date() - timedelta(days=1))[-1].covered == before.covered
        liaison.resume_point(session, point, AT, by=1)
        assert coverage.whole_city(session, AT.date())[-1] == before
        session.add(LiaisonPoint(village_id=village.id, contact="又一人", since_on=AT.date()))
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()


def test_openids_that_differ_by_case_are_two_people(house):
    for openid in ("oCase".ljust(28, "a"), "ocase".ljust(28, "a")):
        house.phone(openid).says("帮助")
    assert count(house, Follower, Follower.openid.in_(["oCase".ljust(28, "a"), "ocase".ljust(28, "a")])) == 2


def test_rare_characters_emoji_and_words_come_back_whole(house):
    wang_fang = house.phone("王芳")
    assert "𬀩😀䶮·" in wang_fang.says("𬀩😀䶮·")


def test_a_message_is_stored_and_answered_once_under_a_race(house):
    """Sixteen deliveries of one message by eight threads: one is new; one answer can be written."""
    inbox = SqlInbox(outbox.push_late)
    message = Message.of(
        {"ToUserName": "g", "FromUserName": "oRace", "CreateTime": "1", "MsgType": "text", "MsgId": "7"}
    )

    def deliver(n: int) -> Standing:
        with house.database.transaction() as session:
            return inbox.store(session, [Delivery(message, f"{n:040d}", AT, key=message.key)])[0].standing

    def finish(n: int) -> bool:
        try:
            with house.database.transaction() as session:
                inbox.finish(session, [Answered(message.key, "oRace", f"{n}", "x", AT, 1)])
        except AlreadyAnswered:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(deliver, range(16))) == {Standing.NEW: 1, Standing.RETRY: 15}
        assert Counter(pool.map(finish, range(16))) == {True: 1, False: 15}


def test_a_signature_is_good_for_one_body(house):
    inbox = SqlInbox(outbox.push_late)
    for msg_id, standing in (("1", Standing.NEW), ("2", Standing.REPLAY)):
        fields = {"ToUserName": "g", "FromUserName": "o", "CreateTime": "1", "MsgType": "text", "MsgId": msg_id}
        message = Message.of(fields)
        with house.database.transaction() as session:
            [stored] = inbox.store(session, [Delivery(message, "s" * 40, AT, key=message.key)])
        assert stored.standing is standing
    assert count(house, InboxMessage) == 1


def test_rows_are_claimed_by_one_sender_each(house):
    """Pitfall 6: four senders share four hundred rows, none twice."""
    letter = Letter(NoticeKind.BROADCAST, "share", {"text": "t"}, [Recipient(None, f"o{n}") for n in range(400)])
    with house.database.transaction() as session:
        outbox.queue(session, letter, AT)

    def take(holder: str) -> list[int]:
        taken: list[int] = []
        while True:
            with house.database.transaction() as session:
                rows = [row.id for row in fates.due(session, AT, 20)]
                fates.claim(session, [fates.Claim(row, Channel.TEMPLATE, 0) for row in rows], AT, holder)
            if not rows:
                return taken
            taken += rows

    with ThreadPoolExecutor(4) as pool:
        taken = [row for rows in pool.map(take, "abcd") for row in rows]
    assert len(taken) == len(set(taken)) == 400


def test_many_rows_get_fates_of_their_own_and_none_is_settled_twice(house):
    letter = Letter(NoticeKind.BROADCAST, "fates", {"text": "t"}, [Recipient(None, f"o{n}") for n in range(6)])
    with house.database.transaction() as session:
        outbox.queue(session, letter, AT)
        ids = [row.id for row in fates.due(session, AT, 10)]
        fates.claim(session, [fates.Claim(row, Channel.TEMPLATE, n) for n, row in enumerate(ids)], AT, "me")
    given = [
        fates.Fate(ids[0], SendState.SENT, msgid="1"), fates.Fate(ids[1], SendState.SENT, msgid="2"),
        fates.Fate(ids[2], SendState.REFUSED, "拒收 𬀩", 43004), fates.Fate(ids[3], SendState.UNKNOWN, "不明"),
    ]  # fmt: skip
    again = [fates.Again(ids[4], AT + timedelta(minutes=n), "忙", n, n) for n in (1,)]
    with house.database.transaction() as session:
        fates.settle(session, given, AT)
        fates.put_back(session, again)
    with house.database.transaction() as session:
        fates.settle(session, [fates.Fate(row, SendState.CANCELLED) for row in ids], AT)
    with house.database.reading() as session:
        found = session.execute(
            sa.select(Outgoing.state, Outgoing.msgid, Outgoing.code, Outgoing.reason).order_by(Outgoing.id)
        ).all()
    assert found == [
        (SendState.SENT, "1", None, None), (SendState.SENT, "2", None, None),
        (SendState.REFUSED, None, 43004, "拒收 𬀩"), (SendState.UNKNOWN, None, None, "不明"),
        (SendState.WAITING, None, None, "忙"), (SendState.CANCELLED, None, None, None),
    ]  # fmt: skip


def test_a_halted_campaign_is_left_where_it_is(house):
    for name in ("held", "free"):
        letter = Letter(NoticeKind.BROADCAST, name, {"text": "t"}, [Recipient(None, f"o{n}") for n in range(5)])
        with house.database.transaction() as session:
            outbox.queue(session, letter, AT)
    with house.database.transaction() as session:
        assert campaigns.pause(session, "held", AT, by=None)
        assert not campaigns.pause(session, "held", AT, by=None), "once is enough"
    with house.database.transaction() as session:
        assert {row.campaign for row in fates.due(session, AT, 100)} == {"free"}
    with house.database.transaction() as session:
        assert campaigns.resume(session, "held", AT, by=None)
        assert len(fates.due(session, AT, 100)) == 10
        assert campaigns.cancel(session, "held", AT, by=None) == 5
        assert not campaigns.resume(session, "held", AT, by=None), "what is ended stays ended"


def test_senders_share_one_pace_and_one_days_quota(house):
    """Sixteen at once ask for what one second has: together they get a second's worth."""

    def take(_: int) -> int:
        with house.database.transaction() as session:
            allowed = min(7, pace.allowance(session, AT, 50))
            pace.spend(session, AT, allowed, 50)
            quotas.use(session, "official", Channel.TEMPLATE, AT, allowed)
            return allowed

    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(take, range(16)))
    assert taken in {50, 51}, "and the one that was not whole yet"
    with house.database.reading() as session:
        assert quotas.left(session, "official", Channel.TEMPLATE, AT, {Channel.TEMPLATE: 100}) == 100 - taken


def test_nobody_gets_a_campaign_twice(house):
    """Pitfall 8: overlapping lists, twice, at once."""
    letters = [
        Letter(
            NoticeKind.BROADCAST, "once", {"text": "t"}, [Recipient(None, f"o{n}") for n in range(start, start + 60)]
        )
        for start in (0, 30, 0, 30)
    ]

    def put(letter: Letter) -> None:
        with house.database.transaction() as session:
            outbox.queue(session, letter, AT)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, letters))
    assert count(house, Outgoing, Outgoing.campaign == "once") == 90


def test_a_lease_has_one_holder_and_ends_by_itself(house):
    def take(holder: str, at: Any = AT) -> bool:
        with house.database.transaction() as session:
            return leases.take(session, "race", holder, at, timedelta(seconds=10))

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(take, "abcdefgh")) == {True: 1, False: 7}
    assert take("late", AT + timedelta(seconds=11))


def test_the_clock_decides_each_row_once_whoever_rings(house):
    clocks = [Clockwork(house.database, timetable.rules(house.settings)) for _ in range(3)]
    at = parse_instant("2026-11-27T08:30")
    with ThreadPoolExecutor(3) as pool:
        decided = [d for ds in pool.map(lambda c: c.tick(at, alone=False), clocks) for d in ds]
    subjects = Counter((d.rule, d.subject, d.due_at) for d in decided if d.rule == "study_day")
    assert len(subjects) == 674
    assert set(subjects.values()) == {1}
    with house.database.reading() as session:
        recipients = session.scalars(
            sa.select(Outgoing.recipient).where(Outgoing.campaign == "study_day:2026-11-27")
        ).all()
    assert len(recipients) == len(set(recipients)) > 674


def test_a_consultation_goes_from_question_to_answer(house):
    wang_fang, chen_gang = house.phone("王芳"), house.phone("陈刚")
    wang_fang.says("咨询")
    for word in ("1", "金水", "3", "1"):
        wang_fang.says(word)
    receipt = wang_fang.says("老板拖欠我三个月工资，怎么办？")
    with house.database.reading() as session:
        number = session.scalar(sa.select(Consultation.number).order_by(Consultation.id.desc()).limit(1))
    assert number in receipt
    chen_gang.says(f"接单 {number}")
    chen_gang.says(f"答复 {number} 可以先向劳动监察大队投诉。")
    house.deliver()
    assert "劳动监察" in wang_fang.wait_for("劳动监察")["text"]


def test_what_is_sent_and_reported_is_written_down(house):
    li_na = house.phone("李娜")
    with house.database.transaction() as session:
        outbox.queue(
            session,
            Letter(
                NoticeKind.BROADCAST,
                "one",
                {"title": "标题", "words": "正文", "sender": "办公室", "time": "2026年11月27日 09:00", "text": "t"},
                [Recipient(None, li_na.openid)],
            ),
            AT,
        )
    house.deliver()
    with house.database.reading() as session:
        row = session.scalar(sa.select(Outgoing).where(Outgoing.campaign == "one"))
    assert row.state is SendState.DELIVERED, row.reason


def test_the_audit_is_refused_changes_and_sealed_in_one_chain(house):
    for n in range(3):
        with house.database.transaction() as session:
            audit.note(session, AT, None, "test", f"x:{n}", "有内容")
    for statement in ("UPDATE audit SET act = 'other'", "DELETE FROM audit"):
        with pytest.raises(DatabaseError, match="never changed"), house.database.transaction() as session:
            session.execute(sa.text(statement))

    def seal(_n: int) -> None:
        with suppress(IntegrityError), house.database.transaction() as session:
            audit.seal(session, everything=True)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(seal, range(8)))
    with house.database.reading() as session:
        report = audit.verify(session)
    assert report.is_whole, report.breaks
    assert (report.sealed, report.unsealed) == (count(house, AuditEntry), 0)


@pytest.mark.parametrize("name", ["office", "county", "secretary", "lawyer"])
def test_every_page_of_the_console_opens(house, name):
    with house.database.transaction() as session:
        if session.scalar(sa.select(Consultation.id).where(Consultation.number == "ZX261126-0001")) is None:
            ask(session, "金水区", "ZX261126-0001", AT)
        outbox.queue(session, Letter(NoticeKind.STUDY_DAY, "study_day:x", {"text": "t"}, [Recipient(1, None)]), AT)
    demo_logins.open_accounts(house.database, at=AT)
    office = Office(house.parts, house.clock)
    sent.ensure(office)
    visitor = office.visitor(name)
    opened = {endpoint: visitor.open(path).status_code for endpoint, path in addresses.of(office).items()}
    assert set(opened.values()) <= {200, 404}, opened
    assert opened["console.today"] == opened["console.search"] == opened["console.branches"] == 200
    assert name != "office" or set(opened.values()) == {200}


def test_people_are_found_by_pinyin_initials_and_the_end_of_a_number(house):
    with house.database.transaction() as session:
        digits = "13812349876"
        session.add(Person(name="买买提·䶮", phone=digits, phone_index=house.database.vault.index(digits)))
    with house.database.reading() as session:
        for words in ("maimaiti", "mmty", "买买提䶮", "9876"):
            found = session.scalars(sa.select(Person.name).where(roster.named(session, words))).all()
            assert "买买提·䶮" in found, words


def test_statistics_can_be_refreshed(house, tmp_path: Path):
    house.database.refresh_statistics()


def test_two_senders_at_once_do_not_both_see_room_and_the_rest_is_one_digest(house):
    """F046: eight senders to the same forty at the same moment; three get through, five are folded into one."""
    people = [Recipient(None, f"oWeek{n}") for n in range(40)]

    def send(n: int) -> None:
        facts = {"title": f"{n}", "text": "t"}
        with house.database.transaction() as session:
            letter = Letter(NoticeKind.BROADCAST, f"week:{n}", facts, people, topic=Topic.ACTIVITY, per_week=3)
            outbox.queue(session, letter, AT)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    assert count(house, Outgoing, Outgoing.state == SendState.WAITING) == 3 * 40
    assert count(house, Outgoing, Outgoing.state == SendState.FOLDED) == 5 * 40

    def compose(_: int) -> int:
        with house.database.transaction() as session:
            return digests.compose(session, Week.of(AT), AT, due_at=AT, not_after=AT + timedelta(hours=1))

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(compose, range(4))) == [0, 0, 0, 40]
    assert count(house, Outgoing, Outgoing.campaign == "digest:2026-W48") == 40
    assert count(house, Outgoing, Outgoing.state == SendState.FOLDED, Outgoing.folded_into.is_not(None)) == 200
    with house.database.reading() as session:
        assert digests.fates_of(session, "week:7") in ({}, {SendState.UNREACHABLE: 40})


def test_two_desks_decide_one_claim_and_the_second_hears_what_was_decided(house):
    with house.database.transaction() as session:
        office = session.scalars(sa.select(Post.person_id).where(Post.role == Role.OFFICE).order_by(Post.id)).all()
        person = session.scalar(
            sa.select(Person.id).where(Person.id.not_in(office)).order_by(Person.id.desc()).limit(1)
        )
        openid = "oRacingDesk".ljust(28, "0")
        session.merge(Follower(openid=openid, met_at=AT))
        claim = BindingClaim(openid=openid, person_id=person, claimed_at=AT, doubts="phone_differs")
        session.add(claim)
        session.flush()
        number = claim.id

    def decide(n: int) -> str:
        try:
            with house.database.transaction() as session:
                claims.decide(session, number, accept=n % 2 == 0, at=AT, by=office[n % 2])
        except RuleBroken as error:
            return str(error)
        return "won"

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(decide, range(4)))
    assert said.count("won") == 1
    assert all(each == "won" or "处理过了：" in each for each in said)
    winner = said.index("won") % 2
    state = count(house, BindingClaim, BindingClaim.id == number, BindingClaim.decided_by == office[winner])
    assert state == 1
    assert count(house, Follower, Follower.person_id == person, Follower.openid == openid) == (winner == 0)
    label = (ClaimState.CONFIRMED if winner == 0 else ClaimState.REFUSED).label
    assert all(label in each for each in said if each != "won")


def test_two_desks_at_once_do_not_give_somebody_two_main_branches(house):
    """F025: PostgreSQL and SQLite have an index for it, MariaDB the lock on the person alone."""
    with house.database.transaction() as session:
        office = session.scalar(sa.select(Post.person_id).where(Post.role == Role.OFFICE).limit(1))
        person = roll.add(session, "夏𬀩", "", AT, by=office, within=sa.true()).id
        places = session.scalars(sa.select(Branch.id).order_by(Branch.id).limit(4)).all()

    def join(n: int) -> None:
        with house.database.transaction() as session:
            branch = session.get_one(Branch, places[n])
            roll.join(session, session.get_one(Person, person), branch, beijing_date(AT), AT, by=office)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(join, range(4)))
    belongs = Affiliation.person_id == person, Affiliation.until_on.is_(None)
    assert count(house, Affiliation, *belongs) == 4
    assert count(house, Affiliation, *belongs, Affiliation.is_main) == 1


def test_of_many_who_record_an_election_at_once_one_wins(house):
    """F028: two drafts of one day, and each of them by two desks; the branch has one secretary afterwards."""
    on = beijing_date(AT)
    with house.database.transaction() as session:
        led = session.scalars(sa.select(Post).where(Post.role == Role.SECRETARY).order_by(Post.id.desc())).first()
        branch, who = session.get_one(Branch, led.branch_id), led.person_id
        other = next(each for each in people.members_of(session, branch.id, on) if each.id != who)
        begun = []
        for number in (1, 2):
            draft = drafts.begin(session, branch, ElectionKind.RENEWAL, on, "", Rules(), AT, by=1)
            row = Row(other.id, other.name, False, Seat.SECRETARY, Role.SECRETARY, None, draft.due)
            typed = Typed(draft.kind, on, returned=draft.due, seats={Seat.SECRETARY: 1}, rows=(row,))
            drafts.write(session, draft, typed)
            # Out of the way of the next, which would else be the same one.
            draft.held_on = on - timedelta(days=number)
            session.flush()
            begun.append(draft.id)
        session.execute(sa.update(Election).where(Election.id.in_(begun)).values(held_on=on))

    def record(number: int) -> str:
        try:
            with house.database.transaction() as session:
                draft = drafts.whole(session, number)
                records.record(session, draft, Decision(True, ""), Rules(), 3, AT, by=1)
        except (RuleBroken, DatabaseError) as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as threads:
        said = list(threads.map(record, begun * 2))
    assert said.count("") == 1, said
    secretary = Post.branch_id == branch.id, Post.role == Role.SECRETARY, Post.until_on.is_(None)
    assert count(house, Post, *secretary) == 1
    assert count(house, Election, Election.counts_on.is_not(None)) == 1
    with house.database.transaction() as session:
        number = session.scalar(sa.select(Election.id).where(Election.counts_on.is_not(None)))
        records.set_aside(session, drafts.whole(session, number), "计票有误，重新登记", AT, by=1)
        assert people.holders(session, Role.SECRETARY, on, branch_id=branch.id) == [who]
    with house.database.transaction() as session, pytest.raises(DatabaseError):
        session.execute(sa.update(Election).values(state="valid", present=0, issued=0, returned=0, counts_on=on))
