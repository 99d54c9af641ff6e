"""publicity and switches

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

from models.base import Instant, text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "publicity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", text(64), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=True),
        sa.Column(
            "item",
            sa.Enum(
                "events",
                "educated",
                "banners",
                "boards",
                "leaflets",
                "desks",
                "consultations",
                "mediations",
                "aid",
                "sensitive",
                "trainings",
                name="publicityitem_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("is_at_least", sa.Boolean(), nullable=False),
        sa.Column("source", text(128), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_publicity_amount_is_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publicity")),
        sa.UniqueConstraint("key", name=op.f("uq_publicity_key")),
    )
    with op.batch_alter_table("publicity", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_publicity_year"), ["year"], unique=False)

    op.create_table(
        "switches",
        sa.Column("name", text(32), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("note", text(128), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_switches")),
    )


def downgrade() -> None:
    op.drop_table("switches")
    with op.batch_alter_table("publicity", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_publicity_year"))

    op.drop_table("publicity")
