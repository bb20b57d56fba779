"""The tables of recording minutes."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    text,
)

from gateway.adapters.sql_schema import RowNumber, Seconds, metadata
from gateway.adapters.sql_types import OutsideText

# One row per account: every change of it is guarded, and its lock orders all others.
balances = Table(
    "balances",
    metadata,
    Column("account_id", ForeignKey("accounts.account_id"), primary_key=True),
    Column("capacity_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=False),
    Column("reserved_ms", BigInteger, nullable=False),
    Column("level", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    # The earliest change not applied yet, and the latest scheduled one that was.
    Column("next_change_at", Seconds),
    Column("applied_until", Seconds),
    CheckConstraint(
        "capacity_ms >= 0 AND used_ms >= 0 AND reserved_ms >= 0",
        name="ck_balances_not_negative",
    ),
)

# Append-only: triggers refuse every UPDATE and DELETE.
ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("position", RowNumber, primary_key=True, autoincrement=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("key", String(160), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("amount_ms", BigInteger, nullable=False),
    Column("at", Seconds, nullable=False),
    Column("call_id", String(26)),
    Column("actor", String(26)),
    Column("note", OutsideText(400), nullable=False),
    UniqueConstraint("account_id", "key"),
    Index("ix_ledger_entries_account_newest", "account_id", "position"),
    Index("ix_ledger_entries_account_at", "account_id", "at"),
    sqlite_autoincrement=True,
)

# A literal, not a parameter: only then do both databases use the partial indexes.
LIVE_BUDGET = "state <> 'closed'"
# Closed and settled ones pile up: what happens every second must not read them.
UNFINISHED_BUDGET = "state <> 'closed' OR granted_ms > returned_ms + settled_ms"

budgets = Table(
    "budgets",
    metadata,
    Column("budget_id", String(26), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("worker_id", String(64), nullable=False),
    Column("state", String(8), nullable=False),
    Column("granted_ms", BigInteger, nullable=False),
    Column("returned_ms", BigInteger, nullable=False),
    Column("settled_ms", BigInteger, nullable=False),
    Column("drawn_ms", BigInteger, nullable=False),
    Column("ask_number", BigInteger, nullable=False),
    Column("refusal", String(24)),
    CheckConstraint(
        "granted_ms >= returned_ms + settled_ms AND returned_ms >= 0 AND settled_ms >= 0",
        name="ck_budgets_covered",
    ),
    Index(
        "ix_budgets_one_per_worker",
        "account_id",
        "worker_id",
        unique=True,
        sqlite_where=text(LIVE_BUDGET),
        postgresql_where=text(LIVE_BUDGET),
    ),
    Index(
        "ix_budgets_unfinished",
        "account_id",
        sqlite_where=text(UNFINISHED_BUDGET),
        postgresql_where=text(UNFINISHED_BUDGET),
    ),
    Index("ix_budgets_worker_id", "worker_id"),
)

holds = Table(
    "holds",
    metadata,
    Column("call_id", String(26), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("amount_ms", BigInteger, nullable=False),
    Column("taken_at", Seconds, nullable=False, index=True),
)

charges = Table(
    "charges",
    metadata,
    Column("call_id", String(26), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("budget_id", String(26)),
    Column("settled_at", Seconds),
    Column("returned_at", Seconds),
    Column("charged_ms", BigInteger, nullable=False),
    CheckConstraint("charged_ms >= 0", name="ck_charges_not_negative"),
    Index(
        "ix_charges_drawing",
        "budget_id",
        sqlite_where=text("settled_at IS NULL"),
        postgresql_where=text("settled_at IS NULL"),
    ),
    Index("ix_charges_account_id", "account_id"),
)

# What an account has bought. Rows are added, never changed.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("position", RowNumber, primary_key=True, autoincrement=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("subscription_id", String(64), nullable=False),
    Column("package", String(64)),
    Column("licensed_users", Integer, nullable=False),
    Column("starts_at", Seconds, nullable=False),
    # Days are ISO 8601 texts: they mean something only in the account's time zone.
    Column("contract_ends_on", String(10)),
    Column("created_at", Seconds, nullable=False),
    Column("actor", String(26)),
    Column("note", OutsideText(400), nullable=False),
    UniqueConstraint("account_id", "subscription_id"),
    sqlite_autoincrement=True,
)

add_ons = Table(
    "add_ons",
    metadata,
    Column("position", RowNumber, primary_key=True, autoincrement=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("add_on_id", String(26), nullable=False, unique=True),
    Column("key", String(64), nullable=False),
    Column("packs", Integer, nullable=False),
    Column("pack_ms", BigInteger, nullable=False),
    Column("price_idr", BigInteger, nullable=False),
    Column("starts_at", Seconds, nullable=False),
    Column("ends_on", String(10), nullable=False),
    Column("renews", String(26)),
    Column("created_at", Seconds, nullable=False),
    Column("actor", String(26)),
    Column("note", OutsideText(400), nullable=False),
    UniqueConstraint("account_id", "key"),
    sqlite_autoincrement=True,
)

# What follows from them for the capacity, and when.
capacity_changes = Table(
    "capacity_changes",
    metadata,
    Column("change_id", RowNumber, primary_key=True, autoincrement=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("effective_at", Seconds, nullable=False),
    Column("source", String(26), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("amount_ms", BigInteger, nullable=False),
    Column("was_scheduled", Boolean, nullable=False),
    Column("applied_at", Seconds),
    # How often it was applied and taken back: makes each of these entries' keys unique.
    Column("turns", Integer, nullable=False),
    Index("ix_capacity_changes_account_effective", "account_id", "effective_at"),
    sqlite_autoincrement=True,
)
