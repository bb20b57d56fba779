"""The tables of recordings, of their files, and of the workers that make them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    false,
    text,
)

from gateway.adapters.sql_schema import Seconds, metadata
from gateway.adapters.sql_types import CleanText, JsonText, OutsideText

# A literal, not a parameter: only then do both databases use the partial indexes.
AVAILABLE = "state = 'available'"
OVER = "state <> 'available'"
NOTED = "state = 'available' AND note_folded IS NOT NULL"
HELD = "held_at IS NOT NULL"
TRASHED = "state = 'trashed'"
KEPT = "state = 'kept'"
PLAIN = "data_key_id IS NULL"
FAULTY = "fault IS NOT NULL"
NEVER = "9999-12-31"
# An index that lists recordings holds what filters ask besides: what they leave out is then not
# read, though a filter that nothing matches runs through all of the index.
_ASKED = ("direction", "duration_ms", "verdict", "cut_by_quota")

# One per recorded call. Written when the file is durable, in the transaction that charges it;
# it stays when the recording goes: digests, times, who and why are the proof of the deletion.
recordings = Table(
    "recordings",
    metadata,
    Column("call_id", CleanText(26), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    # `available | trashed | purged` (`core.recording.lifecycle.Life`).
    Column("state", CleanText(16), nullable=False),
    # Key of what is played (`stored_files`), and of what a player draws of it.
    Column("file", CleanText(200), nullable=False),
    Column("peaks", CleanText(200)),
    Column("duration_ms", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", CleanText(64), nullable=False),
    Column("began_at", Seconds, nullable=False),
    Column("finished_at", Seconds, nullable=False),
    Column("segments", JsonText, nullable=False),
    # Grows with every change; a browser never lets a lower one overwrite a higher.
    Column("version", Integer, nullable=False, server_default="1"),
    # What the library filters by, from the call and its case; kept true by whoever writes them.
    Column("direction", CleanText(16)),
    Column("agent_id", CleanText(26)),
    Column("peer_phone", OutsideText(32)),
    Column("peer_user_id", OutsideText(256)),
    Column("verdict", CleanText(24)),
    Column("cut_by_quota", Boolean, nullable=False, server_default=false()),
    # What somebody wrote beside it, and the same folded, in which both databases search alike.
    Column("note", OutsideText(1000)),
    Column("note_folded", OutsideText),
    # Days in the account's zone: when it was made, and on which it goes by itself.
    Column("made_day", CleanText(10), nullable=False, server_default=NEVER),
    Column("purge_day", CleanText(10), nullable=False, server_default=NEVER),
    # Legal hold; while `held_at` is set nothing deletes it.
    Column("held_at", Seconds),
    Column("held_by", CleanText(26)),
    Column("held_why", OutsideText(400)),
    # Its end: unreachable since, bytes not before, by whom, why, bytes gone since.
    Column("trashed_at", Seconds),
    Column("gone_after", Seconds),
    Column("deleted_by", CleanText(26)),
    Column("deleted_why", CleanText(16)),
    Column("purged_at", Seconds),
    Index("ix_recordings_account_newest", "account_id", "began_at", "call_id"),
    Index(
        "ix_recordings_library",
        "account_id",
        "began_at",
        "call_id",
        *_ASKED,
        sqlite_where=text(AVAILABLE),
        postgresql_where=text(AVAILABLE),
    ),
    *(
        Index(
            f"ix_recordings_by_{column}",
            "account_id",
            column,
            "began_at",
            "call_id",
            *asked,
            sqlite_where=text(AVAILABLE),
            postgresql_where=text(AVAILABLE),
        )
        for column, asked in (
            ("agent_id", _ASKED),
            ("peer_phone", ()),
            ("peer_user_id", ()),
            ("verdict", ("direction", "duration_ms", "cut_by_quota")),
        )
    ),
    *(
        Index(
            f"ix_recordings_{name}",
            "account_id",
            "began_at",
            "call_id",
            *asked,
            *_ASKED,
            sqlite_where=text(which),
            postgresql_where=text(which),
        )
        for name, which, asked in (
            ("over", OVER, ("state", "agent_id")),
            ("noted", NOTED, ("agent_id",)),
            ("held", HELD, ("state", "agent_id")),
        )
    ),
    Index(
        "ix_recordings_purge_day",
        "account_id",
        "purge_day",
        sqlite_where=text(AVAILABLE),
        postgresql_where=text(AVAILABLE),
    ),
    Index(
        "ix_recordings_gone_after",
        "gone_after",
        sqlite_where=text(TRASHED),
        postgresql_where=text(TRASHED),
    ),
)

# One per durable file of any recording, wherever its bytes lie. The row is written before the
# file or with it, and outlives it.
stored_files = Table(
    "stored_files",
    metadata,
    # Made by us: `account/call…`; the name in the folder and in the object store alike.
    Column("key", CleanText(200), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False),
    Column("call_id", CleanText(26), nullable=False),
    # local | official | peaks
    Column("role", CleanText(8), nullable=False),
    # making (may be there) | kept | doomed (goes at `due_at`) | gone
    Column("state", CleanText(8), nullable=False),
    # folder (of `node_id`) | store
    Column("place", CleanText(8), nullable=False),
    # In whose folder a copy lies, or may still lie; None with `folder`: any node's.
    Column("node_id", CleanText(64)),
    # Sealed with this key; None: as it is.
    Column("data_key_id", CleanText(26)),
    # Of the content before it was sealed; None: not known yet.
    Column("bytes", BigInteger),
    Column("sha256", CleanText(64)),
    Column("made_at", Seconds, nullable=False),
    Column("due_at", Seconds),
    Column("gone_at", Seconds),
    # When its digest was last found right, and what was found wrong: missing | damaged
    Column("checked_at", Seconds, nullable=False, server_default="0"),
    Column("fault", CleanText(8)),
    Index("ix_stored_files_call_id", "call_id"),
    Index(
        "ix_stored_files_due_at",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index(
        "ix_stored_files_unchecked",
        "checked_at",
        "key",
        sqlite_where=text(KEPT),
        postgresql_where=text(KEPT),
    ),
    Index(
        "ix_stored_files_node_id",
        "node_id",
        "made_at",
        sqlite_where=text(KEPT),
        postgresql_where=text(KEPT),
    ),
    Index(
        "ix_stored_files_plain",
        "account_id",
        "made_at",
        sqlite_where=text(f"{KEPT} AND {PLAIN}"),
        postgresql_where=text(f"{KEPT} AND {PLAIN}"),
    ),
    Index(
        "ix_stored_files_fault",
        "fault",
        sqlite_where=text(f"{KEPT} AND {FAULTY}"),
        postgresql_where=text(f"{KEPT} AND {FAULTY}"),
    ),
)

# Keys that seal the files of one account, themselves sealed with the key ring.
data_keys = Table(
    "data_keys",
    metadata,
    Column("data_key_id", CleanText(26), primary_key=True),
    Column("account_id", ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("ring_key_id", CleanText(32), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Seconds, nullable=False),
)

# What an account wants of the life of its recordings; without a row, the defaults.
recording_rules = Table(
    "recording_rules",
    metadata,
    Column("account_id", ForeignKey("accounts.account_id"), primary_key=True),
    Column("version", Integer, nullable=False),
    # auto | stop | rotate
    Column("when_full", CleanText(8), nullable=False),
    # None: two years, by the calendar.
    Column("retention_days", Integer),
    Column("encrypts", Boolean, nullable=False),
    Column("changed_at", Seconds, nullable=False),
    Column("changed_by", CleanText(26)),
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
