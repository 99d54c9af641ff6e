"""Who a person is: branches, posts, WeChat accounts, and how an account is bound to a person."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

import phonenumbers
import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from clock import beijing_date
from errors import Misunderstood, NotFound, RuleBroken
from models import (
    Affiliation,
    BindingClaim,
    Branch,
    ClaimState,
    Doubt,
    Follower,
    Invite,
    Merged,
    NoticeKind,
    Person,
    Post,
    Role,
    Vault,
)
from services import audit
from services.sending import outbox, preferences

INVITE_LASTS = timedelta(days=30)
# No letters or digits that are taken for one another when read aloud or from paper.
_CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 6
#: Wrong guesses an account may make in an hour before it has to wait.
MAX_GUESSES = 5
GUESS_WINDOW = timedelta(hours=1)
#: A name that more people have means nobody without its number.
MAX_NAMESAKES = 3


def get(session: Session, person_id: int) -> Person:
    """Raises NotFound."""
    person = session.get(Person, person_id)
    if person is None:
        raise NotFound("没有这个人。")
    return person


def posts(session: Session, person_id: int | None, on: date) -> list[Post]:
    """The posts somebody holds on a date."""
    if person_id is None:
        return []
    return list(
        session.scalars(sa.select(Post).where(Post.person_id == person_id, *holds(Post, on)).order_by(Post.id))
    )


def holders(session: Session, role: Role, on: date, **place: int | None) -> list[int]:
    """Ids of the people who hold a role on a date, in a place such as `branch_id=12`."""
    where = [getattr(Post, column) == value for column, value in place.items()]
    return list(
        session.scalars(
            sa.select(Post.person_id)
            .where(Post.role == role, *where, *holds(Post, on))
            .distinct()
            .order_by(Post.person_id)
        )
    )


def branches_of(session: Session, person_id: int, on: date) -> list[Branch]:
    """The branches a person belongs to on a date, the main one first."""
    rows = session.scalars(
        sa.select(Affiliation)
        .options(joinedload(Affiliation.branch).joinedload(Branch.county))
        .where(Affiliation.person_id == person_id, *holds(Affiliation, on))
        .order_by(Affiliation.is_main.desc(), Affiliation.id)
    )
    return [row.branch for row in rows]


def members_of(session: Session, branch_id: int, on: date) -> list[Person]:
    """The people of a branch on a date, by name."""
    return list(
        session.scalars(
            sa.select(Person)
            .join(Affiliation, Affiliation.person_id == Person.id)
            .where(Affiliation.branch_id == branch_id, *holds(Affiliation, on))
            .order_by(Person.name, Person.id)
        )
    )


def ids_by_branch(session: Session, days: Mapping[int, date]) -> dict[int, list[int]]:
    """Who belongs to each of these branches on its day."""
    rows = session.execute(
        sa.select(Affiliation.branch_id, Affiliation.person_id, Affiliation.since_on, Affiliation.until_on)
        .where(Affiliation.branch_id.in_(list(days)))
        .order_by(Affiliation.id)
    )
    found: dict[int, list[int]] = {}
    for branch_id, person_id, since_on, until_on in rows:
        if since_on <= days[branch_id] and (until_on is None or until_on > days[branch_id]):
            found.setdefault(branch_id, []).append(person_id)
    return found


def secretaries(session: Session, branch_ids: Iterable[int], on: date) -> dict[int | None, list[int]]:
    """Who leads each of these branches on a date; one that nobody leads is left out."""
    rows = session.execute(
        sa.select(Post.branch_id, Post.person_id)
        .where(Post.role == Role.SECRETARY, Post.branch_id.in_(list(branch_ids)), *holds(Post, on))
        .order_by(Post.id)
    )
    found: dict[int | None, list[int]] = {}
    for branch_id, person_id in rows:
        found.setdefault(branch_id, []).append(person_id)
    return found


def holds(row: type[Affiliation] | type[Post], on: date) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions under which a dated row is in force on a date."""
    return row.since_on <= on, sa.or_(row.until_on.is_(None), row.until_on > on)


# --- binding -------------------------------------------------------------------------------------------------


def invite(session: Session, vault: Vault, person_id: int, at: datetime, *, by: int | None) -> str:
    """A fresh invite code for a person, valid for 30 days, once. Only its digest is stored."""
    code = "".join(secrets.choice(_CODE_LETTERS) for _ in range(CODE_LENGTH))
    session.add(Invite(code_index=vault.index(code), person_id=person_id, expires_at=at + INVITE_LASTS))
    audit.note(session, at, by, "people.invite", f"person:{person_id}")
    return code


