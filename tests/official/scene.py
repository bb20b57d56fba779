"""One recorded call that is over, with all that compares its recordings, and a sandbox."""

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.adapters.folder_storage import FolderStorage
from gateway.adapters.official_files import OfficialFiles
from gateway.adapters.secrets_key_ring import KeyRing
from gateway.adapters.sql_accounts import SqlAccounts
from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_cases import SqlCases
from gateway.adapters.sql_directory import SqlDirectory
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_inbox import SqlInbox
from gateway.adapters.sql_jobs import SqlJobs
from gateway.adapters.sql_passwords import PasswordHashing
from gateway.adapters.sql_quota_books import SqlQuotaBooks
from gateway.adapters.sql_quota_minutes import SqlMinutes
from gateway.adapters.sql_recordings import SqlRecordings
from gateway.adapters.sql_stored_files import SqlStoredFiles
from gateway.adapters.sql_transcripts import SqlTranscripts
from gateway.adapters.system_ids import random_id
from gateway.adapters.whatsapp_media import FetchBounds, WhatsAppMedia
from gateway.core.ids import AccountId, CallId, InboxId, NodeId, Wacid
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import LeaseTerms
from gateway.core.recording.announcement import Announcement
from gateway.core.recording.facts import LocalCopy, Mode
from gateway.core.recording.intervals import Interval
from gateway.core.whatsapp import FileAvailable, FileKind
from gateway.ports.accounts import Number
from gateway.ports.cases import Case, Opening
from gateway.ports.jobs import Job, JobKind, JobWork, NotWanted, TryLater
from gateway.ports.recordings import Assembled, Recording
from gateway.runtime.official_intake import OfficialIntake
from gateway.runtime.official_work import FetchRecording, FetchTranscript, OfficialCalls
from gateway.runtime.reconciler import Reconciler
from gateway.runtime.recording_upkeep import ByteSweep
from gateway.runtime.recording_vault import Places
from media.ogg_reader import OpusReader
from tests.adapters.quota.conftest import own
from tests.adapters.sql.rows import CHEAP, NUMBER, a_call
from tests.services.sqlite import put_migrated

KEY = "test:" + "A" * 43 + "="
TOKEN = "sandbox-access-token"
ANNOUNCEMENT = Announcement("en", "quality assurance")
DELAY_MS = 6_000


@dataclass(slots=True)
class MovedClock:
    """The real clock, moved by hand."""

    ahead_s: float = 0.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return time.time() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class Scene:
    """Stores, files and the work on them."""

    database: Database
    folder: Path
    clock: MovedClock
    account_id: AccountId
    call_id: CallId
    wacid: Wacid
    cases: SqlCases
    jobs: SqlJobs
    minutes: SqlMinutes
    recordings: SqlRecordings
    transcripts: SqlTranscripts
    reconciler: Reconciler
    intake: OfficialIntake
    work: dict[JobKind, JobWork]
    concluded: list[Case] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    async def record_ours(self, source: Path | None, *, stopped_by_quota: bool = False) -> None:
        """Our own recording is made; None: it was lost."""
        copy = LocalCopy()
        if source is not None:
            name = f"{self.account_id}/{self.call_id}.ogg"
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, path)
            duration_ms = length_ms(path)
            made = Assembled(name, None, duration_ms, path.stat().st_size, "0" * 64, 1.0, ())
            stamp = Stamp(self.clock.wall())
            kept = Recording(self.call_id, self.account_id, made, stamp.at)
            await self.recordings.keep(kept, Recorded(duration_ms), stamp)
            whole = (Interval(0, duration_ms),)
            copy = LocalCopy(whole, stopped_by_quota=stopped_by_quota)
        await self.reconciler.tell(self.call_id, copy)

    async def announce(
        self,
        media_id: str,
        sha256: str | None,
        url: str | None = None,
        *,
        kind: FileKind = FileKind.RECORDING,
    ) -> None:
        """Meta's webhook comes."""
        at = self.clock.wall()
        event = FileAvailable(NUMBER, self.wacid, at, kind, media_id, sha256, None, url)
        await self.intake(event, InboxId(1))

    async def work_off(self, rounds: int = 12) -> None:
        """Do all jobs, each again at once if it could not be done."""
        for _ in range(rounds):
            # Far ahead, so that neither a pause nor a dead process's lease is waited for.
            later = self.clock.wall() + 1e7
            jobs = await self.jobs.claim(list(self.work), now=later, lease_s=0, limit=10)
            if not jobs:
                return
            for job in jobs:
                await self._try(job)

    async def _try(self, job: Job) -> None:
        try:
            await self.work[job.kind].carry_out(job)
        except NotWanted as error:
            self.troubles.append(str(error))
        except TryLater as error:
            self.troubles.append(error.trouble)
            # A later try comes minutes later, when links have run out.
            self.clock.ahead_s += 400
            await self.jobs.put_back(job, due_at=0.0, trouble=error.trouble)
            return
        await self.jobs.done(job, now=self.clock.wall())

    async def case(self) -> Case:
        case = await self.cases.load(self.call_id)
        assert case is not None
        return case

    async def charged_ms(self) -> int:
        view = await self.minutes.view(self.account_id, now=self.clock.wall())
        return view.balance.used_ms

    async def entries(self) -> list[str]:
        books = SqlQuotaBooks(self.database)
        page = await books.ledger(self.account_id, cursor=None, limit=50)
        kinds = [f"{line.entry.kind} {line.entry.amount_ms:+}" for line in page.lines]
        return [each for each in reversed(kinds) if not each.startswith("capacity")]

    async def sweep(self) -> None:
        """A day later what was never finished goes."""
        files = SqlStoredFiles(self.database, NodeId("scene"))
        places = Places(NodeId("scene"), FolderStorage(self.folder))
        await ByteSweep(files, places)(now=self.clock.wall() + 2 * 86_400)

    def files(self) -> list[str]:
        return sorted(
            re.sub(r"call\.\d+\.", "call.", path.name.replace(self.call_id, "call"))
            for path in self.folder.rglob("*")
            if path.is_file()
        )


