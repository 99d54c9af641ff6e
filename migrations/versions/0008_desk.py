"""the desk: data keys, logging in by scanning, pictures, and when a consultation's words went

Revision: 0008, after 0004
"""

import sqlalchemy as sa
from alembic import context, op

from clock import now
from errors import ConfigurationError
from models.base import Instant, blob, text, vault_of

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

USES = ("texts", "index")
STATES = ("waiting", "scanned", "confirmed", "refused", "used")
OWNERS = ("station", "brand")
ROTATED = "加密密钥已经轮换过，旧版本读不出用新密钥加密的内容，不能退回；要回到旧版本，请恢复轮换以前的备份。"


def _word(name: str, words: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*words, name=f"{name}_is_known", native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    op.create_table(
        "data_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("use", _word("keyuse", USES), nullable=False),
        sa.Column("mark", text(8), nullable=False),
        sa.Column("wrapped", text(255), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_keys")),
        sa.UniqueConstraint("mark", name=op.f("uq_data_keys_mark")),
    )
    _keep_the_first_keys()
    op.add_column("accounts", sa.Column("scan_openid", text(64), nullable=True))
    op.create_table(
        "scan_logins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scene", text(64), nullable=False),
        sa.Column("browser_index", text(64), nullable=False),
        sa.Column("state", _word("scanstate", STATES), nullable=False),
        sa.Column("url", text(255), nullable=False),
        sa.Column("address", text(64), nullable=False),
        sa.Column("browser", text(128), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("openid", text(64), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_scan_logins_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_logins")),
        sa.UniqueConstraint("scene", name=op.f("uq_scan_logins_scene")),
        sa.UniqueConstraint("browser_index", name=op.f("uq_scan_logins_browser_index")),
    )
    op.create_index(op.f("ix_scan_logins_expires_at"), "scan_logins", ["expires_at"])
    op.create_index(op.f("ix_scan_logins_openid"), "scan_logins", ["openid"])
    op.create_table(
        "pictures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", text(32), nullable=False),
        sa.Column("owner_kind", _word("pictureof", OWNERS), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("alt", text(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("image", blob(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["made_by"], ["people.id"], name=op.f("fk_pictures_made_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pictures")),
        sa.UniqueConstraint("name", name=op.f("uq_pictures_name")),
    )
    op.create_index("ix_pictures_owner", "pictures", ["owner_kind", "owner_id"])
    op.add_column("consultations", sa.Column("erased_at", Instant(), nullable=True))
    op.add_column("notices", sa.Column("erased_at", Instant(), nullable=True))
    op.create_index(op.f("ix_consultations_closed_at"), "consultations", ["closed_at"])


def downgrade() -> None:
    _require_that_nothing_was_rotated()
    op.drop_index(op.f("ix_consultations_closed_at"), "consultations")
    op.drop_column("notices", "erased_at")
    op.drop_column("consultations", "erased_at")
    op.drop_table("pictures")
    op.drop_table("scan_logins")
    op.drop_column("accounts", "scan_openid")
    op.drop_table("data_keys")


def _keep_the_first_keys() -> None:
    """The keys that followed from the secret until now open what is there; from now on they are kept like any other."""
    connection = op.get_bind()
    vault = vault_of(connection.dialect)
    keys = sa.table(
        "data_keys", sa.column("use", sa.String()), sa.column("mark", sa.String()), sa.column("wrapped", sa.String()),
        sa.column("made_at", Instant()),
    )
    rows = [
        {"use": use, "mark": key.mark.hex(), "wrapped": vault.wrap(key).hex(), "made_at": now()}
        for use, key in zip(USES, vault.first_keys, strict=True)
    ]
    connection.execute(sa.insert(keys), rows)


def _require_that_nothing_was_rotated() -> None:
    """An older version knows the first keys only. On the way to nothing there is nothing to be read."""
    keys = sa.table("data_keys", sa.column("id"))
    count = op.get_bind().scalar(sa.select(sa.func.count()).select_from(keys)) or 0
    if count > len(USES) and context.get_revision_argument():
        raise ConfigurationError(ROTATED)
