"""A webhook says that Meta has made a file: a job that fetches it, ordered once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.core.ids import InboxId, PhoneNumberId, Wacid
from gateway.core.recording.outlook import KEPT_S
from gateway.core.whatsapp import FileAvailable, FileKind
from gateway.ports import Json
from gateway.ports.accounts import Directory
from gateway.ports.clock import Clock
from gateway.ports.jobs import Job, JobKind, Jobs, NewJob
from gateway.ports.official import MediaRef
from gateway.ports.webhooks import Inbox

OnFile = Callable[[FileAvailable, InboxId], Awaitable[None]]
"""Takes note of a file that Meta has made, and closes the inbox row."""
URL_S = 290.0
"""How long the URL of a webhook works, a little less than Meta says."""
KINDS = {
    FileKind.RECORDING: JobKind.FETCH_RECORDING,
    FileKind.TRANSCRIPT: JobKind.FETCH_TRANSCRIPT,
}


@dataclass(frozen=True, slots=True)
class WantedFile:
    """What a job is about."""

    phone_number_id: PhoneNumberId
    wacid: Wacid
    media: MediaRef
    until: float
    """When Meta forgets the file."""


class OfficialIntake:
    """Orders jobs for the files that Meta announces."""

    def __init__(
        self,
        jobs: Jobs,
        inbox: Inbox,
        directory: Directory,
        clock: Clock,
        *,
        wake: Callable[[], None],
    ) -> None:
        """`wake` lets the runner look at the table at once."""
        self._jobs = jobs
        self._inbox = inbox
        self._directory = directory
        self._clock = clock
        self._wake = wake

    async def __call__(self, event: FileAvailable, inbox_id: InboxId) -> None:
        """Order the job and close the row in one transaction. Raises `StoreDown`."""
        number = await self._directory.number(event.phone_number_id)
        if number is None:
            await self._inbox.done(inbox_id, note="number not configured")
            return
        now = self._clock.wall()
        # A file that is told of late has been kept since Meta's own time stamp.
        until = min(event.at, now) + KEPT_S
        payload: dict[str, Json] = {
            "phone_number_id": event.phone_number_id,
            "wacid": event.wacid,
            "media_id": event.media_id,
            "sha256": event.sha256,
            "url": event.url,
            "url_until": min(event.at, now) + URL_S,
        }
        job = NewJob(
            kind=KINDS[event.kind],
            key=f"{KINDS[event.kind]}:{event.phone_number_id}:{event.media_id}",
            payload=payload,
            expires_at=until,
            account_id=number.account_id,
        )
        await self._jobs.add(job, now=now, inbox_id=inbox_id)
        self._wake()


def wanted_file(job: Job) -> WantedFile:
    """Read a job that the intake ordered."""
    payload = job.payload
    sha256, url, url_until = (payload[key] for key in ("sha256", "url", "url_until"))
    return WantedFile(
        phone_number_id=PhoneNumberId(str(payload["phone_number_id"])),
        wacid=Wacid(str(payload["wacid"])),
        media=MediaRef(
            media_id=str(payload["media_id"]),
            sha256=sha256 if isinstance(sha256, str) else None,
            url=url if isinstance(url, str) else None,
            url_until=url_until if isinstance(url_until, int | float) else 0.0,
        ),
        until=job.expires_at,
    )
