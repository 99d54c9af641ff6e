"""“I am this person”: what makes it doubtful, who is asked, and who says yes or no (F029).

A claim without doubts is the branch secretary's to answer in the chat; a doubtful one waits for an office.
"""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import beijing_date, say_moment
from errors import NotFound, RuleBroken
from models import BindingClaim, ClaimState, Doubt, Follower, Merged, NoticeKind, Person, Role, Vault
from services import audit
from services.membership import binding, people
from services.scope import Scope
from services.sending import outbox

#: A name that more people have means nobody without its number.
MAX_NAMESAKES = 3
#: So many refusals of one account are a reason to look more closely.
REFUSALS = 2


# --- claiming ------------------------------------------------------------------------------------------------


def make(session: Session, vault: Vault, openid: str, name: str, phone: str, at: datetime) -> list[int]:
    """Say “I am this person”; the branch secretaries are asked. Returns whom was asked (F029).

    The answer is the same whether or not such a person exists, so that nobody can try out phone numbers.
    """
    binding.limit_guesses(session, openid, at)
    number = people.read_phone(phone)
    matches = [(person, ()) for person in _called(session, name, Person.phone_index == vault.index(number))]
    asked: list[int] = []
    for person, extra in matches or _by_name_alone(session, name):
        asked += _claim_one(session, openid, person, number, at, *extra)
    audit.note(session, at, None, "people.claim", f"openid:{openid}", f"{len(matches)}")
    return asked


def _called(session: Session, name: str, *where: sa.ColumnElement[bool]) -> list[Person]:
    gone = sa.select(Merged.person_id)
    return list(session.scalars(sa.select(Person).where(Person.name == name.strip(), Person.id.not_in(gone), *where)))


def _by_name_alone(session: Session, name: str) -> list[tuple[Person, tuple[Doubt, ...]]]:
    """Whom a name may mean whose number is another: perhaps the phone was changed. More than a few mean nobody."""
    found = _called(session, name)
    if len(found) > MAX_NAMESAKES:
        return []
    why = (Doubt.PHONE_DIFFERS, Doubt.SAME_NAME) if len(found) > 1 else (Doubt.PHONE_DIFFERS,)
    return [(person, why) for person in found]


def _claim_one(session: Session, openid: str, person: Person, number: str, at: datetime, *extra: Doubt) -> list[int]:
    waiting = BindingClaim.person_id == person.id, BindingClaim.state == ClaimState.WAITING
    if session.scalar(sa.select(BindingClaim.id).where(*waiting, BindingClaim.openid == openid)) is not None:
        return []
    doubts = doubts_of(session, openid, person, at, *extra)
    row = BindingClaim(
        openid=openid, person_id=person.id, claimed_at=at, doubts=",".join(doubts), phone=number if doubts else None,
        asked_at=None if doubts else at,
    )  # fmt: skip
    session.add(row)
    session.flush()
    if not doubts:
        return _put_to(session, row, people.vouchers(session, person.id, beijing_date(at)), at)
    if Doubt.TWO_ACCOUNTS in doubts:
        # Whoever came first is no surer than who came second: the office looks at both.
        session.execute(
            sa.update(BindingClaim)
            .where(*waiting, BindingClaim.id != row.id, BindingClaim.doubts == "")
            .values(doubts=Doubt.TWO_ACCOUNTS.value, asked_at=None)
        )
    return _tell_offices(session, row, person, at)


def doubts_of(session: Session, openid: str, person: Person, at: datetime, *extra: Doubt) -> list[Doubt]:
    """Why a secretary's word would not do for this account and this person."""
    found = set(extra)
    rival = sa.exists().where(
        BindingClaim.person_id == person.id, BindingClaim.openid != openid, BindingClaim.state == ClaimState.WAITING
    )
    bound = sa.exists().where(Follower.person_id == person.id, Follower.openid != openid)
    refused = sa.select(sa.func.count()).where(
        BindingClaim.openid == openid, BindingClaim.state == ClaimState.REFUSED
    )
    if session.scalar(sa.select(rival)):
        found.add(Doubt.TWO_ACCOUNTS)
    if session.scalar(sa.select(bound)):
        found.add(Doubt.ALREADY_BOUND)
    if (session.scalar(refused) or 0) >= REFUSALS:
        found.add(Doubt.REFUSED_TWICE)
    if not people.vouchers(session, person.id, beijing_date(at)):
        found.add(Doubt.NO_SECRETARY)
    return [doubt for doubt in Doubt if doubt in found]


def _put_to(session: Session, row: BindingClaim, asked: list[int], at: datetime, *, again: bool = False) -> list[int]:
    """Ask secretaries in the chat whether it is them."""
    name = people.get(session, row.person_id).name
    facts = {
        "title": "绑定待确认",
        "text": f"有人用微信申请绑定为“{name}”。认识这位同志并确认是本人，"
        f"请回复：同意绑定 {row.id}；不是请回复：拒绝绑定 {row.id}",
    }
    campaign = f"claim:{row.id}:again" if again else f"claim:{row.id}"
    outbox.tell(session, NoticeKind.BINDING, campaign, facts, asked, at)
    return asked


def _tell_offices(session: Session, row: BindingClaim, person: Person, at: datetime) -> list[int]:
    on = beijing_date(at)
    counties = {
        branch.county_id for branch in people.branches_of(session, person.id, on) if branch.county_id is not None
    }
    told = {who for county in counties for who in people.holders(session, Role.COUNTY_OFFICE, on, county_id=county)}
    asked = sorted((told or set(people.holders(session, Role.OFFICE, on))) - {person.id})
    facts = {"title": "绑定待核实", "text": f"有一条申请绑定为“{person.name}”的存疑，请到控制台“绑定核实”处理。"}
    outbox.tell(session, NoticeKind.BINDING, f"claim:{row.id}", facts, asked, at)
    return asked


