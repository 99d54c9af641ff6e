"""绑定核实 and the mobile roll at the desk: every button does what it says, and only for one's own people (F026, F029)."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from models import (
    Affiliation,
    AuditEntry,
    BindingClaim,
    Branch,
    ClaimState,
    County,
    Flow,
    Follower,
    Notice,
    Outgoing,
    Person,
    Post,
    Role,
)
from tests.console.test_pages import text

HOME, ELSEWHERE = "金水区", "登封市"
PAGE = "/console/claims"


def member_of(session, county: str) -> Person:
    """Somebody of a firm's branch there who holds no post."""
    return session.scalars(
        sa.select(Person)
        .join(Affiliation, Affiliation.person_id == Person.id)
        .join(Branch, Branch.id == Affiliation.branch_id)
        .join(County, County.id == Branch.county_id)
        .where(County.name == county, Person.id.not_in(sa.select(Post.person_id)))
        .order_by(Person.id.desc())
    ).first()


@pytest.fixture
def claimed(office):
    """A doubtful claim to a member of a county; gives its number and the account."""

    def make(county: str = HOME) -> tuple[int, str]:
        openid = f"oClaimant{county}".ljust(28, "0")
        with office.database.transaction() as session:
            session.add(Follower(openid=openid, met_at=office.clock.at))
            row = BindingClaim(
                openid=openid, person_id=member_of(session, county).id, claimed_at=office.clock.at,
                doubts="phone_differs", phone="19900009999",
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id, openid

    return make


def claim(office, number: int) -> BindingClaim:
    with office.database.reading() as session:
        return session.get_one(BindingClaim, number)


def told(office, openid: str) -> list[str]:
    with office.database.reading() as session:
        rows = (
            sa.select(Notice.facts).join(Outgoing, Outgoing.notice_id == Notice.id).where(Outgoing.openid == openid)
        )
        return list(session.scalars(rows))


def test_an_office_confirms_and_the_account_is_bound_and_told(office, claimed):
    number, openid = claimed()
    visitor = office.visitor("county")
    assert "姓名对得上，手机号与名册不同" in text(visitor.open(PAGE))
    answer = visitor.send(f"{PAGE}/{number}", on=PAGE, act="accept")
    assert "已确认绑定" in text(visitor.open(answer.location))
    with office.database.reading() as session:
        assert session.get_one(Follower, openid).person_id == claim(office, number).person_id
    assert claim(office, number).phone is None, "the number was needed to decide only"
    assert "您已绑定为" in told(office, openid)[0]


def test_a_refusal_needs_a_sentence_and_the_account_gets_it(office, claimed):
    number, openid = claimed()
    visitor = office.visitor("office")
    wrong = visitor.send(f"{PAGE}/{number}", on=PAGE, act="refuse", remark="不")
    assert wrong.status_code == 422
    assert "请写明退回的理由" in text(wrong)
    assert 'value="不"' in wrong.get_data(as_text=True)
    assert visitor.send(f"{PAGE}/{number}", on=PAGE, act="refuse", remark="请当面找书记办理").status_code == 302
    assert claim(office, number).state is ClaimState.REFUSED
    assert "请当面找书记办理" in told(office, openid)[0]


def test_the_secretary_is_asked_and_the_claim_goes_on_waiting(office, claimed):
    number, _openid = claimed()
    visitor = office.visitor("office")
    assert visitor.send(f"{PAGE}/{number}", on=PAGE, act="ask").status_code == 302
    row = claim(office, number)
    assert (row.state, row.asked_at is not None) == (ClaimState.WAITING, True)
    assert "请书记确认" in text(visitor.open(PAGE))
    with office.database.reading() as session:
        asked = sa.select(Outgoing.person_id).where(Outgoing.campaign == f"claim:{number}:again")
        led = sa.select(Post.person_id).where(
            Post.role == Role.SECRETARY,
            Post.branch_id.in_(sa.select(Affiliation.branch_id).where(Affiliation.person_id == row.person_id)),
        )
        assert set(session.scalars(asked)) == set(session.scalars(led)) != set()


def test_the_second_desk_hears_what_the_first_decided(office, claimed):
    number, _openid = claimed()
    first, second = office.visitor("office"), office.visitor("county")
    second.open(PAGE)
    assert first.send(f"{PAGE}/{number}", on=PAGE, act="accept").status_code == 302
    late = second.send(f"{PAGE}/{number}", on="/console/people/new", act="refuse", remark="不是本人申请的")
    assert late.status_code == 422
    assert "这条申请处理过了：已确认（赵敏" in text(late)


@pytest.mark.parametrize(("who", "county"), [("county", ELSEWHERE), ("secretary", HOME), ("auditor", HOME)])
def test_a_claim_of_others_is_not_there_and_that_is_written_down(office, claimed, who, county):
    number, _openid = claimed(county)
    visitor = office.visitor(who)
    answer = visitor.send(f"{PAGE}/{number}", on="/console/me", act="accept")
    assert answer.status_code == 404
    assert claim(office, number).state is ClaimState.WAITING
    with office.database.reading() as session:
        last = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (last.act, last.subject) == ("console.refused", f"{PAGE}/{number}")


def test_somebody_comes_in_from_outside_the_society_and_goes_back(office):
    with office.database.reading() as session:
        person = member_of(session, HOME)
        branch = session.scalar(
            sa.select(Branch.name)
            .join(Affiliation, Affiliation.branch_id == Branch.id)
            .where(Affiliation.person_id == person.id)
        )
    visitor, page = office.visitor("county"), f"/console/people/{person.id}"
    place = "外地某律师事务所党支部"
    done = visitor.send(f"{page}/flows", on=page, direction="in", branch=branch, place=place, since="2026-11-01")
    assert f"由{place}流入{branch}" in text(visitor.open(done.location))
    with office.database.reading() as session:
        flow = session.scalars(sa.select(Flow)).one()
        assert (flow.place, flow.other_branch_id) == (place, None)
        who = session.scalars(sa.select(Outgoing.person_id).where(Outgoing.campaign == f"flow:{flow.id}:begun")).all()
        led = sa.select(Post.person_id).where(Post.role == Role.SECRETARY, Post.branch_id == flow.branch_id)
        assert who == [session.scalar(led)], "outside there is no secretary of ours to tell"
    assert visitor.send(f"{page}/flows/{flow.id}/end", on=page, on_day="").status_code == 302
    with office.database.reading() as session:
        assert session.get_one(Flow, flow.id).until_on is not None


def test_a_post_is_given_prolonged_and_ended_on_the_persons_page(office):
    with office.database.reading() as session:
        person = member_of(session, HOME)
    visitor, page = office.visitor("county"), f"/console/people/{person.id}"
    with office.database.reading() as session:
        branch = session.scalar(
            sa.select(Branch.name)
            .join(Affiliation, Affiliation.branch_id == Branch.id)
            .where(Affiliation.person_id == person.id)
        )
    given = {
        "role": "committee",
        "duty": "publicity",
        "duties": "兼管宣传栏",
        "since": "2026-01-31",
        "ends": "2027-01-31",
    }
    assert visitor.send(f"{page}/posts", on=page, branch=branch, **given).status_code == 302
    with office.database.reading() as session:
        post = session.scalars(sa.select(Post).where(Post.person_id == person.id)).one()
    assert all(each in text(visitor.open(page)) for each in ("宣传委员", "任期至 2027-01-31", "兼管宣传栏"))
    assert person.name in text(visitor.open("/console/terms")), "it ends within six months"
    longer = {"ends": "2028-01-31", "duties": "", "why": "经上级同意延期换届"}
    assert visitor.send(f"{page}/posts/{post.id}/term", on=page, **longer).status_code == 302
    assert person.name not in text(visitor.open("/console/terms"))
    done = visitor.send(f"{page}/posts/{post.id}/end", on=page, why="换届选举，由他人接任")
    assert "不再任" in text(visitor.open(done.location))
