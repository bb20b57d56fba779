"""Compares the recordings of each call, keeps what may be kept, and charges it.

Whatever happens in between, a crash included, the case stands in the store, and the same
conclusion is drawn from it again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from gateway.core.errors import StoreDown
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.charge import Stamp
from gateway.core.recording.facts import MISSING, Fact, Facts, LocalCopy, OfficialCopy, learn
from gateway.core.recording.files import FileRole, cut_key
from gateway.core.recording.intervals import Interval, Intervals, tidy
from gateway.core.recording.reconcile import (
    AWAITED_S,
    FINAL_S,
    Conclusion,
    Copy,
    Verdict,
    reconcile,
)
from gateway.ports.cases import Case, CaseFiles, Cases, FilesDown, FileWork, KeptFile
from gateway.ports.clock import Clock

_log = structlog.get_logger(__name__)

TRIES_MAX = 5
SWEEP_S = 10.0
DUE_MAX = 50

FreeMs = Callable[[AccountId], Awaitable[int]]
"""Tells how many ms of recording an account has free; raises `StoreDown`."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An official file in hand, and what it is."""

    fd: int
    copy: OfficialCopy


class Reconciler:
    """One per node; several may work on one case, the store lets one of them win."""

    def __init__(
        self,
        cases: Cases,
        files: FileWork,
        clock: Clock,
        *,
        free_ms: FreeMs,
        concluded: Callable[[Case], None],
    ) -> None:
        """`concluded` is told of every case whose conclusion has changed."""
        self._cases = cases
        self._files = files
        self._clock = clock
        self._free_ms = free_ms
        self._concluded = concluded
        self._locks: dict[CallId, asyncio.Lock] = {}

    async def run(self) -> None:
        """Look at the cases that are due, until cancelled."""
        while True:
            try:
                await self.sweep()
            except StoreDown:
                _log.info("cases wait for the database")
            await self._clock.sleep(SWEEP_S)

    async def sweep(self) -> None:
        """Look at all cases that are due now. Raises `StoreDown`."""
        for call_id in await self._cases.due(now=self._clock.wall(), limit=DUE_MAX):
            try:
                await self.settle(call_id)
            except FilesDown as error:
                _log.warning(
                    "a recording cannot be cut yet", call_id=call_id, reason=str(error)
                )

    async def tell(self, call_id: CallId, fact: Fact) -> None:
        """Add a fact to a case and conclude what follows; unknown cases are left alone.

        Raises `StoreDown` or `FilesDown`; the fact may be told again then.
        """
        if await self._cases.tell(call_id, fact, now=self._clock.wall()):
            await self.settle(call_id)

    async def settle(self, call_id: CallId, fetched: Fetched | None = None) -> bool:
        """Conclude what follows from a case now, and act on it.

        True: `fetched` has found its place, or is not needed. False: it is too early to say.
        Raises `StoreDown` or `FilesDown`.
        """
        lock = self._locks.setdefault(call_id, asyncio.Lock())
        try:
            async with lock:
                return await self._settle(call_id, fetched)
        finally:
            if not lock.locked():
                self._locks.pop(call_id, None)

    async def _settle(self, call_id: CallId, fetched: Fetched | None) -> bool:
        for _ in range(TRIES_MAX):
            case = await self._cases.load(call_id)
            if case is None:
                return True
            told = _with(case, fetched)
            free_ms = await self._free_ms(case.opening.account_id)
            conclusion = self._conclude(told, free_ms)
            if await self._act(case, told, conclusion, fetched):
                return conclusion is not None
        _log.warning("a case changes too often to be settled now", call_id=call_id)
        return False

    def _conclude(self, case: Case, free_ms: int) -> Conclusion | None:
        now, before = self._clock.wall(), case.conclusion
        conclusion = reconcile(case.facts, now=now, free_ms=free_ms, before=before)
        is_local = conclusion is not None and conclusion.record is Copy.LOCAL
        if not is_local or case.files.local is not None:
            return conclusion
        # A copy without a file cannot be kept, whatever was told of it.
        without = replace(case.facts, local=MISSING)
        return reconcile(without, now=now, free_ms=free_ms, before=before)

    async def _act(
        self,
        before: Case,
        told: Case,
        conclusion: Conclusion | None,
        fetched: Fetched | None,
    ) -> bool:
        look_at = _look_at(told.facts, conclusion)
        if conclusion is None:
            # Nothing is known of the fetched file before it has a place.
            unchanged = replace(before, conclusion=None)
            return await self._write(unchanged, look_at)
        files = await self._make(before, conclusion, fetched)
        facts = _with_extra(told.facts, conclusion)
        case = replace(told, facts=facts, conclusion=conclusion, files=files)
        if not await self._write(case, look_at, measured_ms=_measured_ms(case)):
            return False
        if conclusion.verdict is not Verdict.DELETED:
            await self._remove_old(before.files, files)
        if before.conclusion is None or before.conclusion != conclusion:
            if conclusion.verdict is Verdict.LOST:
                _log.error("a recording was lost", call_id=case.opening.call_id)
            self._concluded(case)
        return True

    async def _write(
        self, case: Case, look_at: float | None, *, measured_ms: int | None = None
    ) -> bool:
        stamp = Stamp(self._clock.wall(), note=_note(case.conclusion))
        return await self._cases.conclude(
            case, look_at=look_at, stamp=stamp, measured_ms=measured_ms
        )

    # --- files -------------------------------------------------------------------------------

    async def _make(
        self, case: Case, conclusion: Conclusion, fetched: Fetched | None
    ) -> CaseFiles:
        """Make what the conclusion keeps; files that are as they should be are left alone."""
        return CaseFiles(
            local=await self._local(case, conclusion),
            official=await self._official(case, conclusion, fetched),
        )

    async def _official(
        self, case: Case, conclusion: Conclusion, fetched: Fetched | None
    ) -> KeptFile | None:
        keep = conclusion.kept_official
        known = case.files.official
        if not keep or (known is not None and known.holds == keep):
            return known if keep else None
        if fetched is None:
            # What was kept of it before can only become less, and we cannot tell where.
            return known
        key = await self._expect(case, FileRole.OFFICIAL)
        return await self._files.cut_fetched(fetched.fd, key, keep)

    async def _local(self, case: Case, conclusion: Conclusion) -> KeptFile | None:
        keep, known = conclusion.kept_local, case.files.local
        if known is None or not keep:
            return None
        holds = known.holds or (case.facts.local or MISSING).granted
        if keep == holds:
            return known
        key = await self._expect(case, FileRole.LOCAL)
        cut = await self._files.cut_kept(known, key, in_file_time(holds, keep))
        return replace(cut, holds=keep)

    async def _expect(self, case: Case, role: FileRole) -> str:
        """Name a file that is about to be made, and let it be known before it is there."""
        opening = case.opening
        key = cut_key(opening.account_id, opening.call_id, role, case.version)
        await self._cases.expect(opening, key, role, now=self._clock.wall())
        return key

    async def _remove_old(self, before: CaseFiles, now: CaseFiles) -> None:
        kept = {each.file for each in (now.local, now.official) if each is not None}
        for old in (before.local, before.official):
            if old is not None and old.file not in kept:
                await self._files.remove(old)