# --- deciding ------------------------------------------------------------------------------------------------


def to_decide(session: Session, by: int, at: datetime) -> list[BindingClaim]:
    """The claims that somebody may decide, oldest first."""
    rows = session.scalars(
        sa.select(BindingClaim)
        .options(joinedload(BindingClaim.person))
        .where(BindingClaim.state == ClaimState.WAITING)
        .order_by(BindingClaim.id)
        .limit(200)
    ).all()
    return [row for row in rows if _may_decide(session, row, by, beijing_date(at))]


def _may_decide(session: Session, row: BindingClaim, by: int, on: date) -> bool:
    if by == row.person_id:
        return False
    mine, branches = people.posts(session, by, on), people.branches_of(session, row.person_id, on)
    if any(post.role is Role.OFFICE for post in mine):
        return True
    counties = {post.county_id for post in mine if post.role is Role.COUNTY_OFFICE}
    if any(branch.county_id in counties for branch in branches if branch.county_id is not None):
        return True
    led = {post.branch_id for post in mine if post.role is Role.SECRETARY}
    return (not row.doubts or row.asked_at is not None) and any(branch.id in led for branch in branches)


def get(session: Session, scope: Scope, claim_id: int) -> BindingClaim:
    """One doubtful claim that is theirs to decide, whatever became of it. Raises NotFound."""
    claim = session.scalar(
        sa.select(BindingClaim)
        .options(joinedload(BindingClaim.person))
        .where(
            BindingClaim.id == claim_id,
            BindingClaim.doubts != "",
            BindingClaim.person_id.in_(sa.select(Person.id).where(scope.own_people)),
        )
    )
    if claim is None or claim.person_id == scope.person_id:
        raise NotFound("没有这条待核实的绑定。")
    return claim


def ask_secretary(session: Session, claim: BindingClaim, at: datetime, *, by: int) -> None:
    """Let the secretary say yes or no after all, in the chat. Raises RuleBroken."""
    vouching = people.vouchers(session, claim.person_id, beijing_date(at))
    if not vouching:
        raise RuleBroken("所在支部没有能作证的书记，请直接核实后决定。")
    taken = session.execute(
        sa.update(BindingClaim)
        .where(BindingClaim.id == claim.id, BindingClaim.state == ClaimState.WAITING)
        .values(asked_at=at)
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise RuleBroken(what_was_decided(session, claim))
    _put_to(session, claim, vouching, at, again=True)
    audit.note(session, at, by, "people.claim_asked", f"person:{claim.person_id}")


def what_was_decided(session: Session, claim: BindingClaim) -> str:
    """For whoever comes second: what, by whom, when."""
    session.refresh(claim, ["state", "decided_at", "decided_by"])
    name = session.scalar(sa.select(Person.name).where(Person.id == claim.decided_by)) or "系统"
    when = f"，{say_moment(claim.decided_at)}" if claim.decided_at else ""
    return f"这条申请处理过了：{claim.state.label}（{name}{when}）。"


def decide(session: Session, claim_id: int, *, accept: bool, at: datetime, by: int, remark: str = "") -> BindingClaim:
    """Somebody's yes or no. A doubtful claim is an office's to decide, unless it asked the secretary. With a yes to it the
    old account is unbound and told. Raises NotFound outside their scope, RuleBroken when it is decided already."""
    row = session.get(BindingClaim, claim_id, options=[joinedload(BindingClaim.person)])
    if row is None or not _may_decide(session, row, by, beijing_date(at)):
        raise NotFound("没有这条待确认的绑定。")
    state = ClaimState.CONFIRMED if accept else ClaimState.REFUSED
    changed = session.execute(
        sa.update(BindingClaim)
        .where(BindingClaim.id == claim_id, BindingClaim.state == ClaimState.WAITING)
        .values(state=state, decided_at=at, decided_by=by, phone=None, remark=remark[:128])
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise RuleBroken(what_was_decided(session, row))
    if accept:
        if row.doubts:
            _give_way(session, row, at)
        binding.bind(session, row.openid, row.person_id, at, by=by, how="claim")
        words = f"您已绑定为{row.person.name}。回复“帮助”看看能办什么。"
    else:
        words = remark or "绑定申请没有通过。请核对姓名和手机号，或当面向支部书记要邀请码。"
        audit.note(session, at, by, "people.claim_refused", f"person:{row.person_id}")
    _tell_account(session, f"claim-decided:{claim_id}", row.openid, words, at)
    return row


def _give_way(session: Session, row: BindingClaim, at: datetime) -> None:
    """The accounts that were bound until now, and the other claims of either side, which mean nothing any more."""
    others = sa.select(Follower.openid).where(Follower.person_id == row.person_id, Follower.openid != row.openid)
    for number, openid in enumerate(session.scalars(others).all()):
        binding.unbind(session, openid, at)
        words = f"{row.person.name}改用另一个微信，本微信的绑定已解除。不是您本人办的，请马上联系支部书记或办公室。"
        _tell_account(session, f"claim-unbound:{row.id}:{number}", openid, words, at)
    same = sa.or_(BindingClaim.person_id == row.person_id, BindingClaim.openid == row.openid)
    session.execute(
        sa.update(BindingClaim)
        .where(same, BindingClaim.state == ClaimState.WAITING)
        .values(state=ClaimState.LAPSED, decided_at=at, phone=None)
    )


def _tell_account(session: Session, campaign: str, openid: str, words: str, at: datetime) -> None:
    facts = {"title": "绑定结果", "text": words}
    outbox.queue(session, outbox.Letter(NoticeKind.BINDING, campaign, facts, [outbox.Recipient(None, openid)]), at)
