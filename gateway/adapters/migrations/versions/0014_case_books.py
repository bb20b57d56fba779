"""Cases: columns to search by and to add up; `is_open` ends when the books are closed."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_OPEN = sa.text("is_open OR verdict = 'lost'")
_ROWS_AT_ONCE = 500


def upgrade() -> None:
    op.add_column(
        "recording_cases",
        sa.Column("announced_until", sa.Double(), nullable=False, server_default="0"),
    )
    for name in ("stored_ms", "official_ms", "local_ms"):
        op.add_column("recording_cases", sa.Column(name, sa.BigInteger(), nullable=True))
    _fill()
    op.create_index(
        "ix_recording_cases_open",
        "recording_cases",
        ["account_id", "ended_at", "call_id"],
        unique=False,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def downgrade() -> None:
    op.drop_index(
        "ix_recording_cases_open",
        table_name="recording_cases",
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    with op.batch_alter_table("recording_cases") as batch:
        for name in ("local_ms", "official_ms", "stored_ms", "announced_until"):
            batch.drop_column(name)


def _fill() -> None:
    """Copy out of the documents what is a column from now on."""
    cases = sa.table(
        "recording_cases",
        sa.column("call_id", sa.String),
        sa.column("facts", sa.Text),
        sa.column("conclusion", sa.Text),
        sa.column("is_open", sa.Boolean),
        sa.column("announced_until", sa.Double),
        sa.column("stored_ms", sa.BigInteger),
        sa.column("official_ms", sa.BigInteger),
        sa.column("local_ms", sa.BigInteger),
    )
    connection = op.get_bind()
    last = ""
    while True:
        page = (
            sa.select(cases.c.call_id, cases.c.facts, cases.c.conclusion)
            .where(cases.c.call_id > last)
            .order_by(cases.c.call_id)
            .limit(_ROWS_AT_ONCE)
        )
        rows = connection.execute(page).all()
        if not rows:
            return
        for row in rows:
            told = _columns(json.loads(row.facts), json.loads(row.conclusion or "null"))
            connection.execute(
                sa.update(cases).where(cases.c.call_id == row.call_id).values(**told)
            )
        last = rows[-1].call_id


def _columns(facts: dict[str, Any], conclusion: dict[str, Any] | None) -> dict[str, Any]:
    local = facts.get("local") or {}
    granted = local.get("granted") or []
    lengths = [each["duration_ms"] for each in facts.get("officials") or []]
    is_open = conclusion is None or (bool(conclusion["is_open"]) and not conclusion["is_final"])
    return {
        "announced_until": facts.get("announced_until") or 0.0,
        "official_ms": max(lengths, default=None),
        "local_ms": sum(end - begin for begin, end in granted) if granted else None,
        "stored_ms": None if conclusion is None else conclusion["stored_ms"],
        "is_open": is_open,
    }
