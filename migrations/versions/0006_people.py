"""people: terms and duties of posts, flows, doubtful claims, changes that can be undone, duplicates

Revision: 0006, after 0004
"""

import sqlalchemy as sa
from alembic import op

from models import spelling
from models.base import Encrypted, Instant, text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROLES = ("secretary", "lawyer", "county_office", "office", "auditor")
CLAIMS = ("waiting", "confirmed", "refused")
DUTIES = ("organisation", "publicity", "discipline", "united_front", "youth", "secrecy", "life")
KINDS = (
    "added", "edited", "joined", "left", "main_moved", "flowed", "came_back", "appointed", "extended", "ended", "merged",
)
#: A role and its one place.
PLACE_FITS_ROLE = """(
    CASE WHEN role IN ('secretary', 'deputy', 'committee') THEN branch_id IS NOT NULL ELSE branch_id IS NULL END
) AND (
    CASE WHEN role = 'lawyer' THEN (station_id IS NULL) <> (county_id IS NULL) ELSE station_id IS NULL END
) AND (
    CASE WHEN role = 'county_office' THEN county_id IS NOT NULL ELSE role = 'lawyer' OR county_id IS NULL END
)"""
ENDS = "until_on IS NULL OR until_on >= since_on"
#: Unique over some rows only: name, table, condition, columns. MariaDB has no such index (models/people.py).
PARTIAL = (
    ("uq_affiliations_open_main", "affiliations", "is_main AND until_on IS NULL", ["person_id"]),
    ("uq_affiliations_open_branch", "affiliations", "until_on IS NULL", ["person_id", "branch_id"]),
    ("uq_binding_claims_waiting", "binding_claims", "state = 'waiting'", ["openid", "person_id"]),
    ("uq_flows_open", "flows", "until_on IS NULL", ["person_id", "branch_id", "direction"]),
)


def _word(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=f"{name}_is_known", native_enum=False, create_constraint=False, length=32)


def _checked(table: str, column: str, name: str, words: tuple[str, ...]) -> sa.CheckConstraint:
    return sa.CheckConstraint(_among(column, words), name=op.f(f"ck_{table}_{name}_is_known"))


