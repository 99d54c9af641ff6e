"""Every route of the console, found from the routes themselves: who finds it, what lies outside a scope (F032, F138)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa

from admin import guard
from admin.navigation import SECTIONS
from clock import beijing_date
from models import (
    Account,
    Affiliation,
    AuditEntry,
    Branch,
    BrandStory,
    Broadcast,
    BroadcastState,
    CaseState,
    CaseStep,
    Consultation,
    County,
    Election,
    ElectionKind,
    Gathering,
    Import,
    LiaisonPoint,
    Matter,
    NoticeKind,
    Organisation,
    Outgoing,
    PartyGroup,
    Person,
    PictureOf,
    Post,
    Role,
    Station,
    Step,
    Township,
    Urgency,
    Village,
    Wish,
)
from services import scope
from services.elections import drafts
from services.elections.rules import Rules
from services.organisation import pictures
from services.sending import outbox
from services.sending.outbox import Letter, Recipient
from tests.console import addresses, brought
from tests.photographs import photo

HOME, ELSEWHERE = "金水区", "登封市"
ROLES = {
    "office": Role.OFFICE, "county": Role.COUNTY_OFFICE, "secretary": Role.SECRETARY, "lawyer": Role.LAWYER,
    "auditor": Role.AUDITOR,
}  # fmt: skip
#: No page asks more often, however many rows it shows.
MOST_STATEMENTS = 24


def ask(session, county: str, number: str, at) -> Consultation:
    row = Consultation(
        number=number, openid="oCitizen", matter=Matter.LABOUR, urgency=Urgency.LATER, wish=Wish.ANSWER,
        county_id=session.scalar(sa.select(County.id).where(County.name == county)), state=CaseState.WAITING,
        asked_at=at,
    )  # fmt: skip
    session.add(row)
    session.flush()
    session.add(CaseStep(consultation_id=row.id, step=Step.ASKED, words="老板拖欠工资", at=at))
    return row


def person_of(session, county: str) -> int:
    belongs = sa.select(Affiliation.person_id).join(Branch, Branch.id == Affiliation.branch_id)
    plain = Affiliation.person_id.not_in(sa.select(Post.person_id))
    of = belongs.join(County, County.id == Branch.county_id).where(County.name == county, plain)
    alone = of.group_by(Affiliation.person_id).order_by(Affiliation.person_id)
    twice = sa.select(Affiliation.person_id).group_by(Affiliation.person_id).having(sa.func.count() > 1)
    return session.scalar(alone.where(Affiliation.person_id.not_in(twice)).limit(1))


@pytest.fixture
def office(office):
    """With a question, a notice and so on both at home and elsewhere."""
    at = office.clock.at - timedelta(days=1)
    with office.database.transaction() as session:
        for county, day in ((HOME, "261126"), (ELSEWHERE, "261125")):
            ask(session, county, f"ZX{day}-0001", at)
            people = [Recipient(person_of(session, county), None)]
            letter = Letter(NoticeKind.STUDY_DAY, f"study_day:{county}", {"text": "t"}, people)
            outbox.queue(session, letter, at)
        session.add(
            Broadcast(
                author_id=person_of(session, ELSEWHERE), audience="全体", title="外县的事", words="外县的话", code="1234",
                county_id=session.scalar(sa.select(County.id).where(County.name == ELSEWHERE)), written_at=at,
                state=BroadcastState.SUBMITTED, people_count=1, reachable_count=0,
            )
        )  # fmt: skip
        far = sa.select(Branch.id).join(County, County.id == Branch.county_id).where(County.name == ELSEWHERE)
        session.add(PartyGroup(branch_id=session.scalar(far.limit(1)), name="外县党小组"))
        branch = session.get_one(Branch, session.scalar(far.limit(1)))
        drafts.begin(session, branch, ElectionKind.RENEWAL, beijing_date(at), "", Rules(), at, by=1)
        elsewhere = sa.select(Station.id).join(County).where(County.name == ELSEWHERE).limit(1)
        pictures.add(session, PictureOf.STATION, session.scalar(elsewhere), photo(), "外县的门", at, by=None)
    brought.send(office, brought.HEAD + "外县人,19900000000,外县支部,2020-01-01,\n", name="外县的名册.csv")
    return office


def foreign(office) -> dict[str, object]:
    """A value for every part of an address that lies in another county, and belongs to nobody of the demonstration."""
    with office.database.reading() as session:

        def one(column, *joins):
            question = sa.select(column)
            for join in joins:
                question = question.join(*join) if isinstance(join, tuple) else question.join(join)
            return session.scalar(question.where(County.name == ELSEWHERE).limit(1))

        county = (County, County.id == Branch.county_id)
        station = one(Station.id, (County, County.id == Station.county_id))
        [shown] = pictures.of(session, PictureOf.STATION, station)
        return {
            "branch_id": one(Branch.id, county),
            "county_id": session.scalar(sa.select(County.id).where(County.name == ELSEWHERE)),
            "township_id": one(Township.id, Township.county),
            "village_id": one(Village.id, Village.township, Township.county),
            "point_id": one(LiaisonPoint.id, LiaisonPoint.village, Village.township, Township.county),
            "story_id": one(BrandStory.id, (County, County.id == BrandStory.county_id)),
            "organisation_id": one(Organisation.id, (County, County.id == Organisation.county_id)),
            "group_id": one(PartyGroup.id, (Branch, Branch.id == PartyGroup.branch_id), county),
            "election_id": one(Election.id, (Branch, Branch.id == Election.branch_id), county),
            "person_id": person_of(session, ELSEWHERE),
            "station_id": station,
            "picture_id": shown.id,
            "picture": shown.name,
            "gathering_id": one(Gathering.id, (Branch, Branch.id == Gathering.branch_id), county),
            "number": "ZX261125-0001",
            "key": f"study_day:{ELSEWHERE}",
            "act": "pause",
            "broadcast_id": session.scalar(sa.select(Broadcast.id).where(Broadcast.title == "外县的事")),
            "row_id": session.scalar(sa.select(Outgoing.id).where(Outgoing.campaign == f"study_day:{ELSEWHERE}")),
            "import_id": session.scalar(sa.select(Import.id).where(Import.name == "外县的名册.csv")),
            "session_id": 1,
            "first_id": person_of(session, ELSEWHERE),
            "second_id": person_of(session, HOME),
            "affiliation_id": 1,
            "flow_id": 1,
            "post_id": 1,
            "change_id": 1,
            "claim_id": 1,
            "name": "office",
            "_rest": "nothing",
        }


def rules(office, *, method: str | None = None, with_parts: bool | None = None):
    for rule in office.app.url_map.iter_rules():
        if not rule.endpoint.startswith("console.") or rule.endpoint == "console.static":
            continue
        if method is not None and method not in rule.methods:
            continue
        if with_parts is None or with_parts == bool(rule.arguments):
            yield rule


def address(office, rule, values: dict[str, object]) -> str:
    with office.app.test_request_context():
        return rule.build({name: values[name] for name in rule.arguments})[1]


def refused(office) -> int:
    with office.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).where(AuditEntry.act == "console.refused"))


def test_every_route_belongs_to_a_section_or_stands_before_the_login_by_name(office):
    for rule in rules(office):
        view = office.app.view_functions[rule.endpoint]
        assert hasattr(view, "section") != (rule.endpoint in guard.OPEN | guard.HALFWAY), rule.endpoint


def test_nobody_finds_anything_without_a_login(office):
    visitor, values = office.visitor(), foreign(office)
    for rule in rules(office):
        if rule.endpoint in guard.OPEN:
            continue
        path = address(office, rule, values)
        answer = visitor.open(path) if "GET" in rule.methods else visitor.send(path, on="/console/login")
        assert answer.status_code == 302, rule
        assert answer.location.startswith("/console/login?next="), rule


@pytest.mark.parametrize("name", ROLES)
def test_a_role_finds_its_sections_and_no_other(office, name):
    visitor, role = office.visitor(name), ROLES[name]
    menu = visitor.open("/console/").get_data(as_text=True)
    for section in SECTIONS:
        path = addresses.of(office)[section.endpoint]
        before = refused(office)
        status = visitor.open(path).status_code
        assert status == (200 if role in section.roles else 404), (name, path)
        assert (f'href="{path}"' in menu) == (role in section.roles), (name, path)
        assert refused(office) - before == (role not in section.roles)


@pytest.mark.parametrize("name", ["county", "secretary", "lawyer"])
def test_what_lies_outside_the_scope_is_not_there_and_leaves_a_trace(office, name):
    """Every route with a part in its address, with a value from another county; a new one needs a value here."""
    # The first session is somebody else's.
    office.visitor("auditor")
    visitor, values = office.visitor(name), foreign(office)
    for rule in rules(office, with_parts=True):
        path, before = address(office, rule, values), refused(office)
        if "GET" in rule.methods:
            assert visitor.open(path).status_code == 404, (name, path)
        else:
            assert visitor.send(path, on="/console/mine", reason="核对电话").status_code == 404, (name, path)
        assert refused(office) == before + 1, (name, path)


def test_no_page_names_what_lies_outside_the_scope(office):
    """Every list, with whatever it is asked for."""
    values = foreign(office)
    with office.database.reading() as session:
        words = {
            session.get_one(Branch, values["branch_id"]).name,
            session.get_one(Station, values["station_id"]).name,
            values["number"],
            "外县的事",
            "外县的名册.csv",
        }
    visitor = office.visitor("county")
    for rule in rules(office, method="GET", with_parts=False):
        if rule.endpoint in guard.OPEN | guard.HALFWAY:
            continue
        for word in words:
            page = visitor.open(f"{rule.rule}?q={word}&county={values['branch_id']}").get_data(as_text=True)
            typed = re.sub(r'(value|href)="[^"]*"|“[^”]*”', "", page)
            assert word not in typed, (rule.rule, word)
            page = visitor.open(f"{rule.rule}?from=2026-11-01&to=2026-12-31").get_data(as_text=True)
            assert word not in page, (rule.rule, word)


@pytest.mark.parametrize(("path", "table", "condition"), [
    ("/console/branches", Branch, "branches"),
    ("/console/people", Person, "people"),
    ("/console/stations", Station, "stations"),
    ("/console/consultations", Consultation, "cases"),
])  # fmt: skip
@pytest.mark.parametrize("name", ["office", "county", "secretary"])
def test_a_list_is_exactly_the_scope(office, path, table, condition, name):
    """The number under a list is what an independent count of the scope gives."""
    visitor = office.visitor(name)
    answer = visitor.open(path)
    if (name, condition) == ("secretary", "cases"):
        assert answer.status_code == 404
        return
    said = int(re.search(r"共 (\d+)", answer.get_data(as_text=True))[1])
    with office.database.reading() as session:
        total = session.scalar(sa.select(sa.func.count()).select_from(table))
        home = session.scalar(sa.select(County.id).where(County.name == HOME))
    if name == "office":
        assert said == total
    elif name == "county":
        assert 0 < said < total
        if table in {Branch, Station, Consultation}:
            with office.database.reading() as session:
                assert said == session.scalar(
                    sa.select(sa.func.count()).select_from(table).where(table.county_id == home)
                )
    else:
        assert 0 < said < 40


def test_a_lawyer_lists_what_waits_in_the_county_and_their_own_cases(office):
    """Not what others of the county have taken, which is theirs and the office's."""
    visitor = office.visitor("lawyer")
    with office.database.transaction() as session:
        me = session.scalar(sa.select(Account.person_id).where(Account.name == "lawyer"))
        other = person_of(session, HOME)
        for number, lawyer_id in (("ZX261126-0002", other), ("ZX261126-0003", me)):
            row = ask(session, HOME, number, office.clock.at)
            row.state, row.lawyer_id, row.taken_at = CaseState.CLOSED, lawyer_id, office.clock.at
    page = visitor.open("/console/consultations").get_data(as_text=True)
    assert set(re.findall(r"ZX2611[0-9]{2}-[0-9]{4}", page)) == {"ZX261126-0001", "ZX261126-0003"}
    assert visitor.open("/console/consultations/ZX261126-0002").status_code == 404
    assert visitor.open("/console/consultations/ZX261126-0003").status_code == 200
    county = office.visitor("county").open("/console/consultations").get_data(as_text=True)
    assert "ZX261126-0002" in county


