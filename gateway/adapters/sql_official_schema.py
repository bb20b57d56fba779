"""The tables of official recordings: what was asked, what came of it, and the words."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    text,
)

from gateway.adapters.sql_schema import RowNumber, Seconds, metadata
from gateway.adapters.sql_types import CleanText, JsonText, OutsideText

# What an account wants recorded; without a row, nothing is asked of Meta.
recording_wishes = Table(
    "recording_wishes",
    metadata,
    Column("account_id", ForeignKey("accounts.account_id"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("mode", CleanText(8), nullable=False),
    Column("purpose", OutsideText(250), nullable=False),
    Column("language", CleanText(8), nullable=False),
    Column("transcribes", Boolean, nullable=False),
    Column("transcribes_alone", Boolean, nullable=False),
    Column("changed_at", Seconds, nullable=False),
    Column("changed_by", CleanText(26)),
)

# How long announcements took, by language, purpose and kind; the newest few count.
announcement_times = Table(
    "announcement_times",
    metadata,
    Column("position", RowNumber, primary_key=True, autoincrement=True),
    Column("announcement", CleanText(64), nullable=False),
    Column("call_id", CleanText(26), nullable=False, unique=True),
    Column("measured_ms", BigInteger, nullable=False),
    Column("at", Seconds, nullable=False),
    Index("ix_announcement_times_newest", "announcement", "position"),
    sqlite_autoincrement=True,
)

# A literal, not a parameter: only then do both databases use the partial index.
OPEN_CASE = "is_open OR verdict = 'lost'"

# One per call that was to be recorded: the facts, and what was concluded from them.
recording_cases = Table(
    "recording_cases",
    metadata,
    Column("call_id", CleanText(26), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("ended_at", Seconds, nullable=False),
    Column("opening", JsonText, nullable=False),
    Column("facts", JsonText, nullable=False),
    Column("conclusion", JsonText),
    Column("verdict", CleanText(24)),
    # Something that may change the verdict is still expected, and the books are not closed.
    Column("is_open", Boolean, nullable=False),
    # Copied out of the documents: what is searched by, and what a day adds up.
    Column("announced_until", Seconds, nullable=False, server_default="0"),
    Column("stored_ms", BigInteger),
    Column("official_ms", BigInteger),
    Column("local_ms", BigInteger),
    # When to look again although nothing new has come; None: never.
    Column("look_at", Seconds),
    Column("files", JsonText, nullable=False),
    Index("ix_recording_cases_account_ended", "account_id", "ended_at", "call_id"),
    Index(
        "ix_recording_cases_look_at",
        "look_at",
        sqlite_where=text("look_at IS NOT NULL"),
        postgresql_where=text("look_at IS NOT NULL"),
    ),
    Index(
        "ix_recording_cases_open",
        "account_id",
        "ended_at",
        "call_id",
        sqlite_where=text(OPEN_CASE),
        postgresql_where=text(OPEN_CASE),
    ),
)

transcripts = Table(
    "transcripts",
    metadata,
    Column("call_id", CleanText(26), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("language", OutsideText(35)),
    Column("content", JsonText, nullable=False),
    Column("stored_at", Seconds, nullable=False),
)
