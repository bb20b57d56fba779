"""What the library searches in: notes folded, and lists of what is held or over."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None

_LISTS = (
    ("ix_recordings_over", "state <> 'available'"),
    ("ix_recordings_noted", "state = 'available' AND note_folded IS NOT NULL"),
    ("ix_recordings_held", "held_at IS NOT NULL"),
)


def upgrade() -> None:
    op.add_column("recordings", sa.Column("note_folded", sa.String()))
    for name, which in _LISTS:
        op.create_index(
            name,
            "recordings",
            ["account_id", "began_at", "call_id"],
            sqlite_where=sa.text(which),
            postgresql_where=sa.text(which),
        )


def downgrade() -> None:
    for name, _ in reversed(_LISTS):
        op.drop_index(name, table_name="recordings")
    op.drop_column("recordings", "note_folded")
