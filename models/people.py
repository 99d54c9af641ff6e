"""Who people are, which branches they belong to, what posts they hold, and their WeChat accounts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models import spelling
from models.base import Base, Encrypted, Labelled, text, vault_of, word
from models.organisations import Branch

#: How many last digits of a telephone number a list shows, and may be searched by.
TAIL = 4


class Role(Labelled):
    """What a post lets its holder do, within its branch, station or county, or in the whole city."""

    SECRETARY = "secretary", "支部书记"
    DEPUTY = "deputy", "支部副书记"
    COMMITTEE = "committee", "支部委员"
    LAWYER = "lawyer", "值班律师"
    COUNTY_OFFICE = "county_office", "县（市）区法学会办公室"
    OFFICE = "office", "市法学会办公室"
    AUDITOR = "auditor", "监督员"

    @property
    def opens_the_desk(self) -> bool:
        """Deputies and members of a committee act through their secretary: their posts are honour and duty only."""
        return self not in {Role.DEPUTY, Role.COMMITTEE}


class Duty(Labelled):
    """What a member of a branch committee looks after (Party branch regulations of 2018, article 22)."""

    ORGANISATION = "organisation", "组织"
    PUBLICITY = "publicity", "宣传"
    DISCIPLINE = "discipline", "纪检"
    UNITED_FRONT = "united_front", "统战"
    YOUTH = "youth", "青年"
    SECRECY = "secrecy", "保密"
    LIFE = "life", "群众生活"


class ClaimState(Labelled):
    """What became of somebody's word that an account is theirs."""

    WAITING = "waiting", "待确认"
    CONFIRMED = "confirmed", "已确认"
    REFUSED = "refused", "未通过"
    LAPSED = "lapsed", "已作废"


class Doubt(Labelled):
    """Why the word of a secretary is not enough, and somebody of an office has to look at a claim (F029)."""

    TWO_ACCOUNTS = "two_accounts", "两个微信申请绑定同一个人"
    ALREADY_BOUND = "already_bound", "这个人已绑定另一个微信（可能换了手机）"
    PHONE_DIFFERS = "phone_differs", "姓名对得上，手机号与名册不同"
    SAME_NAME = "same_name", "名册里有同名的人"
    NO_SECRETARY = "no_secretary", "所在支部没有能作证的书记"
    REFUSED_TWICE = "refused_twice", "这个微信以前两次没有通过"


def _search_key(context: Any) -> str:
    return spelling.key(context.get_current_parameters()["name"])


def _sound(context: Any) -> str:
    return spelling.sound(context.get_current_parameters()["name"])


def _phone_tail(context: Any) -> str | None:
    return tail_index(context.dialect, context.get_current_parameters().get("phone"))


def tail_index(dialect: sa.Dialect, phone: str | None) -> str | None:
    """The keyed digest of a number's last four digits."""
    return vault_of(dialect).index(f"tail:{phone[-TAIL:]}") if phone else None


class Person(Base):
    """A person the society knows by name: a member, a lawyer, somebody of the office.

    `search_key`, `sound` and `phone_tail` follow from name and phone; they are made with the row, however it is inserted.
    """

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(text(64), index=True)
    search_key: Mapped[str] = mapped_column(text(spelling.LONGEST), default=_search_key, server_default="")
    # The pinyin of the name in one word: two people whose names sound alike may be one (F031).
    sound: Mapped[str] = mapped_column(text(spelling.LONGEST_SOUND), default=_sound, server_default="", index=True)
    phone: Mapped[str | None] = mapped_column(Encrypted)
    phone_index: Mapped[str | None] = mapped_column(text(64), index=True)
    phone_tail: Mapped[str | None] = mapped_column(text(64), index=True, default=_phone_tail)
    is_fictional: Mapped[bool] = mapped_column(default=False)


@sa.event.listens_for(Person, "before_update")
def _follow(_mapper: object, connection: sa.Connection, person: Person) -> None:
    """Another name or number is found by the new one."""
    person.search_key, person.sound = spelling.key(person.name), spelling.sound(person.name)
    person.phone_tail = tail_index(connection.dialect, person.phone)


#: Marks an index that MariaDB does without.
ONLY_WHERE = "only_where"


def only_where(name: str, condition: str, *columns: str) -> sa.Index:
    """A unique index over some rows only. MariaDB has none: there the lock on the person's row has to do
    (services/membership/roll.py)."""
    where = sa.text(condition)
    info = {ONLY_WHERE: True}
    index = sa.Index(name, *columns, unique=True, postgresql_where=where, sqlite_where=where, info=info)
    index.ddl_if(callable_=lambda *_ddl, dialect, **_more: has_partial_indexes(dialect.name))
    return index


def has_partial_indexes(dialect: str) -> bool:
    """Whether a database can keep a promise about some rows of a table only."""
    return dialect in {"postgresql", "sqlite"}


