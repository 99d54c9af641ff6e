"""initial

Revision: 0001, after
"""

import sqlalchemy as sa
from alembic import op

from models.base import Encrypted, Instant, text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answers",
        sa.Column("message_key", text(32), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "replied",
                "silent",
                "acknowledged",
                "pushed",
                "failed",
                name="outcome_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("route", text(48), nullable=False),
        sa.Column("reply", Encrypted(), nullable=True),
        sa.Column("error_id", text(16), nullable=True),
        sa.Column("answered_at", Instant(), nullable=False),
        sa.Column("latency_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("message_key", name=op.f("pk_answers")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("act", text(48), nullable=False),
        sa.Column("subject", text(64), nullable=False),
        sa.Column("details", Encrypted(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_at"), ["at"], unique=False)

    op.create_table(
        "case_numbers",
        sa.Column("day", text(8), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_case_numbers")),
    )
    op.create_table(
        "conversations",
        sa.Column("openid", text(64), nullable=False),
        sa.Column("flow", text(48), nullable=False),
        sa.Column("said", Encrypted(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("openid", name=op.f("pk_conversations")),
    )
    op.create_table(
        "counties",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", text(32), nullable=False),
        sa.Column("brand", text(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counties")),
        sa.UniqueConstraint("name", name=op.f("uq_counties_name")),
    )
    op.create_table(
        "credentials",
        sa.Column("app_id", text(32), nullable=False),
        sa.Column("token", Encrypted(), nullable=True),
        sa.Column("issued_at", Instant(), nullable=True),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", Instant(), nullable=True),
        sa.Column("reason", text(255), nullable=False),
        sa.PrimaryKeyConstraint("app_id", name=op.f("pk_credentials")),
    )
    op.create_table(
        "day_exceptions",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("is_working", sa.Boolean(), nullable=False),
        sa.Column("name", text(32), nullable=False),
        sa.Column("source", text(128), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_day_exceptions")),
    )
    op.create_table(
        "dues",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule", text(32), nullable=False),
        sa.Column("subject", text(64), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("not_after", Instant(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "done",
                "expired",
                name="duestate_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("note", text(128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dues")),
        sa.UniqueConstraint("rule", "subject", "due_at", name=op.f("uq_dues_rule_subject_due_at")),
    )
    with op.batch_alter_table("dues", schema=None) as batch_op:
        batch_op.create_index("ix_dues_state_due_at", ["state", "due_at"], unique=False)

    op.create_table(
        "inbox",
        sa.Column("key", text(32), nullable=False),
        sa.Column("receipt", sa.BigInteger(), nullable=False),
        sa.Column("signature", text(40), nullable=False),
        sa.Column("openid", text(64), nullable=False),
        sa.Column("kind", text(48), nullable=False),
        sa.Column("body", Encrypted(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_inbox")),
        sa.UniqueConstraint("signature", name=op.f("uq_inbox_signature")),
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index("ix_inbox_openid_received_at", ["openid", "received_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_inbox_received_at"), ["received_at"], unique=False)

    op.create_table(
        "leases",
        sa.Column("name", text(64), nullable=False),
        sa.Column("holder", text(64), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "study_day",
                "broadcast",
                "case_assigned",
                "case_update",
                "late_reply",
                "binding",
                "leave",
                "alarm",
                name="noticekind_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("campaign", text(64), nullable=False),
        sa.Column("facts", Encrypted(), nullable=False),
        sa.Column("why", text(128), nullable=False),
        sa.Column("app", text(16), nullable=False),
        sa.Column("queued_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notices_campaign"), ["campaign"], unique=False)

    op.create_table(
        "people",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", text(64), nullable=False),
        sa.Column("phone", Encrypted(), nullable=True),
        sa.Column("phone_index", text(64), nullable=True),
        sa.Column("is_fictional", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
    )
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_people_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_people_phone_index"), ["phone_index"], unique=False)

    op.create_table(
        "binding_claims",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("openid", text(64), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "confirmed",
                "refused",
                name="claimstate_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("claimed_at", Instant(), nullable=False),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["decided_by"], ["people.id"], name=op.f("fk_binding_claims_decided_by_people")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_binding_claims_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_binding_claims")),
    )
    with op.batch_alter_table("binding_claims", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_binding_claims_openid"), ["openid"], unique=False)
        batch_op.create_index(batch_op.f("ix_binding_claims_person_id"), ["person_id"], unique=False)

    op.create_table(
        "branches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", text(64), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "research",
                "station",
                "firm",
                "association",
                name="branchkind_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("county_id", sa.Integer(), nullable=True),
        sa.Column("is_fictional", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["county_id"], ["counties.id"], name=op.f("fk_branches_county_id_counties")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_branches")),
        sa.UniqueConstraint("name", name=op.f("uq_branches_name")),
    )
    with op.batch_alter_table("branches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_branches_county_id"), ["county_id"], unique=False)

    op.create_table(
        "followers",
        sa.Column("openid", text(64), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("is_subscribed", sa.Boolean(), nullable=False),
        sa.Column("met_at", Instant(), nullable=False),
        sa.Column("bound_at", Instant(), nullable=True),
        sa.Column("left_at", Instant(), nullable=True),
        sa.Column("scene", text(64), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_followers_person_id_people")),
        sa.PrimaryKeyConstraint("openid", name=op.f("pk_followers")),
    )
    with op.batch_alter_table("followers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_followers_person_id"), ["person_id"], unique=False)

    op.create_table(
        "invites",
        sa.Column("code_index", text(64), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.Column("used_by", text(64), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_invites_person_id_people")),
        sa.PrimaryKeyConstraint("code_index", name=op.f("pk_invites")),
    )
    with op.batch_alter_table("invites", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invites_person_id"), ["person_id"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("notice_id", sa.Integer(), nullable=False),
        sa.Column("campaign", text(64), nullable=False),
        sa.Column("recipient", text(80), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("openid", text(64), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "claimed",
                "sent",
                "delivered",
                "refused",
                "unreachable",
                "expired",
                "unknown",
                "cancelled",
                name="sendstate_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("is_bulk", sa.Boolean(), nullable=False),
        sa.Column(
            "channel",
            sa.Enum(
                "template", "customer", name="channel_is_known", native_enum=False, create_constraint=True, length=32
            ),
            nullable=True,
        ),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("not_after", Instant(), nullable=False),
        sa.Column("claimed_at", Instant(), nullable=True),
        sa.Column("claimed_by", text(32), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.Column("msgid", text(32), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("reason", text(255), nullable=True),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_outbox_notice_id_notices")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_outbox_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("campaign", "recipient", name=op.f("uq_outbox_campaign_recipient")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_msgid"), ["msgid"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_notice_id"), ["notice_id"], unique=False)
        batch_op.create_index("ix_outbox_openid_state", ["openid", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_person_id"), ["person_id"], unique=False)
        batch_op.create_index("ix_outbox_state_is_bulk_due_at", ["state", "is_bulk", "due_at"], unique=False)

    op.create_table(
        "affiliations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("is_main", sa.Boolean(), nullable=False),
        sa.Column("since_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["branch_id"], ["branches.id"], name=op.f("fk_affiliations_branch_id_branches")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_affiliations_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_affiliations")),
        sa.UniqueConstraint(
            "person_id", "branch_id", "since_on", name=op.f("uq_affiliations_person_id_branch_id_since_on")
        ),
    )
    with op.batch_alter_table("affiliations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_affiliations_branch_id"), ["branch_id"], unique=False)

    op.create_table(
        "broadcasts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column(
            "audience",
            sa.Enum(
                "all",
                "county",
                "branch_kind",
                "branch",
                name="audiencekind_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("county_id", sa.Integer(), nullable=True),
        sa.Column(
            "branch_kind",
            sa.Enum(
                "research",
                "station",
                "firm",
                "association",
                name="branchkind_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("branch_id", sa.Integer(), nullable=True),
        sa.Column("title", text(32), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("code", text(8), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "confirmed",
                "cancelled",
                name="broadcaststate_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("written_at", Instant(), nullable=False),
        sa.Column("confirmed_at", Instant(), nullable=True),
        sa.Column("people_count", sa.Integer(), nullable=False),
        sa.Column("reachable_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["people.id"], name=op.f("fk_broadcasts_author_id_people")),
        sa.ForeignKeyConstraint(["branch_id"], ["branches.id"], name=op.f("fk_broadcasts_branch_id_branches")),
        sa.ForeignKeyConstraint(["county_id"], ["counties.id"], name=op.f("fk_broadcasts_county_id_counties")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcasts")),
    )
    with op.batch_alter_table("broadcasts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_broadcasts_author_id"), ["author_id"], unique=False)

    op.create_table(
        "gatherings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum(
                "study_day",
                "activity_day",
                "extra_study",
                name="purpose_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("period_on", sa.Date(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("opens_at", Instant(), nullable=False),
        sa.Column("closes_at", Instant(), nullable=False),
        sa.Column("topic", text(64), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "planned",
                "cancelled",
                name="gatheringstate_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("why", text(128), nullable=False),
        sa.Column("moved_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["branch_id"], ["branches.id"], name=op.f("fk_gatherings_branch_id_branches")),
        sa.ForeignKeyConstraint(["moved_by"], ["people.id"], name=op.f("fk_gatherings_moved_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gatherings")),
        sa.UniqueConstraint(
            "branch_id", "period_on", "purpose", name=op.f("uq_gatherings_branch_id_period_on_purpose")
        ),
    )
    with op.batch_alter_table("gatherings", schema=None) as batch_op:
        batch_op.create_index("ix_gatherings_branch_id_opens_at", ["branch_id", "opens_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_gatherings_held_on"), ["held_on"], unique=False)

    op.create_table(
        "stations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", text(64), nullable=False),
        sa.Column("county_id", sa.Integer(), nullable=False),
        sa.Column("branch_id", sa.Integer(), nullable=True),
        sa.Column("address", text(128), nullable=False),
        sa.Column("phone", text(32), nullable=False),
        sa.Column("hours", text(64), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=False),
        sa.Column("longitude", sa.Double(), nullable=False),
        sa.Column("is_fictional", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["branch_id"], ["branches.id"], name=op.f("fk_stations_branch_id_branches")),
        sa.ForeignKeyConstraint(["county_id"], ["counties.id"], name=op.f("fk_stations_county_id_counties")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stations")),
        sa.UniqueConstraint("name", name=op.f("uq_stations_name")),
    )
    with op.batch_alter_table("stations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stations_county_id"), ["county_id"], unique=False)

    op.create_table(
        "attendances",
        sa.Column("gathering_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column(
            "presence",
            sa.Enum(
                "present",
                "leave_asked",
                "leave",
                name="presence_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "via",
            sa.Enum("self", "proxy", name="via_is_known", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("receipt", sa.BigInteger(), nullable=False),
        sa.Column("by_person_id", sa.Integer(), nullable=True),
        sa.Column("reason", Encrypted(), nullable=True),
        sa.ForeignKeyConstraint(["by_person_id"], ["people.id"], name=op.f("fk_attendances_by_person_id_people")),
        sa.ForeignKeyConstraint(
            ["gathering_id"], ["gatherings.id"], name=op.f("fk_attendances_gathering_id_gatherings")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_attendances_person_id_people")),
        sa.PrimaryKeyConstraint("gathering_id", "person_id", name=op.f("pk_attendances")),
    )
    with op.batch_alter_table("attendances", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attendances_person_id"), ["person_id"], unique=False)

    op.create_table(
        "consultations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", text(24), nullable=False),
        sa.Column("openid", text(64), nullable=False),
        sa.Column("county_id", sa.Integer(), nullable=False),
        sa.Column(
            "matter",
            sa.Enum(
                "labour",
                "family",
                "neighbours",
                "contract",
                "fundraising",
                "accident",
                "other",
                name="matter_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "urgency",
            sa.Enum(
                "today",
                "this_week",
                "later",
                name="urgency_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "wish",
            sa.Enum(
                "answer",
                "mediation",
                "aid",
                name="wish_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("is_dangerous", sa.Boolean(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "taken",
                "answered",
                "closed",
                "withdrawn",
                name="casestate_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("station_id", sa.Integer(), nullable=True),
        sa.Column("lawyer_id", sa.Integer(), nullable=True),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("taken_at", Instant(), nullable=True),
        sa.Column("answered_at", Instant(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.CheckConstraint("rating IS NULL OR rating BETWEEN 1 AND 5", name=op.f("ck_consultations_rating_in_range")),
        sa.ForeignKeyConstraint(["county_id"], ["counties.id"], name=op.f("fk_consultations_county_id_counties")),
        sa.ForeignKeyConstraint(["lawyer_id"], ["people.id"], name=op.f("fk_consultations_lawyer_id_people")),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_consultations_station_id_stations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consultations")),
        sa.UniqueConstraint("number", name=op.f("uq_consultations_number")),
    )
    with op.batch_alter_table("consultations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_consultations_asked_at"), ["asked_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_consultations_county_id"), ["county_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_consultations_lawyer_id"), ["lawyer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_consultations_openid"), ["openid"], unique=False)
        batch_op.create_index(batch_op.f("ix_consultations_state"), ["state"], unique=False)

    op.create_table(
        "posts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "secretary",
                "lawyer",
                "county_office",
                "office",
                "auditor",
                name="role_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("branch_id", sa.Integer(), nullable=True),
        sa.Column("station_id", sa.Integer(), nullable=True),
        sa.Column("county_id", sa.Integer(), nullable=True),
        sa.Column("since_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["branch_id"], ["branches.id"], name=op.f("fk_posts_branch_id_branches")),
        sa.ForeignKeyConstraint(["county_id"], ["counties.id"], name=op.f("fk_posts_county_id_counties")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_posts_person_id_people")),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_posts_station_id_stations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
    )
    with op.batch_alter_table("posts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_posts_branch_id"), ["branch_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_posts_county_id"), ["county_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_posts_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_posts_station_id"), ["station_id"], unique=False)

    op.create_table(
        "case_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("consultation_id", sa.Integer(), nullable=False),
        sa.Column(
            "step",
            sa.Enum(
                "asked",
                "added",
                "assigned",
                "taken",
                "answered",
                "transferred",
                "closed",
                "rated",
                "withdrawn",
                name="step_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("by_person_id", sa.Integer(), nullable=True),
        sa.Column("words", Encrypted(), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["by_person_id"], ["people.id"], name=op.f("fk_case_steps_by_person_id_people")),
        sa.ForeignKeyConstraint(
            ["consultation_id"], ["consultations.id"], name=op.f("fk_case_steps_consultation_id_consultations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_steps")),
    )
    with op.batch_alter_table("case_steps", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_steps_consultation_id"), ["consultation_id"], unique=False)



def downgrade() -> None:
    # A table takes its indexes with it; MariaDB refuses to drop those that a foreign key stands on.
    op.drop_table("case_steps")
    op.drop_table("posts")
    op.drop_table("consultations")
    op.drop_table("attendances")
    op.drop_table("stations")
    op.drop_table("gatherings")
    op.drop_table("broadcasts")
    op.drop_table("affiliations")
    op.drop_table("outbox")
    op.drop_table("invites")
    op.drop_table("followers")
    op.drop_table("branches")
    op.drop_table("binding_claims")
    op.drop_table("people")
    op.drop_table("notices")
    op.drop_table("leases")
    op.drop_table("inbox")
    op.drop_table("dues")
    op.drop_table("day_exceptions")
    op.drop_table("credentials")
    op.drop_table("counties")
    op.drop_table("conversations")
    op.drop_table("case_numbers")
    op.drop_table("audit")
    op.drop_table("answers")
