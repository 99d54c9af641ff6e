"""sending that can be trusted: campaigns, channels, consents, quotas, audiences, approval

Revision: 0004, after 0003
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from models.base import Instant, text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KINDS = (
    "study_day", "broadcast", "case_assigned", "case_update", "late_reply", "binding", "leave", "alarm",
)
STATES = ("waiting", "claimed", "sent", "delivered", "refused", "unreachable", "expired", "unknown", "cancelled")
CHANNELS = ("template", "customer")
TOPICS = ("statutory", "activity", "study", "publicity")
BROADCASTS = ("draft", "confirmed", "cancelled")
BRANCH_KINDS = {
    "research": "行业研究会", "station": "法律服务站流动", "firm": "律师事务所流动", "association": "团体会员流动",
}


def _word(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=f"{name}_is_known", native_enum=False, create_constraint=False, length=32)


def _allow(table: str, column: str, name: str, words: tuple[str, ...]) -> None:
    """Let a column hold these words and no others."""
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(op.f(f"ck_{table}_{name}_is_known"), type_="check")
        listed = ", ".join(f"'{word}'" for word in words)
        batch.create_check_constraint(op.f(f"ck_{table}_{name}_is_known"), f"{column} IN ({listed})")


def _checked(table: str, column: str, name: str, words: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{name}_is_known"))


def upgrade() -> None:
    all_kinds = (*KINDS, "digest", "reminder")
    _allow("notices", "kind", "noticekind", all_kinds)
    with op.batch_alter_table("notices") as batch:
        batch.add_column(sa.Column("topic", _word("topic", *TOPICS), nullable=False, server_default="statutory"))
        batch.create_check_constraint(op.f("ck_notices_topic_is_known"), f"topic IN {TOPICS}")
    with op.batch_alter_table("notices") as batch:
        batch.alter_column("topic", existing_type=_word("topic", *TOPICS), nullable=False, server_default=None)

    _allow("outbox", "state", "sendstate", (*STATES, "folded"))
    _allow("outbox", "channel", "channel", (*CHANNELS, "subscription", "mass"))
    with op.batch_alter_table("outbox") as batch:
        batch.add_column(sa.Column("rung", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("round", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("batch", text(64), nullable=True))
        batch.add_column(sa.Column("folded_into", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch.create_index(op.f("ix_outbox_openid"), ["openid"])
        batch.drop_index("ix_outbox_openid_state")
        batch.drop_index(op.f("ix_outbox_msgid"))
        batch.create_index("ix_outbox_state_is_bulk_due_at_campaign", ["state", "is_bulk", "due_at", "campaign"])
        batch.drop_index("ix_outbox_state_is_bulk_due_at")
    is_mass = sa.text("channel = 'mass'")
    op.create_index("ix_outbox_mass_msgid", "outbox", ["msgid"], postgresql_where=is_mass, sqlite_where=is_mass)
    with op.batch_alter_table("affiliations") as batch:
        batch.create_index(
            "ix_affiliations_branch_id_person_id", ["branch_id", "person_id", "since_on", "until_on"]
        )
        batch.drop_index(op.f("ix_affiliations_branch_id"))

    _new_tables(all_kinds)
    _broadcasts_up()


def _new_tables(all_kinds: tuple[str, ...]) -> None:
    all_channels = (*CHANNELS, "subscription", "mass")
    states = ("running", "paused", "stopped", "cancelled")
    op.create_table(
        "campaigns",
        sa.Column("name", text(64), nullable=False),
        sa.Column("kind", _word("noticekind", *all_kinds), nullable=False),
        sa.Column("state", _word("campaignstate", *states), nullable=False),
        sa.Column("reason", text(255), nullable=False),
        sa.Column("begun_at", Instant(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_campaigns")),
        _checked("campaigns", "kind", "noticekind", all_kinds),
        _checked("campaigns", "state", "campaignstate", states),
    )
    op.create_index(op.f("ix_campaigns_state"), "campaigns", ["state"])
    op.create_table(
        "consents",
        sa.Column("openid", text(64), nullable=False),
        sa.Column("template_id", text(64), nullable=False),
        sa.Column("credits", sa.Integer(), nullable=False),
        sa.Column("is_long_term", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("openid", "template_id", name=op.f("pk_consents")),
        sa.CheckConstraint("credits >= 0", name=op.f("ck_consents_credits_are_not_negative")),
    )
    op.create_table(
        "quotas",
        sa.Column("app", text(16), nullable=False),
        sa.Column("channel", _word("channel", *all_channels), nullable=False),
        sa.Column("period", text(16), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("is_exhausted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("app", "channel", "period", name=op.f("pk_quotas")),
        _checked("quotas", "channel", "channel", all_channels),
    )
    paces = op.create_table(
        "paces",
        sa.Column("name", text(32), nullable=False),
        sa.Column("free_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_paces")),
    )
    # The one row is there before the first sender is.
    op.bulk_insert(paces, [{"name": "sending", "free_at": datetime(2000, 1, 1, tzinfo=UTC)}])
    op.create_table(
        "opt_outs",
        sa.Column("recipient", text(80), nullable=False),
        sa.Column("topic", _word("topic", *TOPICS), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "topic", name=op.f("pk_opt_outs")),
        _checked("opt_outs", "topic", "topic", TOPICS),
    )
    kinds = ("template", "one_time", "long_term")
    op.create_table(
        "templates",
        sa.Column("id", text(64), nullable=False),
        sa.Column("kind", _word("templatekind", *kinds), nullable=False),
        sa.Column("title", text(64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("example", sa.Text(), nullable=False),
        sa.Column("synced_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
        _checked("templates", "kind", "templatekind", kinds),
    )
    op.create_table(
        "audiences",
        sa.Column("name", text(32), nullable=False),
        sa.Column("expression", text(500), nullable=False),
        sa.Column("saved_by", sa.Integer(), nullable=True),
        sa.Column("saved_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["saved_by"], ["people.id"], name=op.f("fk_audiences_saved_by_people")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audiences")),
    )


def _broadcasts_up() -> None:
    """What was chosen from a list becomes the words of an audience."""
    with op.batch_alter_table("broadcasts") as batch:
        batch.alter_column("audience", new_column_name="chosen", existing_type=sa.String(32), existing_nullable=False)
        batch.drop_constraint(op.f("ck_broadcasts_audiencekind_is_known"), type_="check")
        batch.drop_constraint(op.f("ck_broadcasts_branchkind_is_known"), type_="check")
        batch.drop_constraint(op.f("ck_broadcasts_broadcaststate_is_known"), type_="check")
    states = (*BROADCASTS, "submitted", "returned")
    with op.batch_alter_table("broadcasts") as batch:
        batch.add_column(sa.Column("audience", text(500), nullable=False, server_default="全体"))
        batch.add_column(sa.Column("topic", _word("topic", *TOPICS), nullable=False, server_default="statutory"))
        batch.add_column(sa.Column("submitted_at", Instant(), nullable=True))
        batch.add_column(sa.Column("decided_by", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("remark", text(128), nullable=False, server_default=""))
        batch.add_column(sa.Column("corrects_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f("fk_broadcasts_decided_by_people"), "people", ["decided_by"], ["id"])
        batch.create_foreign_key(op.f("fk_broadcasts_corrects_id_broadcasts"), "broadcasts", ["corrects_id"], ["id"])
        batch.create_check_constraint(op.f("ck_broadcasts_topic_is_known"), f"topic IN {TOPICS}")
        batch.create_check_constraint(op.f("ck_broadcasts_broadcaststate_is_known"), f"state IN {states}")
        batch.create_index(op.f("ix_broadcasts_state"), ["state"])
    concat = "CONCAT('{0}', {1})" if op.get_bind().dialect.name in {"mysql", "mariadb"} else "'{0}' || {1}"
    for column, table, word in (("county_id", "counties", "县:"), ("branch_id", "branches", "支部:")):
        name = f"(SELECT name FROM {table} WHERE {table}.id = broadcasts.{column})"
        op.execute(f"UPDATE broadcasts SET audience = {concat.format(word, name)} WHERE {column} IS NOT NULL")
    for kind, label in BRANCH_KINDS.items():
        op.execute(f"UPDATE broadcasts SET audience = '类型:{label}' WHERE branch_kind = '{kind}'")
    op.execute("UPDATE broadcasts SET county_id = NULL, decided_by = CASE WHEN state = 'draft' THEN NULL ELSE author_id END")
    with op.batch_alter_table("broadcasts") as batch:
        batch.drop_constraint(op.f("fk_broadcasts_branch_id_branches"), type_="foreignkey")
        for column in ("chosen", "branch_kind", "branch_id"):
            batch.drop_column(column)
        for column, kind in (("audience", text(500)), ("topic", _word("topic", *TOPICS)), ("remark", text(128))):
            batch.alter_column(column, existing_type=kind, nullable=False, server_default=None)


def downgrade() -> None:
    """Audiences that were written out become “everybody”: nothing is sent by a draft of an older version anyway."""
    for state in ("submitted", "returned"):
        op.execute(f"UPDATE broadcasts SET state = 'cancelled' WHERE state = '{state}'")
    with op.batch_alter_table("broadcasts") as batch:
        batch.drop_constraint(op.f("fk_broadcasts_decided_by_people"), type_="foreignkey")
        batch.drop_constraint(op.f("fk_broadcasts_corrects_id_broadcasts"), type_="foreignkey")
        batch.drop_constraint(op.f("ck_broadcasts_topic_is_known"), type_="check")
        batch.drop_constraint(op.f("ck_broadcasts_broadcaststate_is_known"), type_="check")
        batch.drop_index(op.f("ix_broadcasts_state"))
        for column in ("topic", "submitted_at", "decided_by", "remark", "corrects_id", "audience"):
            batch.drop_column(column)
    kinds = ("all", "county", "branch_kind", "branch")
    with op.batch_alter_table("broadcasts") as batch:
        batch.add_column(sa.Column("audience", _word("audiencekind", *kinds), nullable=False, server_default="all"))
        batch.add_column(sa.Column("branch_kind", _word("branchkind", *BRANCH_KINDS), nullable=True))
        batch.add_column(sa.Column("branch_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(op.f("fk_broadcasts_branch_id_branches"), "branches", ["branch_id"], ["id"])
        batch.create_check_constraint(op.f("ck_broadcasts_audiencekind_is_known"), f"audience IN {kinds}")
        batch.create_check_constraint(op.f("ck_broadcasts_branchkind_is_known"), f"branch_kind IN {tuple(BRANCH_KINDS)}")
        batch.create_check_constraint(op.f("ck_broadcasts_broadcaststate_is_known"), f"state IN {BROADCASTS}")
    for table in ("audiences", "templates", "opt_outs", "paces", "quotas", "consents", "campaigns"):
        op.drop_table(table)
    with op.batch_alter_table("affiliations") as batch:
        batch.create_index(op.f("ix_affiliations_branch_id"), ["branch_id"])
        batch.drop_index("ix_affiliations_branch_id_person_id")
    op.execute("UPDATE outbox SET state = 'cancelled' WHERE state = 'folded'")
    op.execute("UPDATE outbox SET channel = 'template' WHERE channel IN ('subscription', 'mass')")
    with op.batch_alter_table("outbox") as batch:
        batch.create_index("ix_outbox_state_is_bulk_due_at", ["state", "is_bulk", "due_at"])
        batch.drop_index("ix_outbox_state_is_bulk_due_at_campaign")
        batch.create_index("ix_outbox_openid_state", ["openid", "state"])
        batch.drop_index(op.f("ix_outbox_openid"))
        batch.drop_index("ix_outbox_mass_msgid")
        batch.create_index(op.f("ix_outbox_msgid"), ["msgid"])
        for column in ("rung", "round", "batch", "folded_into"):
            batch.drop_column(column)
    _allow("outbox", "state", "sendstate", STATES)
    _allow("outbox", "channel", "channel", CHANNELS)
    op.execute("UPDATE notices SET kind = 'broadcast' WHERE kind IN ('digest', 'reminder')")
    with op.batch_alter_table("notices") as batch:
        batch.drop_constraint(op.f("ck_notices_topic_is_known"), type_="check")
        batch.drop_column("topic")
    _allow("notices", "kind", "noticekind", KINDS)