class Affiliation(Base):
    """A person belongs to a branch from one date to another (F025). The end is the first day without it.

    The database keeps: no row ends before it begins; at most one open row for a person and a branch, and at most
    one open main one for a person (MariaDB: by the lock that services/membership/roll.py takes on the person). That closed rows
    of the same branch do not overlap is checked under that lock everywhere.
    """

    __tablename__ = "affiliations"
    __table_args__ = (
        sa.UniqueConstraint("person_id", "branch_id", "since_on"),
        sa.CheckConstraint("until_on IS NULL OR until_on >= since_on", name="ends_after_it_begins"),
        only_where("uq_affiliations_open_main", "is_main AND until_on IS NULL", "person_id"),
        only_where("uq_affiliations_open_branch", "until_on IS NULL", "person_id", "branch_id"),
        # Who belongs to these branches, told from the index alone: an audience of 63,130 among a million people.
        sa.Index("ix_affiliations_branch_id_person_id", "branch_id", "person_id", "since_on", "until_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    branch_id: Mapped[int] = mapped_column(sa.ForeignKey("branches.id"))
    is_main: Mapped[bool] = mapped_column(default=True)
    since_on: Mapped[date]
    until_on: Mapped[date | None]

    branch: Mapped[Branch] = relationship(lazy="raise")
    person: Mapped[Person] = relationship(lazy="raise")


#: A role and its one place: a lawyer's is a station, or a county whose duty they share; the city's roles have none.
PLACE_FITS_ROLE = """(
    CASE WHEN role IN ('secretary', 'deputy', 'committee') THEN branch_id IS NOT NULL ELSE branch_id IS NULL END
) AND (
    CASE WHEN role = 'lawyer' THEN (station_id IS NULL) <> (county_id IS NULL) ELSE station_id IS NULL END
) AND (
    CASE WHEN role = 'county_office' THEN county_id IS NOT NULL ELSE role = 'lawyer' OR county_id IS NULL END
)"""


class Post(Base):
    """A role held by a person from one date to another; its place bounds what the role may see and do.

    `until_on` is the first day without it; `term_ends_on` the day until which it was given. A post does not end by
    itself when its term does: until there is an election, somebody has to look after the branch.
    """

    __tablename__ = "posts"
    __table_args__ = (
        sa.CheckConstraint(" ".join(PLACE_FITS_ROLE.split()), name="place_fits_role"),
        sa.CheckConstraint("role <> 'committee' OR duty IS NOT NULL", name="committee_has_a_duty"),
        sa.CheckConstraint("until_on IS NULL OR until_on >= since_on", name="ends_after_it_begins"),
        sa.CheckConstraint("term_ends_on IS NULL OR term_ends_on > since_on", name="term_ends_after_it_begins"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    role: Mapped[Role] = mapped_column(word(Role))
    branch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("branches.id"), index=True)
    station_id: Mapped[int | None] = mapped_column(sa.ForeignKey("stations.id"), index=True)
    county_id: Mapped[int | None] = mapped_column(sa.ForeignKey("counties.id"), index=True)
    since_on: Mapped[date]
    until_on: Mapped[date | None]
    term_ends_on: Mapped[date | None] = mapped_column(index=True)
    # What a member of a committee looks after.
    duty: Mapped[Duty | None] = mapped_column(word(Duty))
    # 一岗双责: what comes with the post besides its own work, in the words of the branch.
    duties: Mapped[str] = mapped_column(text(200), default="", server_default="")

    person: Mapped[Person] = relationship(lazy="raise")

    @property
    def title(self) -> str:
        """支部书记, or for a member of a committee what for: 组织委员."""
        return self.role.label if self.duty is None else f"{self.duty.label}委员"


class Follower(Base):
    """A WeChat account that has met ours. Bound to a person once somebody vouched for it."""

    __tablename__ = "followers"

    openid: Mapped[str] = mapped_column(text(64), primary_key=True)
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"), index=True)
    is_subscribed: Mapped[bool] = mapped_column(default=True)
    met_at: Mapped[datetime]
    bound_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None]
    scene: Mapped[str | None] = mapped_column(text(64))

    person: Mapped[Person | None] = relationship(lazy="raise")


class Invite(Base):
    """A code that binds the account that sends it to one person, once. Only its digest is kept."""

    __tablename__ = "invites"

    code_index: Mapped[str] = mapped_column(text(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by: Mapped[str | None] = mapped_column(text(64))


class BindingClaim(Base):
    """“I am this person”, by name and phone (F029). The branch secretary says yes or no in the chat; one with doubts waits
    for an office, which may ask the secretary after all: then `asked_at` is set."""

    __tablename__ = "binding_claims"
    __table_args__ = (only_where("uq_binding_claims_waiting", "state = 'waiting'", "openid", "person_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    openid: Mapped[str] = mapped_column(text(64), index=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    state: Mapped[ClaimState] = mapped_column(word(ClaimState), default=ClaimState.WAITING)
    # Words of `Doubt`, with commas between.
    doubts: Mapped[str] = mapped_column(text(128), default="", server_default="")
    # The number that was given; gone as soon as somebody has decided.
    phone: Mapped[str | None] = mapped_column(Encrypted)
    claimed_at: Mapped[datetime]
    asked_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    # What the claimant was told with a refusal.
    remark: Mapped[str] = mapped_column(text(128), default="", server_default="")

    person: Mapped[Person] = relationship(lazy="raise", foreign_keys=[person_id])

    @property
    def doubted(self) -> list[Doubt]:
        """Why it is doubtful, in the order in which it matters."""
        said = set(self.doubts.split(","))
        return [doubt for doubt in Doubt if doubt.value in said]
