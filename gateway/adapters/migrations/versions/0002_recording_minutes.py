"""Recording minutes: balances, ledger, leases, contracts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_UNFINISHED_BUDGET = "state <> 'closed' OR granted_ms > returned_ms + settled_ms"
_SQLITE_TRIGGER = """
CREATE TRIGGER ledger_entries_no_{verb} BEFORE {verb} ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
"""
_POSTGRESQL_FUNCTION = """
CREATE FUNCTION ledger_entries_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$
"""
_POSTGRESQL_TRIGGER = """
CREATE TRIGGER ledger_entries_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
FOR EACH STATEMENT EXECUTE FUNCTION ledger_entries_refuse()
"""


def upgrade() -> None:
    op.create_table(
        "add_ons",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("add_on_id", sa.String(length=26), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("packs", sa.Integer(), nullable=False),
        sa.Column("pack_ms", sa.BigInteger(), nullable=False),
        sa.Column("price_idr", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.Double(), nullable=False),
        sa.Column("ends_on", sa.String(length=10), nullable=False),
        sa.Column("renews", sa.String(length=26), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("actor", sa.String(length=26), nullable=True),
        sa.Column("note", sa.String(length=400), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_add_ons_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_add_ons")),
        sa.UniqueConstraint("account_id", "key", name=op.f("uq_add_ons_account_id_key")),
        sa.UniqueConstraint("add_on_id", name=op.f("uq_add_ons_add_on_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "balances",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("capacity_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=False),
        sa.Column("reserved_ms", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("next_change_at", sa.Double(), nullable=True),
        sa.Column("applied_until", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "capacity_ms >= 0 AND used_ms >= 0 AND reserved_ms >= 0",
            name="ck_balances_not_negative",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_balances_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_balances")),
    )
    op.create_table(
        "budgets",
        sa.Column("budget_id", sa.String(length=26), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("granted_ms", sa.BigInteger(), nullable=False),
        sa.Column("returned_ms", sa.BigInteger(), nullable=False),
        sa.Column("settled_ms", sa.BigInteger(), nullable=False),
        sa.Column("drawn_ms", sa.BigInteger(), nullable=False),
        sa.Column("ask_number", sa.BigInteger(), nullable=False),
        sa.Column("refusal", sa.String(length=24), nullable=True),
        sa.CheckConstraint(
            "granted_ms >= returned_ms + settled_ms AND returned_ms >= 0 AND settled_ms >= 0",
            name="ck_budgets_covered",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_budgets_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("budget_id", name=op.f("pk_budgets")),
    )
    op.create_index(
        "ix_budgets_one_per_worker",
        "budgets",
        ["account_id", "worker_id"],
        unique=True,
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.create_index(
        "ix_budgets_unfinished",
        "budgets",
        ["account_id"],
        unique=False,
        sqlite_where=sa.text(_UNFINISHED_BUDGET),
        postgresql_where=sa.text(_UNFINISHED_BUDGET),
    )
    op.create_index("ix_budgets_worker_id", "budgets", ["worker_id"], unique=False)
    op.create_table(
        "capacity_changes",
        sa.Column(
            "change_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("effective_at", sa.Double(), nullable=False),
        sa.Column("source", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("amount_ms", sa.BigInteger(), nullable=False),
        sa.Column("was_scheduled", sa.Boolean(), nullable=False),
        sa.Column("applied_at", sa.Double(), nullable=True),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_capacity_changes_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_capacity_changes")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_capacity_changes_account_effective",
        "capacity_changes",
        ["account_id", "effective_at"],
        unique=False,
    )
    op.create_table(
        "charges",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("budget_id", sa.String(length=26), nullable=True),
        sa.Column("settled_at", sa.Double(), nullable=True),
        sa.Column("returned_at", sa.Double(), nullable=True),
        sa.Column("charged_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("charged_ms >= 0", name="ck_charges_not_negative"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_charges_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_charges")),
    )
    op.create_index("ix_charges_account_id", "charges", ["account_id"], unique=False)
    op.create_index(
        "ix_charges_drawing",
        "charges",
        ["budget_id"],
        unique=False,
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "holds",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("amount_ms", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_holds_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_holds")),
    )
    op.create_index(op.f("ix_holds_taken_at"), "holds", ["taken_at"], unique=False)
    op.create_table(
        "ledger_entries",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("amount_ms", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=True),
        sa.Column("actor", sa.String(length=26), nullable=True),
        sa.Column("note", sa.String(length=400), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_ledger_entries_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("account_id", "key", name=op.f("uq_ledger_entries_account_id_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_ledger_entries_account_at", "ledger_entries", ["account_id", "at"], unique=False
    )
    op.create_index(
        "ix_ledger_entries_account_newest",
        "ledger_entries",
        ["account_id", "position"],
        unique=False,
    )
    op.create_table(
        "subscriptions",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("subscription_id", sa.String(length=64), nullable=False),
        sa.Column("package", sa.String(length=64), nullable=True),
        sa.Column("licensed_users", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.Double(), nullable=False),
        sa.Column("contract_ends_on", sa.String(length=10), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("actor", sa.String(length=26), nullable=True),
        sa.Column("note", sa.String(length=400), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.account_id"],
            name=op.f("fk_subscriptions_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint(
            "account_id",
            "subscription_id",
            name=op.f("uq_subscriptions_account_id_subscription_id"),
        ),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_SQLITE_TRIGGER.format(verb="UPDATE"))
        op.execute(_SQLITE_TRIGGER.format(verb="DELETE"))
    else:
        op.execute(_POSTGRESQL_FUNCTION)
        op.execute(_POSTGRESQL_TRIGGER)


def downgrade() -> None:
    op.drop_table("subscriptions")
    op.drop_index("ix_ledger_entries_account_newest", table_name="ledger_entries")
    op.drop_index("ix_ledger_entries_account_at", table_name="ledger_entries")
    op.drop_table("ledger_entries")
    op.drop_index(op.f("ix_holds_taken_at"), table_name="holds")
    op.drop_table("holds")
    op.drop_index(
        "ix_charges_drawing",
        table_name="charges",
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.drop_index("ix_charges_account_id", table_name="charges")
    op.drop_table("charges")
    op.drop_index("ix_capacity_changes_account_effective", table_name="capacity_changes")
    op.drop_table("capacity_changes")
    op.drop_index("ix_budgets_worker_id", table_name="budgets")
    op.drop_index(
        "ix_budgets_unfinished",
        table_name="budgets",
        sqlite_where=sa.text(_UNFINISHED_BUDGET),
        postgresql_where=sa.text(_UNFINISHED_BUDGET),
    )
    op.drop_index(
        "ix_budgets_one_per_worker",
        table_name="budgets",
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.drop_table("budgets")
    op.drop_table("balances")
    op.drop_table("add_ons")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION ledger_entries_refuse()")
