"""elections: the record of a ballot, its list of voters, its candidates

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op

from models.base import Instant, text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CHANGES = (
    "added", "edited", "joined", "left", "main_moved", "flowed", "came_back", "appointed", "extended", "ended", "merged",
)
KINDS = ("renewal", "by_election", "addition")
STATES = ("draft", "valid", "excused", "invalid")
ELECTORATES = ("due", "present")
TURNOUTS = (
    "present", "leave", "absent", "probationary", "under_watch", "suspended", "exempt", "elsewhere",
)  # fmt: skip
SEATS = ("secretary", "deputy", "committee")
ROLES = ("secretary", "deputy", "committee", "lawyer", "county_office", "office", "auditor")
DUTIES = ("organisation", "publicity", "discipline", "united_front", "youth", "secrecy", "life")
PROMISES = {
    "counts_are_possible": "due >= 0 AND due <= 99999 AND present >= 0 AND issued >= 0 AND spoiled >= 0",
    "returned_is_possible": "returned >= 0 AND returned <= 99999",
    "present_are_of_those_due": "present <= due",
    "ballots_go_to_those_present": "issued <= present",
    "spoiled_are_of_those_returned": "spoiled <= returned",
    "seats_are_possible": (
        "secretary_seats >= 0 AND secretary_seats <= 30 AND deputy_seats >= 0 AND deputy_seats <= 30"
        " AND committee_seats >= 0 AND committee_seats <= 30"
    ),
    "one_secretary": "secretary_seats <= 1",
    "round_is_possible": "round >= 1 AND round <= 9",
    "quorum_is_a_part": "quorum_top > 0 AND quorum_top <= quorum_bottom",
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
VOTES = {
    "votes_are_possible": (
        "votes_for >= 0 AND votes_for <= 99999 AND votes_against >= 0 AND votes_against <= 99999"
        " AND abstained >= 0 AND abstained <= 99999"
    ),
    "is_on_the_roll_or_written_in": "person_id IS NOT NULL OR is_written_in",
    "elected_is_somebody": "NOT is_elected OR (person_id IS NOT NULL AND votes_for > 0)",
    "role_is_of_a_branch": "role IN ('secretary', 'deputy', 'committee')",
    "role_follows_from_the_seat": "seat = 'committee' OR seat = role",
    "committee_has_a_duty": "(role = 'committee') = (duty IS NOT NULL)",
}


def _word(name: str, words: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*words, name=f"{name}_is_known", native_enum=False, create_constraint=True, length=32)


def _checks(table: str, promises: dict[str, str]) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}")) for name, condition in promises.items()]


def _to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"))


def _allow(words: tuple[str, ...]) -> None:
    """Let a change of the roll be of these kinds and no others."""
    listed = ", ".join(repr(word) for word in words)
    with op.batch_alter_table("changes") as batch:
        batch.drop_constraint(op.f("ck_changes_changekind_is_known"), type_="check")
        batch.create_check_constraint(op.f("ck_changes_changekind_is_known"), f"kind IN ({listed})")


def upgrade() -> None:
    _allow((*CHANGES, "elected"))
    _elections()
    _voters()
    _candidates()


def _elections() -> None:
    op.create_table(
        "elections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("kind", _word("electionkind", KINDS), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("place", text(64), nullable=False),
        sa.Column("state", _word("electionstate", STATES), nullable=False),
        sa.Column("has_list", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in ("due", "present", "issued", "returned", "spoiled")),
        *(sa.Column(f"{seat}_seats", sa.Integer(), nullable=False) for seat in SEATS),
        sa.Column("quorum_top", sa.Integer(), nullable=False),
        sa.Column("quorum_bottom", sa.Integer(), nullable=False),
        sa.Column("majority_of", _word("electorate", ELECTORATES), nullable=False),
        sa.Column("reason", text(128), nullable=False),
        sa.Column("written_at", Instant(), nullable=False),
        sa.Column("written_by", sa.Integer(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=True),
        sa.Column("recorded_by", sa.Integer(), nullable=True),
        sa.Column("counts_on", sa.Date(), nullable=True),
        sa.Column("change_id", sa.Integer(), nullable=True),
        sa.Column("set_aside_at", Instant(), nullable=True),
        sa.Column("set_aside_by", sa.Integer(), nullable=True),
        sa.Column("set_aside_reason", text(128), nullable=False),
        *_checks("elections", PROMISES),
        _to("elections", "branch_id", "branches"),
        _to("elections", "change_id", "changes"),
        *(_to("elections", column, "people") for column in ("written_by", "recorded_by", "set_aside_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_elections")),
        sa.UniqueConstraint("branch_id", "counts_on", "round", name=op.f("uq_elections_branch_id_counts_on_round")),
    )
    op.create_index(op.f("ix_elections_held_on"), "elections", ["held_on"])


def _voters() -> None:
    op.create_table(
        "election_voters",
        sa.Column("election_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("turnout", _word("turnout", TURNOUTS), nullable=False),
        _to("election_voters", "election_id", "elections"),
        _to("election_voters", "person_id", "people"),
        sa.PrimaryKeyConstraint("election_id", "person_id", name=op.f("pk_election_voters")),
    )
    op.create_index(op.f("ix_election_voters_person_id"), "election_voters", ["person_id"])


def _candidates() -> None:
    op.create_table(
        "election_candidates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("election_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("name", text(64), nullable=False),
        sa.Column("is_written_in", sa.Boolean(), nullable=False),
        sa.Column("seat", _word("seat", SEATS), nullable=False),
        sa.Column("role", _word("role", ROLES), nullable=False),
        sa.Column("duty", _word("duty", DUTIES), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in ("votes_for", "votes_against", "abstained")),
        sa.Column("is_elected", sa.Boolean(), nullable=False),
        *_checks("election_candidates", VOTES),
        _to("election_candidates", "election_id", "elections"),
        _to("election_candidates", "person_id", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_election_candidates")),
    )
    op.create_index(op.f("ix_election_candidates_election_id"), "election_candidates", ["election_id"])
    op.create_index(op.f("ix_election_candidates_person_id"), "election_candidates", ["person_id"])


def downgrade() -> None:
    for table in ("election_candidates", "election_voters", "elections"):
        op.drop_table(table)
    # What an election did to the posts stays; that it was one, older versions cannot say.
    op.execute("UPDATE changes SET kind = 'appointed' WHERE kind = 'elected'")
    _allow(CHANGES)
