"""From a webhook about a file to the job that fetches it."""

from gateway.core.ids import InboxId, PhoneNumberId, Wacid
from gateway.core.recording.outlook import KEPT_S
from gateway.core.whatsapp import FileAvailable, FileKind
from gateway.ports.jobs import JobKind
from gateway.runtime.official_intake import OfficialIntake, wanted_file
from tests.runtime.fake_jobs import FakeJobs
from tests.runtime.fakes import ACCOUNT, NUMBER_ID, FakeDirectory, FakeStore
from tests.runtime.virtual_time import VirtualClock, in_virtual_time

ROW = InboxId(1)


def file(kind: FileKind = FileKind.RECORDING, **changes: object) -> FileAvailable:
    fields: dict[str, object] = {
        "phone_number_id": NUMBER_ID,
        "wacid": Wacid("wacid.A"),
        "at": 0.0,
        "kind": kind,
        "media_id": "77",
        "sha256": "digest",
        "url": "https://lookaside.fbsbx.com/x",
    }
    return FileAvailable(**(fields | changes))  # type: ignore[arg-type]  # any field of it


class Desk:
    """An intake and all it touches."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.jobs = FakeJobs()
        self.store = FakeStore(self.clock)
        self.woken = 0
        self.intake = OfficialIntake(
            self.jobs, self.store, FakeDirectory(), self.clock, wake=self._wake
        )

    def _wake(self) -> None:
        self.woken += 1


@in_virtual_time
async def test_each_file_is_one_job_however_often_it_is_told_of() -> None:
    desk = Desk()
    at = desk.clock.wall()
    for _ in range(3):
        await desk.intake(file(at=at), ROW)
    await desk.intake(file(FileKind.TRANSCRIPT, at=at), ROW)
    await desk.intake(file(at=at, media_id="78"), ROW)
    kinds = [row.job.kind for row in desk.jobs.rows.values()]
    assert kinds == [
        JobKind.FETCH_RECORDING,
        JobKind.FETCH_TRANSCRIPT,
        JobKind.FETCH_RECORDING,
    ]
    assert {row.account_id for row in desk.jobs.rows.values()} == {ACCOUNT}
    assert desk.woken == 5


@in_virtual_time
async def test_a_job_tells_all_that_is_needed_and_for_how_long() -> None:
    desk = Desk()
    at = desk.clock.wall() - 60
    await desk.intake(file(at=at), ROW)
    [row] = desk.jobs.rows.values()
    wanted = wanted_file(row.job)
    assert (wanted.phone_number_id, wanted.wacid) == (NUMBER_ID, "wacid.A")
    assert (wanted.media.media_id, wanted.media.sha256) == ("77", "digest")
    assert wanted.media.url == "https://lookaside.fbsbx.com/x"
    assert wanted.media.url_until < at + 300
    assert wanted.until == row.job.expires_at == at + KEPT_S


@in_virtual_time
async def test_a_clock_of_metas_that_runs_ahead_gains_no_days() -> None:
    desk = Desk()
    now = desk.clock.wall()
    await desk.intake(file(at=now + 86_400), ROW)
    [row] = desk.jobs.rows.values()
    assert row.job.expires_at <= now + KEPT_S + 1


@in_virtual_time
async def test_a_number_that_is_not_ours_orders_nothing() -> None:
    desk = Desk()
    await desk.intake(file(phone_number_id=PhoneNumberId("999")), ROW)
    assert not desk.jobs.rows
