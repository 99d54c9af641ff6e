"""the roll: when the rows before and after a change went

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

from models.base import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("changes", sa.Column("erased_at", Instant(), nullable=True))


def downgrade() -> None:
    op.drop_column("changes", "erased_at")
