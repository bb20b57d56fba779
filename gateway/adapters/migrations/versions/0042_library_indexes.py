"""Let the indexes that list recordings hold what filters ask besides."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_NEWEST = ("began_at", "call_id")
_ASKED = ("direction", "duration_ms", "verdict", "cut_by_quota")
_AVAILABLE = "state = 'available'"
_LISTS = (
    ("by_agent_id", _AVAILABLE, ("agent_id", *_NEWEST), _ASKED),
    (
        "by_verdict",
        _AVAILABLE,
        ("verdict", *_NEWEST),
        ("direction", "duration_ms", "cut_by_quota"),
    ),
    ("over", "state <> 'available'", _NEWEST, ("state", "agent_id", *_ASKED)),
    ("noted", f"{_AVAILABLE} AND note_folded IS NOT NULL", _NEWEST, ("agent_id", *_ASKED)),
    ("held", "held_at IS NOT NULL", _NEWEST, ("state", "agent_id", *_ASKED)),
)


def _make(name: str, which: str, columns: tuple[str, ...]) -> None:
    op.drop_index(f"ix_recordings_{name}", table_name="recordings")
    op.create_index(
        f"ix_recordings_{name}",
        "recordings",
        ["account_id", *columns],
        sqlite_where=sa.text(which),
        postgresql_where=sa.text(which),
    )


def upgrade() -> None:
    for name, which, listed, asked in _LISTS:
        _make(name, which, (*listed, *asked))


def downgrade() -> None:
    for name, which, listed, _ in _LISTS:
        _make(name, which, listed)