def _among(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


def _allow(table: str, column: str, name: str, words: tuple[str, ...]) -> None:
    """Let a column hold these words and no others."""
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(op.f(f"ck_{table}_{name}_is_known"), type_="check")
        batch.create_check_constraint(op.f(f"ck_{table}_{name}_is_known"), _among(column, words))


def upgrade() -> None:
    _mend()
    op.add_column("people", sa.Column("sound", text(spelling.LONGEST_SOUND), nullable=False, server_default=""))
    op.create_index(op.f("ix_people_sound"), "people", ["sound"])
    _sound_those_who_are_there()
    with op.batch_alter_table("affiliations") as batch:
        batch.create_check_constraint(op.f("ck_affiliations_ends_after_it_begins"), ENDS)
    _posts_up()
    _allow("binding_claims", "state", "claimstate", (*CLAIMS, "lapsed"))
    with op.batch_alter_table("binding_claims") as batch:
        batch.add_column(sa.Column("doubts", text(128), nullable=False, server_default=""))
        batch.add_column(sa.Column("phone", Encrypted(), nullable=True))
        batch.add_column(sa.Column("asked_at", Instant(), nullable=True))
        batch.add_column(sa.Column("remark", text(128), nullable=False, server_default=""))
    # Until now every claim was put to the secretary at once.
    op.execute("UPDATE binding_claims SET asked_at = claimed_at")
    _new_tables()
    if op.get_bind().dialect.name in {"postgresql", "sqlite"}:
        for name, table, condition, columns in PARTIAL:
            where = sa.text(condition)
            op.create_index(name, table, columns, unique=True, postgresql_where=where, sqlite_where=where)


def _posts_up() -> None:
    _allow("posts", "role", "role", (*ROLES, "deputy", "committee"))
    with op.batch_alter_table("posts") as batch:
        batch.add_column(sa.Column("term_ends_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("duty", _word("duty", *DUTIES), nullable=True))
        batch.add_column(sa.Column("duties", text(200), nullable=False, server_default=""))
        batch.create_index(op.f("ix_posts_term_ends_on"), ["term_ends_on"])
    with op.batch_alter_table("posts") as batch:
        batch.create_check_constraint(op.f("ck_posts_duty_is_known"), _among("duty", DUTIES))
        batch.create_check_constraint(op.f("ck_posts_place_fits_role"), " ".join(PLACE_FITS_ROLE.split()))
        batch.create_check_constraint(op.f("ck_posts_committee_has_a_duty"), "role <> 'committee' OR duty IS NOT NULL")
        batch.create_check_constraint(op.f("ck_posts_ends_after_it_begins"), ENDS)
        batch.create_check_constraint(
            op.f("ck_posts_term_ends_after_it_begins"), "term_ends_on IS NULL OR term_ends_on > since_on"
        )


def _person(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["people.id"], name=op.f(f"fk_{table}_{column}_people"))


def _new_tables() -> None:
    op.create_table(
        "flows",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("direction", _word("direction", "in", "out"), nullable=False),
        sa.Column("other_branch_id", sa.Integer(), nullable=True),
        sa.Column("place", text(64), nullable=False),
        sa.Column("since_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        _checked("flows", "direction", "direction", ("in", "out")),
        sa.CheckConstraint(
            "(other_branch_id IS NULL AND place <> '') OR (other_branch_id IS NOT NULL AND place = '')",
            name=op.f("ck_flows_has_one_other_place"),
        ),
        sa.CheckConstraint(ENDS, name=op.f("ck_flows_ends_after_it_begins")),
        _person("flows", "person_id"),
        sa.ForeignKeyConstraint(["branch_id"], ["branches.id"], name=op.f("fk_flows_branch_id_branches")),
        sa.ForeignKeyConstraint(["other_branch_id"], ["branches.id"], name=op.f("fk_flows_other_branch_id_branches")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flows")),
    )
    for column in ("person_id", "branch_id", "other_branch_id"):
        op.create_index(op.f(f"ix_flows_{column}"), "flows", [column])
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", _word("changekind", *KINDS), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by_person_id", sa.Integer(), nullable=True),
        sa.Column("says", Encrypted(), nullable=False),
        sa.Column("reason", text(128), nullable=False),
        sa.Column("kept", Encrypted(), nullable=False),
        sa.Column("undone_at", Instant(), nullable=True),
        sa.Column("undone_by", sa.Integer(), nullable=True),
        _checked("changes", "kind", "changekind", KINDS),
        _person("changes", "person_id"),
        _person("changes", "by_person_id"),
        _person("changes", "undone_by"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
    )
    op.create_index(op.f("ix_changes_person_id"), "changes", ["person_id"])
    op.create_index(op.f("ix_changes_at"), "changes", ["at"])
    op.create_table(
        "merged_people",
        sa.Column("person_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("into_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("person_id <> into_id", name=op.f("ck_merged_people_is_somebody_else")),
        _person("merged_people", "person_id"),
        _person("merged_people", "into_id"),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_merged_people")),
    )
    op.create_index(op.f("ix_merged_people_into_id"), "merged_people", ["into_id"])
    op.create_table(
        "not_same",
        sa.Column("low_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("high_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("said_at", Instant(), nullable=False),
        sa.Column("said_by", sa.Integer(), nullable=True),
        sa.CheckConstraint("low_id < high_id", name=op.f("ck_not_same_lower_number_first")),
        _person("not_same", "low_id"),
        _person("not_same", "high_id"),
        _person("not_same", "said_by"),
        sa.PrimaryKeyConstraint("low_id", "high_id", name=op.f("pk_not_same")),
    )


def _mend() -> None:
    """Rows that the new constraints refuse, made as they were meant. None of them could be written by a command."""
    op.execute("UPDATE affiliations SET until_on = since_on WHERE until_on < since_on")
    op.execute("UPDATE posts SET until_on = since_on WHERE until_on < since_on")
    op.execute("UPDATE posts SET branch_id = NULL WHERE role <> 'secretary'")
    op.execute("UPDATE posts SET station_id = NULL WHERE role <> 'lawyer'")
    op.execute("UPDATE posts SET county_id = NULL WHERE role NOT IN ('county_office', 'lawyer')")
    op.execute("UPDATE posts SET county_id = NULL WHERE role = 'lawyer' AND station_id IS NOT NULL")
    # A secretary of no branch, a lawyer of no place opened nothing.
    op.execute("DELETE FROM posts WHERE role = 'secretary' AND branch_id IS NULL")
    op.execute("DELETE FROM posts WHERE role = 'lawyer' AND station_id IS NULL AND county_id IS NULL")
    op.execute("DELETE FROM posts WHERE role = 'county_office' AND county_id IS NULL")
    bind = op.get_bind()
    for doubled, keep in (("person_id, branch_id", "MIN(id)"), ("person_id", "MIN(id)")):
        of = "until_on IS NULL" + ("" if "," in doubled else " AND is_main")
        kept = {tuple(row) for row in bind.execute(sa.text(f"SELECT {keep} FROM affiliations WHERE {of} GROUP BY {doubled}"))}
        rows = bind.execute(sa.text(f"SELECT id FROM affiliations WHERE {of}")).scalars().all()
        others = [row for row in rows if (row,) not in kept]
        change = "until_on = since_on" if "," in doubled else "is_main = :no"
        for row in others:
            statement = sa.text(f"UPDATE affiliations SET {change} WHERE id = :id")
            bind.execute(statement, {"id": row} if "," in doubled else {"id": row, "no": False})
    # Two claims of one account to one person that wait are one.
    waiting = "SELECT MIN(id) FROM binding_claims WHERE state = 'waiting' GROUP BY openid, person_id"
    first = list(bind.execute(sa.text(waiting)).scalars())
    for row in bind.execute(sa.text("SELECT id FROM binding_claims WHERE state = 'waiting'")).scalars().all():
        if row not in first:
            bind.execute(sa.text("UPDATE binding_claims SET state = 'refused' WHERE id = :id"), {"id": row})


def _sound_those_who_are_there() -> None:
    bind = op.get_bind()
    people = sa.table("people", sa.column("id", sa.Integer), sa.column("name", text(64)), sa.column("sound", text(128)))
    known = [
        {"of": row.id, "read": spelling.sound(row.name)} for row in bind.execute(sa.select(people.c.id, people.c.name))
    ]
    change = sa.update(people).where(people.c.id == sa.bindparam("of")).values(sound=sa.bindparam("read"))
    if known:
        bind.execute(change, known)


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect in {"postgresql", "sqlite"}:
        for name, table, _condition, _columns in PARTIAL:
            op.drop_index(name, table)
    for table in ("not_same", "merged_people", "changes", "flows"):
        op.drop_table(table)
    op.execute("UPDATE binding_claims SET state = 'refused' WHERE state = 'lapsed'")
    with op.batch_alter_table("binding_claims") as batch:
        for column in ("remark", "asked_at", "phone", "doubts"):
            batch.drop_column(column)
    _allow("binding_claims", "state", "claimstate", CLAIMS)
    op.execute("DELETE FROM posts WHERE role IN ('deputy', 'committee')")
    with op.batch_alter_table("posts") as batch:
        for name in (
            "term_ends_after_it_begins", "ends_after_it_begins", "committee_has_a_duty", "place_fits_role", "duty_is_known",
        ):
            batch.drop_constraint(op.f(f"ck_posts_{name}"), type_="check")
    with op.batch_alter_table("posts") as batch:
        batch.drop_index(op.f("ix_posts_term_ends_on"))
        for column in ("duties", "duty", "term_ends_on"):
            batch.drop_column(column)
    _allow("posts", "role", "role", ROLES)
    with op.batch_alter_table("affiliations") as batch:
        batch.drop_constraint(op.f("ck_affiliations_ends_after_it_begins"), type_="check")
    op.drop_index(op.f("ix_people_sound"), "people")
    op.drop_column("people", "sound")