def length_ms(path: Path) -> int:
    with path.open("rb") as source:
        reader = OpusReader(source)
        for _ in reader.packets():
            pass
    return reader.samples // 48


@asynccontextmanager
async def scene(
    folder: Path, graph_url: str, *, capacity_ms: int = 3_600_000, call_id: str | None = None
) -> AsyncIterator[Scene]:
    """Open all of it below `folder`; with `call_id` what an earlier opening made is used."""
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 (once, before anything runs)
    if call_id is None:
        put_migrated(folder / "callgate.db")
    database = Database(f"sqlite:///{folder / 'callgate.db'}")
    clock, keys = MovedClock(), KeyRing.parse(KEY)
    calls = SqlCalls(database, clock.wall)
    if call_id is None:
        account_id = await _account(database, clock, keys)
        await own(database, account_id, capacity_ms, clock.wall())
        now = clock.wall()
        row = a_call(
            account_id,
            call_id=CallId(random_id()),
            wacid=Wacid("wacid.A"),
            state="ended",
            created_at=now - 60,
            answered_at=now - 50,
            ended_at=now,
        )
        await calls.create(row)
    else:
        found = await calls.load(CallId(call_id))
        assert found is not None
        row, account_id = found, found.account_id
    cases, files = SqlCases(database), OfficialFiles(folder / "recordings")
    minutes = SqlMinutes(database, LeaseTerms())

    async def free_ms(account: AccountId) -> int:
        return (await minutes.view(account, now=clock.wall())).balance.free_ms

    concluded: list[Case] = []
    reconciler = Reconciler(cases, files, clock, free_ms=free_ms, concluded=concluded.append)
    directory = SqlDirectory(database, keys)
    jobs, transcripts = SqlJobs(database, random_id), SqlTranscripts(database)
    media = WhatsAppMedia(
        graph_url=graph_url,
        version="v25.0",
        hosts=["lookaside.fbsbx.com"],
        folder=folder / "recordings",
        clock=clock,
        bounds=FetchBounds(file_bytes_max=4_000_000, silent_s=3.0, look_up_s=3.0),
    )
    official = OfficialCalls(calls, cases, directory, clock)
    async with media:
        inbox = SqlInbox(database, clock.wall)
        made = Scene(
            database,
            folder / "recordings",
            clock,
            account_id,
            row.call_id,
            Wacid("wacid.A"),
            cases,
            jobs,
            minutes,
            SqlRecordings(database),
            transcripts,
            reconciler,
            OfficialIntake(jobs, inbox, directory, clock, wake=lambda: None),
            {
                JobKind.FETCH_RECORDING: FetchRecording(official, media, files, reconciler),
                JobKind.FETCH_TRANSCRIPT: FetchTranscript(official, media, transcripts, clock),
            },
            concluded,
        )
        opening = Opening(
            row.call_id,
            account_id,
            Mode.OFFICIAL,
            row.ended_at or 0.0,
            announcement=ANNOUNCEMENT,
            delay_ms=DELAY_MS,
        )
        await cases.open(opening)
        yield made
    await database.close()


async def _account(database: Database, clock: MovedClock, keys: KeyRing) -> AccountId:
    hashing = PasswordHashing(CHEAP)
    accounts = SqlAccounts(database, keys, hashing, clock.wall, random_id)
    try:
        account = await accounts.add_account(cid="C-1", name="Toko", timezone="Asia/Jakarta")
        await accounts.add_number(Number(NUMBER, account.account_id, "waba", "+62 21", TOKEN))
    finally:
        hashing.close()
    return account.account_id
