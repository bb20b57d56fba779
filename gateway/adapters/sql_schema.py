"""The tables. What stands here and what the migrations build are compared by a test."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from gateway.adapters.sql_types import CleanText, JsonText, OutsideText

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts rows by itself only in a column that is exactly INTEGER.
RowNumber = BigInteger().with_variant(Integer, "sqlite")
# Times are seconds since the epoch, as everywhere inside.
Seconds = Double

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", CleanText(26), primary_key=True),
    Column("cid", CleanText(64), nullable=False, unique=True),
    Column("name", CleanText(200), nullable=False),
    Column("timezone", CleanText(64), nullable=False),
    Column("records", CleanText(8), nullable=False, server_default="none"),
    Column("created_at", Seconds, nullable=False),
)

numbers = Table(
    "numbers",
    metadata,
    Column("phone_number_id", OutsideText(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("waba_id", CleanText(64), nullable=False),
    Column("display", CleanText(32), nullable=False),
    Column("token_key_id", CleanText(32), nullable=False),
    Column("token_sealed", LargeBinary, nullable=False),
    # None: as the account.
    Column("records", CleanText(8)),
    Column("created_at", Seconds, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("user_id", CleanText(26), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("email", CleanText(254), nullable=False, unique=True),
    Column("name", CleanText(200), nullable=False),
    Column("role", CleanText(16), nullable=False),
    Column("password_hash", CleanText(256), nullable=False),
    Column("disabled_at", Seconds),
    Column("created_at", Seconds, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", CleanText(64), primary_key=True),
    Column("user_id", ForeignKey("users.user_id"), nullable=False, index=True),
    Column("created_at", Seconds, nullable=False),
    Column("last_seen_at", Seconds, nullable=False),
    Column("expires_at", Seconds, nullable=False),
    Column("held_until", Seconds, nullable=False),
    Column("revoked_at", Seconds),
    Column("user_agent", OutsideText(256), nullable=False),
)

login_tries = Table(
    "login_tries",
    metadata,
    Column("key", CleanText(64), primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("since", Seconds, nullable=False),
    Column("last_at", Seconds, nullable=False, index=True),
)

calls = Table(
    "calls",
    metadata,
    Column("call_id", CleanText(26), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("phone_number_id", OutsideText(64), nullable=False),
    Column("wacid", OutsideText(256)),
    Column("direction", CleanText(16), nullable=False),
    Column("state", CleanText(32), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("owner_node", CleanText(64), nullable=False),
    Column("owner_epoch", BigInteger, nullable=False),
    Column("agent_id", CleanText(26)),
    Column("peer_phone", OutsideText(32)),
    Column("peer_user_id", OutsideText(256)),
    Column("peer_parent_user_id", OutsideText(256)),
    Column("peer_name", OutsideText),
    Column("peer_username", OutsideText),
    Column("created_at", Seconds, nullable=False),
    Column("answered_at", Seconds),
    Column("ended_at", Seconds),
    Column("outcome", CleanText(32)),
    Column("snapshot", OutsideText, nullable=False),
    UniqueConstraint("phone_number_id", "wacid"),
    Index("ix_calls_account_newest", "account_id", "created_at", "call_id"),
    Index("ix_calls_agent_newest", "account_id", "agent_id", "created_at", "call_id"),
    Index("ix_calls_peer_phone_newest", "account_id", "peer_phone", "created_at", "call_id"),
    Index(
        "ix_calls_peer_user_id_newest", "account_id", "peer_user_id", "created_at", "call_id"
    ),
    Index(
        "ix_calls_live",
        "created_at",
        sqlite_where=text("state <> 'ended'"),
        postgresql_where=text("state <> 'ended'"),
    ),
)

call_commands = Table(
    "call_commands",
    metadata,
    Column("position", RowNumber, primary_key=True, autoincrement=True),
    Column("command_id", CleanText(64), nullable=False, unique=True),
    Column("call_id", ForeignKey("calls.call_id"), nullable=False, index=True),
    Column("kind", OutsideText(64), nullable=False),
    Column("body", OutsideText, nullable=False),
    sqlite_autoincrement=True,
)

# No foreign key: a line about a call that could not be stored must not sink its batch.
call_trace = Table(
    "call_trace",
    metadata,
    Column("position", RowNumber, primary_key=True, autoincrement=True),
    Column("call_id", CleanText(26), nullable=False),
    Column("at", Seconds, nullable=False),
    Column("source", CleanText(16), nullable=False),
    Column("step", OutsideText(64), nullable=False),
    Column("fields", JsonText, nullable=False),
    Index("ix_call_trace_call_at", "call_id", "at", "position"),
    Index("ix_call_trace_at", "at"),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("phone_number_id", OutsideText(64), primary_key=True),
    Column("wacid", OutsideText(256), primary_key=True),
    Column("buried_at", Seconds, nullable=False, index=True),
)

webhook_inbox = Table(
    "webhook_inbox",
    metadata,
    Column("inbox_id", RowNumber, primary_key=True, autoincrement=True),
    Column("dedup_key", CleanText(128), nullable=False, unique=True),
    Column("kind", OutsideText(64), nullable=False),
    Column("phone_number_id", OutsideText(64)),
    Column("wacid", OutsideText(256)),
    Column("payload", OutsideText, nullable=False),
    Column("received_at", Seconds, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", Seconds, nullable=False),
    Column("state", CleanText(8), nullable=False),
    Column("closed_at", Seconds),
    Column("note", OutsideText, nullable=False),
    Index(
        "ix_webhook_inbox_waiting",
        "inbox_id",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    Index("ix_webhook_inbox_closed_at", "closed_at"),
    sqlite_autoincrement=True,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("account_id", CleanText(26), primary_key=True),
    Column("key", OutsideText(255), primary_key=True),
    Column("call_id", CleanText(26), nullable=False),
    Column("bound_at", Seconds, nullable=False, index=True),
)

# Epochs are unique and growing over all nodes, not per node: two nodes can then never own a
# call under the same epoch, and a media worker can tell the later owner from the earlier.
node_lives = Table(
    "node_lives",
    metadata,
    Column("epoch", RowNumber, primary_key=True, autoincrement=True),
    Column("node_id", CleanText(64), nullable=False),
    Column("started_at", Seconds, nullable=False),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("position", RowNumber, primary_key=True, autoincrement=True),
    Column("account_id", CleanText(26)),
    Column("actor", CleanText(26)),
    Column("token_id", CleanText(26)),
    Column("action", CleanText(64), nullable=False),
    Column("subject", OutsideText(128), nullable=False),
    Column("at", Seconds, nullable=False),
    Column("fields", JsonText, nullable=False),
    Index("ix_audit_account_newest", "account_id", "at", "position"),
    Index("ix_audit_account_subject", "account_id", "subject", "at", "position"),
    Index("ix_audit_at", "at"),
    sqlite_autoincrement=True,
)
