"""imports: tables that wait to be brought in, with their files, and what became of each

Revision: 0007, after 0004
"""

import sqlalchemy as sa
from alembic import op

from models.base import Encrypted, Instant, text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KINDS = ("people", "branches", "stations", "holidays", "publicity")
STATES = ("uploaded", "checked", "applying", "applied", "failed", "dropped", "expired")


def _word(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=f"{name}_is_known", native_enum=False, create_constraint=False, length=32)


def _checked(column: str, name: str, words: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_imports_{name}_is_known"))


def upgrade() -> None:
    figures = ("attempts", "done", "about", "new", "changed", "unchanged", "wrong", "problems")
    op.create_table(
        "imports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", _word("importkind", *KINDS), nullable=False),
        sa.Column("name", text(128), nullable=False),
        sa.Column("sheet", text(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("open_key", text(128), nullable=True),
        sa.Column("state", _word("importstate", *STATES), nullable=False),
        sa.Column("by_person_id", sa.Integer(), nullable=False),
        sa.Column("county_id", sa.Integer(), nullable=True),
        sa.Column("uploaded_at", Instant(), nullable=False),
        sa.Column("applied_by", sa.Integer(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("held_until", Instant(), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in figures),
        sa.Column("digest", text(64), nullable=False),
        sa.Column("says", text(255), nullable=False),
        sa.Column("findings", Encrypted(), nullable=True),
        _checked("kind", "importkind", KINDS),
        _checked("state", "importstate", STATES),
        sa.ForeignKeyConstraint(["by_person_id"], ["people.id"], name=op.f("fk_imports_by_person_id_people")),
        sa.ForeignKeyConstraint(["applied_by"], ["people.id"], name=op.f("fk_imports_applied_by_people")),
        sa.ForeignKeyConstraint(["county_id"], ["counties.id"], name=op.f("fk_imports_county_id_counties")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
        sa.UniqueConstraint("open_key", name=op.f("uq_imports_open_key")),
    )
    op.create_index(op.f("ix_imports_by_person_id"), "imports", ["by_person_id"])
    op.create_index(op.f("ix_imports_county_id"), "imports", ["county_id"])
    op.create_index("ix_imports_state_held_until", "imports", ["state", "held_until"])
    op.create_table(
        "import_parts",
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", Encrypted(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name=op.f("fk_import_parts_import_id_imports")),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_import_parts")),
    )


def downgrade() -> None:
    op.drop_table("import_parts")
    op.drop_table("imports")