@contextmanager
def statements(office) -> Iterator[list[str]]:
    heard: list[str] = []

    def hear(_connection, _cursor, statement, *_rest) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            heard.append(statement)

    sa.event.listen(office.database.engine, "before_cursor_execute", hear)
    yield heard
    sa.event.remove(office.database.engine, "before_cursor_execute", hear)


def test_no_page_asks_the_database_once_for_each_row(office):
    visitor = office.visitor("office")
    for path in [*addresses.of(office).values(), "/console/search?q=zhang", "/console/gatherings?to=2026-12-31"]:
        with statements(office) as heard:
            assert visitor.open(path).status_code == 200, path
        assert len(heard) <= MOST_STATEMENTS, (path, len(heard))


def test_a_post_that_ended_yesterday_opens_nothing_today(office):
    visitor = office.visitor("secretary")
    assert visitor.open("/console/branches").status_code == 200
    with office.database.transaction() as session:
        person = session.scalar(
            sa.select(Post.person_id).where(Post.role == Role.SECRETARY).order_by(Post.id).limit(1)
        )
        session.execute(sa.update(Post).where(Post.person_id == person).values(until_on=office.clock.at.date()))
        assert not scope.of(session, person, office.clock.at.date()).roles
    assert visitor.open("/console/branches").status_code == 404


def test_an_error_has_a_number_and_shows_nothing_of_itself(office, monkeypatch):
    visitor = office.visitor("office")
    monkeypatch.setattr("services.figures.branches_by_place", lambda *_: 1 / 0)
    answer = visitor.open("/console/figures")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 500
    assert re.search(r'<strong class="code">[0-9a-f]{6}</strong>', page)
    assert "division" not in page
    assert answer.headers["Content-Security-Policy"]
