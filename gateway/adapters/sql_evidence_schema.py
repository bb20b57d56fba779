"""The tables of evidence: append-only but for the ends of chains."""

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, text

from gateway.adapters.sql_schema import Seconds, metadata
from gateway.adapters.sql_types import CleanText

# Where each call's chain ends, and how far a daily root vouches for it. Its row orders those
# who add at once.
evidence_chains = Table(
    "evidence_chains",
    metadata,
    Column("call_id", CleanText(26), primary_key=True),
    Column("account_id", CleanText(26), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("head", CleanText(64), nullable=False),
    Column("rooted_seq", Integer, nullable=False),
    Index(
        "ix_evidence_chains_unrooted",
        "call_id",
        sqlite_where=text("rooted_seq < seq"),
        postgresql_where=text("rooted_seq < seq"),
    ),
)

# The lines exactly as they were digested.
evidence_events = Table(
    "evidence_events",
    metadata,
    Column("call_id", CleanText(26), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("line", CleanText, nullable=False),
)

evidence_roots = Table(
    "evidence_roots",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("day", CleanText(10), nullable=False),
    Column("made_at", Seconds, nullable=False),
    Column("leaves", Integer, nullable=False),
    Column("statement", CleanText(1000), nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

evidence_leaves = Table(
    "evidence_leaves",
    metadata,
    Column("root_number", Integer, primary_key=True, autoincrement=False),
    Column("call_id", CleanText(26), primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("head", CleanText(64), nullable=False),
    Index("ix_evidence_leaves_call_id", "call_id"),
)

evidence_keys = Table(
    "evidence_keys",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key_id", CleanText(16), nullable=False, unique=True),
    Column("public", LargeBinary, nullable=False),
    Column("ring_key_id", CleanText(32), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("since", Seconds, nullable=False),
)
