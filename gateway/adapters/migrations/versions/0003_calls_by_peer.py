"""Calls by the WhatsApp user: what an agent asks for whenever somebody calls."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("phone", "user_id"):
        columns = ["account_id", f"peer_{name}", "created_at", "call_id"]
        op.create_index(f"ix_calls_peer_{name}_newest", "calls", columns)


def downgrade() -> None:
    for name in ("user_id", "phone"):
        op.drop_index(f"ix_calls_peer_{name}_newest", table_name="calls")
