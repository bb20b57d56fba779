"""Does the jobs of the table: a few at a time, the oldest first, until each is done or lost."""

import asyncio
import itertools
from collections.abc import Callable, Mapping

import structlog

from gateway.core.errors import StoreDown
from gateway.core.jobs import Setback, pause_s
from gateway.ports.clock import Clock
from gateway.ports.jobs import Job, JobKind, Jobs, JobWork, NotWanted, TryLater
from gateway.runtime.tasks import Tasks
from gateway.runtime.world import JobBounds

_log = structlog.get_logger(__name__)

LOST = "too late"


class JobRunner:
    """Claims jobs and lets their kind's work carry them out.

    An outage stops all but one job, which asks again and again: when the other side is back,
    the whole queue follows at once.
    """

    def __init__(
        self,
        jobs: Jobs,
        work: Mapping[JobKind, JobWork],
        *,
        clock: Clock,
        tasks: Tasks,
        chance: Callable[[], float],
        bounds: JobBounds | None = None,
    ) -> None:
        """`chance` gives random numbers from 0 to 1."""
        self._jobs = jobs
        self._work = work
        self._clock = clock
        self._tasks = tasks
        self._chance = chance
        self._bounds = bounds or JobBounds()
        self._wake = asyncio.Event()
        self._running = 0
        self._outages = 0
        self._asks_again_at = 0.0

    def wake(self) -> None:
        """Look at the table at once; called after ordering a job."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled; a store that is down is asked again at the next look."""
        while True:
            stop_waiting = self._tasks.spawn(
                self._wake_later(), name="job poll", on_crash=self.wake
            )
            await self._wake.wait()
            stop_waiting()
            self._wake.clear()
            try:
                await self._claim()
            except StoreDown:
                await self._clock.sleep(self._bounds.poll_s)

    async def _wake_later(self) -> None:
        await self._clock.sleep(self._bounds.poll_s)
        self.wake()

    async def _claim(self) -> None:
        free = self._bounds.at_once_max - self._running
        if self._outages:
            is_early = self._clock.monotonic() < self._asks_again_at
            free = 0 if is_early or self._running else 1
        if free <= 0:
            return
        jobs = await self._jobs.claim(
            list(self._work), now=self._clock.wall(), lease_s=self._bounds.lease_s, limit=free
        )
        for job in jobs:
            self._running += 1
            self._tasks.spawn(self._do(job), name="job", on_crash=self.wake)

    async def _do(self, job: Job) -> None:
        stop_holding = self._tasks.spawn(self._hold(job), name="job lease", on_crash=_ignore)
        try:
            if self._clock.wall() >= job.expires_at:
                await self._lose(job)
            else:
                await self._try(job)
        except StoreDown:
            # Its lease runs out, then it is claimed again.
            _log.warning("a job waits for the database", kind=job.kind)
        finally:
            stop_holding()
            self._running -= 1
            self.wake()

    async def _try(self, job: Job) -> None:
        error = await self._tasks.attempt(self._work[job.kind].carry_out(job))
        if error is None or isinstance(error, NotWanted):
            self._outages = 0
            await self._jobs.done(job, now=self._clock.wall())
            return
        if isinstance(error, StoreDown):
            raise error
        if not isinstance(error, TryLater):
            self._tasks.report(f"job {job.kind}", error)
            error = TryLater(Setback.REFUSED, type(error).__name__)
        await self._put_back(job, error)

    async def _put_back(self, job: Job, error: TryLater) -> None:
        pause = pause_s(
            error.setback, job.tries + 1, chance=self._chance(), asked_s=error.after_s
        )
        if error.setback is Setback.OUTAGE:
            self._note_outage(error)
        else:
            self._outages = 0
        # The last try comes in time to be the last.
        due_at = min(self._clock.wall() + pause, job.expires_at)
        await self._jobs.put_back(job, due_at=due_at, trouble=error.trouble)

    def _note_outage(self, error: TryLater) -> None:
        self._outages += 1
        pause = pause_s(
            Setback.OUTAGE, self._outages, chance=self._chance(), asked_s=error.after_s
        )
        pause = min(pause, self._bounds.outage_pause_max_s)
        self._asks_again_at = self._clock.monotonic() + pause

    async def _lose(self, job: Job) -> None:
        await self._work[job.kind].lost(job)
        if await self._jobs.give_up(job, now=self._clock.wall(), trouble=LOST):
            _log.error("a job came too late", kind=job.kind, job_id=job.job_id)

    async def _hold(self, job: Job) -> None:
        """Keep the lease while the work goes on."""
        lease_s = self._bounds.lease_s
        for _ in itertools.count():
            await self._clock.sleep(lease_s / 3)
            try:
                if not await self._jobs.extend(job, until=self._clock.wall() + lease_s):
                    return
            except StoreDown:
                continue


def _ignore() -> None:
    """A lease that is held no longer is claimed by somebody else: nothing is lost."""
