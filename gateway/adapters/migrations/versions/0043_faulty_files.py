"""Count the files that are faulty without reading all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_FAULTY = sa.text("state = 'kept' AND fault IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_stored_files_fault",
        "stored_files",
        ["fault"],
        sqlite_where=_FAULTY,
        postgresql_where=_FAULTY,
    )


def downgrade() -> None:
    op.drop_index("ix_stored_files_fault", table_name="stored_files")
