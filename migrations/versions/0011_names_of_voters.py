"""elections: the names on the list of voters, as they were when the record was filed

Revision: 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op

from models.base import text

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("election_voters", sa.Column("name", text(64), server_default="", nullable=False))
    # Until now a record showed the names of today: those are the oldest there are.
    op.execute(
        "UPDATE election_voters SET name = (SELECT people.name FROM people WHERE people.id = election_voters.person_id)"
        " WHERE election_id IN (SELECT elections.id FROM elections WHERE elections.state <> 'draft')"
    )


def downgrade() -> None:
    op.drop_column("election_voters", "name")
