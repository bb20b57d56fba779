"""All captures and budgets of a worker: draws time, writes what it covers, tells the gateway.

`tick` does the work several times a second. It draws what passed since the last one from each
budget and writes only what that covers, so the comparison stands before the write whatever
the timing. The rest waits in memory while an ask is unanswered, for `hold_s` at most.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, assert_never

import structlog

from media.budget import Budget, share_out
from media.capture import Capture
from media.capture_book import (
    Account,
    CaptureCall,
    CaptureConflict,
    CaptureOrder,
    NoSuchBudget,
    NoSuchCapture,
    TooManyBudgets,
)
from media.capture_files import SegmentFile
from media.capture_format import StopReason
from media.capture_news import CaptureNews, Publish
from media.capture_writer import Append, CaptureWriter, Close, SegmentClosed, SegmentFailed
from media.protocol_capture import BudgetSnapshot, CaptureSnapshot, CaptureState
from media.settings import CaptureSettings

log = structlog.get_logger()

_RESUMED_BY_GRANT: Final = (
    StopReason.QUOTA,
    StopReason.GRANT_LATE,
    StopReason.LEDGER_UNREACHABLE,
    StopReason.BUDGET_CLOSED,
)


class Captures:
    """The captures of one worker. Not thread-safe: everything runs on the relay's thread."""

    def __init__(
        self, writer: CaptureWriter, publish: Publish, settings: CaptureSettings
    ) -> None:
        self._writer = writer
        self.failures = 0
        """Mistakes of ours that were contained."""
        self._news = CaptureNews(publish)
        self._settings = settings
        self._accounts: dict[str, Account] = {}
        self._calls: dict[str, CaptureCall] = {}
        self._owners: dict[SegmentFile, CaptureCall] = {}
        self._work: list[Append | Close] = []
        self._second_began: float | None = None
        self._stalled_since: float | None = None

    # --- budgets ---------------------------------------------------------------------------

    def open_budget(self, budget_id: str, granted_ms: int) -> BudgetSnapshot:
        """Make a budget known with its first grant; one that is known stays as it is."""
        if budget_id not in self._accounts:
            if len(self._accounts) >= self._settings.budgets_max:
                raise TooManyBudgets("the media worker has no room for another budget")
            budget = Budget(budget_id)
            budget.grant(0, granted_ms, answers=0)
            self._accounts[budget_id] = Account(budget, {})
        return self._account(budget_id).snapshot()

    def grant(
        self, now: float, budget_id: str, number: int, granted_ms: int, answers: int
    ) -> BudgetSnapshot:
        """Replace the total granted; more of it resumes what stopped for want of time."""
        account = self._account(budget_id)
        if account.budget.grant(number, granted_ms, answers=answers):
            for capture in account.captures.values():
                if (
                    capture.state is CaptureState.STOPPED
                    and capture.stop_reason in _RESUMED_BY_GRANT
                ):
                    capture.resume(now)
        return account.snapshot()

    def refuse(
        self, budget_id: str, answers: int, reason: StopReason = StopReason.QUOTA
    ) -> BudgetSnapshot:
        """Nothing more is to be had: captures stop at exactly what is granted."""
        account = self._account(budget_id)
        account.budget.refuse(answers, reason)
        return account.snapshot()

    def close_budget(self, budget_id: str) -> BudgetSnapshot:
        """Forget a budget and tell what was drawn; `CaptureConflict` while it is used."""
        account = self._account(budget_id)
        if account.captures:
            raise CaptureConflict("captures still draw on the budget")
        del self._accounts[budget_id]
        return account.snapshot()

    def _account(self, budget_id: str) -> Account:
        account = self._accounts.get(budget_id)
        if account is None:
            raise NoSuchBudget("no such budget")
        return account

    # --- captures --------------------------------------------------------------------------

    def start(self, now: float, unix_ms: int, order: CaptureOrder) -> Capture:
        """Return the tap of a new capture that records from `now`; a known one is returned."""
        call = self._calls.get(order.capture_id)
        if call is not None:
            if call.whatsapp_leg_id != order.whatsapp_leg_id:
                raise CaptureConflict("a capture of that name records another leg")
            return call.capture
        if any(each.is_alive for each in self._of_leg(order.whatsapp_leg_id)):
            raise CaptureConflict("the leg is being recorded already")
        account = self._account(order.budget_id)
        capture = Capture(
            order.capture_id,
            account.budget,
            blob=order.blob,
            began=(now, unix_ms),
            first_segment=order.first_segment,
            records_max=self._settings.records_max,
        )
        account.captures[order.capture_id] = capture
        self._calls[order.capture_id] = CaptureCall(capture, account, order.whatsapp_leg_id)
        return capture

    def pause(self, now: float, capture_id: str) -> None:
        """Stop the recording timeline of a capture."""
        self._call(capture_id).capture.pause(now)

    def resume(self, now: float, capture_id: str) -> None:
        """End a pause, or begin a new segment after a stop."""
        self._call(capture_id).capture.resume(now)

    def end(self, now: float, capture_id: str, reason: StopReason) -> None:
        """End a capture for good; an unknown or ended one is fine."""
        call = self._calls.get(capture_id)
        if call is None or call.capture.state is CaptureState.ENDED:
            return
        if call.capture.end(now, reason):
            self._news.stopped(call)
            self._forget_if_over(call)

    def end_of_leg(self, now: float, whatsapp_leg_id: str) -> None:
        """End what records a leg that is gone."""
        for call in self._of_leg(whatsapp_leg_id):
            self.end(now, call.capture.capture_id, StopReason.LEG_CLOSED)

    def end_all(self, now: float) -> None:
        """End every capture with what is granted already; the caller stops the writer next."""
        for call in list(self._calls.values()):
            self.end(now, call.capture.capture_id, StopReason.WORKER_CLOSING)
        self.tick(now)
        for call in list(self._calls.values()):
            if call.capture.is_drawing:
                self._close_segment(call, StopReason.WORKER_CLOSING)
        self._submit()

    def tap(self, capture_id: str) -> Capture:
        """Return what the relay feeds; raises `CaptureConflict` if it is unknown."""
        return self._call(capture_id).capture

    def find(self, capture_id: str) -> CaptureSnapshot | None:
        """Describe a capture; None if it is unknown, or over with all its files finished."""
        call = self._calls.get(capture_id)
        return None if call is None else call.snapshot()

    def snapshot(self) -> tuple[tuple[CaptureSnapshot, ...], tuple[BudgetSnapshot, ...]]:
        """Describe all captures and budgets."""
        return (
            tuple(call.snapshot() for call in self._calls.values()),
            tuple(account.snapshot() for account in self._accounts.values()),
        )

    def _of_leg(self, whatsapp_leg_id: str) -> list[CaptureCall]:
        return [
            call for call in self._calls.values() if call.whatsapp_leg_id == whatsapp_leg_id
        ]

    def _call(self, capture_id: str) -> CaptureCall:
        call = self._calls.get(capture_id)
        if call is None:
            raise NoSuchCapture("no such capture")
        return call

    # --- the work --------------------------------------------------------------------------

    async def run(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Tick until cancelled. `clock` is the one that stamps the packets."""
        while True:
            await asyncio.sleep(self._settings.flush_interval_s)
            with self._contained():
                self.tick(clock())

    def tick(self, now: float) -> None:
        """Draw, write and report what is due at monotonic `now`; never blocks."""
        self._take_reports()
        if self._writer.accepting:
            self._stalled_since = None
            for account in self._accounts.values():
                with self._contained():
                    self._draw(account, now)
        else:
            self._wait_for_disk(now)
        self._submit()
        if self._second_began is None:
            self._second_began = now
        elif now - self._second_began >= self._settings.sync_interval_s:
            self._second_began = now
            self._writer.sync(self._owners)
            self._news.written(self._calls.values(), self._accounts.values())

    @contextmanager
    def _contained(self) -> Iterator[None]:
        """A mistake of ours costs one account recorded time, and no call. It is told once."""
        try:
            yield
        except Exception:
            self.failures += 1
            if self.failures == 1:
                log.exception("captures failed")

    def _submit(self) -> None:
        work, self._work = self._work, []
        self._writer.submit(work)

    def _draw(self, account: Account, now: float) -> None:
        calls = [self._calls[key] for key, each in account.captures.items() if each.is_drawing]
        if not calls:
            # An ask outlives the captures that gave up waiting: its answer resumes them.
            account.dry_since = None
            self._ask(account, now)
            return
        budget = account.budget
        wanted = [max(0, c.capture.position_ms(now) - c.capture.drawn_ms) for c in calls]
        shares = wanted
        if sum(wanted) > budget.remaining_ms:
            shares = share_out(budget.remaining_ms, wanted)
        dry: list[CaptureCall] = []
        for call, wanted_ms, share_ms in zip(calls, wanted, shares, strict=True):
            got_ms = budget.draw(share_ms)
            self._write(call, call.capture.cover(got_ms))
            if got_ms < wanted_ms:
                dry.append(call)
            elif call.capture.ending_reason is not None:
                self._close_segment(call, call.capture.ending_reason)
        self._ask(account, now)
        if not dry:
            account.dry_since = None
        elif not budget.is_asking:
            self._stop(dry, budget.refusal or StopReason.QUOTA)
        elif account.dry_since is None or any(shares):
            account.dry_since = now
        elif now - account.dry_since > self._settings.hold_s:
            self._stop(dry, StopReason.GRANT_LATE)

    def _ask(self, account: Account, now: float) -> None:
        budget = account.budget
        drawing = sum(
            each.is_drawing and each.state is not CaptureState.PAUSED
            for each in account.captures.values()
        )
        ask = budget.ask(now, drawing) if account.captures else None
        if ask is not None:
            self._news.budget_low(budget, ask, drawing)

    def _write(self, call: CaptureCall, records: bytes) -> None:
        if not records:
            return
        if call.segment is None:
            self._begin_file(call)
        assert call.segment is not None
        call.segment.drawn_ms = call.capture.drawn_ms
        self._work.append(Append(call.segment, records, call.capture.drawn_ms))

    def _begin_file(self, call: CaptureCall) -> None:
        capture = call.capture
        segment = SegmentFile(capture.header, capture.encoded_header)
        call.segment = segment
        call.files += 1
        call.unfinished += 1
        self._owners[segment] = call
        self._news.started(segment)

    def _wait_for_disk(self, now: float) -> None:
        if self._stalled_since is None:
            self._stalled_since = now
        elif now - self._stalled_since > self._settings.hold_s:
            self._stop(
                [call for call in self._calls.values() if call.capture.is_drawing],
                StopReason.DISK_SLOW,
            )

    def _stop(self, calls: list[CaptureCall], reason: StopReason) -> None:
        for call in calls:
            self._close_segment(call, reason)

    def _close_segment(self, call: CaptureCall, reason: StopReason) -> None:
        last = call.capture.close_segment(reason)
        if call.segment is not None:
            self._work.append(Close(call.segment, last))
            call.segment = None
        self._news.stopped(call)
        self._forget_if_over(call)

    # --- what became of it -----------------------------------------------------------------

    def _take_reports(self) -> None:
        for report in self._writer.take_reports():
            match report:
                case SegmentFailed():
                    self._take_failure(report)
                case SegmentClosed(segment):
                    self._finish(segment)
                case _:
                    assert_never(report)

    def _take_failure(self, failed: SegmentFailed) -> None:
        segment = failed.segment
        call = self._owners[segment]
        lost_ms = segment.drawn_ms - failed.held_ms
        if call.segment is segment:
            call.segment = None
            call.capture.leave_segment(failed.reason, failed.held_ms)
            self._work.append(Close(segment, b""))
            self._news.stopped(call)
        else:
            call.capture.closed_ms -= lost_ms
        if failed.is_exact:
            call.account.budget.put_back(lost_ms)

    def _finish(self, segment: SegmentFile) -> None:
        call = self._owners.pop(segment)
        call.unfinished -= 1
        self._news.finished(segment)
        self._forget_if_over(call)

    def _forget_if_over(self, call: CaptureCall) -> None:
        if call.capture.state is CaptureState.ENDED and not call.unfinished:
            del self._calls[call.capture.capture_id]
            del call.account.captures[call.capture.capture_id]
