"""Jobs, and official recordings: wishes, announcement times, cases, transcripts."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "announcement_times",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("announcement", sa.String(length=64), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("measured_ms", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_announcement_times")),
        sa.UniqueConstraint("call_id", name=op.f("uq_announcement_times_call_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_announcement_times_newest",
        "announcement_times",
        ["announcement", "position"],
        unique=False,
    )
    op.create_table(
        "jobs",
        sa.Column(
            "job_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("lease_id", sa.String(length=26), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=False),
        sa.Column("trouble", sa.String(length=200), nullable=False),
        sa.Column("closed_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_jobs_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("key", name=op.f("uq_jobs_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_closed_at", "jobs", ["closed_at"], unique=False)
    op.create_index(
        "ix_jobs_waiting",
        "jobs",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "recording_cases",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=False),
        sa.Column("opening", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("conclusion", sa.Text(), nullable=True),
        sa.Column("verdict", sa.String(length=24), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("look_at", sa.Double(), nullable=True),
        sa.Column("files", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_recording_cases_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_recording_cases")),
    )
    op.create_index(
        "ix_recording_cases_account_ended",
        "recording_cases",
        ["account_id", "ended_at", "call_id"],
        unique=False,
    )
    op.create_index(
        "ix_recording_cases_look_at",
        "recording_cases",
        ["look_at"],
        unique=False,
        sqlite_where=sa.text("look_at IS NOT NULL"),
        postgresql_where=sa.text("look_at IS NOT NULL"),
    )
    op.create_table(
        "recording_wishes",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("purpose", sa.String(length=250), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("transcribes", sa.Boolean(), nullable=False),
        sa.Column("transcribes_alone", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.String(length=26), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_recording_wishes_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_recording_wishes")),
    )
    op.create_table(
        "transcripts",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("stored_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_transcripts_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_transcripts")),
    )


def downgrade() -> None:
    op.drop_table("transcripts")
    op.drop_table("recording_wishes")
    op.drop_index(
        "ix_recording_cases_look_at",
        table_name="recording_cases",
        sqlite_where=sa.text("look_at IS NOT NULL"),
        postgresql_where=sa.text("look_at IS NOT NULL"),
    )
    op.drop_index("ix_recording_cases_account_ended", table_name="recording_cases")
    op.drop_table("recording_cases")
    op.drop_index(
        "ix_jobs_waiting",
        table_name="jobs",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index("ix_jobs_closed_at", table_name="jobs")
    op.drop_table("jobs")
    op.drop_index("ix_announcement_times_newest", table_name="announcement_times")
    op.drop_table("announcement_times")
