"""Says that recordings may be lost, or are, while something can still be done about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from gateway.core.errors import StoreDown
from gateway.core.ids import AccountId
from gateway.ports.case_books import CaseBooks, CasesInTrouble
from gateway.ports.clock import Clock
from gateway.ports.jobs import JobKind, Jobs, LateJobs
from gateway.runtime.notices import Notice, Notices
from gateway.runtime.world import AlarmBounds

_log = structlog.get_logger(__name__)

FETCHES = (JobKind.FETCH_RECORDING, JobKind.FETCH_TRANSCRIPT)
AT_RISK, AT_RISK_BACK = (
    "recordings_at_risk",
    Notice("recordings_at_risk_back", "No recording is at risk any more.", is_for_leads=True),
)
LOST, LOST_BACK = (
    "recordings_lost",
    Notice("recordings_lost_back", "No recording was lost lately.", is_for_leads=True),
)


@dataclass(frozen=True, slots=True)
class AlarmFigures:
    """What the last look found, of all accounts together."""

    late: Mapping[JobKind, int] = field(default_factory=dict)
    """Files of Meta's that wait too long."""
    stuck: int = 0
    """Calls whose recordings should have been compared long ago."""
    lost: int = 0


class RecordingAlarm:
    """One per node; each tells its own metrics, and all tell browsers the same."""

    def __init__(
        self,
        jobs: Jobs,
        books: CaseBooks,
        notices: Notices,
        clock: Clock,
        bounds: AlarmBounds,
    ) -> None:
        self._jobs = jobs
        self._books = books
        self._notices = notices
        self._clock = clock
        self._bounds = bounds
        self._told: set[tuple[AccountId, str]] = set()
        self.figures: AlarmFigures | None = None
        """None before the first look, and while the database does not tell."""

    async def run(self) -> None:
        """Look again and again, beginning at once, until cancelled."""
        while True:
            try:
                await self.look()
            except StoreDown:
                self.figures = None
            await self._clock.sleep(self._bounds.every_s)

    async def look(self) -> None:
        """Tell what is at risk and what is lost now. Raises `StoreDown`."""
        now, patience = self._clock.wall(), self._bounds.patience
        late = await self._jobs.late(FETCHES, expires_before=patience.fetch_ends_before(now))
        troubled = await self._books.in_trouble(now=now, patience=patience)
        self._count(late, troubled)
        self._tell(_texts(late, troubled))

    def _count(self, late: Sequence[LateJobs], troubled: Sequence[CasesInTrouble]) -> None:
        counted: Counter[JobKind] = Counter()
        for each in late:
            counted[each.kind] += each.count
        stuck, lost = (
            sum(each.stuck for each in troubled),
            sum(each.lost for each in troubled),
        )
        before = self.figures or AlarmFigures()
        self.figures = AlarmFigures(dict(counted), stuck, lost)
        if counted.total() > sum(before.late.values()):
            _log.warning(
                "files of WhatsApp's wait too long",
                count=counted.total(),
                tries=sum(each.tries for each in late),
            )
        if stuck > before.stuck:
            _log.warning("recordings could not be compared for long", count=stuck)
        if lost > before.lost:
            _log.warning("recordings were lost lately", count=lost)

    def _tell(self, texts: Mapping[tuple[AccountId, str], str]) -> None:
        backs = {AT_RISK: AT_RISK_BACK, LOST: LOST_BACK}
        for account_id, code in self._told - texts.keys():
            self._notices.up(code, backs[code], account_id=account_id)
        for (account_id, code), text in texts.items():
            self._notices.down(code, text, account_id=account_id, is_for_leads=True)
        self._told = set(texts)


def _texts(
    late: Sequence[LateJobs], troubled: Sequence[CasesInTrouble]
) -> Mapping[tuple[AccountId, str], str]:
    counts: Counter[AccountId] = Counter()
    untils: dict[AccountId, float] = {}
    for each in late:
        if each.account_id is not None:
            counts[each.account_id] += each.count
            known = untils.get(each.account_id, each.first_until)
            untils[each.account_id] = min(known, each.first_until)
    for case in troubled:
        counts[case.account_id] += case.stuck
    texts = {
        (account_id, AT_RISK): _at_risk(count, untils.get(account_id))
        for account_id, count in counts.items()
        if count
    }
    for case in troubled:
        if case.lost:
            texts[case.account_id, LOST] = (
                f"Recordings that were lost lately: {case.lost}. Neither WhatsApp's nor ours "
                "is there."
            )
    return texts


def _at_risk(count: int, until: float | None) -> str:
    text = f"Recordings or transcripts that may be lost: {count}."
    if until is None:
        return text
    first = datetime.fromtimestamp(until, UTC)
    return f"{text} WhatsApp keeps the first until {first:%Y-%m-%d %H:%M} UTC."
