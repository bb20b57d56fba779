"""Find files that are to be moved or sealed without reading all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_KEPT = sa.text("state = 'kept'")
_PLAIN = sa.text("state = 'kept' AND data_key_id IS NULL")


def upgrade() -> None:
    op.create_index(
        "ix_stored_files_node_id",
        "stored_files",
        ["node_id", "made_at"],
        sqlite_where=_KEPT,
        postgresql_where=_KEPT,
    )
    op.create_index(
        "ix_stored_files_plain",
        "stored_files",
        ["account_id", "made_at"],
        sqlite_where=_PLAIN,
        postgresql_where=_PLAIN,
    )


def downgrade() -> None:
    op.drop_index("ix_stored_files_plain", table_name="stored_files")
    op.drop_index("ix_stored_files_node_id", table_name="stored_files")
