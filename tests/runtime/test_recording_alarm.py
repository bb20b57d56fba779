"""Supervisors and the operator hear of recordings that may be lost, while there is time."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from structlog.testing import capture_logs

from gateway.core.errors import StoreDown
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.outcome import RecordingOutcome
from gateway.core.recording.outlook import Patience
from gateway.core.recording.report import ReconciledDay
from gateway.ports.case_books import CasesInTrouble, OpenCases
from gateway.ports.jobs import JobKind, NewJob
from gateway.runtime.notices import Notices
from gateway.runtime.recording_alarm import AlarmFigures, RecordingAlarm
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import AlarmBounds
from tests.runtime.fake_jobs import FakeJobs
from tests.runtime.fakes import ACCOUNT, FakeBus
from tests.runtime.virtual_time import VirtualClock, in_virtual_time

DAY = 86_400.0
OTHER = AccountId("other")


@dataclass
class TroubleBooks:
    """The port `CaseBooks`, of which an alarm asks one thing."""

    trouble: list[CasesInTrouble] = field(default_factory=list)
    is_down: bool = False

    async def in_trouble(self, *, now: float, patience: Patience) -> Sequence[CasesInTrouble]:
        if self.is_down:
            raise StoreDown("gone")
        return self.trouble

    async def outcomes(self, call_ids: Collection[CallId]) -> Mapping[CallId, RecordingOutcome]:
        raise NotImplementedError

    async def transcribed(self, call_ids: Collection[CallId]) -> frozenset[CallId]:
        raise NotImplementedError

    async def open_cases(
        self,
        account_id: AccountId,
        *,
        now: float,
        patience: Patience,
        at_risk_only: bool = False,
        cursor: str | None = None,
        limit: int = 50,
    ) -> OpenCases:
        raise NotImplementedError

    async def days(
        self, account_id: AccountId, *, since: date, until: date, zone: str
    ) -> Sequence[ReconciledDay]:
        raise NotImplementedError


@dataclass
class Tower:
    """An alarm and what it looks at."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    books: TroubleBooks = field(default_factory=TroubleBooks)
    bus: FakeBus = field(default_factory=FakeBus)

    def __post_init__(self) -> None:
        self.notices = Notices(self.bus, lambda: ())
        bounds = AlarmBounds(every_s=300.0, patience=Patience(fetch_s=DAY))
        self.alarm = RecordingAlarm(self.jobs, self.books, self.notices, self.clock, bounds)

    async def order(self, key: str, account_id: AccountId | None = ACCOUNT) -> None:
        now = self.clock.wall()
        job = NewJob(
            JobKind.FETCH_RECORDING, key, {}, expires_at=now + 7 * DAY, account_id=account_id
        )
        await self.jobs.add(job, now=now)

    def figures(self) -> AlarmFigures | None:
        return self.alarm.figures

    def told(self) -> list[object]:
        return [event.body["code"] for event in self.bus.of_kind("notice")]


@in_virtual_time
async def test_a_file_that_cannot_be_fetched_for_a_day_is_told_until_it_is_there() -> None:
    at = Tower()
    await at.order("one")
    await at.alarm.look()
    assert at.told() == []
    await at.clock.sleep(DAY + 1)
    with capture_logs() as logs:
        await at.alarm.look()
        await at.alarm.look()
    assert at.told() == ["recordings_at_risk"]
    [notice] = at.notices.standing(ACCOUNT)
    assert "1." in notice.detail
    assert "UTC" in notice.detail
    assert [line["event"] for line in logs] == ["files of WhatsApp's wait too long"]
    assert at.alarm.figures == AlarmFigures({JobKind.FETCH_RECORDING: 1}, 0, 0)
    at.jobs.rows["one"].state = "done"
    await at.alarm.look()
    assert at.told() == ["recordings_at_risk", "recordings_at_risk_back"]
    assert at.notices.standing(ACCOUNT) == []


@in_virtual_time
async def test_only_supervisors_and_admins_of_the_account_are_told() -> None:
    at = Tower()
    await at.order("one")
    await at.clock.sleep(2 * DAY)
    await at.alarm.look()
    assert at.notices.standing(ACCOUNT, is_lead=False) == []
    assert at.notices.standing(OTHER) == []
    [event] = at.bus.of_kind("notice")
    assert (event.account_id, event.audience, event.is_local) == (ACCOUNT, (), False)
    at.jobs.rows["one"].state = "done"
    await at.alarm.look()
    assert at.bus.of_kind("notice")[-1].audience == ()


@in_virtual_time
async def test_lost_recordings_and_stuck_ones_are_told_and_counted() -> None:
    at = Tower()
    at.books.trouble = [CasesInTrouble(ACCOUNT, 2, 0), CasesInTrouble(OTHER, 0, 1)]
    with capture_logs() as logs:
        await at.alarm.look()
    assert {(event.account_id, event.body["code"]) for event in at.bus.of_kind("notice")} == {
        (ACCOUNT, "recordings_at_risk"),
        (OTHER, "recordings_lost"),
    }
    assert at.alarm.figures == AlarmFigures({}, 2, 1)
    assert [line["log_level"] for line in logs] == ["warning", "warning"]
    at.books.trouble = []
    await at.alarm.look()
    assert {"recordings_at_risk_back", "recordings_lost_back"} <= set(at.told())
    assert at.alarm.figures == AlarmFigures()


@in_virtual_time
async def test_a_file_of_a_number_nobody_knows_is_counted_though_nobody_is_told() -> None:
    at = Tower()
    await at.order("stray", account_id=None)
    await at.clock.sleep(2 * DAY)
    await at.alarm.look()
    assert at.told() == []
    assert at.alarm.figures == AlarmFigures({JobKind.FETCH_RECORDING: 1}, 0, 0)


@in_virtual_time
async def test_without_the_database_nothing_is_claimed_to_be_well() -> None:
    at = Tower()
    at.books.is_down = True
    assert at.figures() is None
    looking = _spawn(at)
    await at.clock.sleep(1)
    assert at.figures() is None
    at.books.is_down = False
    await at.clock.sleep(300)
    assert at.figures() == AlarmFigures()
    at.books.is_down = True
    await at.clock.sleep(300)
    assert at.figures() is None
    looking()


def _spawn(at: Tower) -> Callable[[], None]:
    return Tasks(at.clock).keep_running(at.alarm.run, name="alarm")
