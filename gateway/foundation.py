"""Opens what the server and the command line both stand on: keys, database, its stores."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.adapters import sql_migrate
from gateway.adapters.file_once import read_or_create
from gateway.adapters.plan_file import load_plans
from gateway.adapters.secrets_key_ring import KeyRing
from gateway.adapters.sql_accounts import SqlAccounts
from gateway.adapters.sql_announcements import SqlAnnouncements
from gateway.adapters.sql_audit import SqlAudit
from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_case_books import SqlCaseBooks
from gateway.adapters.sql_cases import SqlCases
from gateway.adapters.sql_data_keys import SqlDataKeys
from gateway.adapters.sql_directory import SqlDirectory
from gateway.adapters.sql_engine import Database, DatabaseBounds
from gateway.adapters.sql_evidence_book import SqlEvidenceBook
from gateway.adapters.sql_file_counts import SqlFileCounter
from gateway.adapters.sql_inbox import SqlInbox, SqlTombstones
from gateway.adapters.sql_inbox_archive import SqlInboxArchive
from gateway.adapters.sql_jobs import SqlJobs
from gateway.adapters.sql_library import SqlLibrary
from gateway.adapters.sql_login_limit import LoginBounds, SqlLoginLimit
from gateway.adapters.sql_nodes import SqlNodes
from gateway.adapters.sql_passwords import HashCost, PasswordHashing, SqlPasswords
from gateway.adapters.sql_purge import Retention, SqlPurge
from gateway.adapters.sql_quota_books import SqlQuotaBooks
from gateway.adapters.sql_quota_contracts import SqlContracts
from gateway.adapters.sql_quota_minutes import SqlMinutes
from gateway.adapters.sql_quota_rotation import SqlRotation
from gateway.adapters.sql_recording_life import SqlRecordingLife
from gateway.adapters.sql_recordings import SqlRecordings
from gateway.adapters.sql_sessions import SessionBounds, SqlSessions
from gateway.adapters.sql_stored_files import SqlStoredFiles
from gateway.adapters.sql_tokens import SqlTokens, TokenBounds
from gateway.adapters.sql_transcripts import SqlTranscripts
from gateway.adapters.sql_wishes import SqlWishes
from gateway.adapters.system_ids import random_id
from gateway.core.ids import NodeId
from gateway.core.quota.lease import LeaseTerms
from gateway.core.quota.plan import PlanBook
from gateway.ports.clock import Clock
from gateway.runtime.quota_keeper_budget import KeeperBounds
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Foundation:
    """The database and every store on it."""

    node_id: NodeId
    database: Database
    keys: KeyRing
    accounts: SqlAccounts
    announcements: SqlAnnouncements
    audit: SqlAudit
    calls: SqlCalls
    cases: SqlCases
    contracts: SqlContracts
    data_keys: SqlDataKeys
    directory: SqlDirectory
    evidence: SqlEvidenceBook
    inbox: SqlInbox
    inbox_archive: SqlInboxArchive
    jobs: SqlJobs
    library: SqlLibrary
    login_limit: SqlLoginLimit
    minutes: SqlMinutes
    nodes: SqlNodes
    passwords: SqlPasswords
    plans: PlanBook
    purge: SqlPurge
    quota_books: SqlQuotaBooks
    recordings: SqlRecordings
    recording_life: SqlRecordingLife
    sessions: SqlSessions
    stored_files: SqlStoredFiles
    file_counter: SqlFileCounter
    tokens: SqlTokens
    tombstones: SqlTombstones
    transcripts: SqlTranscripts
    wishes: SqlWishes

    @property
    def case_books(self) -> SqlCaseBooks:
        """Return what reads the cases that `cases` writes."""
        return SqlCaseBooks(self.database)

    async def migrate(self) -> str:
        """Bring the schema up to date and return its revision."""
        return await sql_migrate.upgrade(self.database)


@asynccontextmanager
async def open_foundation(settings: Settings, clock: Clock) -> AsyncIterator[Foundation]:
    """Open keys and database, and close them at the end. Nothing is migrated here.

    Raises `BadInput` for a key ring, URL or price list that cannot be used. The database
    itself is only touched when a store is.
    """
    prepare_data_directory(settings.data_path)
    keys = open_keys(settings)
    plans = load_plans(settings.quota_plans)
    database = open_database(settings)
    hashing = PasswordHashing(
        HashCost(
            memory_kib=settings.argon2_memory_kib,
            passes=settings.argon2_passes,
            lanes=settings.argon2_lanes,
            at_once_max=settings.argon2_at_once_max,
            waiting_max=settings.argon2_waiting_max,
        )
    )
    try:
        yield _stores(settings, clock, keys, database, hashing, plans)
    finally:
        hashing.close()
        await database.close()


def open_keys(settings: Settings) -> KeyRing:
    """Return the key ring of the settings, or the one in the data directory."""
    if settings.secret_key is not None:
        return KeyRing.parse(settings.secret_key.get_secret_value())
    return KeyRing.of_file(settings.data_path / "secret.key")


def open_database(settings: Settings) -> Database:
    """Return the database of the settings; the caller closes it."""
    return Database(
        settings.effective_database_url.get_secret_value(),
        DatabaseBounds(
            connections_max=settings.database_connections_max,
            connect_max_s=settings.database_connect_max_s,
            statement_max_s=settings.database_statement_max_s,
            operation_max_s=settings.database_operation_max_s,
        ),
    )


def lease_terms(settings: Settings) -> LeaseTerms:
    """Return how many recording minutes are granted at once."""
    return LeaseTerms(
        per_capture_ms=settings.quota_lease_s * 1000,
        hold_ms=settings.quota_hold_s * 1000,
        min_free_to_record_ms=settings.quota_min_free_to_record_s * 1000,
    )


def keeper_bounds(settings: Settings) -> KeeperBounds:
    """Return how long and how often the keeper of recording minutes waits."""
    return KeeperBounds(
        store_patience_s=settings.quota_store_patience_s,
        per_capture_ms=settings.quota_lease_s * 1000,
        hold_age_max_s=settings.quota_hold_age_max_s,
    )


def login_bounds(settings: Settings) -> LoginBounds:
    """Return how many wrong passwords are borne."""
    return LoginBounds(
        window_s=settings.login_window_s,
        tries_max=settings.login_tries_max,
        network_tries_max=settings.login_network_tries_max,
    )


def retention_of(settings: Settings) -> Retention:
    """Return how long what has served its time is kept."""
    return Retention(
        inbox_s=settings.inbox_kept_s,
        trace_s=settings.trace_kept_s,
        audit_s=settings.audit_kept_s,
    )


def token_bounds(settings: Settings) -> TokenBounds:
    """Return how many API tokens there may be, and how long they last and are listed."""
    return TokenBounds(
        of_account_max=settings.api_tokens_max,
        age_max_s=settings.api_token_age_max_s,
        ended_kept_s=settings.audit_kept_s,
    )


def prepare_data_directory(path: Path) -> None:
    """Make the data directory, closed to other users of the machine."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)