def bind_by_code(session: Session, vault: Vault, openid: str, code: str, at: datetime) -> Person:
    """Bind an account with an invite code. Raises RuleBroken when the code is wrong, used or old."""
    _limit_guesses(session, openid, at)
    wrong = RuleBroken("邀请码不对、已用过或已过期。请核对，或向支部书记要一个新的。")
    found = session.get(Invite, vault.index(code.strip().upper()))
    if found is None or found.expires_at <= at:
        raise wrong
    # Before the code is used up: it still belongs to the person it was made for.
    _free_account(session, openid, found.person_id)
    taken = session.execute(
        sa.update(Invite)
        .where(Invite.code_index == found.code_index, Invite.used_at.is_(None))
        .values(used_at=at, used_by=openid)
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise wrong
    return _bind(session, openid, found.person_id, at, by=None, how="invite")


def claim(session: Session, vault: Vault, openid: str, name: str, phone: str, at: datetime) -> list[int]:
    """Say “I am this person”; the branch secretaries are asked. Returns whom was asked (F029).

    The answer is the same whether or not such a person exists, so that nobody can try out phone numbers.
    """
    _limit_guesses(session, openid, at)
    number = read_phone(phone)
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
    from services.membership import claims

    waiting = BindingClaim.person_id == person.id, BindingClaim.state == ClaimState.WAITING
    if session.scalar(sa.select(BindingClaim.id).where(*waiting, BindingClaim.openid == openid)) is not None:
        return []
    doubts = claims.doubts(session, openid, person, at, *extra)
    row = BindingClaim(
        openid=openid, person_id=person.id, claimed_at=at, doubts=",".join(doubts), phone=number if doubts else None,
        asked_at=None if doubts else at,
    )  # fmt: skip
    session.add(row)
    session.flush()
    if not doubts:
        return put_to(session, row, vouchers(session, person.id, beijing_date(at)), at)
    if Doubt.TWO_ACCOUNTS in doubts:
        # Whoever came first is no surer than who came second: the office looks at both.
        session.execute(
            sa.update(BindingClaim)
            .where(*waiting, BindingClaim.id != row.id, BindingClaim.doubts == "")
            .values(doubts=Doubt.TWO_ACCOUNTS.value, asked_at=None)
        )
    return _tell_offices(session, row, person, at)


def vouchers(session: Session, person_id: int, on: date) -> list[int]:
    """The secretaries of somebody's branches; nobody vouches for themselves."""
    led = secretaries(session, [branch.id for branch in branches_of(session, person_id, on)], on)
    return sorted({who for ids in led.values() for who in ids if who != person_id})


def put_to(session: Session, row: BindingClaim, asked: list[int], at: datetime, *, again: bool = False) -> list[int]:
    """Ask secretaries in the chat whether it is them."""
    name = get(session, row.person_id).name
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
    counties = {branch.county_id for branch in branches_of(session, person.id, on) if branch.county_id is not None}
    told = {who for county in counties for who in holders(session, Role.COUNTY_OFFICE, on, county_id=county)}
    asked = sorted((told or set(holders(session, Role.OFFICE, on))) - {person.id})
    facts = {"title": "绑定待核实", "text": f"有一条申请绑定为“{person.name}”的存疑，请到控制台“绑定核实”处理。"}
    outbox.tell(session, NoticeKind.BINDING, f"claim:{row.id}", facts, asked, at)
    return asked


def decide_claim(
    session: Session, claim_id: int, *, accept: bool, at: datetime, by: int, remark: str = ""
) -> BindingClaim:
    """Somebody's yes or no. A doubtful claim is an office's to decide, unless it asked the secretary. With a yes to it the
    old account is unbound and told. Raises NotFound outside their scope, RuleBroken when it is decided already."""
    from services.membership import claims

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
        raise RuleBroken(claims.what_was_decided(session, row))
    if accept:
        if row.doubts:
            _give_way(session, row, at)
        _bind(session, row.openid, row.person_id, at, by=by, how="claim")
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
        unbind(session, openid, at)
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


def _may_decide(session: Session, row: BindingClaim, by: int, on: date) -> bool:
    if by == row.person_id:
        return False
    mine, branches = posts(session, by, on), branches_of(session, row.person_id, on)
    if any(post.role is Role.OFFICE for post in mine):
        return True
    counties = {post.county_id for post in mine if post.role is Role.COUNTY_OFFICE}
    if any(branch.county_id in counties for branch in branches if branch.county_id is not None):
        return True
    led = {post.branch_id for post in mine if post.role is Role.SECRETARY}
    return (not row.doubts or row.asked_at is not None) and any(branch.id in led for branch in branches)


def waiting_claims(session: Session, by: int, at: datetime) -> list[BindingClaim]:
    """The claims that somebody may decide, oldest first."""
    rows = session.scalars(
        sa.select(BindingClaim)
        .options(joinedload(BindingClaim.person))
        .where(BindingClaim.state == ClaimState.WAITING)
        .order_by(BindingClaim.id)
        .limit(200)
    ).all()
    return [row for row in rows if _may_decide(session, row, by, beijing_date(at))]


def _bind(session: Session, openid: str, person_id: int, at: datetime, *, by: int | None, how: str) -> Person:
    follower = _free_account(session, openid, person_id)
    follower.person_id, follower.bound_at = person_id, at
    preferences.carry(session, outbox.Recipient(None, openid).key, outbox.Recipient(person_id, openid).key)
    audit.note(session, at, by or person_id, "people.bind", f"person:{person_id}", f"{how} {openid}")
    return get(session, person_id)


def _free_account(session: Session, openid: str, person_id: int) -> Follower:
    """The account, if it may be bound to this person. Raises NotFound, RuleBroken."""
    follower = session.get(Follower, openid)
    if follower is None:
        raise NotFound("没有这个微信账号。")
    if follower.person_id is not None and follower.person_id != person_id:
        raise RuleBroken("这个微信已经绑定了另一位同志。如需更换，请先回复“解绑”。")
    return follower


def unbind(session: Session, openid: str, at: datetime) -> None:
    """Undo a binding; records stay with the person."""
    follower = session.get(Follower, openid)
    if follower is None or follower.person_id is None:
        raise RuleBroken("这个微信还没有绑定。")
    audit.note(session, at, follower.person_id, "people.unbind", f"person:{follower.person_id}", openid)
    account = outbox.Recipient(None, openid).key
    # What the person said last counts, for whoever holds the phone is still the same.
    preferences.forget(session, account)
    preferences.carry(session, outbox.Recipient(follower.person_id, openid).key, account)
    follower.person_id = follower.bound_at = None


def _limit_guesses(session: Session, openid: str, at: datetime) -> None:
    guesses = session.scalar(
        sa.select(sa.func.count())
        .select_from(audit.AuditEntry)
        .where(
            audit.AuditEntry.subject == f"openid:{openid}",
            audit.AuditEntry.act.in_(("people.claim", "people.wrong_code")),
            audit.AuditEntry.at > at - GUESS_WINDOW,
        )
    )
    if (guesses or 0) >= MAX_GUESSES:
        raise RuleBroken("试的次数太多了，请一小时后再试，或联系支部书记。")


def note_wrong_code(session: Session, openid: str, at: datetime) -> None:
    """Remember a wrong invite code, so that nobody can try them all."""
    audit.note(session, at, None, "people.wrong_code", f"openid:{openid}")


def read_phone(text: str) -> str:
    """A Chinese mobile number in its eleven digits. Raises Misunderstood."""
    try:
        number = phonenumbers.parse(text.strip(), "CN")
    except phonenumbers.NumberParseException:
        raise Misunderstood("手机号没看懂，应是 11 位数字，例如 19900001234。") from None
    digits = str(number.national_number)
    if number.country_code != 86 or len(digits) != 11 or not digits.startswith("1"):
        raise Misunderstood("手机号应是 11 位数字，例如 19900001234。")
    return digits


# --- following -----------------------------------------------------------------------------------------------


def follow(session: Session, openid: str, at: datetime, scene: str = "") -> bool:
    """Note that an account follows us (again). Returns whether it had followed before (F015)."""
    follower = session.get(Follower, openid)
    if follower is None:
        session.add(Follower(openid=openid, met_at=at, is_subscribed=True, scene=scene[:64] or None))
        return False
    came_back = follower.left_at is not None
    follower.is_subscribed, follower.left_at = True, None
    follower.scene = follower.scene or scene[:64] or None
    return came_back


def unfollow(session: Session, openid: str, at: datetime) -> None:
    """Nothing is sent to this account any more; records stay (F015)."""
    follower = session.get(Follower, openid)
    if follower is not None:
        follower.is_subscribed, follower.left_at = False, at
