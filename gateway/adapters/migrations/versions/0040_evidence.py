"""Chains of evidence, their daily roots, and the keys that sign."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence_chains",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("rooted_seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_evidence_chains")),
    )
    op.create_index(
        "ix_evidence_chains_unrooted",
        "evidence_chains",
        ["call_id"],
        sqlite_where=sa.text("rooted_seq < seq"),
        postgresql_where=sa.text("rooted_seq < seq"),
    )
    op.create_table(
        "evidence_events",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "seq", name=op.f("pk_evidence_events")),
    )
    op.create_table(
        "evidence_roots",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("leaves", sa.Integer(), nullable=False),
        sa.Column("statement", sa.String(length=1000), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_evidence_roots")),
    )
    op.create_table(
        "evidence_leaves",
        sa.Column("root_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("root_number", "call_id", name=op.f("pk_evidence_leaves")),
    )
    op.create_index("ix_evidence_leaves_call_id", "evidence_leaves", ["call_id"])
    op.create_table(
        "evidence_keys",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("ring_key_id", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_evidence_keys")),
        sa.UniqueConstraint("key_id", name=op.f("uq_evidence_keys_key_id")),
    )


def downgrade() -> None:
    for name in ("keys", "leaves", "roots", "events", "chains"):
        op.drop_table(f"evidence_{name}")
