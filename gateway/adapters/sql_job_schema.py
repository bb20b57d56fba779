"""The table of jobs."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, text

from gateway.adapters.sql_schema import RowNumber, Seconds, metadata
from gateway.adapters.sql_types import CleanText, JsonText, OutsideText

# A literal, not a parameter: only then do both databases use the partial index.
WAITING = "state = 'waiting'"

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", RowNumber, primary_key=True, autoincrement=True),
    Column("kind", CleanText(32), nullable=False),
    Column("key", OutsideText(200), nullable=False, unique=True),
    Column("account_id", ForeignKey("accounts.account_id")),
    Column("payload", JsonText, nullable=False),
    Column("created_at", Seconds, nullable=False),
    Column("expires_at", Seconds, nullable=False),
    Column("due_at", Seconds, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("state", CleanText(8), nullable=False),
    Column("lease_id", CleanText(26)),
    Column("lease_until", Seconds, nullable=False),
    Column("trouble", OutsideText(200), nullable=False),
    Column("closed_at", Seconds),
    Index(
        "ix_jobs_waiting",
        "created_at",
        sqlite_where=text(WAITING),
        postgresql_where=text(WAITING),
    ),
    Index("ix_jobs_closed_at", "closed_at"),
    sqlite_autoincrement=True,
)
