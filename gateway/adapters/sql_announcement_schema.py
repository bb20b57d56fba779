"""The table of accounts' own announcements."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, text

from gateway.adapters.sql_schema import Seconds, metadata
from gateway.adapters.sql_types import CleanText

# A literal, not a parameter: only then do both databases use the partial index.
CURRENT = "retired_at IS NULL"

# A replaced or removed announcement stays for a while: calls that began before still play it.
announcements = Table(
    "announcements",
    metadata,
    Column("account_id", ForeignKey("accounts.account_id"), primary_key=True),
    Column("announcement_id", CleanText(64), primary_key=True),
    Column("duration_ms", Integer, nullable=False),
    Column("ogg", LargeBinary, nullable=False),
    Column("uploaded_at", Seconds, nullable=False),
    Column("retired_at", Seconds),
    Index(
        "uq_announcements_current",
        "account_id",
        unique=True,
        sqlite_where=text(CURRENT),
        postgresql_where=text(CURRENT),
    ),
    Index("ix_announcements_retired_at", "retired_at"),
)
