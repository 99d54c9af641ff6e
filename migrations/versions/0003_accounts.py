"""accounts: who may enter the console; people found by pinyin; an audit that cannot be changed

Revision: 0003, after 0002
"""

import logging

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import OperationalError

from models import spelling
from models.base import Encrypted, Instant, text
from models.people import tail_index

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: Whoever restores a backup opens the audit by this switch, within the one transaction that fills it again.
OPENED = "SELECT 1 FROM switches WHERE name = 'audit_restore' AND is_on"
SAYS = "audit rows are never changed"
#: MySQL with binary logs lets only a privileged user make triggers, unless log_bin_trust_function_creators is on.
#: An ordinary one may lack the right on the table, too.
NOT_PRIVILEGED = {1419, 1142, 1227}
AUDIT = ("audit", "audit_seals")
ACTS = ("update", "delete")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", text(32), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("password", text(128), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("totp_secret", Encrypted(), nullable=True),
        sa.Column("is_totp_confirmed", sa.Boolean(), nullable=False),
        sa.Column("totp_step", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("locked_until", Instant(), nullable=True),
        sa.Column("is_demo", sa.Boolean(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_accounts_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
        sa.UniqueConstraint("person_id", name=op.f("uq_accounts_person_id")),
    )
    op.create_table(
        "account_sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_index", text(64), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("verified_at", Instant(), nullable=True),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("address", text(64), nullable=False),
        sa.Column("browser", text(128), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_sessions_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_sessions")),
        sa.UniqueConstraint("token_index", name=op.f("uq_account_sessions_token_index")),
    )
    op.create_index("ix_account_sessions_account_id_ended_at", "account_sessions", ["account_id", "ended_at"])
    op.create_table(
        "backup_codes",
        sa.Column("code_index", text(64), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_backup_codes_account_id_accounts")),
        sa.PrimaryKeyConstraint("code_index", name=op.f("pk_backup_codes")),
    )
    op.create_index(op.f("ix_backup_codes_account_id"), "backup_codes", ["account_id"])
    op.add_column("people", sa.Column("search_key", text(spelling.LONGEST), nullable=False, server_default=""))
    op.add_column("people", sa.Column("phone_tail", text(64), nullable=True))
    op.create_index(op.f("ix_people_phone_tail"), "people", ["phone_tail"])
    _find_those_who_are_there()
    op.create_table(
        "audit_seals",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("previous", text(64), nullable=False),
        sa.Column("digest", text(64), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["audit.id"], name=op.f("fk_audit_seals_entry_id_audit")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_seals_entry_id")),
    )
    for statement in _triggers(op.get_bind().dialect.name):
        _make(statement)


def downgrade() -> None:
    _drop_triggers(op.get_bind().dialect.name)
    op.drop_table("audit_seals")
    op.drop_index(op.f("ix_people_phone_tail"), "people")
    op.drop_column("people", "phone_tail")
    op.drop_column("people", "search_key")
    op.drop_table("backup_codes")
    op.drop_table("account_sessions")
    op.drop_table("accounts")


def _find_those_who_are_there() -> None:
    """People who were written before these columns: found by pinyin and by the end of their number from now on."""
    connection = op.get_bind()
    people = sa.table(
        "people",
        sa.column("id", sa.Integer()),
        sa.column("name", text(64)),
        sa.column("phone", Encrypted()),
        sa.column("search_key", text(spelling.LONGEST)),
        sa.column("phone_tail", text(64)),
    )
    rows = [
        {"who": who, "key": spelling.key(name), "tail": tail_index(connection.dialect, phone)}
        for who, name, phone in connection.execute(sa.select(people.c.id, people.c.name, people.c.phone)).all()
    ]
    if rows:
        connection.execute(
            sa.update(people)
            .where(people.c.id == sa.bindparam("who"))
            .values(search_key=sa.bindparam("key"), phone_tail=sa.bindparam("tail")),
            rows,
        )


def _triggers(dialect: str) -> list[str]:
    if dialect == "postgresql":
        refuse = (
            "CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF NOT EXISTS ({OPENED}) THEN RAISE EXCEPTION '{SAYS}'; END IF; "
            "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
        )
        return [refuse] + [
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION audit_stays()"
            for table in AUDIT
        ]
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{act} BEFORE {act} ON {table} WHEN NOT EXISTS ({OPENED}) "
            f"BEGIN SELECT RAISE(ABORT, '{SAYS}'); END"
            for table in AUDIT
            for act in ACTS
        ]
    return [
        f"CREATE TRIGGER {table}_no_{act} BEFORE {act} ON {table} FOR EACH ROW "
        f"BEGIN IF NOT EXISTS ({OPENED}) THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{SAYS}'; END IF; END"
        for table in AUDIT
        for act in ACTS
    ]


def _make(statement: str) -> None:
    try:
        op.execute(statement)
    except OperationalError as error:
        if op.get_bind().dialect.name not in {"mysql", "mariadb"} or error.orig.args[0] not in NOT_PRIVILEGED:
            raise
        logging.getLogger("alembic").warning("数据库不许建触发器，审计只由摘要链看护：%s", error.orig)


def _drop_triggers(dialect: str) -> None:
    if dialect == "postgresql":
        for table in AUDIT:
            op.execute(f"DROP TRIGGER {table}_stays ON {table}")
        op.execute("DROP FUNCTION audit_stays()")
        return
    for table in AUDIT:
        for act in ACTS:
            _make(f"DROP TRIGGER IF EXISTS {table}_no_{act}")