def node_id_of(path: Path) -> NodeId:
    """Return the id of this installation, made at the first start and kept in a file."""
    return NodeId(read_or_create(path / "node-id", lambda: f"{random_id()}\n").strip())


def session_bounds(settings: Settings) -> SessionBounds:
    """Return how long people stay signed in."""
    return SessionBounds(
        idle_max_s=settings.session_idle_max_s, age_max_s=settings.session_age_max_s
    )


def _minutes(settings: Settings, database: Database, plans: PlanBook) -> SqlMinutes:
    rotation = SqlRotation(plans, recordings_max=settings.quota_rotate_max)
    return SqlMinutes(database, lease_terms(settings), rotation.make_room)


def _stores(
    settings: Settings,
    clock: Clock,
    keys: KeyRing,
    database: Database,
    hashing: PasswordHashing,
    plans: PlanBook,
) -> Foundation:
    node_id = node_id_of(settings.data_path)
    return Foundation(
        node_id=node_id,
        database=database,
        keys=keys,
        accounts=SqlAccounts(database, keys, hashing, clock.wall, random_id),
        announcements=SqlAnnouncements(database),
        audit=SqlAudit(database),
        calls=SqlCalls(database, clock.wall),
        contracts=SqlContracts(database, plans, random_id),
        data_keys=SqlDataKeys(database, keys, random_id),
        directory=SqlDirectory(database, keys),
        evidence=SqlEvidenceBook(database, keys),
        inbox=SqlInbox(database, clock.wall, waiting_max=settings.inbox_waiting_max),
        inbox_archive=SqlInboxArchive(database, clock.wall),
        library=SqlLibrary(database),
        login_limit=SqlLoginLimit(
            database,
            key=keys.derived("login limit"),
            bounds=login_bounds(settings),
        ),
        minutes=_minutes(settings, database, plans),
        nodes=SqlNodes(database, clock.wall),
        passwords=SqlPasswords(database, hashing),
        plans=plans,
        purge=SqlPurge(database, retention_of(settings)),
        quota_books=SqlQuotaBooks(database),
        recordings=SqlRecordings(database, node_id),
        recording_life=SqlRecordingLife(database),
        sessions=SqlSessions(database, session_bounds(settings)),
        tokens=SqlTokens(database, random_id, token_bounds(settings)),
        stored_files=SqlStoredFiles(database, node_id),
        file_counter=SqlFileCounter(database, node_id),
        tombstones=SqlTombstones(database, clock.wall),
        transcripts=SqlTranscripts(database),
        wishes=SqlWishes(database),
        cases=SqlCases(database, node_id),
        jobs=SqlJobs(database, random_id),
    )
