"""A gateway's HTTP edge on a real port, with real SQLite stores under it."""

import asyncio
import hashlib
import hmac
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, CookieJar

from gateway.adapters.aes_sealing import AesSealing
from gateway.adapters.audio_transcoding import AudioTranscoding
from gateway.adapters.folder_storage import FolderStorage
from gateway.adapters.secrets_key_ring import KeyRing, new_key
from gateway.adapters.sql_accounts import SqlAccounts
from gateway.adapters.sql_announcements import SqlAnnouncements
from gateway.adapters.sql_audit import SqlAudit
from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_case_books import SqlCaseBooks
from gateway.adapters.sql_cases import SqlCases
from gateway.adapters.sql_data_keys import SqlDataKeys
from gateway.adapters.sql_directory import SqlDirectory
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_evidence_book import SqlEvidenceBook
from gateway.adapters.sql_inbox import SqlInbox
from gateway.adapters.sql_jobs import SqlJobs
from gateway.adapters.sql_library import SqlLibrary
from gateway.adapters.sql_login_limit import LoginBounds, SqlLoginLimit
from gateway.adapters.sql_passwords import HashCost, PasswordHashing, SqlPasswords
from gateway.adapters.sql_quota_books import SqlQuotaBooks
from gateway.adapters.sql_quota_minutes import SqlMinutes
from gateway.adapters.sql_recording_life import SqlRecordingLife
from gateway.adapters.sql_sessions import SqlSessions
from gateway.adapters.sql_stored_files import SqlStoredFiles
from gateway.adapters.sql_subjects import SqlSubjects
from gateway.adapters.sql_tokens import SqlTokens
from gateway.adapters.sql_transcripts import SqlTranscripts
from gateway.adapters.sql_wishes import SqlWishes
from gateway.adapters.system_ids import random_id
from gateway.adapters.whatsapp_webhook import split_delivery
from gateway.core.ids import AccountId, NodeId, PhoneNumberId
from gateway.core.quota.lease import LeaseTerms
from gateway.core.quota.live import LiveQuota, live_quota
from gateway.core.recording.outlook import Patience
from gateway.http.app import build_public_app
from gateway.http.deps import Check, PublicDeps
from gateway.http.metrics import HttpMetrics
from gateway.http.peers import Peers
from gateway.http.serving import serving
from gateway.http.webhook_signature import WebhookSecrets
from gateway.ports.accounts import Account, Number, Person, Role
from gateway.runtime.after_calls import AfterCalls
from gateway.runtime.evidence_desk import EvidenceDesk, EvidenceSources
from gateway.runtime.library_deletion import LibraryDeletion
from gateway.runtime.library_desk import LibraryBounds, LibraryDesk
from gateway.runtime.recording_vault import Places, RecordingVault
from gateway.runtime.subject_erasure import SubjectErasure
from gateway.runtime.subject_export import SubjectExport, SubjectSources
from tests.http.fakes import LocalBus, LocalPresence, ShiftedClock, TinyDesk
from tests.http.tiny_maker import TinyMaker
from tests.services.sqlite import put_migrated

APP_SECRET = "the-app-secret"
OLD_SECRET = "the-old-secret"
VERIFY_TOKEN = "the-verify-token"
PASSWORD = "correct horse battery"
KEYS = KeyRing.parse(new_key())
CHEAP = HashCost(memory_kib=64, passes=1, lanes=1)


