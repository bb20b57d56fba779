"""Recording in a media worker: its budgets (port `BudgetLine`), captures and their news."""

from collections.abc import Awaitable, Callable
from typing import assert_never

from typing_extensions import override

from gateway.adapters.media_engine_tags import tag_text
from gateway.core.errors import MediaRefused
from gateway.core.ids import CallId
from gateway.core.quota.lease import BudgetId, Refusal
from gateway.ports import media as port
from gateway.ports.clock import NewId
from gateway.ports.quota import BudgetLine, BudgetSeen, LowBudget
from media import protocol as wire
from media import protocol_capture as recording
from media.capture_format import StopReason

Ask = Callable[[wire.Command], Awaitable[wire.Done]]
"""Sends a command and waits; raises `MediaRefused` or `MediaAway`."""

_REASONS: dict[Refusal, recording.RefusalReason] = {
    Refusal.QUOTA_USED_UP: StopReason.QUOTA,
    Refusal.OVERDRAWN: StopReason.QUOTA,
    Refusal.LEDGER_UNREACHABLE: StopReason.LEDGER_UNREACHABLE,
    Refusal.BUDGET_CLOSED: StopReason.BUDGET_CLOSED,
}
_STATES = {
    recording.CaptureState.RECORDING: port.CaptureState.RECORDING,
    recording.CaptureState.PAUSED: port.CaptureState.PAUSED,
    recording.CaptureState.STOPPED: port.CaptureState.STOPPED,
    # Its last packets wait for their grant.
    recording.CaptureState.ENDING: port.CaptureState.RECORDING,
    recording.CaptureState.ENDED: port.CaptureState.ENDED,
}


class MediaBudgets(BudgetLine):
    """The budgets of the worker that `ask` reaches."""

    def __init__(self, ask: Ask, new_id: NewId) -> None:
        self._ask = ask
        self._new_id = new_id

    @override
    async def open(self, budget_id: BudgetId, *, limit_ms: int) -> None:
        await self._ask(
            recording.OpenBudget(id=self._new_id(), budget_id=budget_id, granted_ms=limit_ms)
        )

    @override
    async def grant(
        self, budget_id: BudgetId, *, number: int, limit_ms: int, answers: int
    ) -> int:
        command = recording.GrantBudget(
            id=self._new_id(),
            budget_id=budget_id,
            number=number,
            granted_ms=limit_ms,
            answers=answers,
        )
        return _budget(await self._ask(command)).granted_ms

    @override
    async def refuse(self, budget_id: BudgetId, *, answers: int, refusal: Refusal) -> None:
        await self._ask(
            recording.RefuseBudget(
                id=self._new_id(),
                budget_id=budget_id,
                answers=answers,
                reason=_REASONS[refusal],
            )
        )

    @override
    async def close(self, budget_id: BudgetId) -> int:
        command = recording.CloseBudget(id=self._new_id(), budget_id=budget_id)
        return _budget(await self._ask(command)).drawn_ms


def start_capture(order: port.CaptureOrder, *, command_id: str, epoch: int) -> wire.Command:
    """Write the order to record a leg; a call has one capture, of its own name."""
    tag = port.LegTag(call_id=order.call_id, account_id=order.account_id)
    return recording.StartCapture(
        id=command_id,
        epoch=epoch,
        whatsapp_leg_id=order.leg_id,
        capture_id=order.call_id,
        budget_id=order.budget_id,
        blob=tag_text(tag),
    )


def stop_capture(call_id: CallId, *, command_id: str, epoch: int) -> wire.Command:
    """Write the order to end a call's capture."""
    return recording.StopCapture(id=command_id, epoch=epoch, capture_id=call_id)


def captures_of(snapshot: wire.Snapshot) -> tuple[port.CaptureLive, ...]:
    """Return the captures of a snapshot in the runtime's words."""
    return tuple(
        port.CaptureLive(
            call_id=CallId(capture.capture_id),
            state=_STATES[capture.state],
            reason=None if capture.stop_reason is None else capture.stop_reason.value,
            written_ms=capture.written_ms,
        )
        for capture in snapshot.captures
    )


def budgets_of(snapshot: wire.Snapshot) -> tuple[BudgetSeen, ...]:
    """Return the budgets of a snapshot, each with the calls that draw from it."""
    return tuple(
        BudgetSeen(
            budget_id=BudgetId(budget.budget_id),
            drawn_ms=budget.drawn_ms,
            grant_number=budget.grant_number,
            asked=budget.asked,
            calls=tuple(
                CallId(capture.capture_id)
                for capture in snapshot.captures
                if capture.budget_id == budget.budget_id
            ),
        )
        for budget in snapshot.budgets
    )


def translated(event: recording.CaptureEvent) -> port.CaptureEvent:
    """Return an event about recording in the runtime's words."""
    match event:
        case recording.BudgetLow():
            return port.BudgetRanLow(
                LowBudget(BudgetId(event.budget_id), event.ask, event.captures, event.drawn_ms)
            )
        case recording.CaptureStarted():
            return port.CaptureWent(CallId(event.capture_id), event.at, event.segment)
        case recording.CaptureWritten():
            return port.CapturesWrote(
                {CallId(each.capture_id): each.written_ms for each in event.captures},
                {BudgetId(each.budget_id): each.drawn_ms for each in event.budgets},
            )
        case recording.CaptureStopped():
            return port.CaptureStopped(
                call_id=CallId(event.capture_id),
                at=event.at,
                reason=event.reason.value,
                recorded_ms=event.recorded_ms,
                files=event.files,
                is_final=event.is_final,
            )
        case recording.SegmentFinished():
            return port.SegmentFinished(
                CallId(event.capture_id), event.at, event.segment, event.duration_ms
            )
        case _:
            assert_never(event)


def _budget(done: wire.Done) -> recording.BudgetSnapshot:
    if done.budget is None:
        raise MediaRefused("internal", "the media worker did not describe the budget")
    return done.budget
