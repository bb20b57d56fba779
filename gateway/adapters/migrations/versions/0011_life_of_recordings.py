"""The life of recordings: what the library filters by, holds, ends, files, keys, rules."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NEVER = "9999-12-31"
_ROWS_AT_ONCE = 500
_AVAILABLE = sa.text("state = 'available'")
_BY = ("agent_id", "peer_phone", "peer_user_id", "verdict")


def upgrade() -> None:
    _add_columns()
    _create_tables()
    _fill()
    _create_indexes()


def _add_columns() -> None:
    for column in (
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("direction", sa.String(length=16)),
        sa.Column("agent_id", sa.String(length=26)),
        sa.Column("peer_phone", sa.String(length=32)),
        sa.Column("peer_user_id", sa.String(length=256)),
        sa.Column("verdict", sa.String(length=24)),
        sa.Column("cut_by_quota", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("note", sa.String(length=1000)),
        sa.Column("made_day", sa.String(length=10), nullable=False, server_default=_NEVER),
        sa.Column("purge_day", sa.String(length=10), nullable=False, server_default=_NEVER),
        sa.Column("held_at", sa.Double()),
        sa.Column("held_by", sa.String(length=26)),
        sa.Column("held_why", sa.String(length=400)),
        sa.Column("trashed_at", sa.Double()),
        sa.Column("gone_after", sa.Double()),
        sa.Column("deleted_by", sa.String(length=26)),
        sa.Column("deleted_why", sa.String(length=16)),
        sa.Column("purged_at", sa.Double()),
    ):
        op.add_column("recordings", column)


def _create_tables() -> None:
    op.create_table(
        "stored_files",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("place", sa.String(length=8), nullable=False),
        sa.Column("node_id", sa.String(length=64)),
        sa.Column("data_key_id", sa.String(length=26)),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("sha256", sa.String(length=64)),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("due_at", sa.Double()),
        sa.Column("gone_at", sa.Double()),
        sa.Column("checked_at", sa.Double(), nullable=False, server_default="0"),
        sa.Column("fault", sa.String(length=8)),
        _account_key("stored_files"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_stored_files")),
    )
    op.create_table(
        "data_keys",
        sa.Column("data_key_id", sa.String(length=26), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("ring_key_id", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        _account_key("data_keys"),
        sa.PrimaryKeyConstraint("data_key_id", name=op.f("pk_data_keys")),
    )
    op.create_index("ix_data_keys_account_id", "data_keys", ["account_id"])
    op.create_table(
        "recording_rules",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("when_full", sa.String(length=8), nullable=False),
        sa.Column("retention_days", sa.Integer()),
        sa.Column("encrypts", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.String(length=26)),
        _account_key("recording_rules"),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_recording_rules")),
    )


def _account_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["accounts.account_id"], name=op.f(f"fk_{table}_account_id_accounts")
    )


def _create_indexes() -> None:
    op.create_index(
        "ix_recordings_library",
        "recordings",
        [
            *("account_id", "began_at", "call_id", "direction", "duration_ms"),
            *("verdict", "cut_by_quota"),
        ],
        sqlite_where=_AVAILABLE,
        postgresql_where=_AVAILABLE,
    )
    for column in _BY:
        op.create_index(
            f"ix_recordings_by_{column}",
            "recordings",
            ["account_id", column, "began_at", "call_id"],
            sqlite_where=_AVAILABLE,
            postgresql_where=_AVAILABLE,
        )
    op.create_index(
        "ix_recordings_purge_day",
        "recordings",
        ["account_id", "purge_day"],
        sqlite_where=_AVAILABLE,
        postgresql_where=_AVAILABLE,
    )
    is_trashed = sa.text("state = 'trashed'")
    op.create_index(
        "ix_recordings_gone_after",
        "recordings",
        ["gone_after"],
        sqlite_where=is_trashed,
        postgresql_where=is_trashed,
    )
    op.create_index("ix_stored_files_call_id", "stored_files", ["call_id"])
    has_due = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_stored_files_due_at",
        "stored_files",
        ["due_at"],
        sqlite_where=has_due,
        postgresql_where=has_due,
    )
    is_kept = sa.text("state = 'kept'")
    op.create_index(
        "ix_stored_files_unchecked",
        "stored_files",
        ["checked_at", "key"],
        sqlite_where=is_kept,
        postgresql_where=is_kept,
    )


def _fill() -> None:
    """Tell of recordings that are there already what new ones are told."""
    connection = op.get_bind()
    node = _only_node(connection)
    for row in _rows(connection):
        made = datetime.fromtimestamp(row.finished_at, UTC)
        made_day = made.astimezone(ZoneInfo(row.timezone)).date()
        segments = json.loads(row.segments).get("segments", [])
        is_cut = any(each.get("end_reason") == "quota" for each in segments)
        connection.execute(
            sa.text(
                "UPDATE recordings SET direction = :direction, agent_id = :agent_id,"
                " peer_phone = :peer_phone, peer_user_id = :peer_user_id, verdict = :verdict,"
                " cut_by_quota = :cut, made_day = :made_day, purge_day = :purge_day"
                " WHERE call_id = :call_id"
            ),
            {
                **{name: getattr(row, name) for name in ("call_id", "direction", *_BY)},
                "cut": is_cut or row.verdict == "trimmed_to_quota",
                "made_day": made_day.isoformat(),
                "purge_day": _purge_day(made_day).isoformat(),
            },
        )
        for file in _files(row):
            connection.execute(_INSERT_FILE, {**file, "node_id": node})


_INSERT_FILE = sa.text(
    "INSERT INTO stored_files (key, account_id, call_id, role, state, place, node_id,"
    " bytes, sha256, made_at) VALUES (:key, :account_id, :call_id, :role, 'kept', 'folder',"
    " :node_id, :bytes, :sha256, :made_at)"
)


def _rows(connection: sa.Connection) -> Iterator[sa.Row[Any]]:
    query = sa.text(
        "SELECT r.call_id, r.account_id, r.file, r.peaks, r.bytes, r.sha256, r.finished_at,"
        " r.segments, a.timezone, c.direction, c.agent_id, c.peer_phone, c.peer_user_id,"
        " k.verdict, k.files"
        " FROM recordings r JOIN accounts a ON a.account_id = r.account_id"
        " LEFT JOIN calls c ON c.call_id = r.call_id"
        " LEFT JOIN recording_cases k ON k.call_id = r.call_id"
        " WHERE r.call_id > :after ORDER BY r.call_id LIMIT :limit"
    )
    after = ""
    while True:
        rows = connection.execute(query, {"after": after, "limit": _ROWS_AT_ONCE}).all()
        yield from rows
        if len(rows) < _ROWS_AT_ONCE:
            return
        after = rows[-1].call_id


def _files(row: sa.Row[Any]) -> list[dict[str, Any]]:
    of_case = {} if row.files is None else json.loads(row.files)
    found = {row.peaks: {"role": "peaks", "bytes": None, "sha256": None}}
    played_role = "official" if row.file.endswith(".official.ogg") else "local"
    found[row.file] = {"role": played_role, "bytes": row.bytes, "sha256": row.sha256}
    for role in ("local", "official"):
        kept = of_case.get(role)
        if kept is not None:
            found[kept["file"]] = {
                "role": role,
                "bytes": kept["bytes"],
                "sha256": kept["sha256"],
            }
            found.setdefault(
                kept.get("peaks"), {"role": "peaks", "bytes": None, "sha256": None}
            )
    found.pop(None, None)
    common = {
        "account_id": row.account_id,
        "call_id": row.call_id,
        "made_at": row.finished_at,
    }
    return [{"key": key, **facts, **common} for key, facts in found.items()]


def _only_node(connection: sa.Connection) -> str | None:
    """Return the node in whose folder all files lie, if there never was another."""
    query = sa.text("SELECT DISTINCT node_id FROM capture_workers LIMIT 2")
    nodes = connection.execute(query).scalars().all()
    return nodes[0] if len(nodes) == 1 else None


def _purge_day(made: date) -> date:
    if (made.month, made.day) == (2, 29):
        made = made.replace(day=28)
    return made.replace(year=made.year + 2) + timedelta(days=1)


def downgrade() -> None:
    op.drop_table("recording_rules")
    op.drop_table("data_keys")
    op.drop_table("stored_files")
    names = ("library", *(f"by_{column}" for column in _BY), "purge_day", "gone_after")
    for name in names:
        op.drop_index(f"ix_recordings_{name}", table_name="recordings")
    for column in (
        *("version", "direction", "agent_id", "peer_phone", "peer_user_id", "verdict"),
        *("cut_by_quota", "note", "made_day", "purge_day", "held_at", "held_by", "held_why"),
        *("trashed_at", "gone_after", "deleted_by", "deleted_why", "purged_at"),
    ):
        op.drop_column("recordings", column)