@dataclass
class Site:
    """A running site and what is behind it."""

    port: int
    deps: PublicDeps
    database: Database
    folder: Path
    """Of the recordings."""
    desk: TinyDesk
    bus: LocalBus
    presence: LocalPresence
    clock: ShiftedClock
    minutes: SqlMinutes
    account: Account
    people: dict[Role, Person]
    woken: list[None] = field(default_factory=list)
    returned: list[AccountId] = field(default_factory=list)
    """Accounts whose minutes were said to have returned."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def sockets_open(self) -> int:
        return int(self.deps.metrics.sockets._value.get())

    def url(self, path: str) -> str:
        return self.origin + path

    def api(self, path: str) -> str:
        return f"{self.origin}/api/v1{path}"


class Browser:
    """A browser with its own cookies, which sends its page's origin like a real one."""

    def __init__(self, site: Site, http: ClientSession) -> None:
        self.site = site
        self.http = http
        self.origin: str | None = site.origin

    async def ask(self, method: str, path: str, **more: Any) -> ClientResponse:
        headers = dict(more.pop("headers", {}))
        if self.origin is not None and method != "GET":
            headers.setdefault("Origin", self.origin)
        return await self.http.request(method, self.site.api(path), headers=headers, **more)

    async def sign_in(self, role: Role) -> dict[str, Any]:
        return await self.sign_in_as(f"{role}@example.com")

    async def sign_in_as(self, email: str) -> dict[str, Any]:
        credentials = {"email": email, "password": PASSWORD}
        async with await self.ask("POST", "/login", json=credentials) as response:
            assert response.status == 200, await response.text()
            me: dict[str, Any] = await response.json()
            return me


@asynccontextmanager
async def browser_of(site: Site) -> AsyncIterator[Browser]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
        yield Browser(site, http)


@dataclass(frozen=True)
class Template:
    """A database to start from, and who is in it."""

    path: Path
    account: Account
    people: dict[Role, Person]


async def make_template(path: Path) -> Template:
    """Write a migrated database with one account, its number and a person of each role."""
    put_migrated(path)
    database = Database(f"sqlite:///{path}")
    hashing = PasswordHashing(CHEAP)
    clock = ShiftedClock()
    try:
        accounts = SqlAccounts(database, KEYS, hashing, clock.wall, random_id)
        account = await accounts.add_account(
            cid="C-1", name="Toko Maju", timezone="Asia/Jakarta"
        )
        await accounts.add_number(
            Number(
                phone_number_id=PhoneNumberId("200200200200200"),
                account_id=account.account_id,
                waba_id="300300300300300",
                display="+62 21 5090 0001",
                token="EAAsecret",
            )
        )
        people = {
            role: await accounts.add_person(
                account.account_id,
                email=f"{role}@example.com",
                name=role.value.title(),
                role=role,
                password=PASSWORD,
            )
            for role in Role
        }
        return Template(path, account, people)
    finally:
        hashing.close()
        await database.close()


