"""Accounts, people, calls, their trace, the webhook inbox and the audit."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("cid", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("cid", name=op.f("uq_accounts_cid")),
    )
    op.create_table(
        "audit",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("account_id", sa.String(length=26), nullable=True),
        sa.Column("actor", sa.String(length=26), nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_audit_account_newest", "audit", ["account_id", "at", "position"], unique=False
    )
    op.create_table(
        "call_trace",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("step", sa.String(length=64), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_call_trace")),
    )
    op.create_index("ix_call_trace_at", "call_trace", ["at"], unique=False)
    op.create_index(
        "ix_call_trace_call_at", "call_trace", ["call_id", "at", "position"], unique=False
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("bound_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(
        op.f("ix_idempotency_keys_bound_at"), "idempotency_keys", ["bound_at"], unique=False
    )
    op.create_table(
        "login_tries",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_tries")),
    )
    op.create_index(op.f("ix_login_tries_last_at"), "login_tries", ["last_at"], unique=False)
    op.create_table(
        "node_lives",
        sa.Column(
            "epoch",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_node_lives")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tombstones",
        sa.Column("phone_number_id", sa.String(length=64), nullable=False),
        sa.Column("wacid", sa.String(length=256), nullable=False),
        sa.Column("buried_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("phone_number_id", "wacid", name=op.f("pk_tombstones")),
    )
    op.create_index(op.f("ix_tombstones_buried_at"), "tombstones", ["buried_at"], unique=False)
    op.create_table(
        "webhook_inbox",
        sa.Column(
            "inbox_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("dedup_key", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("phone_number_id", sa.String(length=64), nullable=True),
        sa.Column("wacid", sa.String(length=256), nullable=True),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("closed_at", sa.Double(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("inbox_id", name=op.f("pk_webhook_inbox")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_webhook_inbox_dedup_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhook_inbox_closed_at", "webhook_inbox", ["closed_at"], unique=False)
    op.create_index(
        "ix_webhook_inbox_waiting",
        "webhook_inbox",
        ["inbox_id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "calls",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("phone_number_id", sa.String(length=64), nullable=False),
        sa.Column("wacid", sa.String(length=256), nullable=True),
        sa.Column("direction", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("owner_node", sa.String(length=64), nullable=False),
        sa.Column("owner_epoch", sa.BigInteger(), nullable=False),
        sa.Column("agent_id", sa.String(length=26), nullable=True),
        sa.Column("peer_phone", sa.String(length=32), nullable=True),
        sa.Column("peer_user_id", sa.String(length=256), nullable=True),
        sa.Column("peer_parent_user_id", sa.String(length=256), nullable=True),
        sa.Column("peer_name", sa.String(), nullable=True),
        sa.Column("peer_username", sa.String(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("answered_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("snapshot", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_calls_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_calls")),
        sa.UniqueConstraint(
            "phone_number_id", "wacid", name=op.f("uq_calls_phone_number_id_wacid")
        ),
    )
    op.create_index(
        "ix_calls_account_newest",
        "calls",
        ["account_id", "created_at", "call_id"],
        unique=False,
    )
    op.create_index(
        "ix_calls_agent_newest",
        "calls",
        ["account_id", "agent_id", "created_at", "call_id"],
        unique=False,
    )
    op.create_index(
        "ix_calls_live",
        "calls",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("state <> 'ended'"),
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_table(
        "numbers",
        sa.Column("phone_number_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("waba_id", sa.String(length=64), nullable=False),
        sa.Column("display", sa.String(length=32), nullable=False),
        sa.Column("token_key_id", sa.String(length=32), nullable=False),
        sa.Column("token_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_numbers_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("phone_number_id", name=op.f("pk_numbers")),
    )
    op.create_index(op.f("ix_numbers_account_id"), "numbers", ["account_id"], unique=False)
    op.create_table(
        "users",
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=256), nullable=False),
        sa.Column("disabled_at", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_users_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_index(op.f("ix_users_account_id"), "users", ["account_id"], unique=False)
    op.create_table(
        "call_commands",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("command_id", sa.String(length=64), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.call_id"], name=op.f("fk_call_commands_call_id_calls")
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_call_commands")),
        sa.UniqueConstraint("command_id", name=op.f("uq_call_commands_command_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_call_commands_call_id"), "call_commands", ["call_id"], unique=False
    )
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("last_seen_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("held_until", sa.Double(), nullable=False),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.Column("user_agent", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name=op.f("fk_sessions_user_id_users")
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_sessions_user_id"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_index(op.f("ix_call_commands_call_id"), table_name="call_commands")
    op.drop_table("call_commands")
    op.drop_index(op.f("ix_users_account_id"), table_name="users")
    op.drop_table("users")
    op.drop_index(op.f("ix_numbers_account_id"), table_name="numbers")
    op.drop_table("numbers")
    op.drop_index(
        "ix_calls_live",
        table_name="calls",
        sqlite_where=sa.text("state <> 'ended'"),
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.drop_index("ix_calls_agent_newest", table_name="calls")
    op.drop_index("ix_calls_account_newest", table_name="calls")
    op.drop_table("calls")
    op.drop_index(
        "ix_webhook_inbox_waiting",
        table_name="webhook_inbox",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index("ix_webhook_inbox_closed_at", table_name="webhook_inbox")
    op.drop_table("webhook_inbox")
    op.drop_index(op.f("ix_tombstones_buried_at"), table_name="tombstones")
    op.drop_table("tombstones")
    op.drop_table("node_lives")
    op.drop_index(op.f("ix_login_tries_last_at"), table_name="login_tries")
    op.drop_table("login_tries")
    op.drop_index(op.f("ix_idempotency_keys_bound_at"), table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index("ix_call_trace_call_at", table_name="call_trace")
    op.drop_index("ix_call_trace_at", table_name="call_trace")
    op.drop_table("call_trace")
    op.drop_index("ix_audit_account_newest", table_name="audit")
    op.drop_table("audit")
    op.drop_table("accounts")
