"""the organisation whole: what leads it, the life of branches, closed stations, townships, villages, Party groups, brands

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

from models.base import Instant, text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KINDS = ("research", "station", "firm", "association")
ACTS = ("founded", "changed", "merged", "dissolved", "restored")
TABLES = (
    "brand_stories", "party_group_members", "party_groups", "liaison_points", "villages", "townships",
    "station_closures", "branch_changes", "organisations",
)  # fmt: skip


def _word(table: str, column: str, name: str, words: tuple[str, ...]) -> tuple[sa.Column[str], sa.CheckConstraint]:
    """A column that holds one of these words, and the constraint that says so."""
    listed = ", ".join(f"'{word}'" for word in words)
    kind = sa.Enum(*words, name=f"{name}_is_known", native_enum=False, create_constraint=False, length=32)
    check = sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{name}_is_known"))
    return sa.Column(column, kind, nullable=False), check


def _key(table: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}"))


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"))


def _once(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _fiction() -> sa.Column[bool]:
    return sa.Column("is_fictional", sa.Boolean(), nullable=False)


def upgrade() -> None:
    with op.batch_alter_table("counties") as batch:
        batch.add_column(sa.Column("brand_note", text(128), nullable=False, server_default=""))
    with op.batch_alter_table("branches") as batch:
        batch.add_column(sa.Column("room", text(128), nullable=False, server_default=""))
        batch.add_column(sa.Column("dissolved_on", sa.Date(), nullable=True))
    with op.batch_alter_table("stations") as batch:
        batch.add_column(sa.Column("services", text(128), nullable=False, server_default=""))
    _above_and_beside()
    _below()


def _above_and_beside() -> None:
    """What leads the branches, what happens to them, and when stations are shut."""
    table = "organisations"
    op.create_table(
        table,
        _number("id"),
        *_word(table, "kind", "organisationkind", ("leading_group", "general_branch")),
        sa.Column("name", text(64), nullable=False),
        _number("county_id", nullable=True),
        sa.Column("belongs_to", text(64), nullable=False),
        sa.Column("guided_by", text(64), nullable=False),
        _fiction(),
        _key(table),
        _refers(table, "county_id", "counties"),
        _once(table, "name"),
    )
    op.create_index(op.f("ix_organisations_county_id"), table, ["county_id"])
    table = "branch_changes"
    op.create_table(
        table,
        _number("id"),
        _number("branch_id"),
        *_word(table, "act", "branchact", ACTS),
        sa.Column("done_on", sa.Date(), nullable=False),
        sa.Column("done_at", Instant(), nullable=False),
        _number("by_person_id", nullable=True),
        sa.Column("reason", text(128), nullable=False),
        _number("into_id", nullable=True),
        sa.Column("was_living", sa.Boolean(), nullable=False),
        sa.Column("old_name", text(64), nullable=False),
        *_word(table, "old_kind", "branchkind", KINDS),
        _number("old_county_id", nullable=True),
        sa.Column("moved", sa.Text(), nullable=True),
        _key(table),
        _refers(table, "branch_id", "branches"),
        _refers(table, "by_person_id", "people"),
        _refers(table, "into_id", "branches"),
        _refers(table, "old_county_id", "counties"),
    )
    op.create_index("ix_branch_changes_branch_id_done_on", table, ["branch_id", "done_on", "id"])
    op.create_index(op.f("ix_branch_changes_into_id"), table, ["into_id"])
    _dated("station_closures", "station_id", "stations", sa.Column("reason", text(128), nullable=False))


def _dated(table: str, column: str, of: str, *more: sa.Column[str]) -> None:
    """Something that holds from one day to another; of each there is one at a time."""
    op.create_table(
        table,
        _number("id"),
        _number(column),
        sa.Column("since_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("is_current", sa.Boolean(), nullable=True),
        *more,
        _key(table),
        _refers(table, column, of),
        _once(table, column, "is_current"),
        sa.CheckConstraint(
            "(until_on IS NULL) = (is_current IS NOT NULL)", name=op.f(f"ck_{table}_current_has_no_end")
        ),
    )


def _below() -> None:
    """Townships, villages and their liaison points, Party groups, the stories of brands."""
    for table, column, of in (("townships", "county_id", "counties"), ("villages", "township_id", "townships")):
        op.create_table(
            table,
            _number("id"),
            _number(column),
            sa.Column("name", text(32), nullable=False),
            _fiction(),
            _key(table),
            _refers(table, column, of),
            _once(table, column, "name"),
        )
    sealed = sa.LargeBinary().with_variant(sa.dialects.mysql.MEDIUMBLOB(), "mysql", "mariadb")
    contact = (sa.Column("contact", text(64), nullable=False), sa.Column("phone", sealed, nullable=True))
    _dated("liaison_points", "village_id", "villages", *contact)
    table = "party_groups"
    op.create_table(
        table,
        _number("id"),
        _number("branch_id"),
        sa.Column("name", text(32), nullable=False),
        sa.Column("dissolved_on", sa.Date(), nullable=True),
        _key(table),
        _refers(table, "branch_id", "branches"),
        _once(table, "branch_id", "name"),
    )
    table = "party_group_members"
    op.create_table(
        table,
        _number("branch_id"),
        _number("person_id"),
        _number("group_id"),
        sa.Column("is_leader", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("branch_id", "person_id", name=op.f("pk_party_group_members")),
        _refers(table, "branch_id", "branches"),
        _refers(table, "person_id", "people"),
        _refers(table, "group_id", "party_groups"),
    )
    op.create_index(op.f("ix_party_group_members_group_id"), table, ["group_id"])
    op.create_index(op.f("ix_party_group_members_person_id"), table, ["person_id"])
    table = "brand_stories"
    op.create_table(
        table,
        _number("id"),
        _number("county_id"),
        *_word(table, "kind", "storykind", ("event", "story", "visit")),
        sa.Column("title", text(64), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("written_at", Instant(), nullable=False),
        _number("written_by", nullable=True),
        sa.Column("withdrawn_at", Instant(), nullable=True),
        _fiction(),
        _key(table),
        _refers(table, "county_id", "counties"),
        _refers(table, "written_by", "people"),
    )
    op.create_index(op.f("ix_brand_stories_county_id"), table, ["county_id"])


def downgrade() -> None:
    """A branch that was dissolved lives again: older versions know no other."""
    for table in TABLES:
        op.drop_table(table)
    # Not in a batch: that makes a table anew, and SQLite lets none go that others refer to.
    op.drop_column("stations", "services")
    op.drop_column("branches", "dissolved_on")
    op.drop_column("branches", "room")
    op.drop_column("counties", "brand_note")
