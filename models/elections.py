"""A branch elects its committee: who was to vote, what was counted, who was elected. The voting itself stays on paper (F028)."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Labelled, text, word
from models.organisations import Branch
from models.people import Duty, Person, Role
from models.roll import Change

#: No count on a record is larger.
MOST = 99_999
MOST_SEATS = 30
#: How often one meeting votes on one day: a tie, an invalid ballot or an empty seat is voted on again.
MOST_ROUNDS = 9


class ElectionKind(Labelled):
    """Why there is an election."""

    RENEWAL = "renewal", "换届选举"
    BY_ELECTION = "by_election", "补选"
    ADDITION = "addition", "届中增补"


class ElectionState(Labelled):
    """A draft can be changed; what is recorded stays, and counts until it is set aside."""

    DRAFT = "draft", "草稿"
    VALID = "valid", "有效"
    EXCUSED = "excused", "有效（有说明）"
    INVALID = "invalid", "无效"


class Electorate(Labelled):
    """Of whom more than half have to be in favour."""

    DUE = "due", "应到会"
    PRESENT = "present", "实到会"


class Turnout(Labelled):
    """Whether somebody on the list voted; only the first three count as due (regulation of 2020, article 5)."""

    PRESENT = "present", "到会"
    LEAVE = "leave", "请假"
    ABSENT = "absent", "缺席"
    PROBATIONARY = "probationary", "预备党员，没有选举权"
    UNDER_WATCH = "under_watch", "留党察看，没有选举权"
    SUSPENDED = "suspended", "留置、逮捕，权利中止"
    EXEMPT = "exempt", "经上级同意不计入应到会"
    ELSEWHERE = "elsewhere", "组织关系在别处"

    @property
    def is_due(self) -> bool:
        return self in {Turnout.PRESENT, Turnout.LEAVE, Turnout.ABSENT}

    @property
    def may_be_elected(self) -> bool:
        return self not in {Turnout.PROBATIONARY, Turnout.UNDER_WATCH, Turnout.SUSPENDED}


class Seat(Labelled):
    """What is voted on. A committee that chooses its own secretary is voted on as a committee."""

    SECRETARY = "secretary", "书记"
    DEPUTY = "deputy", "副书记"
    COMMITTEE = "committee", "委员"


#: The promises about counts, by name. A count that is not known yet is NULL, and breaks none.
COUNTS = {
    "counts_are_possible": f"due >= 0 AND due <= {MOST} AND present >= 0 AND issued >= 0 AND spoiled >= 0",
    "returned_is_possible": f"returned >= 0 AND returned <= {MOST}",
    "present_are_of_those_due": "present <= due",
    "ballots_go_to_those_present": "issued <= present",
    "spoiled_are_of_those_returned": "spoiled <= returned",
    "seats_are_possible": " AND ".join(
        f"{seat}_seats >= 0 AND {seat}_seats <= {MOST_SEATS}" for seat in ("secretary", "deputy", "committee")
    ),
    "one_secretary": "secretary_seats <= 1",
    "round_is_possible": f"round >= 1 AND round <= {MOST_ROUNDS}",
    "quorum_is_a_part": "quorum_top > 0 AND quorum_top <= quorum_bottom",
}
#: The promises about what is recorded.
RECORDED = {
    "recorded_is_complete": (
        "state = 'draft' OR (recorded_at IS NOT NULL AND due > 0 AND present IS NOT NULL AND issued IS NOT NULL"
        " AND returned IS NOT NULL AND spoiled IS NOT NULL)"
    ),
    "valid_has_its_quorum": "state <> 'valid' OR present * quorum_bottom >= due * quorum_top",
    "excused_has_a_reason": "state <> 'excused' OR reason <> ''",
    "invalid_has_a_reason": "state <> 'invalid' OR returned > issued OR reason <> ''",
    "never_valid_with_more_ballots": "state IN ('draft', 'invalid') OR returned <= issued",
    "counts_until_set_aside": "(counts_on IS NOT NULL) = (state <> 'draft' AND set_aside_at IS NULL)",
    "counts_on_its_day": "counts_on IS NULL OR counts_on = held_on",
    "set_aside_has_a_reason": "set_aside_at IS NULL OR (state <> 'draft' AND set_aside_reason <> '')",
}


class Election(Base):
    """The record of one ballot of one branch on one day.

    Quorum and majority are those by which it was judged, so that another configuration later changes no old result.
    `counts_on` is the day while the record counts, else NULL: so one ballot of a day is recorded once (on MariaDB
    too), and one that was set aside makes room for another. `reason` says why it is valid in spite of a broken
    rule, or why it is not valid.
    """

    __tablename__ = "elections"
    __table_args__ = (
        sa.UniqueConstraint("branch_id", "counts_on", "round"),
        *(sa.CheckConstraint(condition, name=name) for name, condition in (COUNTS | RECORDED).items()),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    branch_id: Mapped[int] = mapped_column(sa.ForeignKey("branches.id"))
    kind: Mapped[ElectionKind] = mapped_column(word(ElectionKind))
    held_on: Mapped[date] = mapped_column(index=True)
    round: Mapped[int] = mapped_column(default=1)
    place: Mapped[str] = mapped_column(text(64), default="")
    state: Mapped[ElectionState] = mapped_column(word(ElectionState), default=ElectionState.DRAFT)
    # Counted from the list of voters; without one they are what the paper says.
    has_list: Mapped[bool] = mapped_column(default=True)
    due: Mapped[int | None]
    present: Mapped[int | None]
    issued: Mapped[int | None]
    returned: Mapped[int | None]
    spoiled: Mapped[int | None]
    secretary_seats: Mapped[int] = mapped_column(default=0)
    deputy_seats: Mapped[int] = mapped_column(default=0)
    committee_seats: Mapped[int] = mapped_column(default=0)
    quorum_top: Mapped[int]
    quorum_bottom: Mapped[int]
    majority_of: Mapped[Electorate] = mapped_column(word(Electorate))
    reason: Mapped[str] = mapped_column(text(128), default="")
    written_at: Mapped[datetime]
    written_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    recorded_at: Mapped[datetime | None]
    recorded_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    counts_on: Mapped[date | None]
    # What it did to the posts; None where it did nothing.
    change_id: Mapped[int | None] = mapped_column(sa.ForeignKey("changes.id"))
    set_aside_at: Mapped[datetime | None]
    set_aside_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    set_aside_reason: Mapped[str] = mapped_column(text(128), default="")

    branch: Mapped[Branch] = relationship(lazy="raise")
    change: Mapped[Change | None] = relationship(lazy="raise")
    recorder: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[recorded_by])
    set_aside_person: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[set_aside_by])
    voters: Mapped[list[Voter]] = relationship(lazy="raise", cascade="all, delete-orphan", back_populates="election")
    candidates: Mapped[list[Candidate]] = relationship(
        lazy="raise", cascade="all, delete-orphan", order_by="Candidate.id", back_populates="election"
    )

    @property
    def is_draft(self) -> bool:
        return self.state is ElectionState.DRAFT

    @property
    def is_set_aside(self) -> bool:
        return self.set_aside_at is not None

    @property
    def seats(self) -> dict[Seat, int]:
        return {
            Seat.SECRETARY: self.secretary_seats,
            Seat.DEPUTY: self.deputy_seats,
            Seat.COMMITTEE: self.committee_seats,
        }


class Voter(Base):
    """Somebody on the list of voters of one election. `name` is what they were called when the record was filed."""

    __tablename__ = "election_voters"

    election_id: Mapped[int] = mapped_column(sa.ForeignKey("elections.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), primary_key=True, index=True)
    turnout: Mapped[Turnout] = mapped_column(word(Turnout))
    # Empty on a draft, whose names are those of the roll.
    name: Mapped[str] = mapped_column(text(64), default="", server_default="")

    election: Mapped[Election] = relationship(lazy="raise", back_populates="voters")
    person: Mapped[Person] = relationship(lazy="raise")

    @property
    def called(self) -> str:
        return self.name or self.person.name


class Candidate(Base):
    """Somebody for whom votes were counted. `seat` is what was voted on, `role` and `duty` what they do once elected.

    Who was written in by voters (另选他人) has votes in favour only, and may be nobody of the roll: then not elected.
    """

    __tablename__ = "election_candidates"
    __table_args__ = (
        sa.CheckConstraint(
            f"votes_for >= 0 AND votes_for <= {MOST} AND votes_against >= 0 AND votes_against <= {MOST}"
            f" AND abstained >= 0 AND abstained <= {MOST}",
            name="votes_are_possible",
        ),
        sa.CheckConstraint("person_id IS NOT NULL OR is_written_in", name="is_on_the_roll_or_written_in"),
        sa.CheckConstraint("NOT is_elected OR (person_id IS NOT NULL AND votes_for > 0)", name="elected_is_somebody"),
        sa.CheckConstraint("role IN ('secretary', 'deputy', 'committee')", name="role_is_of_a_branch"),
        sa.CheckConstraint("seat = 'committee' OR seat = role", name="role_follows_from_the_seat"),
        sa.CheckConstraint("(role = 'committee') = (duty IS NOT NULL)", name="committee_has_a_duty"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    election_id: Mapped[int] = mapped_column(sa.ForeignKey("elections.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"), index=True)
    # As it stood on the ballot.
    name: Mapped[str] = mapped_column(text(64))
    is_written_in: Mapped[bool] = mapped_column(default=False)
    seat: Mapped[Seat] = mapped_column(word(Seat))
    role: Mapped[Role] = mapped_column(word(Role))
    duty: Mapped[Duty | None] = mapped_column(word(Duty))
    votes_for: Mapped[int | None]
    votes_against: Mapped[int | None]
    abstained: Mapped[int | None]
    is_elected: Mapped[bool] = mapped_column(default=False)

    election: Mapped[Election] = relationship(lazy="raise", back_populates="candidates")
    person: Mapped[Person | None] = relationship(lazy="raise")

    @property
    def post(self) -> str:
        """书记, 组织委员, or for whom the committee chose afterwards: 委员、书记."""
        if self.duty is not None:
            return f"{self.duty.label}委员"
        return self.seat.label if self.seat is not Seat.COMMITTEE else f"委员，任{Seat(self.role.value).label}"
