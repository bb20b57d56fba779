"""The tables of recordings and of the workers that make them."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, text

from gateway.adapters.sql_schema import Seconds, metadata
from gateway.adapters.sql_types import CleanText, JsonText

# One per recorded call. Written when the file is durable, in the transaction that charges it.
recordings = Table(
    "recordings",
    metadata,
    Column("call_id", CleanText(26), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("state", CleanText(16), nullable=False),
    # Relative to the folder of recordings.
    Column("file", CleanText(200), nullable=False),
    Column("peaks", CleanText(200)),
    Column("duration_ms", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", CleanText(64), nullable=False),
    Column("began_at", Seconds, nullable=False),
    Column("finished_at", Seconds, nullable=False),
    Column("segments", JsonText, nullable=False),
    Index("ix_recordings_account_newest", "account_id", "began_at", "call_id"),
)

# Every life of a media worker that was ever allowed to write captures, and whose files it
# left: where a worker died, its node looks after them.
capture_workers = Table(
    "capture_workers",
    metadata,
    Column("worker_id", CleanText(64), primary_key=True),
    Column("node_id", CleanText(64), nullable=False),
    Column("since", Seconds, nullable=False),
    Column("recovered_at", Seconds),
    Index(
        "ix_capture_workers_unrecovered",
        "node_id",
        sqlite_where=text("recovered_at IS NULL"),
        postgresql_where=text("recovered_at IS NULL"),
    ),
)
