"""Accounts' own announcements."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "announcements",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("announcement_id", sa.String(length=64), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("ogg", sa.LargeBinary(), nullable=False),
        sa.Column("uploaded_at", sa.Double(), nullable=False),
        sa.Column("retired_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_announcements_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("account_id", "announcement_id", name=op.f("pk_announcements")),
    )
    op.create_index(
        "uq_announcements_current",
        "announcements",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text("retired_at IS NULL"),
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_index(
        "ix_announcements_retired_at", "announcements", ["retired_at"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_announcements_retired_at", table_name="announcements")
    op.drop_index("uq_announcements_current", table_name="announcements")
    op.drop_table("announcements")