@asynccontextmanager
async def site_from(
    template: Template, folder: Path, *, checks: dict[str, Check] | None = None, **changes: Any
) -> AsyncIterator[Site]:
    """Serve a copy of the template; `changes` replace what the site is built from."""
    path = folder / "callgate.db"
    await asyncio.to_thread(shutil.copy, template.path, path)
    database = Database(f"sqlite:///{path}")
    hashing = PasswordHashing(CHEAP)
    clock, presence, bus = ShiftedClock(), LocalPresence(), LocalBus()
    desk = TinyDesk(presence)
    woken: list[None] = []
    returned: list[AccountId] = []
    sessions = changes.pop("sessions_of", SqlSessions)(database)
    minutes = SqlMinutes(database, LeaseTerms())
    books = SqlQuotaBooks(database)

    async def minutes_now(account_id: AccountId) -> LiveQuota:
        now = clock.wall()
        return live_quota(await minutes.view(account_id, now=now), {}, {}, now)

    parts: dict[str, Any] = {
        "desk": desk,
        "directory": SqlDirectory(database, KEYS),
        "sessions": sessions,
        "passwords": SqlPasswords(database, hashing),
        "login_limit": SqlLoginLimit(database, key=b"k" * 32, bounds=LoginBounds()),
        "tokens": SqlTokens(database, random_id),
        "people": SqlAccounts(database, KEYS, hashing, clock.wall, random_id),
        "audit": SqlAudit(database),
        "evidence": evidence_desk(database, clock, folder),
        "presence": presence,
        "bus": bus,
        "inbox": SqlInbox(database, clock.wall),
        "minutes_now": minutes_now,
        "after_calls": AfterCalls(
            see=desk.one,
            books=SqlCaseBooks(database),
            jobs=SqlJobs(database, random_id),
            transcripts=SqlTranscripts(database),
            clock=clock,
            patience=Patience(),
        ),
        "quota_books": books,
        "wishes": SqlWishes(database),
        "library": (library := library_of(database, folder / "recordings", clock)),
        "recording_life": (life := SqlRecordingLife(database)),
        "deletion": LibraryDeletion(library, life, balance_changed=returned.append),
        "subject_export": subject_export(database, folder / "recordings", clock),
        "subject_erasure": SubjectErasure(
            SqlSubjects(database),
            SqlRecordingLife(database),
            SqlAudit(database),
            balance_changed=returned.append,
        ),
        "trace_of": SqlCalls(database, clock.wall).trace,
        "announcements": SqlAnnouncements(database),
        "announcement_maker": TinyMaker(),
        "split_delivery": split_delivery,
        "wake_inbox": lambda: woken.append(None),
        "webhook_secrets": WebhookSecrets(
            app_secrets=[APP_SECRET, OLD_SECRET], verify_token=VERIFY_TOKEN
        ),
        "clock": clock,
        "metrics": HttpMetrics(),
        "checks": checks or {"database": Check(database.ping)},
        "web_root": folder / "dist",
        "peers": Peers(),
        **changes,
    }
    deps = PublicDeps(**parts)
    try:
        async with serving(build_public_app(deps), host="127.0.0.1", port=0) as port:
            yield Site(
                port=port,
                deps=deps,
                database=database,
                folder=folder / "recordings",
                desk=desk,
                bus=bus,
                presence=presence,
                clock=clock,
                minutes=minutes,
                account=template.account,
                people=template.people,
                woken=woken,
                returned=returned,
            )
    finally:
        hashing.close()
        await database.close()


def library_of(
    database: Database, folder: Path, clock: ShiftedClock, **bounds: Any
) -> LibraryDesk:
    """The library over a folder of recordings; `bounds` are those of the desk."""
    return LibraryDesk(
        SqlLibrary(database),
        vault_of(database, folder),
        AudioTranscoding(),
        clock,
        bounds=LibraryBounds(**bounds),
    )


def subject_export(database: Database, folder: Path, clock: ShiftedClock) -> SubjectExport:
    """What gathers everything of a customer from a folder of recordings."""
    sources = SubjectSources(
        subjects=SqlSubjects(database),
        library=SqlLibrary(database),
        files=SqlStoredFiles(database, NodeId("site")),
        contents=vault_of(database, folder),
        transcripts=SqlTranscripts(database),
    )
    return SubjectExport(sources, clock.wall)


def vault_of(database: Database, folder: Path) -> RecordingVault:
    """What reads the recordings of a folder."""
    node_id = NodeId("site")
    return RecordingVault(
        SqlStoredFiles(database, node_id),
        SqlDataKeys(database, KEYS, random_id),
        AesSealing(),
        Places(node_id, FolderStorage(folder)),
        folder.parent,
    )


def evidence_desk(database: Database, clock: ShiftedClock, folder: Path) -> EvidenceDesk:
    """A desk that finds recordings in the site's folder."""
    sources = EvidenceSources(
        book=SqlEvidenceBook(database, KEYS),
        calls=SqlCalls(database, clock.wall),
        cases=SqlCases(database),
        contents=vault_of(database, folder),
        directory=SqlDirectory(database, KEYS),
        files=SqlStoredFiles(database, NodeId("site")),
        transcripts=SqlTranscripts(database),
    )
    return EvidenceDesk(sources, clock, at_once_max=1)


def signed(body: bytes, secret: str = APP_SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}
