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
    LAWYER = "lawyer", "值班律师"
    COUNTY_OFFICE = "county_office", "县（市）区法学会办公室"
    OFFICE = "office", "市法学会办公室"
    AUDITOR = "auditor", "监督员"


class ClaimState(Labelled):
    """What became of somebody's word that an account is theirs."""

    WAITING = "waiting", "待书记确认"
    CONFIRMED = "confirmed", "已确认"
    REFUSED = "refused", "未通过"


def _search_key(context: Any) -> str:
    return spelling.key(context.get_current_parameters()["name"])


def _phone_tail(context: Any) -> str | None:
    return tail_index(context.dialect, context.get_current_parameters().get("phone"))


def tail_index(dialect: sa.Dialect, phone: str | None) -> str | None:
    """The keyed digest of a number's last four digits."""
    return vault_of(dialect).index(f"tail:{phone[-TAIL:]}") if phone else None


class Person(Base):
    """A person the society knows by name: a member, a lawyer, somebody of the office.

    `search_key` and `phone_tail` follow from name and phone; they are made with the row, however it is inserted.
    """

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(text(64), index=True)
    search_key: Mapped[str] = mapped_column(text(spelling.LONGEST), default=_search_key, server_default="")
    phone: Mapped[str | None] = mapped_column(Encrypted)
    phone_index: Mapped[str | None] = mapped_column(text(64), index=True)
    phone_tail: Mapped[str | None] = mapped_column(text(64), index=True, default=_phone_tail)
    is_fictional: Mapped[bool] = mapped_column(default=False)


@sa.event.listens_for(Person, "before_update")
def _follow(_mapper: object, connection: sa.Connection, person: Person) -> None:
    """Another name or number is found by the new one."""
    person.search_key = spelling.key(person.name)
    person.phone_tail = tail_index(connection.dialect, person.phone)


class Affiliation(Base):
    """A person belongs to a branch from one date to another (F025). The end is the first day without it."""

    __tablename__ = "affiliations"
    __table_args__ = (
        sa.UniqueConstraint("person_id", "branch_id", "since_on"),
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


class Post(Base):
    """A role held by a person from one date to another; its place bounds what the role may see and do."""

    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    role: Mapped[Role] = mapped_column(word(Role))
    branch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("branches.id"), index=True)
    station_id: Mapped[int | None] = mapped_column(sa.ForeignKey("stations.id"), index=True)
    county_id: Mapped[int | None] = mapped_column(sa.ForeignKey("counties.id"), index=True)
    since_on: Mapped[date]
    until_on: Mapped[date | None]

    person: Mapped[Person] = relationship(lazy="raise")


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
    """“I am this person”, by name and phone; the branch secretary says yes or no in the chat (F029)."""

    __tablename__ = "binding_claims"

    id: Mapped[int] = mapped_column(primary_key=True)
    openid: Mapped[str] = mapped_column(text(64), index=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    state: Mapped[ClaimState] = mapped_column(word(ClaimState), default=ClaimState.WAITING)
    claimed_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))

    person: Mapped[Person] = relationship(lazy="raise", foreign_keys=[person_id])