def in_file_time(holds: Intervals, keep: Intervals) -> Intervals:
    """Return where `keep` lies in a file that has `holds` one after the other."""
    placed: list[Interval] = []
    at = 0
    for begin, end in holds:
        for first, last in keep:
            inside = Interval(max(begin, first) - begin + at, min(end, last) - begin + at)
            if inside.length:
                placed.append(inside)
        at += end - begin
    return tidy(placed)


def _with(case: Case, fetched: Fetched | None) -> Case:
    return case if fetched is None else replace(case, facts=learn(case.facts, fetched.copy))


def _with_extra(facts: Facts, conclusion: Conclusion) -> Facts:
    """Remember how much of the official file was kept: the rest is gone for good."""
    for copy in facts.officials:
        if copy.sha256 == conclusion.official_sha256:
            return learn(facts, replace(copy, extra_ms=conclusion.extra_ms))
    return facts


def _measured_ms(case: Case) -> int | None:
    """Return how long the announcement took: when Meta began, counted from the pick-up."""
    official = case.facts.official
    if official is None or official.offset_ms is None:
        return None
    return max(0, case.opening.delay_ms + official.offset_ms)


def _look_at(facts: Facts, conclusion: Conclusion | None) -> float | None:
    if conclusion is None:
        return facts.ended_at + AWAITED_S
    if conclusion.is_final:
        return None
    return max(facts.ended_at + FINAL_S, facts.announced_until if conclusion.is_open else 0.0)


def _note(conclusion: Conclusion | None) -> str:
    return "" if conclusion is None else f"reconciled: {conclusion.verdict}"


def laid_out(local: LocalCopy | None) -> Intervals:
    """Return when what our file holds was recorded."""
    return () if local is None else local.granted
