"""Recordings, the workers that make them, and which calls are recorded."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "accounts",
        sa.Column("records", sa.String(length=8), nullable=False, server_default="none"),
    )
    op.add_column("numbers", sa.Column("records", sa.String(length=8), nullable=True))
    op.create_table(
        "capture_workers",
        sa.Column("worker_id", sa.String(length=64), nullable=False),
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("recovered_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_capture_workers")),
    )
    op.create_index(
        "ix_capture_workers_unrecovered",
        "capture_workers",
        ["node_id"],
        unique=False,
        sqlite_where=sa.text("recovered_at IS NULL"),
        postgresql_where=sa.text("recovered_at IS NULL"),
    )
    op.create_table(
        "recordings",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("file", sa.String(length=200), nullable=False),
        sa.Column("peaks", sa.String(length=200), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=False),
        sa.Column("segments", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_recordings_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_recordings")),
    )
    op.create_index(
        "ix_recordings_account_newest",
        "recordings",
        ["account_id", "began_at", "call_id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("ix_recordings_account_newest", table_name="recordings")
    op.drop_table("recordings")
    op.drop_index(
        "ix_capture_workers_unrecovered",
        table_name="capture_workers",
        sqlite_where=sa.text("recovered_at IS NULL"),
        postgresql_where=sa.text("recovered_at IS NULL"),
    )
    op.drop_table("capture_workers")
    op.drop_column("numbers", "records")
    op.drop_column("accounts", "records")
