"""Carries out the gateway's commands about recording on the worker's captures."""

from typing import assert_never

from media.capture_book import CaptureOrder
from media.capture_format import StopReason
from media.captures import Captures
from media.protocol_capture import (
    BudgetSnapshot,
    CaptureSnapshot,
    CloseBudget,
    GrantBudget,
    OpenBudget,
    PauseCapture,
    RefuseBudget,
    ResumeCapture,
    StartCapture,
    StopCapture,
)

BudgetCommand = OpenBudget | GrantBudget | RefuseBudget | CloseBudget
CallCommand = StartCapture | PauseCapture | ResumeCapture | StopCapture


def carry_out_on_budget(
    captures: Captures, command: BudgetCommand, now: float
) -> BudgetSnapshot:
    """Return the budget as it is after the command; raises `CaptureConflict`."""
    match command:
        case OpenBudget():
            return captures.open_budget(command.budget_id, command.granted_ms)
        case GrantBudget():
            return captures.grant(
                now, command.budget_id, command.number, command.granted_ms, command.answers
            )
        case RefuseBudget():
            return captures.refuse(command.budget_id, command.answers, command.reason)
        case CloseBudget():
            return captures.close_budget(command.budget_id)
        case _:
            assert_never(command)


def carry_out_on_call(
    captures: Captures, command: CallCommand, *, now: float, unix_ms: int
) -> CaptureSnapshot | None:
    """Return the capture as it is after the command; raises `CaptureConflict`.

    After `StartCapture` the caller shows the leg's packets to what `Captures.tap` returns.
    None: the capture is over and all its files are finished.
    """
    match command:
        case StartCapture():
            order = CaptureOrder(
                capture_id=command.capture_id,
                budget_id=command.budget_id,
                whatsapp_leg_id=command.whatsapp_leg_id,
                blob=command.blob,
                first_segment=command.first_segment,
            )
            captures.start(now, unix_ms, order)
        case PauseCapture():
            captures.pause(now, command.capture_id)
        case ResumeCapture():
            captures.resume(now, command.capture_id)
        case StopCapture():
            captures.end(now, command.capture_id, StopReason.COMMAND)
        case _:
            assert_never(command)
    return captures.find(command.capture_id)
